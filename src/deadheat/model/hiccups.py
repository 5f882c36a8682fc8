"""What a server said when nothing raced yet, and what passed when it was asked again.

Rule: only what may pass by itself is a hiccup: too busy, not now, no connection, unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from deadheat.model.history import Fail, Info, Kind, Ok, Outcome, Undeclared, Unknown

# Request Timeout, Too Early, Too Many Requests: each says "again, later".
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Hiccup:
    """One call of the handshake that was sent again. ``status`` None: no answer came.

    ``why``: the outcome's reason.
    """

    kind: Kind
    status: int | None
    why: str


def passes(outcome: Outcome) -> bool:
    """May the same call get another answer a moment later?

    A time-out has cost its bound already, and an answer of another shape comes again.
    """
    match outcome:
        case Fail():
            return True
        case Info(reason):
            return reason not in (Unknown.TIMEOUT, Unknown.GARBLED)
        case Ok(Undeclared(status)):
            return status in _LATER
        case Ok():
            return False
