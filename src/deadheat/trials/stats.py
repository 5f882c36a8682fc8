"""Rates, their intervals, and the sequential tests that shrinking relies on.

Rules
- Pure functions of counts; confidence and error rates are arguments.
- Intervals are Clopper–Pearson (Biometrika 26, 1934): exact, never narrower
  than stated, which is the side to err on for "how often does it show".
- A structural candidate is judged by ``trials_to_see``: one observed divergence
  is proof (no false acceptance is possible), and ``n`` quiet trials reject it,
  wrongly with probability at most ``1 - confidence`` if it shows at the wanted
  rate or more.
- Two offsets of one structure are judged by ``keeps_rate``, Wald's sequential
  test of two binomial processes on interleaved pairs (*Sequential Analysis*,
  1947, ch. 6), as rates drift with the load of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, lgamma, log, log1p
from statistics import NormalDist

# 60 halvings of [0, 1] end below 1e-18: far below the spacing of rates in any count of trials.
_HALVINGS = 60
# Lentz's continued fraction settles in O(sqrt(max(a, b))) terms: enough for 10^7 trials.
_MOST_TERMS = 20_000
_SMALLEST = 1e-300  # keeps Lentz's method off a division by zero
_SETTLED = 1e-15


@dataclass(frozen=True, slots=True)
class Rate:
    """``diverged`` of ``trials``, and the interval that holds the true rate.

    ``low`` and ``high`` bound the rate with the stated ``confidence``.
    """

    diverged: int
    trials: int
    low: float
    high: float
    confidence: float

    @property
    def estimate(self) -> float:
        """The share of trials that diverged; 0.0 when there were none."""
        return self.diverged / self.trials if self.trials else 0.0


def rate(diverged: int, trials: int, confidence: float = 0.95) -> Rate:
    """The Clopper–Pearson interval: exact, two-sided, ``confidence`` or more.

    Raises ``ValueError`` unless ``0 <= diverged <= trials`` and
    ``0 < confidence < 1``.
    """
    if not 0 <= diverged <= trials:
        raise ValueError(f"{diverged} of {trials} is not a rate; give 0 <= diverged <= trials")
    _check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if diverged == 0 else beta_quantile(tail, diverged, trials - diverged + 1)
    high = 1.0 if diverged == trials else beta_quantile(1 - tail, diverged + 1, trials - diverged)
    return Rate(diverged, trials, low, high, confidence)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One rate divided by another, and the interval that holds the true ratio."""

    estimate: float
    low: float
    high: float
    confidence: float


def rate_ratio(one: Rate, other: Rate, confidence: float = 0.95) -> Ratio:
    """How many times as often ``one`` shows as ``other``.

    The log interval of Katz et al. (Biometrics 34, 1978), with half a divergence added on both
    sides (Walter, Biometrika 62, 1975), so that none at all is no division by zero.
    Raises ``ValueError`` when either has no trials.
    """
    _check_confidence(confidence)
    if not (one.trials and other.trials):
        raise ValueError("a rate without trials has no ratio; run some first")
    x, n, y, m = one.diverged + 0.5, one.trials + 0.5, other.diverged + 0.5, other.trials + 0.5
    estimate = (x / n) / (y / m)
    spread = max(1 / x - 1 / n + 1 / y - 1 / m, 0.0) ** 0.5
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    return Ratio(estimate, estimate * exp(-z * spread), estimate * exp(z * spread), confidence)


def trials_to_see(p: float, confidence: float = 0.95) -> int:
    """How many trials show a race of rate ``p`` at least once with ``confidence``.

    That many clean trials reject the rate ``p``. Raises ``ValueError`` unless
    ``0 < p <= 1``.
    """
    _check_confidence(confidence)
    if not 0 < p <= 1:
        raise ValueError(f"no number of trials is known for the rate {p}; give 0 < p <= 1")
    if p == 1:
        return 1
    # 1e-9: an exact power must not be pushed up one trial by rounding
    return max(1, ceil(log(1 - confidence) / log1p(-p) - 1e-9))


def rarest_seen(trials: int, confidence: float = 0.95) -> float:
    """The lowest rate that ``trials`` clean trials would have shown with ``confidence``."""
    _check_confidence(confidence)
    if trials < 0:
        raise ValueError(f"{trials} trials cannot be; give 0 or more")
    return 1.0 if trials == 0 else 1 - (1 - confidence) ** (1 / trials)


@lru_cache(maxsize=4_096)  # pure, and asked again and again with the counts of one moment
def posterior_quantile(q: float, diverged: int, trials: int) -> float:
    """The rate below which the truth lies with probability ``q``, given these trials.

    Beta posterior with Jeffreys' prior Beta(1/2, 1/2): for planning, never for
    printing (printed rates are ``rate`` of fresh trials).
    """
    return beta_quantile(q, diverged + 0.5, trials - diverged + 0.5)


def keeps_rate(
    only_new: int,
    only_old: int,
    *,
    ratio: float = 1 / 3,
    false_keep: float = 0.05,
    false_loss: float = 0.1,
) -> bool | None:
    """Does the new setting show as often as the old? None: go on with another pair.

    The counts are of discordant pairs of interleaved trials (one of each
    setting): those in which only the new, and only the old one diverged. Under
    equal rates each side has half of them; under a rate that fell to ``ratio``
    the new one has about ``ratio / (1 + ratio)`` (exactly, in the odds). Wald's
    test between the two: True wrongly at most ``false_keep`` of the time when
    the odds fell to ``ratio``, False wrongly at most ``false_loss`` of the time
    when they are equal.
    """
    share = ratio / (1 + ratio)
    evidence = only_new * log(0.5 / share) + only_old * log(0.5 / (1 - share))
    if evidence >= log((1 - false_loss) / false_keep):
        return True
    if evidence <= log(false_loss / (1 - false_keep)):
        return False
    return None


def beta_quantile(q: float, a: float, b: float) -> float:
    """The ``q`` quantile of Beta(a, b), by bisection on its distribution function."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if beta_cdf(middle, a, b) < q:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The distribution function of Beta(a, b): the regularised incomplete beta function.

    Continued fraction by Lentz's method (DLMF 8.17.22). For whole numbers it is
    a binomial tail: ``P(Binomial(n, x) >= k) = beta_cdf(x, k, n - k + 1)``.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - beta_cdf(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _SETTLED:
            break
    return min(1.0, front * result)


def _off_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"{confidence} is not a confidence; give 0 < confidence < 1")


def rate_until_first(trials: int, confidence: float = 0.95) -> Rate:
    """The rate when trials were made until the first divergence, which came in trial ``trials``.

    Exact interval of the geometric distribution: at its ends, so early or so late a
    first success has probability (1 - confidence) / 2.
    """
    _check_confidence(confidence)
    tail = (1 - confidence) / 2
    low = 1 - (1 - tail) ** (1 / trials)
    high = 1.0 if trials == 1 else 1 - tail ** (1 / (trials - 1))
    return Rate(1, trials, low, high, confidence)
