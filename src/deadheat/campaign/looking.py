"""One trial of a saved example, as the question "does it show here?" sees it.

Rules
- Each trial waits for the target's settle time, should it state one, and listens to the event
  stream only where the finding is about that (``campaign.replay``).
- A trial whose lanes missed their offsets and that stayed quiet is no silence; one that
  diverged diverged (``core.release``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.artifact import divergence_of
from deadheat.campaign.judge import judge
from deadheat.campaign.measure import matching
from deadheat.core.divergence import Diverged, Divergence, Undecided
from deadheat.core.release import missed_rounds
from deadheat.core.verifying import Came

if TYPE_CHECKING:
    from deadheat.artifact import Artifact
    from deadheat.core.history import History
    from deadheat.drive.live import LiveTarget


@dataclass(frozen=True, slots=True)
class Look:
    """``divergence``: the one looked for, or another. ``took_ns``: see ``makespan_ns``."""

    came: Came
    divergence: Divergence | None
    took_ns: int
    on_time: bool


async def look(live: LiveTarget, artifact: Artifact) -> Look:
    """Run the artifact's program once. Raises ``TargetError``."""
    wanted = divergence_of(artifact).signature
    execution, death = await live.execute(artifact.program, patient=True, listen=wanted.heard)
    verdict = judge(execution, death, live.promises, live.target.settle_ms, live.target.own_model)
    on_time = not missed_rounds(execution.history.releases)
    took_ns = makespan_ns(execution.history)
    match verdict:
        case Undecided():
            return Look(Came.UNDECIDED, None, took_ns, on_time)
        case Diverged():
            same = matching(verdict, wanted)
            if same is not None:
                return Look(Came.SHOWN, same, took_ns, on_time)
            return Look(Came.OTHER, verdict.divergence, took_ns, on_time)
        case _:
            return Look(Came.QUIET if on_time else Came.MISSED, None, took_ns, on_time)


def makespan_ns(history: History) -> int:
    """From the first call of the program to its last answer; the reads at rest are not counted."""
    calls = [op for op in history.operations if not op.at_rest]
    ends = [op.return_ns for op in calls if op.return_ns is not None]
    return max(ends) - min(op.call_ns for op in calls) if ends else 0
