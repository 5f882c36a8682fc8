"""What a run, a replay or a campaign came to: plain values that reports are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.files.artifact import divergence_of, signature_of
from deadheat.model.program import sort_key
from deadheat.model.release import Via
from deadheat.trials.corpus import can_show, race_shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deadheat.errors import DeadheatError
    from deadheat.files.artifact import Artifact, Expectation
    from deadheat.model.verdict import Anomaly, Divergence, Signature
    from deadheat.trials.coverage import Overlap, Pairing, Silence
    from deadheat.trials.evidence import Evidence
    from deadheat.trials.stats import Rate


@dataclass(frozen=True, slots=True)
class Finding:
    """One distinct divergence of a run: its best example so far, and how many trials showed it.

    ``pursued``: its turn has come; ``finished``: shrinking and measuring came to their end.
    ``kept``: the file at ``path`` holds an earlier run's example of the same, which is better.
    """

    artifact: Artifact
    path: Path
    seen: int
    finished: bool
    kept: bool = False
    pursued: bool = False

    @property
    def divergence(self) -> Divergence:
        """The divergence as it was observed, of exactly this example's program."""
        return divergence_of(self.artifact)

    @property
    def signature(self) -> Signature:
        """The signature that it is filed under."""
        return self.divergence.signature


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. ``ended``: why it stopped. ``answered``: calls that succeeded, by kind.

    ``rounds``: the concurrent ones; ``missed_rounds`` of them missed their offsets. ``via``:
    what the requests travelled over.
    ``known``: sightings of what is committed as a known bug; no findings. ``again``: what names its
    target to a command on one of its examples (``drive.target.Target.again``).
    Of the programs searched, ``raced`` were judged and had calls that were answered and overlapped;
    in ``unanswered`` no two calls that raced were answered, and ``unanswered_s`` went on those.
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
    findings: tuple[Finding, ...]
    rounds: int = 0
    missed_rounds: int = 0
    via: Via = Via.TCP
    known: int = 0
    again: tuple[str, ...] = ()
    raced: int = 0
    unanswered: int = 0
    unanswered_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """``divergence`` None: it did not show. ``other``: something else did.

    ``rate``: of the trials that count (``trials.evidence``); all those that were run: ``trials``.
    ``until_first``: stopped at the first divergence, so ``rate`` is that of one
    success after ``rate.trials - 1`` quiet trials. ``promises``: what it was judged by.
    """

    divergence: Divergence | None
    other: Divergence | None
    rate: Rate
    evidence: Evidence
    trials: int
    until_first: bool
    promises: str = ""


class RegressionStatus(StrEnum):
    """What a committed regression came to on one target."""

    SILENT = "still clean"
    CAME_BACK = "came back"
    OTHER = "another divergence showed"
    KNOWN = "known, it shows"
    GONE = "did not show: fixed or lucky?"
    QUIET = "known, it did not show in the time there was"
    NOT_COMPARABLE = "not comparable"
    UNFINISHED = "not finished"
    UNAVAILABLE = "its target is not available"


RED = frozenset({RegressionStatus.CAME_BACK, RegressionStatus.OTHER})
PROVES_NOTHING = frozenset(
    {RegressionStatus.NOT_COMPARABLE, RegressionStatus.UNFINISHED, RegressionStatus.UNAVAILABLE}
)


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
    standing: RegressionStatus
    replayed: Replayed | None
    seconds: float
    why: str = ""
    again: tuple[str, ...] = ()


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
class FindingGroup:
    """A divergence and its ``variants``: findings that are probably the same fault."""

    head: CampaignFinding
    variants: tuple[CampaignFinding, ...] = ()


def grouped(findings: Iterable[CampaignFinding]) -> tuple[FindingGroup, ...]:
    """The findings grouped by fault, in the order in which each was first seen.

    A variant has the same fault as a settled finding that is smaller, and in its program races
    all that races in that one's: a witness with one more call in it, or one not shrunk yet. Its
    example is kept; it is only not one more line in a short list.
    """
    heads: list[CampaignFinding] = []
    variants: dict[str, list[CampaignFinding]] = {}
    for one in sorted(findings, key=lambda f: (not f.settled, sort_key(f.artifact.program))):
        head = next((head for head in heads if _may_be(one, head)), None)
        if head is None:
            heads.append(one)
        else:
            variants.setdefault(head.key, []).append(one)
    heads.sort(key=lambda head: head.first_s)
    return tuple(FindingGroup(head, tuple(variants.get(head.key, ()))) for head in heads)


def _may_be(one: CampaignFinding, head: CampaignFinding) -> bool:
    shape = race_shape(head.artifact.program)  # empty: a sequential bug, which anything could show
    return (
        head.settled
        and _fault(one) is _fault(head)
        and bool(shape)
        and can_show(one.artifact.program, shape)
    )


def _fault(one: CampaignFinding) -> Anomaly:
    """The anomaly that it is filed under: a ghost that some call saw gone is still a ghost."""
    return signature_of(one.artifact).anomaly


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
    again: tuple[str, ...] = ()


class Presence(StrEnum):
    """What a version is found to be."""

    PRESENT = "present"
    NOT_SEEN = "not seen"
    DIFFERENT = "different divergence"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A saved example on one target. ``trials`` and ``diverged``: those that count for ``rate``.

    ``below``: the rate that its silence refutes (99 %). ``unraced`` of all trials did not race,
    and ``undecided`` could not be judged; neither counts.
    """

    target: str
    standing: Presence
    trials: int = 0
    diverged: int = 0
    unraced: int = 0
    undecided: int = 0
    rate: Rate | None = None
    below: float | None = None
    why: str = ""
    seen: Divergence | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Bisected:
    """Where the race came or went: ``with_it`` shows it, ``without_it`` is the nearest that does
    not; ``skipped`` lie between and could not be tried.

    ``fixed``: the one without it is the newer. ``wrong``: at most so often (see
    ``trials.bisect``).
    """

    with_it: str
    without_it: str
    skipped: tuple[str, ...]
    fixed: bool
    wrong: float


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found. ``evidence``: what the trials prove. ``seen``: what showed.

    ``baseline``: the target that was measured beside it, "" when the recorded rate was used;
    ``incomparable``: why that could not be. ``old`` and ``new``: diverged, trials that count.
    """

    target: str
    evidence: Evidence
    confidence: float
    seen: Divergence | None
    baseline: str
    incomparable: str
    new: tuple[int, int]
    old: tuple[int, int]
