"""What a campaign tells while it runs; the screen, the plain lines and NDJSON listen.

Rules
- News are facts that have happened, in order; a ``FOUND`` is on disk when it is told.
- ``line`` is for people, ``body`` for machines: plain values, stable names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from deadheat.files import media


class NewsKind(StrEnum):
    """The ``event`` of an NDJSON line."""

    OPENED = "opened"
    FOUND = "found"
    SMALLER = "smaller"
    SETTLED = "settled"
    KNOWN = "known"  # what was being shrunk is a finding that was known before
    RESTARTED = "restarted"
    RECYCLED = "recycled"
    WORKER_STARTED = "worker-started"
    WORKER_LOST = "worker-lost"
    PLATEAU = "plateau"
    WORKERS = "workers"
    PROGRESS = "progress"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened, at ``at_s`` of campaign time."""

    kind: NewsKind
    at_s: float
    line: str
    body: dict[str, object] = field(default_factory=dict)

    def ndjson(self) -> str:
        """One line of JSON, without its end."""
        whole = {"event": self.kind.value, "at_s": round(self.at_s, 3), **self.body}
        return media.json_text(whole)


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
    """The whole campaign at one moment."""

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

    def body(self) -> dict[str, object]:
        """For NDJSON: the fields are its names, which ``tests/pins`` hold."""
        return asdict(self)
