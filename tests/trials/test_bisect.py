"""Bisection: the change is found, wrongly as seldom as stated, and with few versions tried."""

from __future__ import annotations

from random import Random

import pytest

from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.bisect import Bisection, ChangeBetween, most_tests
from deadheat.trials.evidence import DRIFT, Present, Side, TrialResult
from deadheat.trials.stats import rate


def run(bisection: Bisection, present: list[bool | None]) -> tuple[ChangeBetween | None, list[int]]:
    tried: list[int] = []
    while (asked := bisection.next()) is not None:
        tried.append(asked)
        bisection.feed(present[asked])
    return bisection.change, tried


@pytest.mark.parametrize("count", range(2, 40))
@pytest.mark.parametrize("present_first", [True, False])
def test_every_place_of_the_change_is_found(count: int, present_first: bool) -> None:
    for first in range(1, count):
        truth: list[bool | None] = [(i < first) is present_first for i in range(count)]
        change, tried = run(Bisection(count, present_first=present_first), truth)
        assert change == ChangeBetween(first - 1, first)
        assert len(tried) == len(set(tried))
        assert sum(truth[i] is False for i in tried) <= most_tests(count)


def test_what_cannot_be_tried_is_skipped_and_told() -> None:
    truth: list[bool | None] = [True, True, None, None, False, False]
    change, tried = run(Bisection(6, present_first=True), truth)
    assert change == ChangeBetween(1, 4, (2, 3))
    assert len(tried) == 5
    bounded: list[bool | None] = [True, *[None] * 30, False]
    change, _ = run(Bisection(32, present_first=True), bounded)
    assert change == ChangeBetween(0, 31, tuple(range(1, 31)))


@pytest.mark.parametrize(("found", "wrong"), [(True, 5), (None, 0)])
def test_an_end_that_is_not_what_was_said_ends_it(found: bool | None, wrong: int) -> None:
    """Quiet beside one that does not show it says nothing: then that one is wrong."""
    bisection = Bisection(6, present_first=True)
    assert (bisection.next(), bisection.beside) == (5, 0)
    bisection.feed(found)
    assert (bisection.next(), bisection.change, bisection.wrong_end) == (None, None, wrong)


def test_each_is_tried_beside_the_nearest_that_has_it() -> None:
    bisection = Bisection(9, present_first=False)
    tried = []
    while (asked := bisection.next()) is not None:
        tried.append((asked, bisection.beside))
        bisection.feed(asked >= 3)
    assert tried == [(0, 8), (4, 8), (2, 4), (3, 4)]
    assert bisection.change == ChangeBetween(2, 3)


def test_feed_needs_a_question() -> None:
    with pytest.raises(RuntimeError, match="next"):
        Bisection(3, present_first=True).feed(True)
    with pytest.raises(ValueError, match="two versions"):
        Bisection(1, present_first=True)


@pytest.mark.parametrize("shows", [0.1, 0.5])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_it_is_wrong_no_more_often_than_stated(shows: float, confidence: float) -> None:
    """150 bisections of up to 40 versions, each with the race at a third of the last one's rate.

    The stated bound must not be outside (above) what 1 in 10,000 such tests would show.
    """
    rng = Random(f"bisect {shows} {confidence}")
    wrong = 0
    for _ in range(150):
        count = rng.randint(3, 40)
        first = rng.randint(1, count - 1)
        bisection = Bisection(count, present_first=True)
        while (asked := bisection.next()) is not None:
            pairs = BesideBaseline(1 - (1 - confidence) / bisection.tests)
            rates = {Side.OLD: shows, Side.NEW: shows / DRIFT if asked < first else 0.0}
            while (side := pairs.next()) is not None:
                pairs.feed(TrialResult.SHOWN if rng.random() < rates[side] else TrialResult.QUIET)
            bisection.feed(isinstance(pairs.conclusion, Present))
        wrong += bisection.change != ChangeBetween(first - 1, first)
    assert rate(wrong, 150, 0.9998).low <= 1 - confidence
