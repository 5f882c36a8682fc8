"""Fixed or lucky, beside a target that has the race: pairs of trials, one of each.

Rules
- As the shrinker: ``next()`` says what to run, ``feed`` what came of it; nothing is run here.
- While the new one is quiet, each divergence of the old one is evidence
  (``evidence.shown_needed``). This holds whatever the rate is and however it drifts, as both drift.
- Of a pair only what raced counts, on both sides: a new target that refuses the race is not quiet.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deadheat.trials.evidence import (
    CONFIDENCE,
    MOST_TRIALS,
    AbsentBelow,
    Evidence,
    Present,
    Side,
    TrialResult,
    Unproven,
    counts_for_rate,
    hopeless,
    shown_needed,
)
from deadheat.trials.plan import named

if TYPE_CHECKING:
    from deadheat.model.raced import Unraced


# Where not one pair of ten races on both sides, a machine is too busy to compare anything on it.
_FEW_RACE, _RACING = 200, 0.1


class BesideBaseline:
    """Looks for *absent* beside the old target, in pairs of trials; the first one alternates."""

    def __init__(
        self,
        confidence: float = CONFIDENCE,
        most_pairs: int = MOST_TRIALS,
    ) -> None:
        self.wanted = shown_needed(confidence)
        self.pairs = self.shown_old = self.shown_new = self.other = self.undecided = 0
        self.counted = 0  # pairs in which both raced
        self.unraced: Counter[Unraced] = Counter()  # of the new one, or else of the old one
        self._most = most_pairs
        self.other_promises = ""  # see ``evidence.Unproven``; known once the new one is up
        self._pair: list[tuple[Side, TrialResult, Unraced | None]] = []

    def next(self) -> Side | None:
        """The target to run once now; None when there is a ``conclusion``."""
        if self.conclusion is not None:
            return None
        first, second = (Side.OLD, Side.NEW) if self.pairs % 2 == 0 else (Side.NEW, Side.OLD)
        return second if self._pair else first

    def feed(self, result: TrialResult, why: Unraced | None = None, took_ns: int = 0) -> None:
        """Take the result of the trial that ``next`` named; ``why``: it did not race."""
        del took_ns  # both run on this machine
        side = named(self.next())
        self.shown_new += side is Side.NEW and result is TrialResult.SHOWN
        self.other += side is Side.NEW and result is TrialResult.OTHER
        self._pair.append((side, result, why))
        if len(self._pair) < 2:
            return
        self.pairs += 1
        pair, self._pair = {one[0]: one[1:] for one in self._pair}, []
        if TrialResult.UNDECIDED in (
            pair[Side.NEW][0],
            pair[Side.OLD][0],
        ):  # of a pair, both or none
            self.undecided += 1
        elif counts_for_rate(*pair[Side.NEW]) and counts_for_rate(*pair[Side.OLD]):
            self.counted += 1
            self.shown_old += pair[Side.OLD][0] is TrialResult.SHOWN
        elif (found := pair[Side.NEW][1] or pair[Side.OLD][1]) is not None:
            self.unraced[found] += 1

    @property
    def conclusion(self) -> Evidence | None:
        """What the pairs prove; None while more trials can change it."""
        if self.shown_new:
            return Present()
        if self.shown_old >= self.wanted:
            return AbsentBelow(None)
        over = (
            self.pairs >= self._most
            or hopeless(self.pairs, self.undecided, self.unraced)
            or (self.pairs >= _FEW_RACE and self.counted < _RACING * self.pairs)
        )
        return self.so_far if over or self.other_promises else None

    @property
    def so_far(self) -> Unproven:
        """What is missing for a conclusion."""
        return Unproven(
            self.shown_old,
            self.wanted,
            self.pairs,
            self.undecided,
            tuple(self.unraced.most_common()),
            self.other_promises,
            baseline=True,
        )
