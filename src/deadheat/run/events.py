"""What happens while a run or a campaign works; every view (terminal, screen, lines) listens.

Rules
- Events are facts that have happened, in order; they take no answer. A finding is on disk when
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
    """The target is up. ``met``: calls of the handshake that had to be repeated."""

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
    """The smallest program has become smaller. ``trials`` None: another process counts."""

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
        """The number of calls of its program."""
        return len(self.artifact.program.calls())

    @property
    def diverged(self) -> int | None:
        """How many of ``trials`` diverged; None: not measured."""
        return None if self.artifact.rate is None else self.artifact.rate.diverged

    @property
    def trials(self) -> int | None:
        """The number of fresh trials; None: not measured."""
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
    """This finding stays as it is: the workers that shrink it keep dying."""

    key: str


@dataclass(frozen=True, slots=True)
class Known:
    """The finding that was being shrunk under this key is one that was known before."""

    key: str


@dataclass(frozen=True, slots=True)
class Recycled:
    """The server of a worker was given a fresh home."""

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker's server is up, and it takes work."""

    worker: str
    promises: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker has died. ``why``: the first line of its last output."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class Workers:
    """The number of workers, chosen by measuring; ``why`` has the figures."""

    workers: int
    why: str


@dataclass(frozen=True, slots=True)
class Plateau:
    """No program since that one overlapped in a new way; ``overlaps`` kinds were seen."""

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
        """Always the search; what each worker does is in ``workers``."""
        return Phase.SEARCHING

    @property
    def divergences(self) -> int:
        """The number of distinct divergences."""
        return len(self.findings)


@dataclass(frozen=True, slots=True)
class Ended:
    """The campaign has ended; ``why`` in one word, ``snapshot`` the last one."""

    why: str
    snapshot: Snapshot


Event: TypeAlias = (
    Progress | Started | DivergenceFound | Shrunk | Saved | MoreReliable | TargetRestarted | Checked
    | Opened | GivenUp | Known | Recycled | WorkerStarted | WorkerLost | Workers | Plateau
    | Snapshot | Ended
)  # fmt: skip


class Reporter(Protocol):
    """Shows a person what a run does, as the console does."""

    def tell(self, event: Event, /) -> None:
        """Show an event."""
        ...

    def note(self, line: str, /) -> None:
        """Show one line at once."""
        ...

    def remark(self, text: str | None, /) -> None:
        """Show a note, if there is one."""
        ...

    def waiting(self, what: str, /) -> None:
        """Show that something slow has begun."""
        ...

    def moving(self, what: str, /) -> None:
        """Show a step of something that has been announced."""
        ...

    def counting(self, what: str, /) -> None:
        """Show that one more of many is done."""
        ...


class NoReporter:
    """A reporter that shows nothing."""

    def tell(self, event: Event) -> None:
        """Nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def remark(self, text: str | None) -> None:
        """Nothing."""

    waiting = moving = counting = note
