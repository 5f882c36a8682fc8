"""Replay: how many trials are enough, when it stops, and what the rate then is."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.examples import example
from tests.run.simulated import SimulatedTarget

from deadheat.model.verdict import Anomaly
from deadheat.run.replay import replay, trials_wanted
from deadheat.trials.evidence import AbsentBelow, quiet_needed
from deadheat.trials.tally import Tally

pytestmark = pytest.mark.anyio


def test_trials_follow_from_the_lower_end_of_the_recorded_rate() -> None:
    whole = example()
    assert whole.rate is not None
    known = Tally(whole.rate.trials, whole.rate.diverged)
    assert trials_wanted(whole) == quiet_needed(known)
    assert trials_wanted(replace(whole, rate=None)) == 459  # 1 %
    none_seen = replace(whole.rate, diverged=0, low=0.0)
    assert trials_wanted(replace(whole, rate=none_seen)) == 459


async def test_it_stops_at_the_first_divergence() -> None:
    live = SimulatedTarget(random.Random(1), 0.2)
    told: list[tuple[int, int, int]] = []
    done = await replay(live.as_live(), example(), None, lambda *now: told.append(now))
    assert done.divergence is not None
    assert done.until_first
    assert done.rate.diverged == 1
    assert done.rate.trials == len(live.ran) == len(told)
    assert set(live.ran) == {example().program}


async def test_quiet_after_enough_trials() -> None:
    live = SimulatedTarget(random.Random(1), 0.0)
    done = await replay(live.as_live(), example(), None, lambda *_: None)
    assert (done.divergence, done.other) == (None, None)
    assert done.rate.trials == done.trials == trials_wanted(example())
    assert isinstance(done.evidence, AbsentBelow)


async def test_a_number_of_trials_is_run_to_its_end() -> None:
    live = SimulatedTarget(random.Random(1), 0.5)
    done = await replay(live.as_live(), example(), 100, lambda *_: None)
    assert done.rate.trials == 100
    assert 30 < done.rate.diverged < 70
    assert not done.until_first


async def test_another_divergence_is_told_and_not_counted() -> None:
    live = SimulatedTarget(random.Random(1), 1.0)
    done = await replay(
        live.as_live(), replace(example(), anomaly=Anomaly.PHANTOM), 10, lambda *_: None
    )
    assert done.divergence is None
    assert done.other is not None
    assert done.rate.diverged == 0
