"""Calls of the handshake that met a hiccup: each is sent again, a little later.

Rules
- A few times, within bounds, and as late as the server says (``Retry-After``), but for
  ``_LONGEST_S`` at most. What was met is kept and told.
- A call that was not declared as refused may have been done. A delete that then finds nothing
  was, and so was a create that then finds its own name; of another create a session may be left
  (``lost_a_create``).
- Only here, where nothing races and no answer is evidence. A call of a trial is never repeated.
"""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import anyio

from deadheat.model.answer_word import word_of
from deadheat.model.hiccups import Hiccup, passes
from deadheat.model.history import (
    MAKING,
    NAMING,
    Absent,
    Created,
    Deleted,
    Exists,
    Fail,
    Kind,
    Ok,
    Outcome,
    Undeclared,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.model.history import Invocation

# A worker that is started again takes some 100 ms, a limit of one request a second is over after
# the third. A server that is broken is said to be after 1.5 s.
_PAUSES_S = (0.1, 0.4, 1.0)
_LONGEST_S = 5.0


class LatestAnswer(Protocol):
    """What retries need to know of a client."""

    @property
    def latest(self) -> tuple[int, str | None] | None:
        """The last answer's status and ``Retry-After``."""
        ...


class Retries:
    """Repeats calls of one target, and keeps what was met. ``sleep``: how to wait."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        self._sleep = sleep
        self.met: list[Hiccup] = []
        self.lost_a_create = False
        self.tries = 0  # of the latest call

    async def ask(
        self, client: LatestAnswer, invocation: Invocation, send: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        """The outcome of ``invocation``, which ``send`` sends through ``client``."""
        unsure, self.tries = False, 1
        outcome = await send()
        for pause_s in _PAUSES_S:
            if not passes(outcome):
                break
            status, told = client.latest or (None, None)
            self.met.append(Hiccup(invocation.kind, status, _why(outcome)))
            unsure = unsure or not isinstance(outcome, Fail)
            await self._sleep(max(pause_s, min(_seconds(told), _LONGEST_S)))
            self.tries += 1
            outcome = await send()
        if not unsure:
            return outcome
        match outcome:
            case Ok(Absent()) if invocation.kind is Kind.DELETE:
                return Ok(Deleted())
            case Ok(Exists()) if invocation.kind in NAMING and invocation.session is not None:
                return Ok(Created(invocation.session))
            case _:
                self.lost_a_create |= invocation.kind in MAKING
                return outcome


def _why(outcome: Outcome) -> str:
    match outcome:
        case Ok(Undeclared(status)):
            return str(status)
        case Ok(result):
            return word_of(result)
        case _:
            return str(outcome.reason)


def _seconds(retry_after: str | None) -> float:
    """The wait that ``Retry-After`` asks for: seconds, or a date; 0 without one."""
    if retry_after is None:
        return 0.0
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:6])
    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    now = datetime.now(UTC) if at.tzinfo is not None else datetime.now(UTC).replace(tzinfo=None)
    return max((at - now).total_seconds(), 0.0)
