"""What happens while a run or a campaign works; every view (terminal, screen, lines) listens.

Rules
- Events are facts that have happened, in order; nobody can answer them. A finding is on disk when
  it is told.
- One word for one fact, whether one process works or many. ``key`` names a finding: its signature,
  in a campaign with a number where two have the same.
- A sentence about an event is in ``event_text``, its line for machines in ``event_lines``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from deadheat.model.release import Via

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.artifact import Artifact
    from deadheat.files.results import RegressionStatus
    from deadheat.model.hiccups import Hiccup
    from deadheat.model.verdict import Signature


class Phase(StrEnum):
    """What the engine is doing."""

    STARTING = "starting the server"
    SEARCHING = "searching"
    SHRINKING = "shrinking"
    TUNING = "tuning offsets"
    WIDENING = "looking for a more reliable program"
    MEASURING = "measuring"
    REPLAYING = "replaying"


@dataclass(frozen=True, slots=True)
class Progress:
    """The counts so far; sent after every trial."""

    phase: Phase
    programs: int
    trials: int
    requests: int
    overlaps: int
    divergences: int
    undecided: int
    elapsed_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The target is up. ``met``: what passed only when it was asked again."""

    target: str
    promises: str
    seed: int
    via: Via = Via.TCP
    met: tuple[Hiccup, ...] = ()


@dataclass(frozen=True, slots=True)
class DivergenceFound:
    """A divergence that had not been seen before; it is on disk at ``path``."""

    key: str
    signature: Signature
    program: int
    calls: int
    path: Path


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest program so far has become smaller. ``trials`` None: another process counts."""

    key: str
    signature: Signature
    calls: int
    trials: int | None


@dataclass(frozen=True, slots=True)
class Saved:
    """A divergence is shrunk and measured as far as the budget allowed.

    ``kept``: the file holds an earlier run's example, which is better.
    """

    key: str
    artifact: Artifact
    path: Path
    kept: bool = False

    @property
    def calls(self) -> int:
        """Of its program."""
        return len(self.artifact.program.calls())

    @property
    def diverged(self) -> int | None:
        """Of ``trials``; None: not measured."""
        return None if self.artifact.rate is None else self.artifact.rate.diverged

    @property
    def trials(self) -> int | None:
        """Fresh ones."""
        return None if self.artifact.rate is None else self.artifact.rate.trials


@dataclass(frozen=True, slots=True)
class MoreReliable:
    """The same divergence shows clearly more often in a larger program; the file has both."""

    key: str
    artifact: Artifact
    path: Path


@dataclass(frozen=True, slots=True)
class TargetRestarted:
    """The server died, or was stopped, and is up again. ``worker``: whose, in a campaign."""

    restarts: int
    log_tail: str
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A committed regression has been run on ``target``; ``standing`` is what it came to."""

    path: Path
    target: str
    standing: RegressionStatus
    diverged: int
    trials: int


# --- of a campaign only ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """The campaign's folder is open; no worker has been started yet."""

    target: str
    seed: int
    folder: Path


@dataclass(frozen=True, slots=True)
class GivenUp:
    """This finding stays as it is: workers that shrink it are lost."""

    key: str


@dataclass(frozen=True, slots=True)
class Known:
    """What was being shrunk under this key is a finding that was known before."""

    key: str


@dataclass(frozen=True, slots=True)
class Recycled:
    """The server of a worker was given a fresh home."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """Its server is up, and it takes work."""

    worker: str
    promises: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """``why``: the first line of its last words."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class Workers:
    """So many there shall be, by measuring; ``why`` has the figures."""

    workers: int
    why: str


@dataclass(frozen=True, slots=True)
class Plateau:
    """No new kind of overlap since that program; ``overlaps`` kinds seen."""

    since: int
    overlaps: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker as the screen shows it."""

    name: str
    doing: str
    programs: int
    server_bytes: int


@dataclass(frozen=True, slots=True)
class FindingState:
    """One finding as the screen shows it. ``rate``: of fresh trials, None: not measured."""

    key: str
    calls: int
    state: str
    rate: float | None
    sightings: int
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole campaign at one moment: its ``Progress``, sent once a second."""

    target: str
    elapsed_s: float
    seconds: float | None
    programs: int
    budget: int | None
    trials: int
    requests: int
    undecided: int
    skipped: int
    programs_per_s: float
    requests_per_s: float
    overlaps: int
    pairings_seen: int
    pairings: int
    plateau: bool
    restarts: int
    recycled: int
    lost_workers: int
    findings: tuple[FindingState, ...]
    workers: tuple[WorkerState, ...]

    @property
    def phase(self) -> Phase:
        """It always searches; what each worker does is in ``workers``."""
        return Phase.SEARCHING

    @property
    def divergences(self) -> int:
        """Distinct ones."""
        return len(self.findings)


@dataclass(frozen=True, slots=True)
class Ended:
    """The campaign has ended, ``why`` in one word; ``snapshot`` is the last there is."""

    why: str
    snapshot: Snapshot


Event: TypeAlias = (
    Progress | Started | DivergenceFound | Shrunk | Saved | MoreReliable | TargetRestarted | Checked
    | Opened | GivenUp | Known | Recycled | WorkerStarted | WorkerLost | Workers | Plateau
    | Snapshot | Ended
)  # fmt: skip


class Reporter(Protocol):
    """Who shows a person what a run does; the console is one."""

    def tell(self, event: Event, /) -> None:
        """One event has happened."""
        ...

    def note(self, line: str, /) -> None:
        """One line for the person, at once."""
        ...

    def remark(self, text: str | None, /) -> None:
        """A note, if there is one."""
        ...

    def waiting(self, what: str, /) -> None:
        """Something slow has begun."""
        ...

    def moving(self, what: str, /) -> None:
        """A step of something that has been announced."""
        ...

    def counting(self, what: str, /) -> None:
        """One more of many."""
        ...


class NoReporter:
    """Shows nothing."""

    def tell(self, event: Event) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def remark(self, text: str | None) -> None:
        """Nothing."""

    waiting = moving = counting = note
