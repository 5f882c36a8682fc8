"""Work that is not cut off, as only its answer tells what it did: but not for ever."""

from __future__ import annotations

import anyio
import pytest
import trio
from trio.testing import MockClock

from deadheat.drive.cut_off import FINISH_S, finished


def ended_s(work_s: float, cut_s: float, limit_s: float | None = None) -> tuple[float, bool]:
    """When work of so many seconds is over that is cut off after so many; was it done?"""
    done = False

    async def work() -> int:
        nonlocal done
        await anyio.sleep(work_s)
        done = True
        return 7

    async def within() -> float:
        began_s = trio.current_time()
        with anyio.move_on_after(cut_s):
            assert await finished(work, limit_s) == 7
        return trio.current_time() - began_s

    return trio.run(within, clock=MockClock(autojump_threshold=0)), done


@pytest.mark.parametrize(
    ("work_s", "cut_s", "ends_s", "done"),
    [
        (1.0, 5.0, 1.0, True),
        (1.0, 0.5, 1.0, True),
        (10.0, 1.0, 1.0 + FINISH_S, False),
        (float("inf"), 1.0, 1.0 + FINISH_S, False),
    ],
    ids=["in time", "cut off", "cut off long before", "never"],
)
def test_who_is_cancelled_waits_for_it_but_not_for_long(
    work_s: float, cut_s: float, ends_s: float, done: bool
) -> None:
    took_s, was_done = ended_s(work_s, cut_s)
    assert took_s == pytest.approx(ends_s)
    assert was_done == done


@pytest.mark.parametrize(("limit_s", "ends_s"), [(0.0, 1.0), (float("inf"), 1.0 + FINISH_S)])
def test_a_hard_limit_is_kept(limit_s: float, ends_s: float) -> None:
    took_s, done = ended_s(10.0, 1.0, limit_s)
    assert took_s == pytest.approx(ends_s)
    assert not done


def test_an_error_of_it_comes_as_it_is() -> None:
    async def fails() -> None:
        await anyio.sleep(1)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        trio.run(finished, fails, clock=MockClock(autojump_threshold=0))
