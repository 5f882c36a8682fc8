"""Events as NDJSON: one JSON object a line, ``{"event": "found", …}``, for other programs.

Rules
- Plain values under the events' own names; an artifact is its file's name.
- Each line is flushed: whoever follows the file sees it at once.
- Progress comes after every trial; one line a second and phase is enough of it.
"""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

from deadheat import media
from deadheat.artifact import Artifact
from deadheat.campaign.events import Phase, Progress
from deadheat.core.divergence import Signature
from deadheat.core.hiccups import Hiccup

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.campaign.events import Event


class EventLines:
    """Writes events to ``file``; ``clock`` in seconds, counted from now on."""

    def __init__(self, file: TextIO, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._began_s = clock()
        self._last: tuple[Phase, int] | None = None

    def tell(self, event: Event) -> None:
        """One line, unless it is progress that says nothing new."""
        at_s = self._clock() - self._began_s
        if isinstance(event, Progress):
            now = (event.phase, int(at_s))
            if now == self._last:
                return
            self._last = now
        print(event_line(event, at_s), file=self._file, flush=True)


def event_line(event: Event, at_s: float) -> str:
    """One line without its end. ``at_s``: seconds since the job began."""
    body = {field.name: _plain(getattr(event, field.name)) for field in fields(event)}
    return media.json_text({"event": type(event).__name__.lower(), "at_s": round(at_s, 3), **body})


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case Artifact():
            return value.filename
        case Signature(anomaly, calls, transient):
            return {"anomaly": anomaly.value, "calls": list(calls), "transient": transient}
        case Hiccup(kind, status, why):
            return {"kind": kind.value, "status": status, "why": why}
        case tuple():
            return [_plain(one) for one in value]
        case PurePath():
            return value.as_posix()
        case float():
            return round(value, 3)
        case _:
            return value
