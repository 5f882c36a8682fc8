"""Verify: trials until they prove something (``trials.evidence``, ``trials.baseline``).

Rules
- By the recorded rate only on a machine like the one that recorded it: calls about as fast, as
  many cores. Else ``Incomparable`` says what differs, and nothing is concluded.
- Beside a baseline both targets are up at once, and each pair of trials is one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.files.artifact import environment
from deadheat.report.words import unproven_text
from deadheat.run.trial import look
from deadheat.trials.baseline import Side
from deadheat.trials.evidence import TrialResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact
    from deadheat.model.verdict import Divergence
    from deadheat.trials.baseline import BesideBaseline
    from deadheat.trials.evidence import UntilProven

# The machine is judged first after so many trials, and then again after each so many.
_PILOT = 20


@dataclass(frozen=True, slots=True)
class Incomparable:
    """Why the recorded rate says nothing here."""

    why: str


async def by_record(
    live: LiveTarget, artifact: Artifact, until: UntilProven, tell: Callable[[], None]
) -> Incomparable | Divergence | None:
    """Trials until they prove something, or the machines cannot be compared.

    The divergence that was seen last, if any (the one looked for, or another). ``tell()``
    after each trial. Raises ``TargetError``.
    """
    seen_last: Divergence | None = None
    while until.next():
        seen = await look(live, artifact)
        until.feed(seen.result, seen.unraced, seen.took_ns)
        seen_last = seen.divergence or seen_last
        tell()
        if until.shown == 0 and until.trials % _PILOT == 0:
            incomparable = _differs(artifact, until)
            if incomparable is not None:
                return incomparable
    return seen_last


def _differs(artifact: Artifact, until: UntilProven) -> Incomparable | None:
    here, there = environment(), artifact.environment
    if here.system != there.system or here.cores != there.cores:
        return Incomparable(
            f"it was recorded on {there.system} with {there.cores} cores, "
            f"this is {here.system} with {here.cores}"
        )
    return None if until.slower is None else Incomparable(unproven_text(until.so_far))


async def beside(
    new: LiveTarget,
    old: LiveTarget,
    artifact: Artifact,
    pairs: BesideBaseline,
    tell: Callable[[], None],
) -> Divergence | None:
    """Pairs of trials until ``pairs`` has its conclusion; what the new one showed last."""
    seen_last: Divergence | None = None
    while (side := pairs.next()) is not None:
        seen = await look(new if side is Side.NEW else old, artifact)
        pairs.feed(seen.result, seen.unraced)
        if side is Side.NEW and seen.result in (TrialResult.SHOWN, TrialResult.OTHER):
            seen_last = seen.divergence
        tell()
    return seen_last
