"""Fixed or lucky: how often the answer is wrong, each way, on simulated targets."""

from __future__ import annotations

from random import Random

import pytest
from tests.core.fixes import DESIGNS, Wrong, simulate

from deadheat.core.ledger import Tally
from deadheat.core.stats import rate
from deadheat.core.verifying import (
    BesideBaseline,
    ByRecord,
    Came,
    CannotTell,
    Fixed,
    NotFixed,
    Side,
    lowest_rate,
    quiet_needed,
    shown_needed,
)


def test_the_recorded_rate_says_how_many_trials() -> None:
    tenth = Tally(200, 20, 0)
    low = lowest_rate(20, 200, 0.99)
    assert 0.05 < low < 0.0622  # below the bound at 95 %
    needed = quiet_needed(tenth, 0.99)
    assert (1 - low / 3) ** needed <= 0.005 < (1 - low / 3) ** (needed - 1)
    assert quiet_needed(Tally(200, 100, 0), 0.99) < needed < quiet_needed(Tally(200, 4, 0), 0.99)
    assert quiet_needed(None, 0.99) == quiet_needed(Tally(50, 0, 0), 0.99) == 528
    assert shown_needed(0.99) == 17
    assert 0.75**17 <= 0.01 < 0.75**16


def test_one_divergence_is_enough_and_quiet_trials_have_to_add_up() -> None:
    one = ByRecord(Tally(200, 100, 0), 0.99)
    assert one.next() is Side.NEW
    for _ in range(one.wanted - 1):
        one.feed(Came.QUIET)
    one.feed(Came.UNDECIDED)
    one.feed(Came.MISSED)
    assert one.conclusion is None
    one.feed(Came.OTHER)
    assert one.conclusion == Fixed(one.rate)
    assert one.next() is None
    assert one.other == 1
    assert one.below <= one.rate
    shown = ByRecord(Tally(200, 100, 0), 0.99)
    shown.feed(Came.SHOWN)
    assert shown.conclusion == NotFixed()


def test_missed_offsets_are_no_silence() -> None:
    one = ByRecord(Tally(200, 100, 0), 0.99, most_trials=100)
    for _ in range(100):
        assert one.next() is Side.NEW
        one.feed(Came.MISSED)
    assert isinstance(one.conclusion, CannotTell)
    assert one.below == 1.0


def test_pairs_alternate_and_an_undecided_trial_takes_its_pair_along() -> None:
    pairs = BesideBaseline(0.99, most_pairs=20)
    sides = []
    for n in range(8):
        side = pairs.next()
        assert side is not None
        sides.append(side.value)
        pairs.feed(Came.UNDECIDED if n == 3 else Came.SHOWN if side is Side.OLD else Came.QUIET)
    assert sides == ["old", "new", "new", "old"] * 2
    assert (pairs.pairs, pairs.shown_old, pairs.undecided) == (4, 3, 1)
    while pairs.next() is not None:
        pairs.feed(Came.QUIET)
    assert isinstance(pairs.conclusion, CannotTell)
    with pytest.raises(RuntimeError, match="conclusion"):
        pairs.feed(Came.QUIET)


def test_a_divergence_of_the_new_one_ends_it_within_the_pair() -> None:
    pairs = BesideBaseline(0.99)
    pairs.feed(Came.SHOWN)
    pairs.feed(Came.SHOWN)
    assert pairs.conclusion == NotFixed()


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
