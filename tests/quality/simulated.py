"""A server without a network: programs run on a virtual clock into real histories.

Rules
- Instants are drawn from ``rng``; nothing sleeps, and the real checker judges.
- The planted race is the ghost: of two deletes of different sessions whose
  intervals overlap, the one that would take effect later is, with probability
  ``p``, answered as a success and does nothing. With ``window_us`` the race is
  possible only where the second is called that long after the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, count
from typing import TYPE_CHECKING

from deadheat.check.checker import check
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
    Place,
    Result,
    Seen,
)
from deadheat.model.program import (
    Call,
    Create,
    Delete,
    Get,
    Lane,
    List,
    Program,
    Round,
    Var,
    canonical,
    structure,
    var_of,
)
from deadheat.model.promises import Promises
from deadheat.model.verdict import Anomaly, Diverged, Signature

if TYPE_CHECKING:
    from random import Random

    from deadheat.model.verdict import Divergence, Verdict

# A local server's answer: 0.8 to 2.4 ms; calls of one lane follow within 0.1 ms.
LATENCY_US = (800, 2_400)
THINK_US = (10, 100)
_REST_US = 1_000

MINIMUM = structure(
    Program(
        (
            ((Create(Var(0)),),),
            ((Create(Var(1)),),),
            ((Delete(Var(0)),), (Delete(Var(1)),)),
        )
    )
)
GHOST = Signature(Anomaly.GHOST, ("create", "delete", "read"))


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of one trial: when it was asked, took effect, was answered."""

    place: Place
    call: Call
    lane: int
    call_us: float
    effect_us: float
    return_us: float


@dataclass(slots=True)
class Simulated:
    """Runs programs; ``runs`` counts them."""

    p: float
    rng: Random
    window_us: tuple[int, int] | None = None
    jitter_us: int = 30
    latency_us: tuple[int, int] = LATENCY_US
    runs: int = 0

    def run(self, program: Program) -> History:
        """One trial of ``program``."""
        self.runs += 1
        sent, end_us = self._send(program)
        lost = self.lost(sent)
        live: list[str] = []
        names: dict[Var, str] = {}
        fresh = count(1)
        results: dict[Place, tuple[Invocation, Result]] = {}
        for one in sorted(sent, key=lambda one: one.effect_us):
            match one.call:
                case Create(var):
                    names[var] = f"s{next(fresh)}"
                    live.append(names[var])
                    results[one.place] = (Invocation(Kind.CREATE), Created(names[var]))
                case Delete(var):
                    there = names[var] in live
                    if there and one.place not in lost:
                        live.remove(names[var])
                    asked = Invocation(Kind.DELETE, names[var])
                    results[one.place] = (asked, Deleted() if there else Absent())
                case Get(var):
                    asked = Invocation(Kind.GET, names[var])
                    results[one.place] = (asked, Found() if names[var] in live else Absent())
                case List():
                    shown = Listed(tuple(Seen(name) for name in live))
                    results[one.place] = (Invocation(Kind.LIST), shown)
        operations = [
            Operation(
                index,
                one.lane,
                results[one.place][0],
                Ok(results[one.place][1]),
                int(one.call_us * 1_000),
                int(one.return_us * 1_000),
                place=one.place,
            )
            for index, one in enumerate(sorted(sent, key=lambda one: one.call_us))
        ]
        reads: list[tuple[Invocation, Result]] = [
            (Invocation(Kind.LIST), Listed(tuple(Seen(name) for name in live)))
        ]
        reads += [
            (Invocation(Kind.GET, name), Found() if name in live else Absent())
            for name in sorted(names.values())
        ]
        for invocation, result in reads:
            end_us += _REST_US
            operations.append(
                Operation(
                    len(operations),
                    0,
                    invocation,
                    Ok(result),
                    int(end_us * 1_000),
                    int((end_us + _REST_US / 2) * 1_000),
                    at_rest=True,
                )
            )
        return History(tuple(operations))

    def trial(self, program: Program) -> Verdict:
        """One trial, judged by the real checker."""
        return check(self.run(program), Promises())

    def _send(self, program: Program) -> tuple[list[Sent], float]:
        sent: list[Sent] = []
        now_us = 0.0
        for r, lanes in enumerate(program.rounds):
            together = len(lanes) > 1
            start_us = now_us
            for k, lane in enumerate(lanes):
                free_us = start_us
                for i, call in enumerate(lane):
                    waits = call.offset_us if together else 0
                    wobble = self.rng.uniform(0, self.jitter_us) if i == 0 else 0.0
                    think = self.rng.uniform(*THINK_US) if i else 0.0
                    call_us = free_us + max(waits, think) + wobble
                    free_us = call_us + self.rng.uniform(*self.latency_us)
                    effect_us = self.rng.uniform(call_us, free_us)
                    sent.append(Sent((r, k, i), call, k, call_us, effect_us, free_us))
                now_us = max(now_us, free_us)
            now_us += self.rng.uniform(*THINK_US)
        return sent, now_us

    def lost(self, sent: list[Sent]) -> set[Place]:
        """The planted race: the calls that are answered as a success and do nothing."""
        lost: set[Place] = set()
        deletes = [one for one in sent if isinstance(one.call, Delete)]
        for one, other in combinations(deletes, 2):
            first, second = sorted((one, other), key=lambda each: each.call_us)
            gap_us = second.call_us - first.call_us
            if var_of(one.call) == var_of(other.call) or second.call_us > first.return_us:
                continue
            if self.window_us and not self.window_us[0] <= gap_us <= self.window_us[1]:
                continue
            if self.rng.random() < self.p:
                lost.add(max(one, other, key=lambda each: each.effect_us).place)
        return lost


