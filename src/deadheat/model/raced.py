"""Whether the race of a trial took place, and if not, why not.

Rules
- A trial *raced* when every call of its program was bound, sent and answered, and the calls of
  each concurrent round were released at their offsets. Only such a trial is silence (DESIGN §2).
- The calls before the race count, too: what the race is about was not there without them.
- A declared refusal is no answer here: the server has put the race off, and so it has with a status
  that says that it has not looked (``NOT_LOOKED``). Any other undeclared status, "absent" and
  "exists" are answers, and how a loser is told.
- The last reads at rest count, too: what could not be looked at was not silent.
- A call that hangs (``model.hangs``) has raced: that is what is looked for.
- What diverged diverged, raced or not; nothing here takes that back.
- In a search, where programs are drawn and offsets with them, the question is another one: were
  two calls that raced answered? Whether they overlapped is then read off the clock
  (``history.overlapping_pairs``), so offsets that were missed do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.model.hangs import hangs
from deadheat.model.history import REFUSED, Fail, Info, Kind, Ok, Operation, Undeclared, may_change
from deadheat.model.program import kind_of
from deadheat.model.release import missed

if TYPE_CHECKING:
    from deadheat.model.history import History, Place
    from deadheat.model.program import (
        Program,
    )

# Who are you (401, 407)? Too slow, too early, too many (408, 425, 429): RFC 9110, 8470, 6585.
NOT_LOOKED = frozenset({401, 407, 408, 425, 429})


class UnracedReason(StrEnum):
    """What kept a trial from racing."""

    UNBOUND = "unbound"  # a call was not sent: its session is not known to be ours
    UNSENT = "unsent"  # a call certainly did not arrive
    REFUSED = "refused"  # a call was refused, by a status that the profile declares so
    UNANSWERED = "unanswered"  # what a call did is unknown
    OFF_TIME = "off time"  # the lanes of a round were not released at their offsets


@dataclass(frozen=True, slots=True, order=True)
class Unraced:
    """Why a trial did not race.

    ``call``: the kind of the first call that is at fault, as people say it, and ``status`` what it
    was answered (None: nothing). Of ``OFF_TIME`` none is.
    """

    why: UnracedReason
    call: str = ""
    status: int | None = None


def unraced(program: Program, history: History) -> Unraced | None:
    """Why ``program``, run as ``history`` says, did not race; None: it did."""
    sent = {op.place: op for op in history.operations if op.place is not None}
    hung = {index for one in hangs(history) for index in one.witness}
    for place in _places(program):
        op = sent.get(place)
        if op is None:
            # A hang ends its trial: what was to follow it is not missed.
            return None if hung else Unraced(UnracedReason.UNBOUND, _kind(program, place))
        found = None if op.index in hung else _unanswered(op)
        if found is not None:
            return found
    for op in _last_at_rest(history):
        found = None if op.index in hung else _unanswered(op)
        if found is not None:
            return found
    if any(missed(releases) for releases in history.releases):
        return Unraced(UnracedReason.OFF_TIME)
    return None


def answered_race(program: Program, history: History) -> bool:
    """Did some round have two lanes whose calls were all answered, one of them with a change?

    And was at least one of the last reads at rest answered, where there were any?
    """
    reads = _last_at_rest(history)
    if reads and all(_unanswered(op) is not None for op in reads):
        return False
    sent = {op.place: op for op in history.operations if op.place is not None}
    for r, lanes in enumerate(program.rounds):
        ran = [
            [sent.get((r, n, i)) for i in range(len(lane))]
            for n, lane in enumerate(lanes)
            if len(lanes) > 1
        ]
        whole = [[op for op in lane if op is not None and _unanswered(op) is None] for lane in ran]
        answered = [ops for ops, lane in zip(whole, ran, strict=True) if len(ops) == len(lane)]
        if len(answered) > 1 and any(may_change(op) for ops in answered for op in ops):
            return True
    return False


def _last_at_rest(history: History) -> tuple[Operation, ...]:
    """The last of each read at rest: earlier ones may have come within the settle time."""
    last: dict[tuple[Kind, str | None], Operation] = {
        (op.kind, op.invocation.session): op for op in history.operations if op.at_rest
    }
    return tuple(last.values())


def _unanswered(op: Operation) -> Unraced | None:
    match op.outcome:
        case Ok(Undeclared(status)) if status in NOT_LOOKED:
            return Unraced(UnracedReason.REFUSED, op.called, status)
        case Ok():
            return None
        case Fail(reason) if reason == REFUSED:
            return Unraced(UnracedReason.REFUSED, op.called, op.status)
        case Fail():
            return Unraced(UnracedReason.UNSENT, op.called)
        case Info():
            return Unraced(UnracedReason.UNANSWERED, op.called, op.status)


def _places(program: Program) -> list[Place]:
    return [
        (r, n, i)
        for r, lanes in enumerate(program.rounds)
        for i in range(max(map(len, lanes), default=0))
        for n, lane in enumerate(lanes)
        if i < len(lane)
    ]


def _kind(program: Program, place: Place) -> str:
    r, n, i = place
    return kind_of(program.rounds[r][n][i])
