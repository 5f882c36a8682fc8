"""Bisection: the change is found, wrongly as seldom as stated, and with few versions tried."""

from __future__ import annotations

from random import Random

import pytest

from deadheat.core.bisecting import Bisection, Change, most_tests
from deadheat.core.stats import rate, trials_to_see


def run(bisection: Bisection, present: list[bool | None]) -> tuple[Change | None, list[int]]:
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
        assert change == Change(first - 1, first)
        assert len(tried) == len(set(tried))
        assert sum(truth[i] is False for i in tried) <= most_tests(count)


def test_what_cannot_be_tried_is_skipped_and_told() -> None:
    truth = [True, True, None, None, False, False]
    change, tried = run(Bisection(6, present_first=True), truth)
    assert change == Change(1, 4, (2, 3))
    assert len(tried) == 6
    bounded: list[bool | None] = [True, *[None] * 30, False]
    change, _ = run(Bisection(32, present_first=True), bounded)
    assert change == Change(0, 31, tuple(range(1, 31)))


@pytest.mark.parametrize("wrong", [0, 5])
@pytest.mark.parametrize("found", [True, False, None])
def test_an_end_that_is_not_what_was_said_ends_it(wrong: int, found: bool | None) -> None:
    truth: list[bool | None] = [True, True, True, False, False, False]
    if truth[wrong] is found:
        return
    truth[wrong] = found
    bisection = Bisection(6, present_first=True)
    assert run(bisection, truth)[0] is None
    assert bisection.wrong_end == wrong


def test_a_version_called_quiet_can_be_taken_back() -> None:
    bisection = Bisection(6, present_first=True)
    mistaken: list[bool | None] = [True, True, False, True, True, False]
    assert run(bisection, mistaken)[0] == Change(1, 2)
    bisection.retract()
    assert bisection.change is None
    assert run(bisection, [True, True, True, True, True, False])[0] == Change(4, 5)
    bisection.retract()
    assert bisection.wrong_end == 5


def test_feed_needs_a_question() -> None:
    with pytest.raises(RuntimeError, match="next"):
        Bisection(3, present_first=True).feed(True)
    with pytest.raises(ValueError, match="two versions"):
        Bisection(1, present_first=True)


@pytest.mark.parametrize("shows", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_it_is_wrong_no_more_often_than_stated(shows: float, confidence: float) -> None:
    """400 bisections of up to 40 versions by trials at just the rate that is to be refuted.

    The stated bound must not be outside (above) what 1 in 10,000 such tests would show.
    """
    rng = Random(f"bisect {shows} {confidence}")
    wrong = 0
    for _ in range(400):
        count = rng.randint(3, 40)
        first = rng.randint(1, count - 1)
        bisection = Bisection(count, present_first=True)
        quiet = trials_to_see(shows, 1 - (1 - confidence) / bisection.tests)
        while (asked := bisection.next()) is not None:
            seen = asked < first and rng.random() < 1 - (1 - shows) ** quiet
            bisection.feed(seen)
        wrong += bisection.change != Change(first - 1, first)
    assert rate(wrong, 400, 0.9998).low <= 1 - confidence
