"""Which rounds kept their offsets: by the distances between lanes, not by the clock on the wall."""

from __future__ import annotations

import pytest

from deadheat.model.release import LANE_US, NEIGHBOUR_US, Release, miss_ns, missed, missed_rounds

TWO_LANES_NS = (NEIGHBOUR_US + 2 * LANE_US) * 1_000


def released(*wanted_and_achieved: tuple[int, int]) -> tuple[Release, ...]:
    return tuple(Release(n, *each) for n, each in enumerate(wanted_and_achieved))


def test_a_round_that_is_late_as_a_whole_has_missed_nothing() -> None:
    late = released((0, 2_000_000), (400_000, 2_400_000))
    assert miss_ns(late) == 0
    assert not missed(late)


@pytest.mark.parametrize("sign", [-1, 1])
def test_too_near_and_too_far_apart_are_both_missed(sign: int) -> None:
    kept = released((0, 0), (400_000, 400_000 + sign * TWO_LANES_NS))
    assert not missed(kept)
    off = released((0, 0), (400_000, 400_000 + sign * (TWO_LANES_NS + 1)))
    assert miss_ns(off) == TWO_LANES_NS + 1
    assert missed(off)
    assert missed_rounds((kept, off, off)) == 2


def test_many_lanes_cannot_all_leave_at_once() -> None:
    """Each send takes its time: what is a miss for two lanes is none for twenty."""
    spread = released(*((0, lane * 10_000) for lane in range(20)))
    assert not missed(spread)
    assert missed((spread[0], spread[-1]))


def test_a_round_of_which_nothing_was_released_has_missed_nothing() -> None:
    assert miss_ns(()) == 0
    assert not missed(())
