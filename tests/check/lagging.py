"""Servers and an exhaustive reference for promises about when a change shows.

The reference knows no windows of operations: it tries every order of one session's changes, and
asks of each look for itself which beginnings of that order it may have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
    Result,
    Seen,
)
from deadheat.model.promises import DeletePromise, ListPromise, Promises, Shows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


@dataclass(frozen=True)
class _State:
    live: bool
    title: str | None = None


def explained(history: History, promises: Promises) -> bool:
    """Can every session's answers be explained? No creates whose answer is unknown, no families."""
    sessions = set(history.existing)
    for op in history.operations:
        sessions |= {s for s in (_of(op),) if s is not None}
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed):
            sessions |= op.outcome.result.sessions
    return all(_one_is_explained(history, promises, session) for session in sorted(sessions))


def _one_is_explained(history: History, promises: Promises, session: str) -> bool:
    start = min(op.call_ns for op in history.operations)
    changes = [op for op in history.operations if _of(op) == session and _is_change(op)]
    looks = list(_looks_at(session, history.operations))
    lost = [op for op in changes if isinstance(op.outcome, Info)]
    sure = [op for op in changes if op not in lost]
    strict = promises.delete is DeletePromise.EXACTLY_ONCE
    before = [_State(live=session in history.existing)]
    asked = {
        op.invocation.title
        for op in history.operations
        if op.kind is Kind.RENAME and op.invocation.session == session
    }
    for chosen in _subsets(lost):
        for order in permutations([*sure, *chosen]):
            if not _keeps_time(order, changes, promises, start):
                continue
            states = _run(order, before, strict=strict)
            if states is None:
                continue
            may = [
                (
                    _since(look, changes, promises, start),
                    look.return_ns or 0,
                    [
                        n
                        for n in range(len(order) + 1)
                        if _shows(states[n], wanted, asked)
                        and _may_see(look, order, n, changes, promises, start)
                    ],
                )
                for look, wanted in looks
            ]
            if _in_turn(may, ()):
                return True
    return False


_Placed = tuple[int, int, int]  # the look's first moment, its last, and how many changes it saw


def _in_turn(may: list[tuple[int, int, list[int]]], placed: tuple[_Placed, ...]) -> bool:
    """May each look see one of its numbers of changes, none fewer than a look before it?"""
    if len(placed) == len(may):
        return True
    since, until, numbers = may[len(placed)]
    return any(
        all(
            not (other_until < since and m > n) and not (until < other_since and n > m)
            for other_since, other_until, m in placed
        )
        and _in_turn(may, (*placed, (since, until, n)))
        for n in numbers
    )


def _may_see(
    look: Operation, order: tuple[Operation, ...], n: int, changes: list[Operation],
    promises: Promises, start: int,
) -> bool:  # fmt: skip
    """May it have seen just the first ``n`` changes?"""
    since = _since(look, changes, promises, start)
    due = all(op.return_ns is None or op.return_ns >= since for op in order[n:])
    calls = (_called_ns(op, changes, promises, start) for op in order[:n])
    return due and all(call_ns <= (look.return_ns or 0) for call_ns in calls)


def _since(look: Operation, changes: list[Operation], promises: Promises, start: int) -> int:
    lists = look.kind is Kind.LIST and promises.list is ListPromise.EVENTUAL
    gets = look.kind is Kind.GET and promises.get is Shows.EVENTUAL
    if not look.at_rest and (lists or gets or promises.reads is Shows.EVENTUAL):
        return start
    if promises.reads is not Shows.SETTLED:
        return look.call_ns
    back = look.call_ns - (promises.slack_ns or 0)
    begun = [
        op.call_ns
        for op in changes
        if op.call_ns <= back and (op.return_ns is None or op.return_ns >= back)
    ]
    return max(start, min([back, *begun]))


def _keeps_time(
    order: tuple[Operation, ...], changes: list[Operation], promises: Promises, start: int
) -> bool:
    calls = [_called_ns(op, changes, promises, start) for op in order]
    return not any(
        later.return_ns is not None and later.return_ns < calls[n]
        for n in range(len(order))
        for later in order[n + 1 :]
    )


def _called_ns(op: Operation, changes: list[Operation], promises: Promises, start: int) -> int:
    """A rename that was answered after a delete that need not show yet may come before it."""
    if not isinstance(op.outcome, Ok) or not isinstance(op.outcome.result, Renamed):
        return op.call_ns
    match promises.reads:
        case Shows.SETTLED:
            since = op.call_ns - (promises.slack_ns or 0)
        case Shows.EVENTUAL:
            since = start
        case _:
            return op.call_ns
    late = any(
        other.kind is Kind.DELETE
        and other.return_ns is not None
        and since <= other.return_ns < op.call_ns
        for other in changes
    )
    return _since(op, changes, promises, start) if late else op.call_ns


def _run(
    order: tuple[Operation, ...], before: list[_State], *, strict: bool
) -> list[_State] | None:
    states = list(before)
    for op in order:
        state = states[-1]
        sure = isinstance(op.outcome, Ok)
        match op.kind:
            case Kind.CREATE:
                if state.live or any(one.live for one in states):
                    return None
                states.append(_State(live=True, title=op.invocation.title))
            case Kind.DELETE:
                if sure and strict and not state.live:
                    return None
                states.append(_State(live=False))
            case _:
                if sure and not state.live:
                    return None
                states.append(_State(state.live, op.invocation.title))
    return states


