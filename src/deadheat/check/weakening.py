"""The history as the promises let it be seen: which past a look may show, and what proves nothing.

Rules
- A change takes place during its call; what may come later is that it shows. So two changes stay
  in the order of their calls, however late they show.
- ``Shows.SETTLED``: a look sees each session as it was at some moment of the settle time
  before the call, or of the look itself. Each for itself, as one change may show at once and the
  next at the last moment; and a change may show here and not yet there, also in the middle of its
  call: a look during the settle time of a change may show what was before that change was called.
- ``Shows.EVENTUAL``: before all has come to rest a look may show any moment since the beginning.
- Whatever only says what is there looks: reads, a refusal ("absent", "exists"), and the success
  of a call on a session whose delete need not show yet.
- Whatever this makes impossible, it leaves impossible with more of the history: so a part of a
  history that contradicts itself says so of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Exists,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
    ancestors,
    may_change,
    only_reads,
    overlap,
    parents_of,
    touched_sessions,
)
from deadheat.model.promises import AbsentPromise, Shows, UpdatePromise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deadheat.model.promises import Promises

_LISTING = frozenset({Kind.LIST, Kind.CHILDREN})
_ABSENT = Ok(Absent())


def weakened(history: History, promises: Promises, *, apart: Kind = Kind.GET) -> History:
    """The history as the promises about reads, titles and absence let it be seen.

    ``apart``: as what kind of call a list that falls into one read a session stands there.
    """
    if promises.by_real_time or not history.operations:
        return history
    operations: Iterable[Operation] = history.operations
    if promises.update is UpdatePromise.NONE:
        operations = map(_untitled, operations)
    if promises.status_on_absent is AbsentPromise.ANY:
        operations = (_unsaid(op) for op in operations)
    history = replace(history, operations=tuple(operations))
    if promises.reads is Shows.QUIESCENT:
        history = _quiet_only(history, promises.slack_ns or 0)
    return replace(history, operations=tuple(_Looks(history, promises, apart).all()))


class _Looks:
    """The operations of ``history``, each look reaching back as far as the promises let it."""

    def __init__(self, history: History, promises: Promises, apart: Kind) -> None:
        self.history = history
        self.apart = apart
        self.promises = promises
        self.start_ns = min(op.call_ns for op in history.operations)
        self.parents = parents_of(history.operations)
        self.sessions = _sessions_of(history)
        self.changes = tuple(map(self._change, filter(_changes, history.operations)))
        self.made = {change.session for change in self.changes if change.makes}

    def all(self) -> Iterator[Operation]:
        for op in self.history.operations:
            lag_ns = self.promises.lag_ns(op)
            if lag_ns == 0 or not (_looks(op) or self._is_of_what_may_still_show(op, lag_ns)):
                yield op
            elif lag_ns is None:
                yield replace(op, call_ns=self.start_ns)
            else:
                yield from self._reaching(op, op.call_ns - lag_ns)

    def _reaching(self, op: Operation, back_ns: int) -> Iterator[Operation]:
        """``op`` as a look at any moment since ``back_ns``, or since a change in progress then."""
        if back_ns <= self.start_ns:
            yield replace(op, call_ns=self.start_ns)
            return
        begun = [change for change in self.changes if change.lasts_at(back_ns)]
        if not begun:
            yield replace(op, call_ns=back_ns)
            return
        parts: tuple[Operation, ...] = (op,)
        if op.kind in _LISTING and isinstance(op.outcome, Ok):
            back = replace(op, call_ns=back_ns)
            parts = tuple(_parts_of(back, self.sessions, self.parents, self.apart))
        for part in parts:
            since = [one.call_ns for one in begun if self._concerns(one, part)]
            call_ns = min([back_ns, *since])
            yield part if part.call_ns == call_ns else replace(part, call_ns=call_ns)

    def _concerns(self, change: _SessionChange, look: Operation) -> bool:
        asked = look.invocation
        session = asked.parent if asked.kind is Kind.CREATE else asked.session
        if session is None or change.session == session:
            return True
        if change.session is None:  # unanswered: it may have made any that no other create has
            return session not in self.made and session not in self.history.existing
        return change.deletes and change.session in ancestors(session, self.parents)

    def _is_of_what_may_still_show(self, op: Operation, lag_ns: int | None) -> bool:
        """Was it said to be done to a session, or below one, whose delete need not show yet?"""
        match op.outcome:
            case Ok(Renamed()):
                about = op.invocation.session
            case Ok(Created()) if op.kind is Kind.FORK:
                about = op.invocation.session
            case Ok(Created()):
                about = op.invocation.parent
            case Ok(Deleted()):
                about = self.parents.get(op.invocation.session or "")
            case _:
                return False
        if about is None:
            return False
        near = {about, *ancestors(about, self.parents)}
        return any(
            change.deletes
            and change.session in near
            and change.return_ns is not None
            and change.return_ns < op.call_ns
            and (lag_ns is None or op.call_ns - lag_ns <= change.return_ns)
            for change in self.changes
        )

    def _change(self, op: Operation) -> _SessionChange:
        made = op.result
        session = made.session if isinstance(made, Created) else op.invocation.session
        if op.kind is Kind.FORK and made is None:
            session = None  # the source's id; its own is unknown
        return _SessionChange(
            session,
            op.call_ns,
            op.return_ns,
            deletes=op.kind is Kind.DELETE,
            makes=isinstance(made, Created),
        )


@dataclass(frozen=True, slots=True)
class _SessionChange:
    """A call that changed, or may change, one session; None: a session of unknown id."""

    session: str | None
    call_ns: int
    return_ns: int | None
    deletes: bool
    makes: bool

    def lasts_at(self, at_ns: int) -> bool:
        return self.call_ns <= at_ns and (self.return_ns is None or at_ns <= self.return_ns)


def _changes(op: Operation) -> bool:
    return may_change(op) and not isinstance(op.outcome, Fail) and not _refused(op)


def _refused(op: Operation) -> bool:
    return isinstance(op.result, Absent | Exists)


def _looks(op: Operation) -> bool:
    """Does the operation only tell what exists; or is it a custom call, which may do both?"""
    return only_reads(op) or _refused(op) or op.invocation.custom is not None


def _untitled(op: Operation) -> Operation:
    """The operation without titles."""
    match op.result:
        case Found():
            return replace(op, outcome=Ok(Found()))
        case Listed(entries):
            return replace(op, outcome=Ok(Listed(tuple(Seen(e.session) for e in entries))))
        case Offspring(entries):
            return replace(op, outcome=Ok(Offspring(tuple(Seen(e.session) for e in entries))))
        case _:
            return op


def _unsaid(op: Operation) -> Operation:
    """The operation, with a status that may mean absence saying nothing."""
    if isinstance(op.result, Absent | Undeclared):
        return replace(op, outcome=Info(Unknown.UNCLEAR), return_ns=None)
    return op


def _quiet_only(history: History, slack_ns: int) -> History:
    """The history without reads that overlap a change, or come too soon after one."""
    writes = [op for op in history.operations if not only_reads(op)]

    def meets(look: Operation) -> bool:
        since = replace(look, call_ns=look.call_ns - slack_ns)
        return any(overlap(since, write) for write in writes)

    return replace(
        history,
        operations=tuple(op for op in history.operations if not only_reads(op) or not meets(op)),
    )


def split_lists(history: History, index: int | None = None) -> History:
    """Every list (or only that one) as one read for each session and each repeated entry.

    What ``children`` shows too; where that is nothing it is left out, as it may be that
    the parent was gone.
    """
    sessions, parents = _sessions_of(history), parents_of(history.operations)
    operations: list[Operation] = []
    for op in history.operations:
        if index in (None, op.index):
            operations.extend(_parts_of(op, sessions, parents))
        else:
            operations.append(op)
    return replace(history, operations=tuple(operations))


def _sessions_of(history: History) -> dict[str, None]:
    sessions: dict[str, None] = dict.fromkeys(sorted(history.existing))
    for op in history.operations:
        sessions.update(dict.fromkeys(sorted(touched_sessions(op))))
    return sessions


def _parts_of(
    op: Operation, sessions: Iterable[str], parents: Mapping[str, str], kind: Kind = Kind.GET
) -> list[Operation]:
    match op.result:
        case Listed(entries):
            return _reads_of(op, entries, sessions, kind)
        case Offspring(entries):
            below = [s for s in sessions if parents.get(s) == op.invocation.session]
            return _reads_of(op, entries, below if entries else (), kind)
        case _:
            return [op]


def _reads_of(
    op: Operation, entries: tuple[Seen, ...], sessions: Iterable[str], kind: Kind = Kind.GET
) -> list[Operation]:
    shown = {entry.session for entry in entries}
    said: list[tuple[str, Outcome]] = [(e.session, Ok(Found(e.title))) for e in entries]
    said.extend((session, _ABSENT) for session in sessions if session not in shown)
    return [  # not by ``replace``: there are as many of them as lists and sessions
        Operation(
            op.index, op.lane, Invocation(kind, session), outcome, op.call_ns, op.return_ns,
            op.at_rest, op.place, op.status,
        )
        for session, outcome in said
    ]  # fmt: skip
