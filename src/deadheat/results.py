"""What a run or a replay came to: plain values that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.core.release import Via

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.artifact import Artifact, Expectation
    from deadheat.core.divergence import Divergence
    from deadheat.core.stats import Rate
    from deadheat.errors import DeadheatError


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
    what the requests travelled over. ``known``: sightings of what is committed as a known bug;
    no findings.
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
    known: int = 0
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


class Standing(StrEnum):
    """What a committed regression came to on one target."""

    SILENT = "still clean"
    CAME_BACK = "came back"
    OTHER = "another divergence showed"
    KNOWN = "known, it shows"
    GONE = "did not show: fixed or lucky?"
    QUIET = "known, it did not show in the time there was"
    UNFINISHED = "not finished"
    UNAVAILABLE = "its target is not available"


RED = frozenset({Standing.CAME_BACK, Standing.OTHER})
PROVES_NOTHING = frozenset({Standing.UNFINISHED, Standing.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Regression:
    """One committed example, checked on one target.

    ``target`` is the label that ``expect`` uses, ``name`` what a command line calls it.
    ``why``: where it proves nothing.
    """

    path: Path
    artifact: Artifact
    target: str
    name: str
    expected: Expectation
    standing: Standing
    replayed: Replayed | None
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class JobResult:
    """A whole job: regressions, then the search. ``summary`` None: it never came to one.

    ``error``: why the search ended early, or proves nothing.
    """

    target: str
    seed: int
    regressions: tuple[Regression, ...]
    summary: Summary | None
    error: DeadheatError | None
    interrupted: bool
    exit_code: int
    seconds: float
