"""Replay: run a saved example again until it shows, or as often as its rate asks for.

Rules
- How many trials are enough follows from the recorded rate (``trials.evidence``), and only those
  that raced count; one quiet trial proves nothing (DESIGN §8).
- Each trial waits for the target's settle time, should it state one: which
  finding it is may depend on it.
- Nobody listens to the event stream unless the finding is about it: announcing costs the
  server time, and the race its rate (OpenCode 1.0.152's ghost: 22 and 14 %, without 29 and 23 %).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.files.results import Replayed
from deadheat.model.history import makespan_ns
from deadheat.run.other_promises import other_promises
from deadheat.run.trial import look, prove
from deadheat.trials.evidence import CONFIDENCE, UntilProven, quiet_needed
from deadheat.trials.stats import rate, rate_until_first
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact


def recorded(artifact: Artifact) -> Tally | None:
    """The trials that the recorded rate is based on."""
    known = artifact.rate
    return None if known is None else Tally(known.trials, known.diverged)


def trials_wanted(artifact: Artifact) -> int:
    """The number of quiet trials that refutes the recorded rate at 99 %."""
    return quiet_needed(recorded(artifact))


def until_proven(
    live: LiveTarget,
    artifact: Artifact,
    confidence: float = CONFIDENCE,
    *,
    exactly: int | None = None,
    until_shown: bool = True,
) -> UntilProven:
    """The trials of ``artifact`` on ``live`` that its recorded rate asks for."""
    return UntilProven(
        recorded(artifact),
        confidence,
        recorded_ns=makespan_ns(artifact.history),
        exactly=exactly,
        until_shown=until_shown,
        other_promises=other_promises(live, artifact),
    )


async def replay(
    live: LiveTarget,
    artifact: Artifact,
    trials: int | None,
    tell: Callable[[int, int, int], None],
    out_of_time: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Run the artifact's program: exactly ``trials`` times, or until it diverges.

    ``tell(done, of, diverged)`` after each trial. ``out_of_time`` ends it early: fewer trials
    than wanted, which prove less. Raises ``TargetError``.
    """
    until = until_proven(live, artifact, exactly=trials)
    seen = await prove(
        until,
        lambda _: look(live, artifact),
        lambda: tell(until.counted.trials, trials or until.needed, until.shown),
        lambda: not out_of_time(),
    )
    stopped = seen.shown is not None and trials is None
    counted = until.counted
    shown = (
        rate_until_first(counted.trials + (counted.diverged == 0))  # off its offsets, it showed
        if stopped
        else rate(counted.diverged, counted.trials)
    )
    return Replayed(
        seen.shown,
        seen.other,
        shown,
        until.evidence,
        until.trials,
        until_first=stopped,
        promises=str(live.promises),
    )
