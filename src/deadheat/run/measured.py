"""A program with the rate that fresh trials gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deadheat.model.program import Program
    from deadheat.model.verdict import Divergence
    from deadheat.trials.stats import Rate


@dataclass(frozen=True, slots=True)
class Measured:
    """``divergence`` was observed of exactly this program; ``rate`` None: too few fresh trials."""

    program: Program
    divergence: Divergence
    rate: Rate | None
