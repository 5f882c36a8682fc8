"""A server in memory: programs become histories at once, by a virtual clock, without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from tests import opencode

from deadheat.drive.executor import Execution
from deadheat.drive.target import Target
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Place,
    Seen,
)
from deadheat.model.program import (
    Call,
    Create,
    Delete,
    Get,
    Program,
    Var,
)
from deadheat.model.promises import Promises
from deadheat.model.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from deadheat.drive.live import Death, LiveTarget
    from deadheat.model.hiccups import Hiccup


@dataclass(slots=True)
class _Server:
    live: dict[str, str] = field(default_factory=dict)
    ids: dict[Var, str] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

    def answer(self, call: Call, *, loses: bool) -> tuple[Invocation, Outcome]:
        match call:
            case Create(var):
                self.ids[var] = session = f"ses_{var.name}"
                self.live[session] = var.name
                return Invocation(Kind.CREATE, title=var.name), Ok(Created(session))
            case Delete(var):
                session = self.ids[var]
                there = session in self.live
                if there and not loses:
                    del self.live[session]
                return Invocation(Kind.DELETE, session), Ok(Deleted() if there else Absent())
            case Get(var):
                return self.get(self.ids[var])
            case _:
                return self.list()

    def get(self, session: str) -> tuple[Invocation, Outcome]:
        title = self.live.get(session)
        return Invocation(Kind.GET, session), Ok(Absent() if title is None else Found(title))

    def list(self) -> tuple[Invocation, Outcome]:
        entries = tuple(Seen(session, title) for session, title in self.live.items())
        return Invocation(Kind.LIST), Ok(Listed(entries))

    def note(
        self, asked: tuple[Invocation, Outcome], at_ns: int, lane: int, place: Place | None
    ) -> None:
        self.operations.append(
            Operation(
                len(self.operations), lane, *asked, at_ns, at_ns + 50, place is None, place, 200
            )
        )


def simulate(program: Program, *, lost_delete: bool) -> Execution:
    """One trial. ``lost_delete``: the last of a race's deletes answers and does nothing."""
    server = _Server()
    now_ns = 0
    for r, lanes in enumerate(program.rounds):
        deletes = [
            (r, n, i)
            for n, lane in enumerate(lanes)
            for i, call in enumerate(lane)
            if isinstance(call, Delete)
        ]
        racing = len({place[1] for place in deletes}) > 1
        for i in range(max(len(lane) for lane in lanes)):
            for n, lane in enumerate(lanes):
                if i < len(lane):
                    place = (r, n, i)
                    loses = lost_delete and racing and place == deletes[-1]
                    server.note(server.answer(lane[i], loses=loses), now_ns, n, place)
            now_ns += 100
    for asked in (server.list(), *(server.get(session) for session in server.ids.values())):
        server.note(asked, now_ns, program.concurrency, None)
        now_ns += 100
    history = History(tuple(server.operations))
    sessions = tuple(sorted(server.ids.items()))
    return Execution(program, history, sessions, len(server.operations), None)


@dataclass(slots=True)
class SimulatedTarget:
    """What the engine needs of a ``LiveTarget``; each trial takes 10 ms of the virtual clock."""

    rng: Random
    rate: float
    target: Target = field(default_factory=lambda: Target("simulated", opencode.WIRE))
    promises: Promises = field(default_factory=Promises)
    restarts: int = 0
    recycled: int = 0
    resident_bytes: int | None = None
    requests: int = 0
    left_behind: tuple[str, ...] = ()
    met: tuple[Hiccup, ...] = ()
    now_s: float = 0.0
    ran: list[Program] = field(default_factory=list)
    patient: list[bool] = field(default_factory=list)
    listened: list[bool] = field(default_factory=list)
    before: Callable[[Program], None] = lambda _program: None
    per_lane: float = 0.0  # how much more often it shows for each lane more than two
    misses_us: int = 0  # by how much the second lane of every round leaves too late
    lies: Callable[[Execution], Execution] = lambda execution: execution  # what becomes of each

    def clock(self) -> float:
        return self.now_s

    def as_live(self) -> LiveTarget:
        return cast("LiveTarget", self)

    async def recycle(self) -> None:
        self.recycled += 1

    async def execute(
        self, program: Program, *, patient: bool = False, listen: bool = True
    ) -> tuple[Execution, Death | None]:
        self.patient.append(patient)
        self.listened.append(listen)
        self.before(program)
        self.now_s += 0.01
        self.ran.append(program)
        rate = self.rate + self.per_lane * max(program.concurrency - 2, 0)
        execution = simulate(program, lost_delete=self.rng.random() < rate)
        self.requests += execution.requests
        history = self._released(execution.history, program)
        return self.lies(replace(execution, history=history)), None

    def _released(self, history: History, program: Program) -> History:
        rounds = (lanes for lanes in program.rounds if len(lanes) > 1)
        releases = tuple(
            tuple(
                Release(n, at_ns, at_ns + 1_000 * self.misses_us * (n == 1))
                for n, at_ns in enumerate(lane[0].offset_us * 1_000 for lane in lanes)
            )
            for lanes in rounds
        )
        return replace(history, releases=releases)
