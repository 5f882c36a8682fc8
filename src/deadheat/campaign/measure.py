"""A program with the rate that fresh trials gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.core.divergence import Diverged, Divergence, Signature, Verdict

if TYPE_CHECKING:
    from deadheat.core.program import Program
    from deadheat.core.stats import Rate


@dataclass(frozen=True, slots=True)
class Measured:
    """``divergence`` was observed of exactly this program; ``rate`` None: too few fresh trials."""

    program: Program
    divergence: Divergence
    rate: Rate | None


def matching(verdict: Verdict, wanted: Signature) -> Divergence | None:
    """The divergence in ``verdict`` that has the wanted signature."""
    if isinstance(verdict, Diverged):
        for divergence in verdict.all:
            if divergence.signature == wanted:
                return divergence
    return None