def _looks_at(session: str, ops: tuple[Operation, ...]) -> Iterator[tuple[Operation, Result]]:
    for op in ops:
        if not isinstance(op.outcome, Ok):
            continue
        match op.outcome.result:
            case Listed(entries):
                shown = next((e for e in entries if e.session == session), None)
                yield op, Absent() if shown is None else Found(shown.title)
            case (Absent() | Found()) as result if op.invocation.session == session:
                yield op, result
            case _:
                pass


def _shows(state: _State, wanted: Result, asked: set[str | None]) -> bool:
    """``asked``: titles that renames would have given it; one that nobody knows is none of them."""
    match wanted:
        case Found(title):
            unknown = state.title is None and title not in asked
            return state.live and (title is None or title == state.title or unknown)
        case _:
            return not state.live


def _is_change(op: Operation) -> bool:
    if op.kind not in (Kind.CREATE, Kind.DELETE, Kind.RENAME):
        return False
    return isinstance(op.outcome, Info) or not isinstance(op.outcome.result, Absent)  # type: ignore[union-attr]


def _of(op: Operation) -> str | None:
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
        return op.outcome.result.session
    return op.invocation.session


def _subsets(ops: list[Operation]) -> Iterator[tuple[Operation, ...]]:
    for bits in range(1 << len(ops)):
        yield tuple(op for n, op in enumerate(ops) if bits >> n & 1)


@dataclass
class _Change:
    session: str
    call_ns: int
    end_ns: int
    kind: Kind
    title: str | None = None


@dataclass
class LaggingServer:
    """Keeps its promise and no more: each look sees each change that need not show yet, or not.

    ``settle_ns``: a change shows at the latest so long after its answer; None: nobody says when.
    Changes of one session are never called at once, so their order is the order of their calls.
    """

    rng: Random
    settle_ns: int | None
    changes: list[_Change] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    now_ns: int = 0
    made: int = 0

    def program(self, size: int) -> History:
        """``size`` calls, some at once, and reads when all has come to rest."""
        busy: dict[str, int] = {}  # the end of the last change of each session
        for _ in range(size):
            self.now_ns += self.rng.randrange(8)
            end_ns = self.now_ns + self.rng.randrange(1, 12)
            known = [s for s, end in busy.items() if end < self.now_ns]
            kind = self.rng.choice([Kind.CREATE, Kind.DELETE, Kind.RENAME, Kind.GET, Kind.LIST])
            if kind is Kind.CREATE or not known:
                self.made += 1
                session = f"s{self.made}"
                busy[session] = end_ns
                self._change(Kind.CREATE, session, end_ns)
            elif kind is Kind.LIST:
                self._look(Invocation(Kind.LIST), end_ns)
            elif kind is Kind.GET:
                self._look(Invocation(Kind.GET, self.rng.choice(known)), end_ns)
            else:
                session = self.rng.choice(known)
                busy[session] = end_ns
                self._change(kind, session, end_ns)
        self.now_ns = 1 + max(op.return_ns or 0 for op in self.operations)
        self.now_ns += self.settle_ns or 0
        for each in (None, *busy):
            kind = Kind.LIST if each is None else Kind.GET
            self._look(Invocation(kind, each), self.now_ns + 1, rest=True)
            self.now_ns += 2
        return History(tuple(self.operations))

    def _change(self, kind: Kind, session: str, end_ns: int) -> None:
        title = None if kind is Kind.DELETE else f"t{len(self.operations)}"
        asked = Invocation(kind, None if kind is Kind.CREATE else session, title)
        if kind is Kind.CREATE:
            result: Result = Created(session)
        elif self._seen(session, end_ns) is None or not self._really(session):
            # Where it is gone already, and that need not show, a rename may still be told "done".
            late = kind is Kind.RENAME and self._seen(session, end_ns) is not None
            result = Renamed() if late else Absent()
        else:
            result = Deleted() if kind is Kind.DELETE else Renamed()
        self._record(asked, result, end_ns)
        if not isinstance(result, Absent):
            self.changes.append(_Change(session, self.now_ns, end_ns, kind, title))

    def _really(self, session: str) -> bool:
        return all(c.session != session or c.kind is not Kind.DELETE for c in self.changes)

    def _look(self, asked: Invocation, end_ns: int, *, rest: bool = False) -> None:
        sessions = [f"s{n + 1}" for n in range(self.made)]
        if asked.session is not None:
            shown = self._seen(asked.session, end_ns, rest=rest)
            self._record(asked, Absent() if shown is None else Found(shown), end_ns, rest=rest)
            return
        seen = [(s, self._seen(s, end_ns, rest=rest)) for s in sessions]
        entries = tuple(Seen(s, title) for s, title in seen if title is not None)
        self._record(asked, Listed(entries), end_ns, rest=rest)

    def _seen(self, session: str, end_ns: int, *, rest: bool = False) -> str | None:
        """The title under which it is shown now; None: it is not."""
        title: str | None = None
        for change in self.changes:
            if change.session != session:
                continue
            lag_ns = self.settle_ns
            due = rest or (lag_ns is not None and change.end_ns + lag_ns < self.now_ns)
            if change.call_ns > end_ns or not (due or self.rng.random() < 0.5):
                break  # nor what came after it
            if change.kind is Kind.DELETE:
                return None
            if change.kind is Kind.CREATE or title is not None:
                title = change.title
        return title

    def _record(
        self, asked: Invocation, result: Result, end_ns: int, *, rest: bool = False
    ) -> None:
        n = len(self.operations)
        self.operations.append(Operation(n, n, asked, Ok(result), self.now_ns, end_ns, rest))
