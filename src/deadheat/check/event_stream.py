"""Compares the event stream with the answers: each change announced once, and not too soon.

Rules
- Only what instants prove. An announcement was sent at or before its arrival, and nobody
  knows when: so it can be too early, and never too late.
- A session lives once: it is created once and deleted once. ``updated`` is said of more than
  renames (OpenCode says it of a create, and of a delete too), so it is never one too many.
- Nothing is missing unless the stream was flushed (``Stream.flushed_ns``), nor where the
  change itself is in doubt: an unanswered call may have happened or not.
- Where the answers about a session contradict each other already, what was announced of it may
  be right and the answers wrong: it is not judged.
- Announcements of ids that no call of the trial was given are not looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.decide.legality import contradicts
from deadheat.check.projections import only_sessions
from deadheat.check.weakening import weakened
from deadheat.model.grounds import (
    AnnouncedTwice,
    BeforeItsCall,
    Belied,
    ByAnomaly,
    NeverAnnounced,
    NotDone,
)
from deadheat.model.history import (
    Absent,
    Change,
    Created,
    Deleted,
    Fail,
    Found,
    History,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    ancestors,
    parents_of,
    shown_sessions,
)
from deadheat.model.promises import ChildrenPromise, EventPromise, Promises
from deadheat.model.verdict import Anomaly, Divergence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.model.grounds import Step
    from deadheat.model.history import Announcement, Stream

# What has to be announced: a change, of a session, with this title (a rename's; else None).
Due: TypeAlias = tuple[Change, str, str | None]


@dataclass(frozen=True, slots=True)
class _Fault:
    """One contradiction: its calls, its announcements, and the proof."""

    anomaly: Anomaly
    session: str
    calls: tuple[Operation, ...]
    heard: tuple[int, ...]
    proof: Step


def misannounced(history: History, promises: Promises, budget: int) -> tuple[Divergence, ...]:
    """Every wrong announcement: too early, repeated, false or missing; one of each kind.

    Nothing where no one listened, or nothing is promised.
    """
    stream = history.stream
    if stream is None or promises.events is EventPromise.NONE:
        return ()
    found: dict[object, Divergence] = {}
    doubted: dict[str, bool] = {}
    for fault in _Look(history, stream, promises).faults():
        if fault.session not in doubted:
            alone = only_sessions(history, frozenset({fault.session}))
            doubted[fault.session] = contradicts(alone, promises, budget)
        if not doubted[fault.session]:
            one = _divergence(history, fault)
            found.setdefault(one.signature, one)
    return tuple(found.values())


def owed(history: History, promises: Promises) -> frozenset[Due]:
    """The changes answered with success that the stream has not announced so far."""
    look = _Look(history, history.stream, promises)
    return frozenset(due for due, _ in look.due() if not look.told(due))


class _Look:
    def __init__(self, history: History, stream: Stream | None, promises: Promises) -> None:
        self.ops = tuple(op for op in history.operations if not isinstance(op.outcome, Fail))
        self.reads = tuple(
            op
            for op in weakened(history, promises).operations
            if isinstance(op.outcome, Ok) and op.return_ns is not None
        )
        self.heard = () if stream is None else stream.announcements
        self.flushed_ns = None if stream is None else stream.flushed_ns
        self.promises = promises
        self.titles = promises.events is EventPromise.EXACTLY_ONCE
        self.cascade = promises.children is ChildrenPromise.CASCADE
        self.alone = promises.children is ChildrenPromise.ORPHAN
        self.parents = parents_of(self.ops)
        self.made = {op.result.session: op for op in self.ops if isinstance(op.result, Created)}

    # -- what is to be announced ------------------------------------------------------------

    def due(self) -> Iterator[tuple[Due, Operation]]:
        """Each change that certainly happened, with the call whose answer proves it."""
        for session, op in self.made.items():
            yield (Change.CREATED, session, None), op
        deletes = [
            op for op in self.ops if isinstance(op.result, Deleted) and op.kind is Kind.DELETE
        ]
        for session, made in self.made.items():
            taker = next((op for op in deletes if op.invocation.session == session), None)
            if taker is None and self.cascade:
                taker = self._cascade_that_took(session, made, deletes)
            if taker is not None:
                yield (Change.DELETED, session, None), taker
        for op in self.ops if self.titles else ():
            session = op.invocation.session or ""
            if isinstance(op.result, Renamed) and session in self.made:
                yield (Change.UPDATED, session, op.invocation.title), op

    def _cascade_that_took(
        self, session: str, made: Operation, deletes: list[Operation]
    ) -> Operation | None:
        """A delete above the session that certainly took it along.

        Only if nothing can have struck any of them before it was there: a delete of what has
        gone already may be answered with success, too, and takes nobody.
        """
        born_ns = made.return_ns
        if born_ns is None or any(op.call_ns <= born_ns for op in self._deletes(session)):
            return None
        above = ancestors(session, self.parents)
        return next((op for op in deletes if op.invocation.session in above), None)

    def _may_come(self, op: Operation, flushed_ns: int) -> bool:
        """May its change still be unannounced when the last announcement came?"""
        lag_ns = self.promises.lag_ns(op)
        return lag_ns is None or (bool(lag_ns) and (op.return_ns or 0) + lag_ns >= flushed_ns)

    def told(self, due: Due) -> bool:
        """Has this change been announced?"""
        change, session, title = due
        return any(
            one.change is change
            and one.session == session
            and (title is None or one.title in (title, None))
            for one in self.heard
        )

    # -- what is wrong ----------------------------------------------------------------------

    def faults(self) -> Iterator[_Fault]:
        said: dict[tuple[Change, str], list[int]] = {}
        for n, one in enumerate(self.heard):
            if one.session in self.made:
                said.setdefault((one.change, one.session), []).append(n)
                yield from self._too_soon(n, one)
        for (change, session), places in said.items():
            if len(places) > 1 and change is not Change.UPDATED:
                yield self._repeated(change, session, tuple(places[:2]))
        if self.flushed_ns is not None:
            for due, op in self.due():
                if not self.told(due) and not self._may_come(op, self.flushed_ns):
                    yield self._missing(due, op)

    def _too_soon(self, n: int, one: Announcement) -> Iterator[_Fault]:
        made = self.made[one.session]
        asked: tuple[Operation, ...]
        makers: tuple[Operation, ...]
        match one.change:
            case Change.CREATED:
                asked, makers = (made,), (made,)
            case Change.DELETED:
                asked = self._deletes(one.session)
                makers = tuple(op for op in asked if not isinstance(op.result, Absent))
            case Change.UPDATED:
                asked = self._writers(one)
                makers = tuple(op for op in asked if not isinstance(op.result, Absent))
                if not asked:  # a title that the server chose
                    return
        calls = _once(made, *(makers or asked))
        if asked and all(op.call_ns > one.arrived_ns for op in asked):
            first = min(asked, key=lambda op: op.call_ns)
            proof = BeforeItsCall(n, first.index)
            yield _Fault(Anomaly.EARLY_EVENT, one.session, calls, (n,), proof)
            return
        if one.change is Change.UPDATED and not makers:
            refused = NotDone(n, asked[0].index)
            yield _Fault(Anomaly.PHANTOM_EVENT, one.session, calls, (n,), refused)
            return
        read = next((op for op in self.reads if self._belies(op, one, makers)), None)
        if read is None:
            return
        anomaly = Anomaly.EARLY_EVENT if makers else Anomaly.PHANTOM_EVENT
        undone = not makers and one.change is Change.DELETED
        belied = Belied(n, read.index, undone, asked[0].index if undone and asked else None)
        yield _Fault(anomaly, one.session, _once(*calls, read), (n,), belied)

    def _belies(self, read: Operation, one: Announcement, makers: tuple[Operation, ...]) -> bool:
        """Does the operation, called after the announcement arrived, still show the old state?"""
        if read.call_ns <= one.arrived_ns or read in makers:
            return False
        match one.change:
            case Change.DELETED:  # a session does not come back
                return one.session in shown_sessions(read)
            case Change.CREATED:  # absent, though nothing can have deleted it by then
                end_ns = read.return_ns or 0
                gone = any(op.call_ns <= end_ns for op in self._deletes(one.session))
                return not gone and self._lacks(read, one.session)
            case Change.UPDATED:  # a title that had been written before the new one was asked for
                title = _title_in(read, one.session)
                if title is None or title == one.title:
                    return False
                writers = [
                    op
                    for op in self.ops
                    if op.invocation.title == title
                    and (op.invocation.session == one.session or op == self.made[one.session])
                ]
                first_ns = min(op.call_ns for op in makers)
                return bool(writers) and all(
                    op.return_ns is not None and op.return_ns < first_ns for op in writers
                )

    def _lacks(self, read: Operation, session: str) -> bool:
        match read.outcome:
            case Ok(Absent()):
                return read.kind is not Kind.CREATE and read.invocation.session == session
            case Ok(Listed() as listed):
                return session not in listed.sessions
            case Ok(Offspring() as listed):
                below = self.parents.get(session) == read.invocation.session
                return below and session not in listed.sessions and bool(listed.entries)
            case _:
                return False

    def _deletes(self, session: str) -> tuple[Operation, ...]:
        """The calls that can have deleted the session, refused or not, and those above it."""
        taken_with = () if self.alone else ancestors(session, self.parents)
        return tuple(
            op
            for op in self.ops
            if op.kind is Kind.DELETE and op.invocation.session in (session, *taken_with)
        )

    def _writers(self, one: Announcement) -> tuple[Operation, ...]:
        """The calls that can have given the session this title."""
        if one.title is None:
            return ()
        return tuple(
            op
            for op in self.ops
            if op.invocation.title == one.title
            and (op.invocation.session == one.session or op == self.made[one.session])
        )

    def _repeated(self, change: Change, session: str, places: tuple[int, ...]) -> _Fault:
        made = self.made[session]
        makers: tuple[Operation, ...] = ()
        if change is Change.DELETED:
            makers = tuple(op for op in self._deletes(session) if not isinstance(op.result, Absent))
        proof = AnnouncedTwice(places[0], places[1])
        return _Fault(Anomaly.DUPLICATE_EVENT, session, _once(made, *makers), places, proof)

    def _missing(self, due: Due, op: Operation) -> _Fault:
        change, session, _ = due
        calls = _once(self.made[session], op)
        proof = NeverAnnounced(op.index, change, session)
        return _Fault(Anomaly.MISSING_EVENT, session, calls, (), proof)


def _divergence(history: History, fault: _Fault) -> Divergence:
    calls = sorted(fault.calls, key=lambda op: (op.call_ns, op.index))
    above = [
        op.invocation.session for op in calls if op.invocation.session not in (None, fault.session)
    ]
    sessions = (fault.session, *dict.fromkeys(str(session) for session in above))
    return Divergence(
        history=history,
        anomaly=fault.anomaly,
        witness=tuple(op.index for op in calls),
        culprit=calls[-1].index,
        sessions=sessions,
        reason=ByAnomaly(fault.session),
        proof=(fault.proof,),
        heard=fault.heard,
    )


def _title_in(read: Operation, session: str) -> str | None:
    match read.outcome:
        case Ok(Found(title)) if read.invocation.session == session:
            return title
        case Ok(Listed(entries) | Offspring(entries)):
            return next((entry.title for entry in entries if entry.session == session), None)
        case _:
            return None


def _once(*ops: Operation) -> tuple[Operation, ...]:
    return tuple({op.index: op for op in ops}.values())
