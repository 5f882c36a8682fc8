"""What the engine says while it works; every view (terminal, lines, JSON) listens to these.

Rule: events are facts that have happened, in order; nobody can answer them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from deadheat.model.release import Via

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Standing
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
class Found:
    """A divergence that this run had not seen before; it is on disk at ``path``."""

    signature: Signature
    program: int
    calls: int
    path: Path


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest program so far has become smaller."""

    signature: Signature
    calls: int
    trials: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A divergence is shrunk and measured as far as the budget allowed.

    ``kept``: the file holds an earlier run's example, which is better.
    """

    artifact: Artifact
    path: Path
    kept: bool = False


@dataclass(frozen=True, slots=True)
class MoreReliable:
    """The same divergence shows clearly more often in a larger program; the file has both."""

    artifact: Artifact
    path: Path


@dataclass(frozen=True, slots=True)
class Restarted:
    """The server died, or was stopped, and is up again."""

    restarts: int
    log_tail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A committed regression has been run on ``target``; ``standing`` is what it came to."""

    path: Path
    target: str
    standing: Standing
    diverged: int
    trials: int


Event: TypeAlias = Progress | Started | Found | Shrunk | Saved | MoreReliable | Restarted | Checked


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
