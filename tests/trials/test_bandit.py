"""The contest itself; what competes in it: test_tuning, test_widening."""

from __future__ import annotations

from random import Random

import pytest
from tests.quality.simulated import MINIMUM

from deadheat.model.program import Create, Delete, Program, Var
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.model.verdict import Linearizable
from deadheat.trials.bandit import SWEEP_SHARE, Bandit

PROGRAMS = tuple(
    Program((((Create(Var(0)),),), ((Delete(Var(0)),), (Delete(Var(0), gap_us),))))
    for gap_us in (0, 100, 200)
)


def test_one_that_always_misses_its_offsets_takes_no_more_than_its_turns_of_the_sweep() -> None:
    bandit = Bandit(PROGRAMS, None, rng=Random(1), trials=90)
    while bandit.sweeping and (program := bandit.next()) is not None:
        late = Unraced(UnracedReason.OFF_TIME) if program == bandit.arms[0].program else None
        bandit.feed(Linearizable(()), late)
    assert bandit.trials == 90 * SWEEP_SHARE
    assert [arm.tried for arm in bandit.arms] == [10, 10, 10]
    assert [arm.tally.trials for arm in bandit.arms] == [0, 10, 10]


def test_one_program_is_no_contest_and_the_same_one_competes_once() -> None:
    assert Bandit([MINIMUM, MINIMUM], None, rng=Random(1), trials=90).next() is None


def test_feed_wants_a_trial_that_was_asked_for() -> None:
    with pytest.raises(RuntimeError, match="without a trial"):
        Bandit(PROGRAMS, None, rng=Random(1), trials=90).feed(Linearizable(()))
