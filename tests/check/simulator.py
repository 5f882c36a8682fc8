"""A simulated session server, right or with one planted fault, in virtual time.

Every call takes effect at one instant inside its interval. A fault strikes once.
``visible`` says, from the simulator's own records and real time only, whether the
answers show it: the checker must then refuse the history, and may not otherwise
be asked to name it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.check.visibility import Fault, is_typical, is_visible

from deadheat.model.history import (
    Absent,
    Announcement,
    Change,
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
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

MS = 1_000_000


@dataclass
class Run:
    """One simulated trial."""

    history: History
    visible: bool  # the answers show the fault
    typical: bool  # and show it as what it is, not as a look-alike (see ``is_typical``)
    changes: tuple[Announcement, ...] = ()  # each one made, at the instant it was


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
class Server:
    """The state, and where the fault struck."""

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
    changes: list[Announcement] = field(default_factory=list)

    def due(self, call: _Call, kind: Kind) -> bool:
        """Does the fault strike this call?"""
        strikes = call.invocation.kind is kind and call.index >= self.strikes_at
        return self.struck is None and strikes

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
        self._note(call, result, now)
        return result

    def _note(self, call: _Call, result: Result, now: int) -> None:
        session, title = call.invocation.session or "", call.invocation.title
        match result:
            case Created(made):
                self.changes.append(Announcement(Change.CREATED, made, now, title))
            case Deleted():
                self.changes.append(Announcement(Change.DELETED, session, now))
            case Renamed():
                self.changes.append(Announcement(Change.UPDATED, session, now, title))
            case _:
                pass

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

    def _drop(self, session: str) -> None:
        self.live.pop(session, None)

    def act_unseen(self, call: _Call, now: int) -> None:
        self.effect(call, now)

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
            self.pending.append((now + 40 * MS, lambda: self._drop(session)))
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
    """One trial: ``calls`` calls by ``clients``; ``rest``: then a list and a get of each."""
    server = Server(rng, fault, rng.randrange(max(1, calls // 2)))
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
                at(now + take(), lambda then: server.act_unseen(call, then))
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
    visible = fault is not None and is_visible(server, history)
    typical = visible and is_typical(server, history)
    return Run(history, visible, typical, tuple(server.changes))


def _let_loose(server: Server, at: Callable[[int, Callable[[int], None]], None]) -> None:
    while server.pending:
        when, change = server.pending.pop()

        def later(now: int, change: Callable[[], None] = change) -> None:
            change()
            server.remember(now)

        at(when, later)


def _vanish_one(
    rng: Random, server: Server, at: Callable[[int, Callable[[int], None]], None]
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
    server: Server,
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
