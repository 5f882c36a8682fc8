"""Where the race window seems to be: a saved example at many offsets, live.

Rule: the tuner (``trials.tuning``) chooses what to try, so that most trials go where it shows;
the shares it ends with are a picture, not measured rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.files.artifact import signature_of
from deadheat.run.trial import once
from deadheat.trials.tuning import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact


async def look_around(live: LiveTarget, tuner: Tuner, tell: Callable[[int], None]) -> None:
    """Feed ``tuner`` until its trials are spent. ``tell(done)``. Raises ``TargetError``."""
    while (program := tuner.next()) is not None:
        trial = await once(live, program, listen=tuner.heard)
        tuner.feed(trial.verdict, trial.unraced)
        tell(tuner.trials)


def tuner_of(artifact: Artifact, trials: int, rng: Random) -> Tuner:
    """Looks for the recorded divergence around the recorded program."""
    return Tuner(artifact.program, signature_of(artifact), rng=rng, trials=trials)
