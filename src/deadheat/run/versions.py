"""Measures how often a saved example shows on one of several targets.

Rules
- ``measure`` goes on after the first divergence, to a number of trials that no answer decides, so
  its rate is unbiased; those that did not race are no part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.files.results import Presence, VersionRow
from deadheat.report.words import unproven_text
from deadheat.run.replay import until_proven
from deadheat.run.trial import look, prove
from deadheat.trials.evidence import AbsentBelow, Present, Unproven
from deadheat.trials.stats import rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact


async def measure(
    live: LiveTarget,
    artifact: Artifact,
    trials: int | None,
    tell: Callable[[int, int, int], None],
) -> VersionRow:
    """Run as many counting trials as the recorded rate asks for; ``trials``: exactly so many.

    ``tell(done, of, diverged)`` after each. Raises ``TargetError``.
    """
    until = until_proven(live, artifact, exactly=trials, until_shown=False)
    seen = await prove(
        until,
        lambda _: look(live, artifact),
        lambda: tell(until.counted.trials, trials or until.needed, until.shown),
    )
    below: float | None = None
    match until.evidence:
        case Present():
            standing, why = Presence.PRESENT, ""
        case _ if seen.other is not None:
            standing, why = Presence.DIFFERENT, str(seen.other.signature)
        case AbsentBelow():
            standing, why, below = Presence.NOT_SEEN, "", until.below
        case Unproven() as missing:
            standing, why = Presence.NOT_COMPARABLE, unproven_text(missing)
        case _ as never:
            assert_never(never)
    counted = until.counted
    return VersionRow(
        live.target.name,
        standing,
        counted.trials,
        counted.diverged,
        sum(until.unraced.values()),
        until.undecided,
        rate(counted.diverged, counted.trials) if counted.trials else None,
        below,
        why,
        seen.shown or seen.other,
        until.evidence,
    )
