"""Declared event streams: where an event has its name, its session's id and title.

Rules
- Server-sent events with JSON data; into it lead paths as in ``value_path``.
- What does not look like that, or has another name, says nothing about a session.
- An update says that the title is in place, not that it has just been written: OpenCode's
  ``session.updated`` follows a create and comes before a delete, too (1.0.152 to 1.18.33).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.drive.events.listener import EventReport
from deadheat.targets.profile.value_path import place
from deadheat.targets.profile.wire import session_id_of

if TYPE_CHECKING:
    from deadheat.model.history import Change


@dataclass(frozen=True, slots=True)
class DeclaredEvents:
    """``changes``: which event names announce what. ``name_at`` None: the event's own field."""

    path: str
    changes: tuple[tuple[str, Change], ...]
    id_at: str
    title_at: str | None = None
    name_at: str | None = None

    def news(self, event: str, text: str) -> EventReport | None:
        """What an event reports about a session; None: it is about something else."""
        try:
            told = json.loads(text)
            name = event if self.name_at is None else place(self.name_at).of(told)
            change = next((change for known, change in self.changes if known == name), None)
            if change is None:
                return None
            session = session_id_of(place(self.id_at).of(told))
        except (ValueError, RecursionError, LookupError, TypeError):
            return None
        return EventReport(change, session, self._title(told))

    def _title(self, told: object) -> str | None:
        if self.title_at is None:
            return None
        try:
            title = place(self.title_at).of(told)
        except (LookupError, TypeError):
            return None
        return title if isinstance(title, str) else None
