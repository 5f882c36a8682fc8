"""A worker on a server in memory: what it tells, and what it leaves to the coordinator."""

from __future__ import annotations

import queue
import random
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

import anyio
import pytest
from tests.examples import example
from tests.programs import A
from tests.run.simulated import SimulatedTarget
from tests.run.test_engine import LARGE, QUIET

from deadheat.campaign import protocol
from deadheat.campaign.worker import Worker
from deadheat.files import artifact as artifacts
from deadheat.generate.machine import OFFSETS_US
from deadheat.model.program import Delete, Program, structure
from deadheat.trials.corpus import race_shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deadheat.drive.executor import Execution

pytestmark = pytest.mark.anyio
BEGIN = protocol.Begin("simulated", None, False, 7, 0, 0)


class Run:
    """One worker, driven from its first order to Stop."""

    def __init__(self, folder: Path, rate: float, supply: Iterable[Program]) -> None:
        self.folder = folder
        self.live = SimulatedTarget(random.Random(1), rate)
        self.said: list[protocol.Message] = []
        self.inbox: queue.SimpleQueue[protocol.WorkerOrder] = queue.SimpleQueue()
        self.worker = Worker(
            BEGIN,
            self.live.as_live(),
            self.inbox,
            self.hear,
            folder,
            self.live.clock,
            lambda *_: supply,
        )
        self.share = protocol.Share(0, 40, 0)

    def hear(self, message: protocol.Message) -> None:
        self.said.append(message)
        if isinstance(message, protocol.WorkDone) and message.position >= self.share.programs:
            self.inbox.put(protocol.Stop())

    async def run(self, *orders: protocol.WorkerOrder) -> Run:
        for order in (*orders, self.share):
            self.inbox.put(order)
        with anyio.fail_after(60):
            await self.worker.run()
        return self

    def left(self) -> list[Path]:
        return list(self.folder.iterdir())

    def of(self, kind: type) -> list:  # type: ignore[type-arg]
        return [message for message in self.said if isinstance(message, kind)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_it_tells_after_every_program(tmp_path: Path) -> None:
    run = await Run(tmp_path, 0.0, cycle((QUIET,))).run()
    told = run.of(protocol.WorkDone)
    assert [did.position for did in told] == list(range(1, 41))
    assert sum(did.counts["programs"] for did in told) == 40
    assert sum(did.counts["requests"] for did in told) == run.live.requests
    silence = [did.silence["delete/get/same"] for did in told if "delete/get/same" in did.silence]
    assert len(silence) >= 30  # the others are mutations
    assert set(silence) == {(1, 0)}
    assert not run.of(protocol.NewDivergence)


async def test_a_new_divergence_is_reported_once_and_not_pursued(tmp_path: Path) -> None:
    run = await Run(tmp_path, 1.0, cycle((LARGE,))).run()
    (found,) = run.of(protocol.NewDivergence)
    assert artifacts.from_json(found.artifact, "x").program == LARGE
    assert not run.of(protocol.BetterExample)
    assert sum(did.counts["trials"] for did in run.of(protocol.WorkDone)) == 40
    assert run.left() == []


def know(*, settled: bool) -> protocol.CountFinding:
    return protocol.CountFinding("ghost", artifacts.to_json(example()), settled, 0, 0)


async def test_what_is_known_is_counted_and_seen_now_and_then(tmp_path: Path) -> None:
    run = await Run(tmp_path, 0.5, cycle((LARGE,))).run(know(settled=True))
    assert not run.of(protocol.NewDivergence)
    hits = [pair for did in run.of(protocol.WorkDone) for pair in did.hits.values()]
    assert 30 <= sum(programs for programs, _ in hits) <= 40  # a mutation may have lost a delete
    assert 5 <= sum(shown for _, shown in hits) <= 32  # 15 to 20 expected, 4 standard deviations
    assert len(run.of(protocol.Sighting)) == 1


async def test_an_order_to_pursue_comes_before_the_search(tmp_path: Path) -> None:
    raw = artifacts.to_json(example())
    run = await Run(tmp_path, 0.5, cycle((LARGE,))).run(
        know(settled=False), protocol.Pursue("ghost", raw, 900.0)
    )
    finished = [better for better in run.of(protocol.BetterExample) if better.finished]
    (better,) = finished
    smallest = artifacts.from_json(better.artifact, "x")
    assert smallest.proven_minimal
    assert smallest.rate is not None
    assert race_shape(smallest.program) == ("delete", "delete")
    assert structure(smallest.program) == structure(example().program)
    place = run.said.index(better)
    assert not any(isinstance(m, protocol.WorkDone) and m.position for m in run.said[:place])


async def test_a_share_goes_on_after_what_was_done(tmp_path: Path) -> None:
    run = Run(tmp_path, 0.0, [*[QUIET] * 10, *[LARGE] * 40])
    run.share = protocol.Share(3, 5, 10)
    await run.run()
    assert QUIET not in run.live.ran
    assert run.of(protocol.WorkDone)[-1].drawn_here >= 11


def takes_40_ms(execution: Execution) -> Execution:
    history = execution.history
    slow = tuple(
        op if op.return_ns is None else replace(op, return_ns=op.call_ns + 40_000_000)
        for op in history.operations
    )
    return replace(execution, history=replace(history, operations=slow))


async def test_mutations_are_drawn_at_offsets_that_calls_here_take(tmp_path: Path) -> None:
    run = Run(tmp_path, 0.0, cycle((QUIET, LARGE)))
    run.live.lies = takes_40_ms
    run.share = protocol.Share(1, 40, 0)
    await run.run(protocol.Share(0, 30, 0))
    first, second = run.live.ran[:30], run.live.ran[30:]
    longest = [
        max(call.offset_us for program in programs for call in program.calls())
        for programs in (first, second)
    ]
    assert longest[0] <= max(OFFSETS_US) < longest[1] <= 42_000
    assert {QUIET, LARGE} <= set(second)  # fresh ones are as they would have been


async def test_the_server_is_recycled(tmp_path: Path) -> None:
    run = Run(tmp_path, 0.0, cycle((QUIET,)))
    run.worker._begin = protocol.Begin("simulated", None, False, 7, 15, 0)
    await run.run()
    assert run.live.recycled == 2
    assert [message.died for message in run.of(protocol.ServerRestarted)] == [False, False]


async def test_the_server_is_recycled_when_it_is_too_large(tmp_path: Path) -> None:
    run = Run(tmp_path, 0.0, cycle((QUIET,)))
    run.live.resident_bytes = 1_000
    run.worker._begin = protocol.Begin("simulated", None, False, 7, 0, 999)
    await run.run()
    assert run.live.recycled == 40


async def test_another_shape_of_a_known_divergence_is_reported(tmp_path: Path) -> None:
    """Known: a ghost whose minimum has three deletes. This program has two."""
    race = (*example().program.rounds[2], (Delete(A, 50),))
    three = Program((*example().program.rounds[:2], race))
    known = artifacts.to_json(replace(example(), program=three))
    run = await Run(tmp_path, 1.0, cycle((LARGE,))).run(
        protocol.CountFinding("ghost", known, True, 0, 0)
    )
    assert run.of(protocol.NewDivergence)
