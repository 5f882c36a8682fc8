"""The event streams of real OpenCode releases: heard whole, and one known to say too much."""

from __future__ import annotations

import pytest
from tests.programs import TWO_DELETES, A

from deadheat.campaign.judge import judge
from deadheat.core.divergence import EVENTS, Anomaly, Diverged
from deadheat.core.program import Create, Delete, Program
from deadheat.core.promises import EventPromise
from deadheat.drive.live import open_target
from deadheat.targets import opencode

pytestmark = [pytest.mark.live, pytest.mark.opencode, pytest.mark.anyio]

TWICE = Program((((Create(A),),), ((Delete(A),), (Delete(A, 150),))))
# Measured on a busy machine: 36 % of trials (95 %: 29 to 43) on 1.1.65; by hand 31 of 60.
TRIALS = 60


async def _wrong(version: str, program: Program) -> list[Anomaly]:
    found: list[Anomaly] = []
    flushed = 0
    async with open_target(opencode.released(version, lambda _line: None), "events") as live:
        assert live.promises.events is EventPromise.EXACTLY_ONCE
        for _ in range(TRIALS):
            done, death = await live.execute(program)
            assert done.history.stream is not None
            flushed += done.history.stream.flushed_ns is not None
            verdict = judge(done, death, live.promises)
            if isinstance(verdict, Diverged):
                found += [one.anomaly for one in verdict.all if one.anomaly in EVENTS]
    assert flushed >= TRIALS / 2  # on a busy machine a marker may be late
    return found


async def test_one_delete_is_announced_twice_by_1_1_65() -> None:
    assert Anomaly.DUPLICATE_EVENT in await _wrong("1.1.65", TWICE)


@pytest.mark.parametrize("version", ["1.2.1", "1.18.33"])
@pytest.mark.parametrize("program", [TWICE, TWO_DELETES], ids=["one twice", "two"])
async def test_later_ones_announce_each_change_once(version: str, program: Program) -> None:
    assert await _wrong(version, program) == []
