"""A limit on requests a second: by a clock of our own, and at a live server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.running import deadheat

from deadheat.drive.wire.rate_limit import RequestRate

if TYPE_CHECKING:
    from pathlib import Path


def test_a_burst_is_paid_for_before_the_next_one() -> None:
    rate = RequestRate(10)
    assert rate.wait_s(5, 100.0) == 0  # nothing was sent yet
    assert rate.wait_s(1, 100.0) == pytest.approx(0.5)
    assert rate.wait_s(1, 100.5) == pytest.approx(0.1)
    assert rate.wait_s(3, 200.0) == 0  # a pause saves nothing up
    assert rate.wait_s(1, 200.0) == pytest.approx(0.3)


def test_over_any_stretch_no_more_than_the_rate() -> None:
    rate, now_s, sent = RequestRate(20), 0.0, 0
    for burst in (1, 7, 2, 2, 30, 1, 1, 4) * 20:
        now_s += rate.wait_s(burst, now_s)
        assert sent <= 20 * now_s + 1e-6
        sent += burst


@pytest.mark.live
def test_a_run_keeps_to_its_limit_and_races_all_the_same(tmp_path: Path) -> None:
    def ran(*words: str) -> tuple[int, int, float]:
        done = deadheat(tmp_path, "run", "demo:correct", "--for", "8s", *words)
        assert done.returncode == 0, done.stderr
        counts = re.search(r"([\d,]+) requests, ([\d,]+) overlaps in ([\d.]+) s", done.stdout)
        assert counts is not None, done.stdout
        requests, overlaps = (int(counts[n].replace(",", "")) for n in (1, 2))
        return requests, overlaps, float(counts[3])

    # Without the limit even a machine whose cores are busy sends more.
    requests, overlaps, seconds = ran("--max-rps", "10")
    assert requests <= 10 * (seconds + 0.5) + 20  # the last round is sent at once
    assert overlaps > 0
