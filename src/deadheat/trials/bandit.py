"""Which of several programs shows a divergence most: the trials go where it may show most.

Rules
- ``next()`` says what to run, ``feed(verdict)`` what came of it; nothing is run here, and nothing
  is drawn but from ``rng``.
- First a sweep, each program in turn; then Thompson sampling (Thompson 1933, Beta(1/2, 1/2)
  priors). Every trial is counted.
- A trial whose round missed its offsets (``model.release``) counts for no program.
- The best of many tries is a lucky one: its tally here is biased. Whoever prints a rate measures
  the winner on fresh trials.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.model.program import Program, canonical
from deadheat.model.raced import UnracedReason
from deadheat.model.verdict import Diverged, Signature, Undecided, Verdict
from deadheat.trials.plan import named
from deadheat.trials.stats import posterior_quantile
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from deadheat.model.raced import Unraced

# A third of the trials for the sweep: enough to see one of nine programs that shows in 10 % at the
# tuner's default budget, and most of the budget stays for the best.
SWEEP_SHARE = 1 / 3


@dataclass(slots=True)
class Arm:
    """One program in the contest. ``tried``: its trials, those off their offsets, too."""

    program: Program
    tried: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def reliability(self) -> float:
        """The lower quartile of its rate's posterior: few trials are not believed at once."""
        return posterior_quantile(0.25, self.tally.diverged, self.tally.decided)


class Bandit:
    """Shares ``trials`` trials among programs. ``signature``: which divergence counts; None: any.

    Of two programs that are the same, one competes.
    """

    def __init__(
        self, programs: Iterable[Program], signature: Signature | None, *, rng: Random, trials: int
    ) -> None:
        self.trials = 0
        self.budget = trials
        self._signature = signature
        self._rng = rng
        self._arms: dict[Program, Arm] = {}
        for program in programs:
            self.add(program)
        self._swept = tuple(self._arms.values())
        self._pending: Arm | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All programs in the contest, in the order in which they came."""
        return tuple(self._arms.values())

    @property
    def sweeping(self) -> bool:
        """Is each program still getting its first trials in turn?"""
        return self.trials < self.budget * SWEEP_SHARE

    def add(self, program: Program) -> None:
        """Add a program; after the sweep it only gets the trials that the sampling gives it."""
        whole = canonical(program)
        self._arms.setdefault(whole, Arm(whole))

    def next(self) -> Program | None:
        """The program to run once now; the same one until ``feed``. None: finished."""
        if self._pending is None:
            if self.trials >= self.budget or len(self._arms) < 2:
                return None
            self._pending = (
                min(self._swept, key=lambda arm: arm.tried)
                if self.sweeping
                else max(self._arms.values(), key=self._drawn)
            )
        return self._pending.program

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """Take the verdict on one run of the program that ``next`` named.

        ``unraced``: why it did not race, if so. A trial whose lanes missed their offsets is
        spent, and says nothing about them; another one that did not race is not quiet.
        Raises ``RuntimeError`` when ``next`` has named none since the last call.
        """
        arm, self._pending = named(self._pending), None
        self.trials += 1
        arm.tried += 1
        if unraced is not None and unraced.why is UnracedReason.OFF_TIME:
            return
        hit = isinstance(verdict, Diverged) and (
            self._signature is None or any(d.signature == self._signature for d in verdict.all)
        )
        nothing = isinstance(verdict, Undecided) or (unraced is not None and not hit)
        arm.tally += Tally(1, int(hit), int(nothing))

    def _drawn(self, arm: Arm) -> float:
        return self._rng.betavariate(arm.tally.diverged + 0.5, arm.tally.quiet + 0.5)
