"""Histories of a collection under load, right or with one fault, for the checker's benchmark."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from deadheat.check.checker import DEFAULT_BUDGET
from deadheat.check.decide.legality import Impossible, legal
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
    Result,
    Seen,
    Unknown,
)
from deadheat.model.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = ("lost-create", "lost-delete", "stale-list", "torn-list", "double-delete", "resurrection")
# Live sessions that the generator steers towards: a collection people would list.
POPULATION = 12


@dataclass(frozen=True)
class Cell:
    """One setting."""

    operations: int
    clients: int
    lists: float
    info: float
    faulty: bool


class _Generator:
    """A right server, but for one ``fault`` after half of the calls."""

    def __init__(self, rng: Random, cell: Cell, fault: str | None) -> None:
        self.rng, self.cell, self.fault = rng, cell, fault
        self.live: set[str] = set()
        self.dead: list[str] = []
        self.known: list[str] = []
        self.past: list[frozenset[str]] = []
        self.made = 0
        self.agenda: list[tuple[int, int, str, int, int]] = []
        self.calls: list[list[object]] = []
        self.ticket = 0

    def run(self) -> History:
        for lane in range(self.cell.clients):
            self._push(self.rng.randrange(1_000), "begin", lane, 0)
        while self.agenda:
            now, _, what, lane, index = heapq.heappop(self.agenda)
            if what == "begin":
                self._begin(now, lane)
            elif what == "effect":
                self._effect(now, index)
            else:
                self._finish(now, index)
        return History(tuple(self._operations()))

    def _push(self, now: int, what: str, lane: int, index: int) -> None:
        self.ticket += 1
        heapq.heappush(self.agenda, (now, self.ticket, what, lane, index))

    def _begin(self, now: int, lane: int) -> None:
        index = len(self.calls)
        if index >= self.cell.operations:
            return
        rng = self.rng
        session = None
        if rng.random() < self.cell.lists:
            kind = Kind.LIST
        else:
            draw = rng.random()
            grow = 0.5 if len(self.live) < POPULATION else 0.2
            kind = Kind.GET if draw < 0.4 else Kind.CREATE if draw < 0.4 + grow else Kind.DELETE
            if not self.known:
                kind = Kind.CREATE
            if kind in (Kind.GET, Kind.DELETE):
                alive = [s for s in self.known[-3 * POPULATION :] if s in self.live]
                near = alive if alive and rng.random() < 0.8 else self.known[-POPULATION:]
                session = rng.choice(near)
        lost = rng.random() < self.cell.info
        self.calls.append([lane, Invocation(kind, session), now, None, None, lost])
        if not lost or rng.random() < 0.6:
            self._push(now + rng.randrange(100, 1_500), "effect", lane, index)
        if lost:
            self._push(now + 3_000, "begin", lane + self.cell.clients, 0)

    def _effect(self, now: int, index: int) -> None:
        lane, invocation, _, _, result, lost = self.calls[index]
        assert isinstance(invocation, Invocation)
        if result is None:
            fault = self.fault if index >= self.cell.operations // 2 else None
            struck = self._answer(invocation, fault)
            if struck is None:  # torn: the other half later
                self._push(now + 1_200, "effect", int(str(lane)), index)
                self.calls[index][4] = _Half(frozenset(self.live))
                return
            self.calls[index][4] = struck
        elif isinstance(result, _Half):
            first = {s for s in result.live if int(s[1:]) % 2}
            second = {s for s in self.live if not int(s[1:]) % 2}
            self.calls[index][4] = _listed(first | second)
        self.past.append(frozenset(self.live))
        answer = self.calls[index][4]
        if lost and isinstance(answer, Created):
            self.known.append(answer.session)  # clients learn of it from a list, and delete it
        if not lost:
            self._push(now + self.rng.randrange(100, 1_500), "finish", int(str(lane)), index)

    def _answer(self, invocation: Invocation, fault: str | None) -> Result | None:
        session = invocation.session or ""
        match invocation.kind:
            case Kind.CREATE:
                self.made += 1
                new = f"s{self.made}"
                if fault == "lost-create":
                    self.fault = None
                else:
                    self.live.add(new)
                return Created(new)
            case Kind.DELETE:
                if session not in self.live:
                    if fault == "double-delete" and session in self.dead:
                        self.fault = None
                        return Deleted()
                    return Absent()
                if fault == "lost-delete":
                    self.fault = None
                    return Deleted()
                self.live.discard(session)
                self.dead.append(session)
                if fault == "resurrection":
                    self.fault = f"again {session}"
                return Deleted()
            case Kind.GET:
                return Found() if session in self.live else Absent()
            case _:
                if fault == "stale-list" and len(self.past) > 40:
                    self.fault = None
                    return _listed(set(self.past[-40]))
                if fault == "torn-list":
                    self.fault = None
                    return None
                if fault is not None and fault.startswith("again "):
                    self.fault = None
                    before = _listed(self.live)
                    self.live.add(fault.removeprefix("again "))
                    return before
                return _listed(self.live)

    def _finish(self, now: int, index: int) -> None:
        lane, _, _, _, result, _ = self.calls[index]
        self.calls[index][3] = now
        if isinstance(result, Created):
            self.known.append(result.session)
        self._push(now + self.rng.randrange(50, 300), "begin", int(str(lane)), 0)

    def _operations(self) -> Iterator[Operation]:
        for index, (lane, invocation, call, end, result, _) in enumerate(self.calls):
            assert isinstance(invocation, Invocation)
            assert isinstance(call, int)
            outcome = Info(Unknown.TIMEOUT) if end is None else Ok(result)  # type: ignore[arg-type]
            finish = end if isinstance(end, int) else None
            yield Operation(index, int(str(lane)), invocation, outcome, call, finish)


@dataclass(frozen=True)
class _Half:
    live: frozenset[str]


def _listed(sessions: set[str] | frozenset[str]) -> Listed:
    return Listed(tuple(Seen(session) for session in sorted(sessions)))


def histories(cell: Cell, count: int, seed: int) -> list[History]:
    """``count`` histories of the cell; of a faulty one only those in which the fault shows."""
    found: list[History] = []
    attempt = 0
    while len(found) < count and attempt < 40 * count:
        attempt += 1
        rng = Random(f"{cell}/{seed}/{attempt}")
        fault = FAULTS[attempt % len(FAULTS)] if cell.faulty else None
        history = _Generator(rng, cell, fault).run()
        shows = cell.faulty and isinstance(legal(history, Promises(), DEFAULT_BUDGET), Impossible)
        if shows or not cell.faulty:
            found.append(history)
    return found
