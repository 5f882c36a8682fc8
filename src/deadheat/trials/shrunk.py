"""What a shrink has found.

Rule: data only; ``shrinker`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deadheat.model.program import Program
    from deadheat.model.verdict import Divergence


@dataclass(frozen=True, slots=True)
class ShrinkResult:
    """The smallest program so far, and what is known of it.

    ``smallest`` and ``most_reliable`` each come with a divergence that was
    observed of just that program, spelt as it was run (the history's places
    lead into it). ``proven_minimal``: every smaller structure that the passes
    know was rejected; offsets may still be rounder when the budget ended.
    ``sequential``: it diverges with no concurrency at all (a logic bug).
    """

    smallest: Program
    smallest_divergence: Divergence
    most_reliable: Program
    most_reliable_divergence: Divergence
    proven_minimal: bool
    sequential: bool
    trials: int
