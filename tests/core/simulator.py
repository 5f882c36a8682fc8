"""A simulated session server, right or with one planted fault, in virtual time.

Every call takes effect at one instant inside its interval. A fault strikes once.
``visible`` says, from the simulator's own records and real time only, whether the
answers show it: the checker must then refuse the history, and may not otherwise
be asked to name it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.core.divergence import Anomaly
from deadheat.core.history import (
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
    Unknown,
    shown_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MS = 1_000_000


class Fault(StrEnum):
    """What the server does wrong, once."""

    GHOST = "ghost"  # a delete answers success and does nothing
    RESURRECTION = "resurrection"  # a deleted session comes back after a while
    LOST_CREATE = "lost-create"  # a create answers and stores nothing
    STALE_GET = "stale-get"  # a get answers from the past
    STALE_LIST = "stale-list"  # a list answers from the past
    TORN_LIST = "torn-list"  # a list reads its halves at two instants
    DOUBLE_DELETE = "double-delete"  # a delete of an absent session answers success
    DUPLICATE_ID = "duplicate-id"  # a create answers an id that was given before
    PHANTOM = "phantom"  # lists show an id nobody made, from some instant on
    VANISHED = "vanished"  # a session disappears
    LATE_DELETE = "late-delete"  # a delete answers before it takes effect
    LATE_CREATE = "late-create"  # a create answers before it takes effect
    WRONG_STATUS = "wrong-status"  # a delete of a live session answers "absent"
    LOST_UPDATE = "lost-update"  # a rename answers success and does nothing


EXPECTED: dict[Fault, Anomaly] = {
    Fault.GHOST: Anomaly.GHOST,
    Fault.RESURRECTION: Anomaly.RESURRECTION,
    Fault.LOST_CREATE: Anomaly.LOST_CREATE,
    Fault.STALE_GET: Anomaly.STALE_READ,
    Fault.STALE_LIST: Anomaly.STALE_READ,
    Fault.TORN_LIST: Anomaly.TORN_LIST,
    Fault.DOUBLE_DELETE: Anomaly.DOUBLE_DELETE,
    Fault.DUPLICATE_ID: Anomaly.DUPLICATE_ID,
    Fault.PHANTOM: Anomaly.PHANTOM,
    Fault.VANISHED: Anomaly.VANISHED,
    Fault.LATE_DELETE: Anomaly.LATE,
    Fault.LATE_CREATE: Anomaly.LATE,
    Fault.WRONG_STATUS: Anomaly.WRONG_STATUS,
    Fault.LOST_UPDATE: Anomaly.LOST_UPDATE,
}


@dataclass
class Run:
    """One simulated trial."""

    history: History
    visible: bool  # the answers show the fault
    typical: bool  # and show it as what it is, not as a look-alike (see ``_typical``)


@dataclass
class _Call:
    index: int
    lane: int
    invocation: Invocation
    call_ns: int
    result: Result | None = None
    return_ns: int | None = None
    at_rest: bool = False


@dataclass
class _Server:
    rng: Random
    fault: Fault | None
    strikes_at: int
    live: dict[str, str | None] = field(default_factory=dict)
    past: list[tuple[int, dict[str, str | None]]] = field(default_factory=list)
    made: int = 0
    struck: _Call | None = None
    victim: str = ""
    struck_ns: int = 0
    pending: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    phantom: bool = False

    def due(self, call: _Call, kind: Kind) -> bool:
        """Does the fault strike this call?"""
        return (
            self.struck is None and call.invocation.kind is kind and call.index >= self.strikes_at
        )

    def strike(self, call: _Call, victim: str, now: int) -> None:
        self.struck, self.victim, self.struck_ns = call, victim, now

    def remember(self, now: int) -> None:
        self.past.append((now, dict(self.live)))

    def as_of(self, instant: int) -> dict[str, str | None]:
        state: dict[str, str | None] = {}
        for when, then in self.past:
            if when > instant:
                break
            state = then
        return state

    def effect(self, call: _Call, now: int) -> Result:
        session, fault = call.invocation.session or "", self.fault
        match call.invocation.kind:
            case Kind.CREATE:
                result = self._create(call, now)
            case Kind.DELETE:
                result = self._delete(call, session, now)
            case Kind.RENAME:
                if session not in self.live:
                    result = Absent()
                elif fault is Fault.LOST_UPDATE and self.due(call, Kind.RENAME):
                    self.strike(call, session, now)
                    result = Renamed()
                else:
                    self.live[session] = call.invocation.title
                    result = Renamed()
            case Kind.GET:
                state = self.live
                if fault is Fault.STALE_GET and self.due(call, Kind.GET):
                    state = self.as_of(call.call_ns - self.rng.randrange(1, 30) * MS)
                    self.strike(call, session, now)
                result = Found(state[session]) if session in state else Absent()
            case _:
                state = self.live
                if fault is Fault.STALE_LIST and self.due(call, Kind.LIST):
                    state = self.as_of(call.call_ns - self.rng.randrange(1, 30) * MS)
                    self.strike(call, "", now)
                shown = dict(state)
                if fault is Fault.PHANTOM and (self.phantom or self.due(call, Kind.LIST)):
                    self.phantom = True
                    shown["nobody's"] = None
                    self.strike(call, "nobody's", now)
                result = Listed(tuple(Seen(s, t) for s, t in sorted(shown.items())))
        self.remember(now)
        return result

    def _create(self, call: _Call, now: int) -> Result:
        if self.fault is Fault.DUPLICATE_ID and self.due(call, Kind.CREATE) and self.live:
            session = self.rng.choice(sorted(self.live))
            self.strike(call, session, now)
            return Created(session)
        self.made += 1
        session = f"s{self.made}"
        if self.fault is Fault.LOST_CREATE and self.due(call, Kind.CREATE):
            self.strike(call, session, now)
        elif self.fault is Fault.LATE_CREATE and self.due(call, Kind.CREATE):
            self.strike(call, session, now)
            title = call.invocation.title
            self.pending.append((now + 40 * MS, lambda: self.live.update({session: title})))
        else:
            self.live[session] = call.invocation.title
        return Created(session)

    def _delete(self, call: _Call, session: str, now: int) -> Result:
        due = self.due(call, Kind.DELETE)
        if session not in self.live:
            if self.fault is Fault.DOUBLE_DELETE and due and self.made:
                self.strike(call, session, now)
                return Deleted()
            return Absent()
        if self.fault is Fault.GHOST and due:
            self.strike(call, session, now)
            return Deleted()
        if self.fault is Fault.LATE_DELETE and due:
            self.strike(call, session, now)
            self.pending.append((now + 40 * MS, lambda: self.live.pop(session, None) and None))
            return Deleted()
        if self.fault is Fault.WRONG_STATUS and due:
            self.strike(call, session, now)
            if self.rng.random() < 0.5:
                del self.live[session]
            return Absent()
        title = self.live.pop(session)
        if self.fault is Fault.RESURRECTION and due:
            self.strike(call, session, now)
            self.pending.append((now + 30 * MS, lambda: self.live.update({session: title})))
        return Deleted()


def simulate(
    rng: Random,
    fault: Fault | None,
    *,
    calls: int = 30,
    clients: int = 4,
    info: float = 0.05,
    renames: bool = True,
    rest: bool = True,
) -> Run:
    """One trial: ``calls`` calls by ``clients``, then (``rest``) a list and a get of each at rest."""
    server = _Server(rng, fault, rng.randrange(max(1, calls // 2)))
    done: list[_Call] = []
    known: list[str] = []
    ticket = 0
    agenda: list[tuple[int, int, Callable[[int], None]]] = []

    def at(instant: int, act: Callable[[int], None]) -> None:
        nonlocal ticket
        ticket += 1
        heapq.heappush(agenda, (instant, ticket, act))

    def take() -> int:
        return rng.randrange(MS // 4, 6 * MS)

    def begin(lane: int, now: int) -> None:
        if len(done) >= calls:
            return
        call = _Call(len(done), lane, _pick(rng, known, len(done), renames), now)
        done.append(call)
        if rng.random() < info:
            if rng.random() < 0.6:
                at(now + take(), lambda then: server.effect(call, then) and None)
            at(now + 2 * take(), lambda then: begin(lane + 1000, then))
            return
        at(now + take(), lambda then: act(call, then))

    def act(call: _Call, now: int) -> None:
        if server.fault is Fault.TORN_LIST and server.due(call, Kind.LIST) and len(server.live) > 1:
            _tear(server, call, now, at, finish)
            return
        call.result = server.effect(call, now)
        _let_loose(server, at)
        at(now + take(), lambda then: finish(call, then))

    def finish(call: _Call, now: int) -> None:
        call.return_ns = now
        if isinstance(call.result, Created):
            known.append(call.result.session)
        at(now + rng.randrange(MS // 10, 3 * MS), lambda then: begin(call.lane, then))

    for lane in range(clients):
        at(rng.randrange(2 * MS), lambda then, lane=lane: begin(lane, then))  # type: ignore[misc]
    if fault is Fault.VANISHED:
        _vanish_one(rng, server, at)
    now = 0
    while agenda:
        now, _, action = heapq.heappop(agenda)
        action(now)
    if rest:
        now += 100 * MS
        reads = [Invocation(Kind.LIST), *(Invocation(Kind.GET, s) for s in dict.fromkeys(known))]
        for invocation in reads:
            call = _Call(len(done), 0, invocation, now, at_rest=True)
            call.result, call.return_ns = server.effect(call, now + MS), now + 2 * MS
            done.append(call)
            now += 3 * MS
    history = History(tuple(_recorded(call) for call in done))
    visible = fault is not None and _visible(server, history)
    return Run(history, visible, visible and _typical(server, history))


def _let_loose(server: _Server, at: Callable[[int, Callable[[int], None]], None]) -> None:
    while server.pending:
        when, change = server.pending.pop()

        def later(now: int, change: Callable[[], None] = change) -> None:
            change()
            server.remember(now)

        at(when, later)


def _vanish_one(
    rng: Random, server: _Server, at: Callable[[int, Callable[[int], None]], None]
) -> None:
    def vanish(now: int) -> None:
        if not server.live:
            at(now + 5 * MS, vanish) if now < 200 * MS else None
            return
        server.victim = rng.choice(sorted(server.live))
        server.struck_ns = now
        del server.live[server.victim]
        server.remember(now)

    at(rng.randrange(20, 60) * MS, vanish)


def _tear(
    server: _Server,
    call: _Call,
    now: int,
    at: Callable[[int, Callable[[int], None]], None],
    finish: Callable[[_Call, int], None],
) -> None:
    """Read the sessions of one half now, those of the other 12 ms later."""
    server.strike(call, "", now)
    split = server.rng.random() < 0.5

    def half(which: bool) -> list[Seen]:
        return [
            Seen(s, t) for s, t in sorted(server.live.items()) if (int(s[1:]) % 2 == 0) is which
        ]

    first = half(split)

    def second(then: int) -> None:
        entries = sorted([*first, *half(not split)], key=lambda entry: entry.session)
        call.result = Listed(tuple(entries))
        at(then + MS, lambda end: finish(call, end))

    at(now + 12 * MS, second)


def _pick(rng: Random, known: list[str], n: int, renames: bool) -> Invocation:
    kinds = [Kind.CREATE, Kind.LIST, Kind.LIST, Kind.GET, Kind.GET, Kind.DELETE]
    if renames:
        kinds.append(Kind.RENAME)
    kind = rng.choice(kinds) if known else Kind.CREATE
    if kind is Kind.CREATE:
        return Invocation(kind, title=f"t{n}")
    if kind is Kind.LIST:
        return Invocation(kind)
    # The newest sessions are in dispute most often.
    session = rng.choice(known[-3:])
    return Invocation(kind, session, f"t{n}" if kind is Kind.RENAME else None)


def _recorded(call: _Call) -> Operation:
    lost = call.return_ns is None or call.result is None
    outcome = Info(Unknown.TIMEOUT) if call.result is None or lost else Ok(call.result)
    return Operation(
        call.index, call.lane, call.invocation, outcome, call.call_ns,
        None if lost else call.return_ns, call.at_rest,
    )  # fmt: skip


class _Records:
    """Who did what to one session, in real time."""

    def __init__(self, history: History, session: str) -> None:
        self.session = session
        ops = [op for op in history.operations if op.return_ns is not None]
        self.created = [op for op in ops if _result(op) == Created(session)]
        self.deletes = [
            op
            for op in history.operations
            if op.kind is Kind.DELETE and op.invocation.session == session
            and not isinstance(_result(op), Absent)
        ]  # fmt: skip
        self.seen = [
            op for op in ops if op.kind in (Kind.GET, Kind.LIST) and session in shown_sessions(op)
        ]
        self.missed = [
            op
            for op in ops
            if (op.kind is Kind.LIST and session not in shown_sessions(op))
            or (
                op.kind is Kind.GET and op.invocation.session == session and _result(op) == Absent()
            )
        ]

    def shown_after_delete(self) -> list[Operation]:
        gone = min((op.return_ns for op in self.deletes if op.return_ns is not None), default=None)
        return [op for op in self.seen if gone is not None and op.call_ns > gone]

    def missed_while_live(self) -> list[Operation]:
        born = min((op.return_ns or 0 for op in self.created), default=None)
        asked = min((op.call_ns for op in self.deletes), default=None)
        return [
            op
            for op in self.missed
            if born is not None
            and op.call_ns > born
            and (asked is None or asked > (op.return_ns or 0))
        ]


def _result(op: Operation) -> Result | None:
    return op.outcome.result if isinstance(op.outcome, Ok) else None


def _visible(server: _Server, history: History) -> bool:
    records = _Records(history, server.victim)
    struck = server.struck
    match server.fault:
        case Fault.GHOST | Fault.RESURRECTION | Fault.LATE_DELETE:
            if struck is None or struck.return_ns is None:
                return False
            return bool(records.shown_after_delete())
        case Fault.LOST_CREATE | Fault.LATE_CREATE | Fault.VANISHED:
            return bool(records.missed_while_live())
        case Fault.STALE_GET | Fault.STALE_LIST:
            return struck is not None and _outdated(history, struck.index)
        case Fault.TORN_LIST:
            return struck is not None and _mixed(history, struck.index)
        case Fault.DOUBLE_DELETE:
            return len([op for op in records.deletes if op.return_ns is not None]) > 1
        case Fault.DUPLICATE_ID:
            return len(records.created) > 1
        case Fault.PHANTOM:
            answered = [op for op in history.operations if op.return_ns is not None]
            orphan = any(
                op.kind is Kind.CREATE and op.return_ns is None for op in history.operations
            )
            return not orphan and any(server.victim in shown_sessions(op) for op in answered)
        case Fault.WRONG_STATUS:
            if struck is None or struck.return_ns is None:
                return False
            born = min((op.return_ns or 0 for op in records.created), default=None)
            asked = [op for op in records.deletes if op.call_ns <= struck.return_ns]
            return born is not None and born < struck.call_ns and not asked
        case Fault.LOST_UPDATE:
            return _overwritten(server, history)
        case _:
            return False


def _outdated(history: History, index: int) -> bool:
    """Does that read show a session gone before its call, or miss one that lived all along?"""
    read = next(op for op in history.operations if op.index == index)
    sessions = {s for op in history.operations for s in shown_sessions(op)}
    if read.kind is Kind.GET:
        sessions &= {read.invocation.session or ""}
    for session in sessions:
        records = _Records(history, session)
        if read in records.shown_after_delete() or read in records.missed_while_live():
            return True
    return False


def _mixed(history: History, index: int) -> bool:
    """Does that list show two sessions as they never were at one instant?"""
    read = next(op for op in history.operations if op.index == index)
    end = read.return_ns
    if end is None:
        return False
    shown = shown_sessions(read)
    sessions = sorted({s for op in history.operations for s in shown_sessions(op)})
    records = {session: _Records(history, session) for session in sessions}
    for x in sessions:
        for y in shown - {x}:
            made_y = min((op.call_ns for op in records[y].created), default=None)
            if made_y is None:
                continue
            born = min((op.return_ns or 0 for op in records[x].created), default=None)
            asked = min((op.call_ns for op in records[x].deletes), default=None)
            gone = min(
                (op.return_ns for op in records[x].deletes if op.return_ns is not None),
                default=None,
            )
            if x in shown:
                if gone is not None and gone < made_y:
                    return True
                continue
            if born is None:
                continue
            if born < made_y and (asked is None or asked > end):
                return True
            gone_y = min(
                (op.return_ns for op in records[y].deletes if op.return_ns is not None),
                default=None,
            )
            if born < read.call_ns and asked is not None and gone_y is not None and gone_y < asked:
                return True
    return False


def _overwritten(server: _Server, history: History) -> bool:
    """Does a later read show another title, with no other rename in between?"""
    struck = server.struck
    if struck is None or struck.return_ns is None:
        return False
    others = [
        op
        for op in history.operations
        if op.kind is Kind.RENAME
        and op.invocation.session == server.victim
        and op.index != struck.index
        and (op.return_ns is None or op.return_ns >= struck.call_ns)
    ]
    for op in history.operations:
        if op.return_ns is None or op.call_ns <= struck.return_ns:
            continue
        if any(other.call_ns <= op.return_ns for other in others):
            continue
        title = _title(op, server.victim)
        if title is not None and title != struck.invocation.title:
            return True
    return False


def _title(op: Operation, session: str) -> str | None:
    match op.outcome:
        case Ok(Found(title)) if op.invocation.session == session:
            return title
        case Ok(Listed(entries)):
            return next((e.title for e in entries if e.session == session), None)
        case _:
            return None


def _typical(server: _Server, history: History) -> bool:
    """Can the answers tell this fault from its look-alikes at all?

    A resurrection that nobody saw gone is a ghost; a late effect that one read
    alone contradicts is a stale read; one that another delete forestalled never came;
    a session that no answer ever showed was never created.
    """
    records = _Records(history, server.victim)
    match server.fault:
        case Fault.RESURRECTION:
            shown = records.shown_after_delete()
            return any(
                m.call_ns > d.call_ns and any(s.call_ns > (m.return_ns or 0) for s in shown)
                for m in records.missed
                for d in records.deletes
            )
        case Fault.LATE_DELETE:
            return len(records.shown_after_delete()) > 1 and len(records.deletes) == 1
        case Fault.LATE_CREATE:
            return len(records.missed_while_live()) > 1 and bool(records.seen)
        case Fault.VANISHED | Fault.WRONG_STATUS:
            return bool(records.seen)
        case _:
            return True
