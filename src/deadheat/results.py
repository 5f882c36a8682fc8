"""What a run or a replay came to: plain values that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.artifact import Artifact
    from deadheat.core.divergence import Divergence
    from deadheat.core.stats import Rate
    from deadheat.core.verifying import Conclusion


@dataclass(frozen=True, slots=True)
class Example:
    """One distinct divergence of a run: its best example, and how many trials showed it.

    ``finished``: shrinking and measuring came to their end.
    """

    artifact: Artifact
    path: Path
    seen: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. ``ended``: why it stopped. ``answered``: calls that succeeded, by kind.

    ``rounds``: the concurrent ones; ``missed_rounds`` of them missed their offsets.
    """

    target: str
    promises: str
    seed: int
    programs: int
    trials: int
    requests: int
    overlaps: int
    undecided: int
    restarts: int
    left_behind: int
    elapsed_s: float
    ended: str
    drawn: dict[str, int]
    answered: dict[str, int]
    findings: tuple[Example, ...]
    rounds: int = 0
    missed_rounds: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """``divergence`` None: it did not show in ``rate.trials``. ``other``: something else did.

    ``until_first``: stopped at the first divergence, so ``rate`` is that of one
    success after ``rate.trials - 1`` quiet trials. ``promises``: what it was judged by.
    """

    divergence: Divergence | None
    other: Divergence | None
    rate: Rate
    wanted_trials: int
    undecided: int
    until_first: bool
    promises: str = ""


class Standing(StrEnum):
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
    standing: Standing
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
