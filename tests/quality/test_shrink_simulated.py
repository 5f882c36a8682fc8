"""Budgets: how often the exact minimum is reached, and for how many trials (issues 4 and 18)."""

from __future__ import annotations

import pytest
from tests.quality.shrink_runs import by_deadheat
from tests.quality.shrink_table import FRESH, measured

pytestmark = pytest.mark.quality

# Sixty at a time swing: exact in 57, 53 and 47 of 60 at 2 %, on three blocks.
SEEDS = range(FRESH, FRESH + 300)
# Measured on these: 37, 65, 215, 427 and 856 trials; exact in 300, 300, 298, 295 and 295. The 60
# and 840 of the issue are of fewer seeds: the shrinker of then took 65 at 0.3 on these (exact in
# 300), and 833 at 0.02 (exact in 251).


@pytest.mark.parametrize(
    ("p", "share", "trials"),
    [(0.5, 0.98, 38), (0.3, 0.98, 65), (0.1, 0.98, 236), (0.05, 0.98, 440), (0.02, 0.95, 860)],
)
def test_reaches_the_exact_minimum_within_the_trials(p: float, share: float, trials: int) -> None:
    row = measured("deadheat", by_deadheat, p, SEEDS, None)
    assert all(run.observed for run in row.runs)
    assert row.minimal_share >= share
    assert row.median_trials <= trials


def test_reaches_it_where_the_race_has_a_window() -> None:
    row = measured("deadheat", by_deadheat, 0.3, SEEDS, (400, 900))
    assert all(run.observed for run in row.runs)
    assert row.minimal_share >= 0.95
    assert row.median_trials <= 150
