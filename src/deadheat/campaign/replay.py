"""Replay: run a saved example again until it shows, or until it should have.

Rules
- How many trials are enough follows from the recorded rate, at 99 %; one quiet
  trial proves nothing (DESIGN §8).
- Each trial waits for the target's settle time, should it state one: which
  finding it is may depend on it.
- Nobody listens to the event stream unless the finding is about it: announcing costs the
  server time, and the race its rate (OpenCode 1.0.152's ghost: 22 and 14 %, without 29 and 23 %).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.artifact import divergence_of
from deadheat.campaign.judge import judge
from deadheat.campaign.measure import matching
from deadheat.core.divergence import Diverged, Divergence, Undecided
from deadheat.core.stats import rate, rate_until_first, trials_to_see
from deadheat.results import Replayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.artifact import Artifact
    from deadheat.drive.live import LiveTarget

CONFIDENCE = 0.99
# Without a recorded rate: what a race at 1 % needs, the shrinker's own floor.
_UNKNOWN_RATE = 0.01
# What that takes at ``CONFIDENCE``.
UNKNOWN_RATE_TRIALS = trials_to_see(_UNKNOWN_RATE, CONFIDENCE)
# Rates drift with the load of the machine: between two quarters of a minute the same program on
# the same server showed 1 of 50 and 17 of 50 times; and a fresh server shows less than one that has
# run thousands of programs: 39 of 200 when measured, then 53 of 800. At 3, 1 of 17 replays missed.
_DRIFT = 6
# A rate measured as very low would ask for hours; then the answer says how little it proves.
_MOST_TRIALS = 5_000


def trials_wanted(artifact: Artifact) -> int:
    """Quiet trials after which the recorded rate is refuted at 99 %.

    A sixth of the lower end of the recorded interval counts, as rates drift.
    """
    recorded = artifact.rate
    known = recorded is not None and recorded.diverged
    low = recorded.low / _DRIFT if recorded is not None and known else _UNKNOWN_RATE
    return min(trials_to_see(max(low, _UNKNOWN_RATE / 10), CONFIDENCE), _MOST_TRIALS)


async def replay(
    live: LiveTarget,
    artifact: Artifact,
    trials: int | None,
    tell: Callable[[int, int, int], None],
    out_of_time: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Run the artifact's program. With ``trials`` exactly so many, else until it diverges.

    ``tell(done, of, diverged)`` after each trial. ``out_of_time`` ends it early: fewer trials
    than wanted, which prove less.
    """
    wanted = trials_wanted(artifact) if trials is None else trials
    wanted_signature = divergence_of(artifact).signature
    done = diverged = undecided = 0
    found: Divergence | None = None
    other: Divergence | None = None
    while done < wanted and undecided < wanted and not out_of_time():
        execution, death = await live.execute(
            artifact.program, patient=True, listen=wanted_signature.heard
        )
        verdict = judge(
            execution, death, live.promises, live.target.settle_ms, live.target.own_model
        )
        if isinstance(verdict, Undecided):
            undecided += 1
            continue
        done += 1
        if isinstance(verdict, Diverged):
            same = matching(verdict, wanted_signature)
            if same is not None:
                diverged += 1
                found = found or same
            else:
                other = other or verdict.divergence
        tell(done, wanted, diverged)
        if found is not None and trials is None:
            break
    stopped = found is not None and trials is None
    shown = rate_until_first(done) if stopped else rate(diverged, done)
    return Replayed(
        found, other, shown, wanted, undecided, until_first=stopped, promises=str(live.promises)
    )
