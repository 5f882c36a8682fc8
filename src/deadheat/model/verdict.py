"""Divergences: what they are called, and why each is one.

Rules
- A divergence carries the history that proves it.
- Two divergences are the same finding when their signatures are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from deadheat.model.history import (
    FORBIDDEN,
    Absent,
    Deleted,
    Info,
    Kind,
    may_change,
    went_on_unanswered,
)

if TYPE_CHECKING:
    from deadheat.model.grounds import Counterfactual, Reason, Step
    from deadheat.model.history import History, Operation


class Anomaly(StrEnum):
    """What a divergence is called (DESIGN §2)."""

    GHOST = "ghost"
    RESURRECTION = "resurrection"
    LOST_CREATE = "lost-create"
    LOST_UPDATE = "lost-update"
    PHANTOM = "phantom"
    VANISHED = "vanished"
    LATE = "late"
    STALE_READ = "stale-read"
    TORN_LIST = "torn-list"
    TORN_READ = "torn-read"
    DUPLICATE_ID = "duplicate-id"
    DOUBLE_DELETE = "double-delete"
    DOUBLE_CREATE = "double-create"
    ORPHAN = "orphan"
    PARTIAL_CASCADE = "partial-cascade"
    WRONG_STATUS = "wrong-status"
    SERVER_ERROR = "server-error"
    HANG = "hang"
    UNRESPONSIVE = "unresponsive"
    CRASH = "crash"
    EARLY_EVENT = "early-event"
    MISSING_EVENT = "missing-event"
    DUPLICATE_EVENT = "duplicate-event"
    PHANTOM_EVENT = "phantom-event"
    IMPOSSIBLE = "impossible"  # by what custom calls mean, which has no names for faults


# Two names for one fault: what tells them apart is what reads happened to see of it.
_ONE_FAULT: dict[Anomaly, Anomaly] = {
    Anomaly.LATE: Anomaly.STALE_READ,
    Anomaly.RESURRECTION: Anomaly.GHOST,
}

# The collection itself is not as it should be, for any look at it.
WRONG_STATE = frozenset(
    {
        Anomaly.GHOST,
        Anomaly.RESURRECTION,
        Anomaly.LOST_CREATE,
        Anomaly.LOST_UPDATE,
        Anomaly.PHANTOM,
        Anomaly.VANISHED,
        Anomaly.ORPHAN,
        Anomaly.PARTIAL_CASCADE,
    }
)

# It is about what the event stream said.
EVENTS = frozenset(
    {
        Anomaly.EARLY_EVENT,
        Anomaly.MISSING_EVENT,
        Anomaly.DUPLICATE_EVENT,
        Anomaly.PHANTOM_EVENT,
    }
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes two divergences the same finding.

    ``calls`` are the kinds of call in the witness, sorted; one made by the program
    and one made at rest are the same, and a recreate is a create. Where the state went
    wrong, which answer shows it says nothing: all that only look, renames that found
    their session, and deletes that answer for what another one had deleted, are folded
    into ``read``. ``late`` counts as ``stale-read``: one read saw it, or several; and
    ``resurrection`` as ``ghost``: a call saw it gone, or none did. Where a
    status is wrong, reads are ``read`` too. Where the events are, it is the kinds of call
    that can have made the change; of a hang, those that hang; of a server that answers
    nobody, none.
    ``transient``: as ``Divergence.transient``.
    """

    anomaly: Anomaly
    calls: tuple[str, ...]
    transient: bool = False

    @property
    def heard(self) -> bool:
        """Is it visible only to a client that listens to the event stream?"""
        return self.anomaly in EVENTS

    def __str__(self) -> str:
        passing = "transient " if self.transient else ""
        calls = f" ({', '.join(self.calls)})" if self.calls else ""
        return f"{passing}{self.anomaly}{calls}"


