"""What a run, a replay or a campaign came to: plain values that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.artifact import Artifact
    from deadheat.core.coverage import Overlap, Pairing, Silence
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


@dataclass(frozen=True, slots=True)
class CampaignFinding:
    """One distinct divergence of a campaign, as the store has it.

    ``settled``: shrunk as far as it goes. Of ``programs`` that could show it, ``hits`` did.
    ``first_s`` and ``last_s``: campaign time. ``picture``: offset in microseconds, diverged,
    decided trials, where offsets were tuned.
    """

    key: str
    artifact: Artifact
    path: Path
    settled: bool
    measured: bool
    programs: int
    hits: int
    sightings: int
    first_s: float
    last_s: float
    first_program: int
    attempts: int = 0
    picture: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A campaign at one moment; the counts are sums since its beginning."""

    at_s: float
    programs: int
    requests: int
    overlaps: int
    findings: int
    restarts: int
    workers: int
    server_bytes: int
    coordinator_bytes: int


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as its store tells it. ``ended`` empty: it is running, or was cut off.

    ``elapsed_s`` is time at work, over all resumes. ``last_new``: number of the program that
    last overlapped in a new way.
    """

    target: str
    promises: str
    seed: int
    folder: Path
    began: str
    elapsed_s: float
    ended: str
    kinds: tuple[str, ...]
    families: bool
    totals: dict[str, int]
    findings: tuple[CampaignFinding, ...]
    samples: tuple[Sample, ...]
    seen: dict[Overlap, int]
    silence: dict[Pairing, Silence]
    last_new: int
    log: tuple[str, ...]
