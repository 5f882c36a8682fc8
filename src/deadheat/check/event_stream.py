"""What the event stream said, against what was answered: each change once, and not too soon.

Rules
- Only what instants prove. An announcement was sent at or before its arrival, and nobody
  knows when: so it can be too early, and never too late.
- A session lives once: it is created once and deleted once. ``updated`` is said of more than
  renames (OpenCode says it of a create, and of a delete too), so it is never one too many.
- Nothing is missing unless the stream was flushed (``Stream.flushed_ns``), nor where the
  change itself is in doubt: an unanswered call may have happened or not.
- Where the answers about a session contradict each other already, what was announced of it may
  be right and the answers wrong: it is not judged.
- Announcements of ids that no call of the trial was given are nobody's business here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.decide.legality import contradicts
from deadheat.check.projections import only_sessions
from deadheat.check.weakening import weakened
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
    proof: tuple[str, ...]


def misannounced(history: History, promises: Promises, budget: int) -> tuple[Divergence, ...]:
    """Every announcement that is too early, one too many, false or missing; one of each kind.

    Nothing where nobody listened, or nothing is promised.
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
    """The changes answered with success of which the stream has said nothing so far."""
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
        self.made = {
            op.outcome.result.session: op
            for op in self.ops
            if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created)
        }
        self.start_ns = min((op.call_ns for op in history.operations), default=0)

    # -- what is to be announced ------------------------------------------------------------

    def due(self) -> Iterator[tuple[Due, Operation]]:
        """Each change that certainly happened, with the call that answered for it."""
        for session, op in self.made.items():
            yield (Change.CREATED, session, None), op
        deletes = [op for op in self.ops if _is(op, Deleted) and op.kind is Kind.DELETE]
        for session, made in self.made.items():
            taker = next((op for op in deletes if op.invocation.session == session), None)
            if taker is None and self.cascade:
                taker = self._cascade_that_took(session, made, deletes)
            if taker is not None:
                yield (Change.DELETED, session, None), taker
        for op in self.ops if self.titles else ():
            session = op.invocation.session or ""
            if _is(op, Renamed) and session in self.made:
                yield (Change.UPDATED, session, op.invocation.title), op

    def _cascade_that_took(
        self, session: str, made: Operation, deletes: list[Operation]
    ) -> Operation | None:
        """A delete of one above it that certainly took it along.

        Only if nothing can have struck any of them before it was there: a delete of what has
        gone already may be answered with success, too, and takes nobody.
        """
        born_ns = made.return_ns
        if born_ns is None or any(op.call_ns <= born_ns for op in self._deletes(session)):
            return None
        above = ancestors(session, self.parents)
        return next((op for op in deletes if op.invocation.session in above), None)

    def _may_come(self, op: Operation, flushed_ns: int) -> bool:
        """Need what it changed not have shown yet when the last announcement came?"""
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
                    yield self._missing(due, op, self.flushed_ns)

    def _too_soon(self, n: int, one: Announcement) -> Iterator[_Fault]:
        made = self.made[one.session]
        asked: tuple[Operation, ...]
        makers: tuple[Operation, ...]
        match one.change:
            case Change.CREATED:
                asked, makers = (made,), (made,)
            case Change.DELETED:
                asked = self._deletes(one.session)
                makers = tuple(op for op in asked if not _is(op, Absent))
            case Change.UPDATED:
                asked = self._writers(one)
                makers = tuple(op for op in asked if not _is(op, Absent))
                if not asked:  # a title that the server chose
                    return
        news = f"The announcement that {{0}} was {one.change}"
        came = f"{news} had arrived ({self._at(one.arrived_ns)})"
        calls = _once(made, *(makers or asked))
        if asked and all(op.call_ns > one.arrived_ns for op in asked):
            first = min(asked, key=lambda op: op.call_ns)
            proof = f"{came} before {_spelt(first)} was called ({self._at(first.call_ns)})."
            yield _Fault(Anomaly.EARLY_EVENT, one.session, calls, (n,), (proof, "Contradiction."))
            return
        if one.change is Change.UPDATED and not makers:
            refused = f"{_spelt(asked[0])} answered that there was nothing to rename."
            proof = f"{news}, with the title of {_spelt(asked[0])}, arrived all the same."
            yield _Fault(Anomaly.PHANTOM_EVENT, one.session, calls, (n,), (refused, proof))
            return
        read = next((op for op in self.reads if self._belies(op, one, makers)), None)
        if read is None:
            return
        anomaly = Anomaly.EARLY_EVENT if makers else Anomaly.PHANTOM_EVENT
        proof_lines = [
            f"{came} before {_spelt(read)} was called ({self._at(read.call_ns)}).",
            f"{_capital(_spelt(read))} {_what_it_said(one)}.",
        ]
        if not makers and one.change is Change.DELETED:
            proof_lines.append(
                f"{_spelt(asked[0])} answered that it did nothing."
                if asked
                else "No call deleted {0} or anything above it."
            )
        proof_lines.append("Contradiction.")
        yield _Fault(anomaly, one.session, _once(*calls, read), (n,), tuple(proof_lines))

    def _belies(self, read: Operation, one: Announcement, makers: tuple[Operation, ...]) -> bool:
        """Was it called after the announcement had arrived, and does it show the time before?"""
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
        """The calls that can have deleted it, refused or not: also those of the ones above it."""
        taken_with = () if self.alone else ancestors(session, self.parents)
        return tuple(
            op
            for op in self.ops
            if op.kind is Kind.DELETE and op.invocation.session in (session, *taken_with)
        )

    def _writers(self, one: Announcement) -> tuple[Operation, ...]:
        """The calls that can have given it this title."""
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
            makers = tuple(op for op in self._deletes(session) if not _is(op, Absent))
        first, second = (self._at(self.heard[n].arrived_ns) for n in places)
        proof = (
            f"That {{0}} was {change} was announced at {first}, and again at {second}.",
            f"A session is {change} once, whoever asked for it.",
            "Contradiction.",
        )
        return _Fault(Anomaly.DUPLICATE_EVENT, session, _once(made, *makers), places, proof)

    def _missing(self, due: Due, op: Operation, flushed_ns: int) -> _Fault:
        change, session, _ = due
        answered = "" if op.return_ns is None else f" ({self._at(op.return_ns)})"
        proof = (
            f"{_spelt(op)} was answered with success{answered}, so {{0}} was {change}.",
            (
                "A change made after it was announced at "
                f"{self._at(flushed_ns)}, and by then nothing had been said of this one."
            ),
            "Contradiction.",
        )
        calls = _once(self.made[session], op)
        return _Fault(Anomaly.MISSING_EVENT, session, calls, (), proof)

    def _at(self, instant_ns: int) -> str:
        return f"{(instant_ns - self.start_ns) / 1e6:.1f} ms"


