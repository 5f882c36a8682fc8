"""OpenCode's event stream (``GET /event``): which of its events announce a change of a session.

Rules
- Seen on 1.0.152, 1.1.65, 1.2.1 and 1.18.33: JSON with ``type`` and ``properties.info``, the
  session as it is then.
- ``session.updated`` follows a create (1.0 to 1.2) and comes before a delete (1.2) as well as
  after a rename, so it says that the title is in place, not that somebody has just written it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from deadheat.core.history import Change
from deadheat.drive.listening import News

_CHANGES = {
    "session.created": Change.CREATED,
    "session.updated": Change.UPDATED,
    "session.deleted": Change.DELETED,
}


@dataclass(frozen=True, slots=True)
class OpenCodeEvents:
    """The event stream of the profile ``opencode``."""

    path: str = "/event"

    def news(self, event: str, text: str) -> News | None:
        """What an event says of a session, None when it is about something else."""
        del event  # always "message": the type is in the data
        try:
            told = json.loads(text)
            change = _CHANGES[told["type"]]
            info = told["properties"]["info"]
            session, title = info["id"], info.get("title")
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(session, str):
            return None
        return News(change, session, title if isinstance(title, str) else None)
