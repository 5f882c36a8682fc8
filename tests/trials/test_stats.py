"""Intervals and tests against known values, and calibrated on seeded draws."""

from __future__ import annotations

from functools import cache
from math import comb, exp, log, log1p
from random import Random

import pytest

from deadheat.trials.stats import (
    beta_cdf,
    keeps_rate,
    posterior_quantile,
    rarest_seen,
    rate,
    rate_ratio,
    trials_to_see,
)

_rate = cache(rate)  # of many draws there are few different counts


@pytest.mark.parametrize(
    ("diverged", "trials", "low", "high"),
    [
        # Zero and all of ten in closed form, 1 - 0.025 ** (1 / 10); the rest from printed tables.
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
    ],
)
def test_clopper_pearson_matches_known_values(
    diverged: int, trials: int, low: float, high: float
) -> None:
    measured = rate(diverged, trials)
    assert measured.low == pytest.approx(low, abs=6e-5)
    assert measured.high == pytest.approx(high, abs=6e-5)
    assert measured.estimate == diverged / trials


@pytest.mark.parametrize(("k", "n"), [(36, 300), (3, 300), (1, 5_000), (290, 300)])
def test_the_bounds_leave_half_the_risk_on_each_side(k: int, n: int) -> None:
    def at_most(most: int, p: float) -> float:
        ways = ((comb(n, i), i) for i in range(most + 1))
        return sum(exp(log(way) + i * log(p) + (n - i) * log1p(-p)) for way, i in ways)

    measured = rate(k, n, confidence=0.99)
    assert 1 - at_most(k - 1, measured.low) == pytest.approx(0.005, rel=1e-6)
    assert at_most(k, measured.high) == pytest.approx(0.005, rel=1e-6)


@pytest.mark.parametrize(
    ("k", "n", "p"), [(1, 5, 0.3), (4, 20, 0.1), (17, 40, 0.5), (2, 300, 0.02)]
)
def test_beta_cdf_is_the_binomial_tail(k: int, n: int, p: float) -> None:
    tail = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert beta_cdf(p, k, n - k + 1) == pytest.approx(tail, rel=1e-10)


def test_interval_covers_the_true_rate_as_often_as_it_says() -> None:
    rng = Random(1)
    for p in (0.01, 0.1, 0.5):
        covered = 0
        for _ in range(400):
            hits = sum(rng.random() < p for _ in range(100))
            interval = _rate(hits, 100)
            covered += interval.low <= p <= interval.high
        assert covered / 400 >= 0.94  # exact intervals cover 95 % or more; 1 % is 1 sd of 400


def test_interval_narrows_with_trials_and_widens_with_confidence() -> None:
    few, many, surer = rate(5, 50), rate(50, 500), rate(5, 50, confidence=0.99)
    assert many.high - many.low < few.high - few.low < surer.high - surer.low


def test_interval_of_very_many_trials_is_still_exact() -> None:
    # normal approximation: 1e-3 ± 1.96 * sqrt(1e-3 / 1e6)
    wide = rate(1_000, 1_000_000)
    assert wide.low == pytest.approx(0.000939, abs=2e-6)
    assert wide.high == pytest.approx(0.001064, abs=2e-6)


@pytest.mark.parametrize(
    ("p", "confidence", "trials"),
    [(0.02, 0.95, 149), (0.01, 0.95, 299), (0.001, 0.99, 4_603), (0.5, 0.75, 2), (1.0, 0.95, 1)],
)
def test_trials_to_see_known_values(p: float, confidence: float, trials: int) -> None:
    assert trials_to_see(p, confidence) == trials


def test_trials_to_see_is_the_fewest_that_suffice() -> None:
    for p in (0.003, 0.04, 0.3):
        n = trials_to_see(p, 0.95)
        assert 1 - (1 - p) ** n >= 0.95 > 1 - (1 - p) ** (n - 1)


def test_rarest_seen_undoes_trials_to_see() -> None:
    for p in (0.002, 0.05, 0.4):
        assert rarest_seen(trials_to_see(p)) <= p < rarest_seen(trials_to_see(p) - 1)
    assert rarest_seen(0) == 1.0


def test_posterior_quantiles_bracket_the_share() -> None:
    assert posterior_quantile(0.1, 3, 30) < 0.1 < posterior_quantile(0.9, 3, 30)
    assert posterior_quantile(0.5, 0, 0) == pytest.approx(0.5, abs=1e-9)


def _duel(rng: Random, new: float, old: float) -> tuple[bool | None, int]:
    only_new = only_old = 0
    for pairs in range(1, 5_000):
        a, b = rng.random() < new, rng.random() < old
        only_new += a and not b
        only_old += b and not a
        if (kept := keeps_rate(only_new, only_old)) is not None:
            return kept, pairs
    return None, 5_000


def test_keeps_rate_errs_as_seldom_as_it_says() -> None:
    rng = Random(2)
    wrongly_kept = sum(_duel(rng, 0.1, 0.3)[0] is True for _ in range(400))
    wrongly_lost = sum(_duel(rng, 0.2, 0.2)[0] is False for _ in range(400))
    assert wrongly_kept / 400 <= 0.05 + 0.025  # the stated 5 %, and two sd of 400 draws
    assert wrongly_lost / 400 <= 0.10 + 0.03


def test_keeps_rate_refuses_the_measured_zero_offset() -> None:
    rng = Random(3)  # DESIGN §5: 3 of 300 at 0 µs, 36 of 300 at 700 µs
    verdicts = [_duel(rng, 0.01, 0.12) for _ in range(100)]
    assert sum(kept is True for kept, _ in verdicts) <= 2
    assert sorted(pairs for _, pairs in verdicts)[50] < 100


@pytest.mark.parametrize("wrong", [(-1, 3), (4, 3)])
def test_rate_refuses_impossible_counts(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="give 0 <= diverged"):
        rate(*wrong)


def test_confidence_and_rate_bounds_are_checked() -> None:
    with pytest.raises(ValueError, match="confidence"):
        rate(1, 2, confidence=1.0)
    with pytest.raises(ValueError, match="0 < p"):
        trials_to_see(0.0)
    with pytest.raises(ValueError, match="trials"):
        rarest_seen(-1)


@pytest.mark.parametrize("rates", [(0.3, 0.1), (0.2, 0.2), (0.12, 0.015)])
def test_a_ratios_interval_holds_the_truth_as_often_as_it_says(rates: tuple[float, float]) -> None:
    rng = Random(11)
    one, other = rates
    held = 0
    for _ in range(1_000):
        x, y = (sum(rng.random() < p for _ in range(200)) for p in rates)
        ratio = rate_ratio(_rate(x, 200), _rate(y, 200))
        held += ratio.low <= one / other <= ratio.high
    # 95 % stated; 1,000 draws have a standard deviation of 0.7 %, and the log interval is
    # approximate where the smaller rate leaves three divergences to count.
    assert 0.93 <= held / 1_000 <= 1


def test_a_ratio_of_none_is_finite_and_one_without_trials_is_none() -> None:
    ratio = rate_ratio(rate(10, 100), rate(0, 100))
    assert 0 < ratio.low < ratio.estimate < ratio.high < float("inf")
    with pytest.raises(ValueError, match="without trials"):
        rate_ratio(rate(0, 0), rate(1, 2))
