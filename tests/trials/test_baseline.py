"""Fixed or lucky: how often the answer is wrong, each way, on simulated targets."""

from __future__ import annotations

from random import Random

import pytest
from tests.trials.fixes import DESIGNS, Wrong, simulate

from deadheat.model.raced import Unraced, UnracedReason
from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.evidence import AbsentBelow, Present, Side, TrialResult, Unproven
from deadheat.trials.stats import rate

REFUSED = Unraced(UnracedReason.REFUSED, "create", 409)


def test_pairs_alternate_and_an_undecided_trial_takes_its_pair_along() -> None:
    pairs = BesideBaseline(0.99, most_pairs=20)
    sides = []
    for n in range(8):
        side = pairs.next()
        assert side is not None
        sides.append(side.value)
        pairs.feed(
            TrialResult.UNDECIDED
            if n == 3
            else TrialResult.SHOWN
            if side is Side.OLD
            else TrialResult.QUIET
        )
    assert sides == ["old", "new", "new", "old"] * 2
    assert (pairs.pairs, pairs.shown_old, pairs.undecided) == (4, 3, 1)
    while pairs.next() is not None:
        pairs.feed(TrialResult.QUIET)
    assert isinstance(pairs.conclusion, Unproven)
    with pytest.raises(RuntimeError, match=r"call next\(\)"):
        pairs.feed(TrialResult.QUIET)


def test_a_divergence_of_the_new_one_ends_it_within_the_pair() -> None:
    pairs = BesideBaseline(0.99)
    pairs.feed(TrialResult.SHOWN)
    pairs.feed(TrialResult.SHOWN)
    assert pairs.conclusion == Present()


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("why", [REFUSED, Unraced(UnracedReason.OFF_TIME)])
def test_a_pair_counts_only_if_both_raced(side: Side, why: Unraced) -> None:
    pairs = BesideBaseline(0.99, most_pairs=40)
    while (now := pairs.next()) is not None:
        came = TrialResult.SHOWN if now is Side.OLD else TrialResult.QUIET
        pairs.feed(came, why if now is side else None)
    if side is Side.OLD and why is REFUSED:  # it showed it all the same
        assert pairs.conclusion == AbsentBelow(None)
        return
    assert isinstance(pairs.conclusion, Unproven)
    assert pairs.conclusion.unraced == ((why, pairs.pairs),)
    assert pairs.pairs == (20 if why is REFUSED else 40)  # a server that refuses goes on doing so


@pytest.mark.parametrize("design", DESIGNS)
def test_wrong_no_more_often_than_stated(design: str) -> None:
    """300 fixes and 300 races that are left, at rates of .02 to .9, recorded with 200 trials.

    ``fuzz/fixed_or_lucky.py`` makes 1,000 of each. The bound must not be outside what 1 in
    10,000 such tests would show; the other error cannot be.
    """
    told = simulate(design, 300, 0.99, Random(f"verify {design}"))
    assert told[Wrong.ALARM] == 0
    assert rate(told[Wrong.MISSED], 300, 0.9998).low <= 0.01
    assert told[Wrong.UNDECIDED] <= 30
