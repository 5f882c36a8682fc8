"""What a run or a replay came to: plain values that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.core.release import Via

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.artifact import Artifact
    from deadheat.core.divergence import Divergence
    from deadheat.core.stats import Rate


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

    ``rounds``: the concurrent ones; ``missed_rounds`` of them missed their offsets. ``via``:
    what the requests travelled over.
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
    via: Via = Via.TCP


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
