"""Verify: trials until the rules of ``core.verifying`` have their conclusion.

Rules
- By the recorded rate only on a machine like the one that recorded it: offsets kept, calls about
  as fast, as many cores. Else ``Pears`` says what differs, and nothing is concluded.
- Beside a baseline both targets are up at once, and each pair of trials is one after the other.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.artifact import environment
from deadheat.campaign.looking import look, makespan_ns
from deadheat.core.verifying import Came, Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.artifact import Artifact
    from deadheat.core.divergence import Divergence
    from deadheat.core.verifying import BesideBaseline, ByRecord
    from deadheat.drive.live import LiveTarget

# The machine is judged first after so many trials, and then again after each so many.
_PILOT = 20
# More than every other trial off its offsets: another program than the recorded one.
_MOST_MISSED = 0.5
# One recorded trial against the median of many: single trials vary by a factor of two (4 ms of
# 15 on OpenCode); the window of a race scales with the calls, so beyond this it is another race.
_SLOWER = 4


@dataclass(frozen=True, slots=True)
class Pears:
    """Why the recorded rate says nothing here."""

    why: str


async def by_record(
    live: LiveTarget, artifact: Artifact, record: ByRecord, tell: Callable[[], None]
) -> Pears | Divergence | None:
    """Trials until ``record`` has its conclusion, or the machines cannot be compared.

    The divergence that was seen last, if any (the one looked for, or another). ``tell()``
    after each trial. Raises ``TargetError``.
    """
    seen_last: Divergence | None = None
    took_ns: list[int] = []
    while record.next() is not None:
        seen = await look(live, artifact)
        record.feed(seen.came)
        took_ns.append(seen.took_ns)
        seen_last = seen.divergence or seen_last
        tell()
        if record.shown == 0 and record.trials % _PILOT == 0:
            pears = _differs(artifact, record, took_ns)
            if pears is not None:
                return pears
    return seen_last


def _differs(artifact: Artifact, record: ByRecord, took_ns: list[int]) -> Pears | None:
    if record.undecided * 2 > record.trials:
        return Pears(f"{record.undecided} of {record.trials} trials could not be judged")
    if record.missed > _MOST_MISSED * record.trials:
        return Pears(f"{record.missed} of {record.trials} trials missed their offsets")
    here, there = environment(), artifact.environment
    if here.system != there.system or here.cores != there.cores:
        return Pears(
            f"it was recorded on {there.system} with {there.cores} cores, "
            f"this is {here.system} with {here.cores}"
        )
    recorded_ns, now_ns = makespan_ns(artifact.history), statistics.median(took_ns)
    if recorded_ns and now_ns > _SLOWER * recorded_ns:
        return Pears(f"its calls take {now_ns / recorded_ns:.1f} times as long as recorded")
    return None


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
        pairs.feed(seen.came)
        if side is Side.NEW and seen.came in (Came.SHOWN, Came.OTHER):
            seen_last = seen.divergence
        tell()
    return seen_last
