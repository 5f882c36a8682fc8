"""One trial of a saved example, as the question "does it show here?" sees it.

Rules
- Each trial waits for the target's settle time, should it state one, and listens to the event
  stream only where the finding is about that (``campaign.replay``).
- A trial that stayed quiet is silence only if it raced (``core.raced``); one that diverged
  diverged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.artifact import divergence_of
from deadheat.campaign.judge import judge
from deadheat.campaign.measure import matching
from deadheat.core.divergence import Diverged, Divergence, Undecided
from deadheat.core.evidence import Came
from deadheat.core.history import makespan_ns

if TYPE_CHECKING:
    from deadheat.artifact import Artifact
    from deadheat.core.raced import Unraced
    from deadheat.drive.live import LiveTarget


@dataclass(frozen=True, slots=True)
class Look:
    """``divergence``: the one looked for, or another. ``unraced``: why it did not race, if so.

    ``took_ns``: see ``history.makespan_ns``.
    """

    came: Came
    divergence: Divergence | None
    unraced: Unraced | None
    took_ns: int


async def look(live: LiveTarget, artifact: Artifact) -> Look:
    """Run the artifact's program once. Raises ``TargetError``."""
    wanted = divergence_of(artifact).signature
    execution, death = await live.execute(artifact.program, patient=True, listen=wanted.heard)
    verdict = judge(execution, death, live.promises, live.target.settle_ms, live.target.own_model)
    why, took_ns = execution.unraced, makespan_ns(execution.history)
    match verdict:
        case Undecided():
            return Look(Came.UNDECIDED, None, why, took_ns)
        case Diverged():
            same = matching(verdict, wanted)
            if same is not None:
                return Look(Came.SHOWN, same, why, took_ns)
            return Look(Came.OTHER, verdict.divergence, why, took_ns)
        case _:
            return Look(Came.QUIET, None, why, took_ns)
