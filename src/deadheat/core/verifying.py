"""Fixed or lucky: how many quiet trials prove that a race has gone, and how often that is wrong.

Rules
- As the shrinker: ``next()`` says what to run, ``feed`` what came of it; nothing is run here.
- One observed divergence ends it: ``not fixed`` is a fact, and never wrong of a target in
  which the race has gone. Only ``fixed`` can be wrong, and the confidence bounds that.
- *By the recorded rate*: quiet until a third of the rate's lower bound is refuted. Both errors
  (the bound is above the truth; the trials are quiet by luck) share what the confidence leaves.
- *Beside a baseline*: pairs of trials, one of each target. While the new one is quiet, each
  divergence of the old one is evidence: if the new one showed at a third of the old one's rate
  or more, a divergence would be of the old one with at most 3/4, so ``k`` of them in a row have
  at most ``0.75 ** k``. This holds whatever the rate is and however it drifts, as both drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log
from typing import TYPE_CHECKING, TypeAlias

from deadheat.core.stats import beta_quantile, rarest_seen, trials_to_see

if TYPE_CHECKING:
    from deadheat.core.ledger import Tally

# What still counts as the same race: rates drift with the load of the machine (DESIGN §8), and a
# change elsewhere in the target moves the race's window without closing it.
DRIFT = 3
# A rate measured as very low would ask for hours; past this the answer says how little it proves.
MOST_TRIALS = 20_000
# Without a recorded rate: what a race at 1 % needs, the shrinker's own floor.
UNKNOWN_RATE = 0.01
# A bound below this is refuted by no affordable number of trials.
_RAREST = 1e-6


class Side(StrEnum):
    """Which target the next trial is for."""

    NEW = "new"
    OLD = "old"


class Came(StrEnum):
    """What a trial came to, seen from the divergence that is looked for."""

    SHOWN = "shown"
    QUIET = "quiet"
    OTHER = "other"  # something else diverged: quiet as to this one, and worth telling
    MISSED = "missed"  # quiet, but its lanes were not released at their offsets
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class NotFixed:
    """The divergence was observed."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A race at ``below`` (a rate; None: a third of the old target's) would have been seen."""

    below: float | None


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Out of trials: what is missing, in words."""

    why: str


Conclusion: TypeAlias = NotFixed | Fixed | CannotTell


def lowest_rate(diverged: int, trials: int, confidence: float) -> float:
    """A rate that the truth is below with at most ``(1 - confidence) / 2``, given these trials.

    Clopper–Pearson's lower bound. 0.0 when nothing diverged.
    """
    if diverged == 0:
        return 0.0
    return beta_quantile((1 - confidence) / 2, diverged, trials - diverged + 1)


def quiet_needed(recorded: Tally | None, confidence: float) -> int:
    """Quiet trials after which ``fixed`` may be said by the recorded rate, before any limit.

    Wrong with at most ``1 - confidence`` if the race still shows at a third of its rate or
    more: half of it for the bound, half for the luck. Without a rate: of 1 %.
    """
    return trials_to_see(rate_to_refute(recorded, confidence), (1 + confidence) / 2)


def rate_to_refute(recorded: Tally | None, confidence: float) -> float:
    """The rate that quiet trials must refute."""
    if recorded is None or recorded.diverged == 0:
        return UNKNOWN_RATE
    return max(lowest_rate(recorded.diverged, recorded.decided, confidence) / DRIFT, _RAREST)


def shown_needed(confidence: float) -> int:
    """How often the old target must diverge beside a quiet new one. 17 at 99 %."""
    return ceil(log(1 - confidence) / log(DRIFT / (DRIFT + 1)) - 1e-9)


class ByRecord:
    """``fixed`` by the recorded rate; trials of the new target only."""

    def __init__(
        self, recorded: Tally | None, confidence: float, most_trials: int = MOST_TRIALS
    ) -> None:
        self.wanted = quiet_needed(recorded, confidence)
        self.rate = rate_to_refute(recorded, confidence)
        self.quiet = self.missed = self.undecided = self.shown = self.other = 0
        self._confidence = confidence
        self._most = most_trials

    @property
    def trials(self) -> int:
        """All trials so far."""
        return self.quiet + self.missed + self.undecided + self.shown

    @property
    def below(self) -> float:
        """The rate that the quiet trials so far refute."""
        return rarest_seen(self.quiet, (1 + self._confidence) / 2)

    def next(self) -> Side | None:
        """Which target to run once; None: ``conclusion`` is there."""
        return None if self.conclusion is not None else Side.NEW

    def feed(self, came: Came) -> None:
        """What the trial came to. One that missed its offsets is no evidence of silence."""
        match came:
            case Came.SHOWN:
                self.shown += 1
            case Came.QUIET | Came.OTHER:
                self.quiet += 1
                self.other += came is Came.OTHER
            case Came.MISSED:
                self.missed += 1
            case Came.UNDECIDED:
                self.undecided += 1

    @property
    def conclusion(self) -> Conclusion | None:
        """None while more trials can change it."""
        if self.shown:
            return NotFixed()
        if self.quiet >= self.wanted:
            return Fixed(self.rate)
        if self.trials >= self._most:
            return CannotTell(
                f"{self.quiet:,} quiet trials of the {self.wanted:,} that its rate asks for"
            )
        return None


class BesideBaseline:
    """``fixed`` beside the old target, in pairs of trials; who goes first alternates."""

    def __init__(self, confidence: float, most_pairs: int = MOST_TRIALS) -> None:
        self.wanted = shown_needed(confidence)
        self.pairs = self.shown_old = self.shown_new = self.other = self.undecided = 0
        self._most = most_pairs
        self._confidence = confidence
        self._pair: list[tuple[Side, Came]] = []

    def next(self) -> Side | None:
        """Which target to run once; None: ``conclusion`` is there."""
        if self.conclusion is not None:
            return None
        first, second = (Side.OLD, Side.NEW) if self.pairs % 2 == 0 else (Side.NEW, Side.OLD)
        return second if self._pair else first

    def feed(self, came: Came) -> None:
        """What the trial that ``next`` named came to. Missed offsets strike both alike."""
        side = self.next()
        if side is None:
            raise RuntimeError("feed() after the conclusion; start another verification")
        self.shown_new += side is Side.NEW and came is Came.SHOWN
        self.other += side is Side.NEW and came is Came.OTHER
        self._pair.append((side, came))
        if len(self._pair) < 2:
            return
        self.pairs += 1
        pair, self._pair = dict(self._pair), []
        if Came.UNDECIDED in pair.values():  # of a pair, both or none
            self.undecided += 1
        elif pair[Side.OLD] is Came.SHOWN:
            self.shown_old += 1

    @property
    def conclusion(self) -> Conclusion | None:
        """None while more trials can change it."""
        if self.shown_new:
            return NotFixed()
        if self.shown_old >= self.wanted:
            return Fixed(None)
        if self.pairs >= self._most:
            return CannotTell(
                f"the old version showed it {self.shown_old} times in {self.pairs:,} trials here, "
                f"and {self.wanted} are needed"
            )
        return None
