"""What has been observed about each program.

Rules
- Programs are known by ``canonical(program)``; a second count is kept by
  ``structure(program)``, which forgets the offsets.
- A divergence once observed is a fact for ever: ``diverged`` never goes back to
  None, whatever later trials show (DESIGN §1, 4).
- An undecided trial is counted as such, and never as a clean one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.core.divergence import Diverged, Divergence, Signature, Undecided, Verdict
from deadheat.core.program import Program, canonical, structure

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@dataclass(slots=True)
class _Page:
    trials: int = 0
    undecided: int = 0
    diverged: int = 0
    by_signature: dict[Signature, int] = field(default_factory=dict)
    first: dict[Signature, Observed] = field(default_factory=dict)

    def tally(self, signature: Signature | None) -> Tally:
        diverged = self.diverged if signature is None else self.by_signature.get(signature, 0)
        return Tally(self.trials, diverged, self.undecided)

    def add(self, program: Program, verdict: Verdict) -> None:
        self.trials += 1
        self.undecided += isinstance(verdict, Undecided)
        if isinstance(verdict, Diverged):
            self.diverged += 1
            for divergence in verdict.all:
                self.first.setdefault(divergence.signature, Observed(program, divergence))
            for signature in {divergence.signature for divergence in verdict.all}:
                self.by_signature[signature] = self.by_signature.get(signature, 0) + 1


class Ledger:
    """Everything observed in one run; grows only.

    Wherever a ``signature`` may be given, None means any divergence at all.
    """

    def __init__(self) -> None:
        self._exact: dict[Program, _Page] = {}
        self._loose: dict[Program, _Page] = {}

    def record(self, program: Program, verdict: Verdict) -> None:
        """One trial of ``program`` ended in ``verdict``."""
        self._exact.setdefault(canonical(program), _Page()).add(program, verdict)
        self._loose.setdefault(structure(program), _Page()).add(program, verdict)

    def diverged(self, program: Program, signature: Signature | None = None) -> Observed | None:
        """The first divergence observed of this program at these offsets; None if there is none."""
        return _first(self._exact.get(canonical(program)), signature)

    def structure_diverged(
        self, program: Program, signature: Signature | None = None
    ) -> Observed | None:
        """The first divergence observed of these calls at any offsets."""
        return _first(self._loose.get(structure(program)), signature)

    def tally(self, program: Program, signature: Signature | None = None) -> Tally:
        """Trials of this program at these offsets."""
        page = self._exact.get(canonical(program))
        return Tally() if page is None else page.tally(signature)

    def structure_tally(self, program: Program, signature: Signature | None = None) -> Tally:
        """Trials of these calls at any offsets."""
        page = self._loose.get(structure(program))
        return Tally() if page is None else page.tally(signature)

    def programs(self) -> Iterator[Program]:
        """Every program seen, canonical, in the order of its first trial."""
        return iter(tuple(self._exact))

    def __len__(self) -> int:
        """Different programs seen."""
        return len(self._exact)


def _first(page: _Page | None, signature: Signature | None) -> Observed | None:
    if page is None or not page.first:
        return None
    return next(iter(page.first.values())) if signature is None else page.first.get(signature)
