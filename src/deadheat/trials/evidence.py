"""What a number of trials proves: that a race is there, that it has gone, or nothing yet.

Rules
- One observed divergence is proof, whatever else is so; only *absent* can be wrong.
- Silence is counted in trials that raced (``model.raced``), and in no others. Where too few did,
  nothing is proved, and the counts say what the others came to.
- *Absent* is said once so many raced and stayed quiet that a race at ``rate_to_refute`` would
  have shown: the lower bound of the recorded rate, divided by ``DRIFT``. Two things can go wrong
  (the bound is above the truth; the trials are quiet by luck), and each gets half of what the
  confidence leaves. Without a recorded rate it is a race at ``UNKNOWN_RATE``, and only luck.
- The window of a race scales with its calls: where they take more than ``SLOWER`` times as long as
  when the rate was recorded, it is another race, and the recorded rate says nothing.
- The rate of the trials counts those that raced, and those that showed it but for a release off
  its offsets: of those the sender's clock decides, and no answer.
- Every command asks here; no other module reckons with quiet trials (``report`` only words it).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from deadheat.model.raced import UnracedReason
from deadheat.trials.stats import beta_quantile, rarest_seen, trials_to_see
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from deadheat.model.raced import Unraced

# How sure an answer is where the user does not say otherwise.
CONFIDENCE = 0.99
# What still counts as the same race. ``fuzz/drift.py``, 24 occasions each, half of them with a busy
# loop on each core: in 1 of 200 pairs of occasions OpenCode's ghost falls to 1/1.2, the demo's to
# 1/2.2 (to 1/3.7 where both occasions have a load). The widest fall noted from one server to
# another is 2.9 (39 of 200, 53 of 800).
DRIFT = 3
# One recorded trial against the median of many: single trials vary by a factor of two (4 ms of
# 15 on OpenCode). At about five times as long (two runs, minutes apart) its ghost fell to a sixth.
SLOWER = 4
# Without a recorded rate: the shrinker's own floor, below which nobody replays a race.
UNKNOWN_RATE = 0.01
# A bound below this is refuted by no affordable number of trials.
_RAREST = 1e-6
# A rate measured as very low would ask for hours; past this the answer says how little it proves.
MOST_TRIALS = 20_000
# Trials at most for each one that is needed: on a machine with three busy processes a core, 5 to
# 15 % of the releases were on time. Where fewer are, it takes another machine, not more trials.
_TRIES = 10
# When so many trials, and three of four, could not race or be judged because of the server, the
# rest will not either: each may cost a time-out.
_PILOT, _HOPELESS = 20, 3 / 4


class TrialResult(StrEnum):
    """What a trial shows of the divergence that is looked for."""

    SHOWN = "shown"
    QUIET = "quiet"
    OTHER = "other"  # something else diverged: quiet as to this one, and worth telling
    UNDECIDED = "undecided"


class Side(StrEnum):
    """Which target a trial is for: the one in question, or the old one that is tried beside it."""

    NEW = "new"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class Present:
    """The divergence was observed."""


@dataclass(frozen=True, slots=True)
class AbsentBelow:
    """A race at ``below`` or more would have been seen.

    ``below`` None: at ``1 / DRIFT`` of the rate of the target that was tried beside it.
    """

    below: float | None


@dataclass(frozen=True, slots=True)
class Unproven:
    """Nothing is proved: ``quiet`` trials raced and were silent, of the ``needed`` ones.

    ``unraced``: why the others did not race, and how many. ``other_promises``: under what is
    promised here, what was recorded would be no divergence (in words).
    """

    quiet: int = 0
    needed: int = 0
    trials: int = 0
    undecided: int = 0
    unraced: tuple[tuple[Unraced, int], ...] = ()
    other_promises: str = ""
    slower: float | None = None  # so many times as long do the calls take, as when recorded
    baseline: bool = False  # ``quiet`` is how often that one showed it


Evidence: TypeAlias = Present | AbsentBelow | Unproven


def lowest_rate(diverged: int, trials: int, confidence: float) -> float:
    """A rate that the truth is below with at most ``(1 - confidence) / 2``, given these trials.

    Clopper–Pearson's lower bound. 0.0 when nothing diverged.
    """
    if diverged == 0:
        return 0.0
    return beta_quantile((1 - confidence) / 2, diverged, trials - diverged + 1)


def rate_to_refute(recorded: Tally | None, confidence: float = CONFIDENCE) -> float:
    """The rate that quiet trials must refute."""
    if recorded is None or recorded.diverged == 0:
        return UNKNOWN_RATE
    return max(lowest_rate(recorded.diverged, recorded.decided, confidence) / DRIFT, _RAREST)


def quiet_needed(recorded: Tally | None, confidence: float = CONFIDENCE) -> int:
    """Quiet trials that raced after which *absent* may be said; wrong at most ``1 - confidence``.

    Wrong, that is, where the race still shows at ``1 / DRIFT`` of its rate or more (without a
    rate: at ``UNKNOWN_RATE``).
    """
    luck = confidence if recorded is None or recorded.diverged == 0 else (1 + confidence) / 2
    return trials_to_see(rate_to_refute(recorded, confidence), luck)


def rate_refuted(quiet: int, confidence: float = CONFIDENCE) -> float:
    """The lowest rate that so many quiet trials would have shown; 1.0 for none."""
    return rarest_seen(quiet, confidence)


def shown_needed(confidence: float = CONFIDENCE) -> int:
    """How often the old target must diverge beside a quiet new one. 17 at 99 %.

    If the new one showed at ``1 / DRIFT`` of the old one's rate or more, a divergence would be of
    the old one with at most ``DRIFT / (DRIFT + 1)``, whatever the rate is and however both drift.
    """
    return ceil(log(1 - confidence) / log(DRIFT / (DRIFT + 1)) - 1e-9)


def counts_for_rate(result: TrialResult, why: Unraced | None) -> bool:
    """Does a trial count for a rate? One that showed it does, unless it was off its offsets."""
    match result:
        case TrialResult.UNDECIDED:
            return False
        case TrialResult.SHOWN:
            return why is None or why.why is not UnracedReason.OFF_TIME
        case TrialResult.QUIET | TrialResult.OTHER:
            return why is None


def hopeless(trials: int, undecided: int, unraced: Counter[Unraced]) -> bool:
    """Does the server keep nearly all trials from racing?"""
    failing = undecided + sum(
        number for one, number in unraced.items() if one.why is not UnracedReason.OFF_TIME
    )
    return trials >= _PILOT and failing >= _HOPELESS * trials


class UntilProven:
    """Trials of one target until they prove something: ``next``, run it, ``feed``.

    ``recorded``: the trials that the rate comes from; None: there is none. ``recorded_ns``: how
    long the calls took then (``history.makespan_ns``), None: unknown. ``exactly``: run so
    many, whatever they show. ``until_shown`` False: go on after it has shown, to ``needed``
    trials that count, so that their rate is unbiased.
    """

    def __init__(
        self,
        recorded: Tally | None,
        confidence: float = CONFIDENCE,
        *,
        recorded_ns: int | None = None,
        exactly: int | None = None,
        until_shown: bool = True,
        most_trials: int = MOST_TRIALS,
        other_promises: str = "",
    ) -> None:
        self.needed = quiet_needed(recorded, confidence)
        self.refutes = rate_to_refute(recorded, confidence)
        self.exactly = exactly
        self.trials = self.shown = self.quiet = self.other = self.undecided = 0
        self.counted = Tally()  # the trials that count for the rate
        self.unraced: Counter[Unraced] = Counter()
        self._recorded_ns = recorded_ns
        self._took_ns: list[int] = []
        self._confidence = confidence
        self._until_shown = until_shown
        self._most = min(most_trials, self.needed * _TRIES)
        self._other_promises = other_promises

    def next(self) -> Side | None:
        """Is another trial needed?"""
        return Side.NEW if self._wants_more() else None

    def _wants_more(self) -> bool:
        if self._other_promises:
            return False
        if self.exactly is not None:
            return self.trials < self.exactly
        enough = self.shown > 0 if self._until_shown else self.counted.trials >= self.needed
        return not (
            enough
            or self.quiet >= self.needed
            or self.trials >= self._most
            or (not self.shown and hopeless(self.trials, self.undecided, self.unraced))
        )

    def feed(self, result: TrialResult, why: Unraced | None = None, took_ns: int = 0) -> None:
        """Take a trial's result, why it did not race (if so), and how long its calls took."""
        self.trials += 1
        self.shown += result is TrialResult.SHOWN
        self.other += result is TrialResult.OTHER
        self.undecided += result is TrialResult.UNDECIDED
        if counts_for_rate(result, why):
            self.counted += Tally(1, int(result is TrialResult.SHOWN), 0)
            self.quiet += result is not TrialResult.SHOWN
            self._took_ns.append(took_ns)
        elif why is not None and result is not TrialResult.UNDECIDED:
            self.unraced[why] += 1

    @property
    def below(self) -> float:
        """The rate that the quiet trials so far refute."""
        return rate_refuted(self.quiet, self._confidence)

    @property
    def slower(self) -> float | None:
        """How many times as long the calls take as when recorded; None: comparable."""
        if not self._recorded_ns or not self._took_ns:
            return None
        ratio = median(self._took_ns) / self._recorded_ns
        return ratio if ratio > SLOWER else None

    @property
    def evidence(self) -> Evidence:
        """What the trials so far prove."""
        if self.shown:
            return Present()
        if self.quiet >= self.needed and self.slower is None:
            return AbsentBelow(self.refutes)
        return self.so_far

    @property
    def so_far(self) -> Unproven:
        """What is missing for *absent*."""
        return Unproven(
            self.quiet,
            self.needed,
            self.trials,
            self.undecided,
            tuple(self.unraced.most_common()),
            self._other_promises,
            self.slower,
        )