def _divergence(history: History, fault: _Fault) -> Divergence:
    calls = sorted(fault.calls, key=lambda op: (op.call_ns, op.index))
    above = [
        op.invocation.session for op in calls if op.invocation.session not in (None, fault.session)
    ]
    sessions = (fault.session, *dict.fromkeys(str(session) for session in above))
    names = {session: f"{{{n}}}" for n, session in enumerate(sessions)}
    return Divergence(
        history=history,
        anomaly=fault.anomaly,
        witness=tuple(op.index for op in calls),
        culprit=calls[-1].index,
        sessions=sessions,
        reason=_reason(fault.anomaly),
        proof=tuple(_renamed(line, names) for line in fault.proof),
        heard=fault.heard,
    )


def _reason(anomaly: Anomaly) -> str:
    match anomaly:
        case Anomaly.EARLY_EVENT:
            return "{0} was announced as changed before it was"
        case Anomaly.MISSING_EVENT:
            return "this was answered with success, and never announced of {0}"
        case Anomaly.DUPLICATE_EVENT:
            return "announced once more, of {0}"
        case _:
            return "announced of {0}, and no call has done it"


def _spelt(op: Operation) -> str:
    """The call, with its session's id in ``<>`` (replaced by its number in the end)."""
    rest = " at rest" if op.at_rest else ""
    if op.kind is Kind.LIST:
        return f"the list{rest}"
    if op.kind is Kind.CREATE:
        return "its create"
    return f"{op.kind.value}(<{op.invocation.session}>){rest}"


def _renamed(line: str, names: dict[str, str]) -> str:
    for session, name in names.items():
        line = line.replace(f"<{session}>", name)
    return _capital(line)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith(("the ", "its ")) else text


def _what_it_said(one: Announcement) -> str:
    match one.change:
        case Change.DELETED:
            return "shows {0}, so it was not deleted yet"
        case Change.CREATED:
            return "does not show {0}, and nothing had deleted it, so it was not created yet"
        case Change.UPDATED:
            return "shows the title that {0} had before, so it was not updated yet"


def _title_in(read: Operation, session: str) -> str | None:
    match read.outcome:
        case Ok(Found(title)) if read.invocation.session == session:
            return title
        case Ok(Listed(entries) | Offspring(entries)):
            return next((entry.title for entry in entries if entry.session == session), None)
        case _:
            return None


def _is(op: Operation, result: type[Absent | Deleted | Renamed]) -> bool:
    return isinstance(op.outcome, Ok) and isinstance(op.outcome.result, result)


def _once(*ops: Operation) -> tuple[Operation, ...]:
    return tuple({op.index: op for op in ops}.values())
