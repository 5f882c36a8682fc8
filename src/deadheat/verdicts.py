"""What a comparison of targets by a saved example came to: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deadheat.core.divergence import Divergence
    from deadheat.core.stats import Rate
    from deadheat.core.verifying import Conclusion


class Presence(StrEnum):
    """What a version is found to be."""

    PRESENT = "present"
    NOT_SEEN = "not seen"
    DIFFERENT = "different divergence"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True)
class Row:
    """A saved example on one target. ``trials``: those that were judged, ``missed`` of them quiet
    and off their offsets. ``below``: the rate that its silence refutes (99 %).
    """

    target: str
    presence: Presence
    trials: int = 0
    diverged: int = 0
    missed: int = 0
    undecided: int = 0
    rate: Rate | None = None
    below: float | None = None
    why: str = ""
    seen: Divergence | None = None


@dataclass(frozen=True, slots=True)
class Bisected:
    """Where it changed: ``with_it`` shows the divergence, ``without_it`` is its nearest that does
    not; ``skipped`` lie between and could not be tried.

    ``fixed``: the one without it is the newer. ``wrong``: at most so often (see
    ``core.bisecting``).
    """

    with_it: str
    without_it: str
    skipped: tuple[str, ...]
    fixed: bool
    wrong: float


@dataclass(frozen=True, slots=True)
class Verified:
    """``conclusion``: of ``core.verifying``. ``seen``: what the new target showed, if anything.

    ``baseline``: the target that was measured beside it, "" when the recorded rate was used;
    ``pears``: why that could not be. ``old`` and ``new``: diverged, trials.
    """

    target: str
    conclusion: Conclusion
    confidence: float
    seen: Divergence | None
    baseline: str
    pears: str
    new: tuple[int, int]
    old: tuple[int, int]