def random_program(rng: Random, calls: int) -> Program:
    """A valid program of ``calls`` calls: rounds of 1 to 4 lanes, offsets log-uniform to 4 ms."""
    while True:
        rounds: list[Round] = []
        known: list[Var] = []
        made = count()
        left = calls
        while left:
            lanes: list[Lane] = []
            born: list[Var] = []
            for _ in range(min(left, rng.choice((1, 2, 2, 3, 4)))):
                lane: list[Call] = []
                mine: list[Var] = []
                for _ in range(min(left, rng.choice((1, 1, 1, 2, 3)))):
                    reach = known + mine
                    kinds = ["create", "create", "list"] + ["delete"] * 3 + ["get"]
                    kind = rng.choice(kinds if reach else ["create", "create", "list"])
                    offset_us = 0 if rng.random() < 0.2 else round(10 ** rng.uniform(1.5, 3.6))
                    match kind:
                        case "create":
                            var = Var(next(made))
                            mine.append(var)
                            lane.append(Create(var, offset_us))
                        case "delete":
                            lane.append(Delete(rng.choice(reach), offset_us))
                        case "get":
                            lane.append(Get(rng.choice(reach), offset_us))
                        case _:
                            lane.append(List(offset_us))
                    left -= 1
                if lane:
                    lanes.append(tuple(lane))
                    born += mine
                if not left:
                    break
            rounds.append(tuple(lanes))
            known += born
        program = canonical(Program(tuple(rounds)))
        if len(program.calls()) == calls:
            return program


def diverging_start(
    server: Simulated, rng: Random, most: int = 1_000_000
) -> tuple[Program, Divergence]:
    """A random program of 8 to 20 calls whose first trial showed the ghost, and the evidence.

    Raises ``RuntimeError`` when ``most`` programs did not show it.
    """
    for _ in range(most):
        program = random_program(rng, rng.randint(8, 20))
        verdict = server.trial(program)
        for divergence in verdict.all if isinstance(verdict, Diverged) else ():
            if divergence.signature == GHOST:
                return program, divergence
    raise RuntimeError(f"no ghost in {most:,} programs; raise p or most")
