"""How often each program has shown one divergence.

Rules
- Programs are known by ``canonical(program)``.
- An undecided trial is counted as such, and never as a clean one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.model.program import Program, canonical
from deadheat.model.verdict import Diverged, Undecided

if TYPE_CHECKING:
    from deadheat.model.verdict import Divergence, Signature, Verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Trials, how many of them diverged, how many could not be decided."""

    trials: int = 0
    diverged: int = 0
    undecided: int = 0

    @property
    def quiet(self) -> int:
        """Trials that were judged and did not diverge (in the way asked about)."""
        return self.trials - self.diverged - self.undecided

    @property
    def decided(self) -> int:
        """Trials that were judged."""
        return self.trials - self.undecided

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.trials + other.trials,
            self.diverged + other.diverged,
            self.undecided + other.undecided,
        )

    def __sub__(self, earlier: Tally) -> Tally:
        """What has come since ``earlier``."""
        return Tally(
            self.trials - earlier.trials,
            self.diverged - earlier.diverged,
            self.undecided - earlier.undecided,
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """One divergence, and the program exactly as it was run (its places are the history's)."""

    program: Program
    divergence: Divergence


class Ledger:
    """All trials of one shrink, counted by program; it only grows."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.tallies: dict[Program, Tally] = {}

    def record(self, program: Program, verdict: Verdict) -> None:
        """Count one trial of ``program`` that ended in ``verdict``."""
        shown = isinstance(verdict, Diverged) and any(
            divergence.signature == self.signature for divergence in verdict.all
        )
        trial = Tally(1, int(shown), int(isinstance(verdict, Undecided)))
        self.tallies[canonical(program)] = self.tally(program) + trial

    def tally(self, program: Program) -> Tally:
        """The trials of this program at these offsets."""
        return self.tallies.get(canonical(program), Tally())