@dataclass(frozen=True, slots=True)
class ListDiff:
    """What one list of the witness showed wrongly, as far as the other calls prove it.

    ``missing``: sessions that lived from its call to its answer, and are not shown.
    ``extra``: shown, though they were gone before it or not there until after it.
    Both empty: each entry alone is possible, only no single moment has them all (or
    it is a title that is wrong).
    """

    index: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Divergence:
    """A contradiction that no order of the calls resolves.

    ``witness``: indices of the fewest operations found that already contradict
    each other. ``culprit``: the first answer that could no longer be explained.
    ``sessions``: the ids it is about. ``transient``: it went away within the target's settle
    time; only artifacts of before the settle time excused that are so.

    ``reason``: why the culprit's answer is wrong. ``proof``: why no order is legal, step by
    step, made of the witness's calls (empty: none was found). ``counterfactual``: the history
    would be legal if this were so. ``also_fits``: other names that a single edit gives as good a
    reason for. ``first_impossible``: the first answer of the whole history that
    could no longer be explained (None: not looked for, the history is long).
    ``strongest_promise_held``: the weaker promise that still held ("" as before);
    ``slack_ns``: how stale reads must be allowed to be, where that is the promise.
    ``lists``: what the lists of the witness showed against what they had to.
    ``heard``: places in the history's stream, of the announcements that belong to it.
    """

    history: History
    anomaly: Anomaly
    witness: tuple[int, ...]
    culprit: int
    sessions: tuple[str, ...]
    reason: Reason
    transient: bool = False
    proof: tuple[Step, ...] = ()
    counterfactual: Counterfactual | None = None
    also_fits: tuple[Anomaly, ...] = ()
    first_impossible: int | None = None
    strongest_promise_held: str = ""
    slack_ns: int | None = None
    lists: tuple[ListDiff, ...] = ()
    heard: tuple[int, ...] = ()

    @property
    def signature(self) -> Signature:
        """See ``Signature``."""
        ops = operations_by_index(self.history)
        witness = [ops[i] for i in self.witness]
        kinds = {_asked(op) for op in witness}
        if self.anomaly is Anomaly.CRASH:  # who else was under way when it died is chance
            kinds = set()
        elif self.anomaly in WRONG_STATE:
            kinds = _acts_and_looks(witness)
            if self.anomaly is not Anomaly.LOST_UPDATE:  # there, it is what went wrong
                kinds = {"read" if kind == "rename" else kind for kind in kinds}
        elif self.anomaly is Anomaly.DOUBLE_CREATE:  # how the name had come to be free is chance
            kinds = {Kind.CREATE.value}
        elif self.anomaly is Anomaly.IMPOSSIBLE:  # every session has a create
            kinds = _acts_and_looks(witness)
            kinds = kinds - {"create"} or kinds
        elif self.anomaly is Anomaly.UNRESPONSIVE:  # whoever was there waits
            kinds = set()
        elif self.anomaly is Anomaly.HANG:  # who waits for those that hang says nothing
            hung = {op for op in witness if isinstance(op.outcome, Info)}
            kinds = {op.called for op in ({op for op in hung if may_change(op)} or hung)}
        elif self.anomaly in EVENTS:
            changing = {_asked(op) for op in witness if may_change(op)}
            kinds = changing - {"create", "fork"} or changing
        elif self.anomaly is Anomaly.WRONG_STATUS:  # which read belies it says nothing either
            kinds = {_asked(op) if may_change(op) else "read" for op in witness}
        if self.anomaly in (Anomaly.WRONG_STATUS, Anomaly.SERVER_ERROR) and len(kinds) == 1:
            op = ops[self.culprit]
            # Of two creates of one name that met, which of them it struck is chance.
            failed = self.anomaly is Anomaly.SERVER_ERROR
            kinds = {f"{_asked(op) if failed else op.called} {op.status}"}
        anomaly = _ONE_FAULT.get(self.anomaly, self.anomaly)
        return Signature(anomaly, tuple(sorted(kinds)), self.transient)


@dataclass(frozen=True, slots=True)
class Linearizable:
    """A legal order: the indices of the operations that take effect, in that order."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Diverged:
    """No legal order. ``also``: independent contradictions in the same history."""

    divergence: Divergence
    also: tuple[Divergence, ...] = ()

    @property
    def all(self) -> tuple[Divergence, ...]:
        """The first divergence and the others."""
        return (self.divergence, *self.also)


class Obstacle(StrEnum):
    """Why a trial was not decided."""

    STEPS = "out-of-steps"
    MEANING = "custom-calls-without-meaning"
    FAMILIES = "custom-calls-beside-families"
    NOT_SENT = "nothing-sent"
    NO_ANSWER = "nothing-answered"


@dataclass(frozen=True, slots=True)
class Undecided:
    """The verdict cannot be known, or not within the budget. Never a pass."""

    reason: Obstacle


Verdict: TypeAlias = Linearizable | Diverged | Undecided


def _asked(op: Operation) -> str:
    """The kind of a call; a create under a used name counts as a create."""
    return Kind.CREATE.value if op.kind is Kind.RECREATE else op.called


def _acts_and_looks(witness: list[Operation]) -> set[str]:
    """The kinds of call that changed something, and ``read`` for whatever only looked."""
    kinds: set[str] = set()
    deleted: set[str | None] = set()
    for op in witness:
        result = op.result
        looked = not may_change(op) or isinstance(result, Absent) or result == FORBIDDEN
        if isinstance(result, Deleted):
            looked = op.invocation.session in deleted  # it was there again, or still
            deleted.add(op.invocation.session)
        kinds.add("read" if looked else _asked(op))
    return kinds


def operations_by_index(history: History) -> dict[int, Operation]:
    """The operations under the index that witnesses name them by."""
    return {op.index: op for op in history.operations}


# About the very call that got no answer: that nothing else was under way is the point.
_OF_NO_ANSWER = frozenset({Anomaly.HANG, Anomaly.CRASH, Anomaly.UNRESPONSIVE})


def goes_on(divergence: Divergence) -> bool:
    """May an unanswered change have raced with a later call?"""
    return divergence.anomaly not in _OF_NO_ANSWER and went_on_unanswered(divergence.history)
