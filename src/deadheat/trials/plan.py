"""What a plan of trials is: it says what to run next, and is told what came of it.

Rules
- ``next()`` names the same trial until ``feed``; None: the plan is finished. Nothing is run here:
  the loops that run plans are in ``run.trial``.
- ``feed`` without a trial that ``next`` has named is a bug in the caller (``named``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from deadheat.model.program import Program
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Verdict
    from deadheat.trials.evidence import Side, TrialResult

T = TypeVar("T")


class VerdictPlan(Protocol):
    """Chooses programs by the verdicts on those before: it shrinks, tunes, amplifies."""

    def next(self) -> Program | None:
        """The program to run once now."""
        ...

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """What came of it, and why it did not race, if so."""
        ...


class EvidencePlan(Protocol):
    """Asks for trials of one program until they prove something."""

    def next(self) -> Side | None:
        """Which target to run it on once now."""
        ...

    def feed(self, result: TrialResult, why: Unraced | None = None, took_ns: int = 0) -> None:
        """What the trial came to, why it did not race, if so, and how long its calls took."""
        ...


def named(trial: T | None) -> T:
    """What ``next`` has named. Raises ``RuntimeError`` when that is nothing."""
    if trial is None:
        raise RuntimeError("feed() without a trial; call next() and run what it names first")
    return trial
