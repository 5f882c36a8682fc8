"""A saved example on one of several targets: how often it shows there, or whether at all.

Rules
- ``measure`` makes a number of trials fixed before the first, so its rate is unbiased; it
  goes on only for trials that missed their offsets, which nobody's answer decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.campaign.looking import look
from deadheat.core.stats import rarest_seen, rate, trials_to_see
from deadheat.core.verifying import UNKNOWN_RATE, Came
from deadheat.results import Presence, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.artifact import Artifact
    from deadheat.core.divergence import Divergence
    from deadheat.drive.live import LiveTarget

CONFIDENCE = 0.99
# A loaded machine misses offsets; when two trials of three do, it says nothing about silence.
_AT_MOST = 3


async def measure(
    live: LiveTarget,
    artifact: Artifact,
    wanted: int,
    tell: Callable[[int, int, int], None],
    *,
    exactly: bool = False,
) -> Row:
    """``wanted`` trials at the artifact's offsets, so that silence says something.

    ``exactly``: as many trials in all. ``tell(done, of, diverged)`` after each. Silence that
    does not even refute the recorded rate's lower end compares nothing. Raises ``TargetError``.
    """
    recorded = artifact.rate
    known = recorded is not None and recorded.diverged > 0
    lowest = recorded.low if recorded is not None and known else UNKNOWN_RATE
    counts = dict.fromkeys(Came, 0)
    on_time = 0
    first: Divergence | None = None
    other: Divergence | None = None
    while True:
        decided = sum(counts.values()) - counts[Came.UNDECIDED]
        done = decided if exactly else on_time
        if done >= wanted or sum(counts.values()) >= wanted * _AT_MOST:
            break
        seen = await look(live, artifact)
        counts[seen.came] += 1
        on_time += seen.on_time and seen.came is not Came.UNDECIDED
        if seen.came is Came.SHOWN:
            first = first or seen.divergence
        elif seen.came is Came.OTHER:
            other = other or seen.divergence
        tell(decided + (seen.came is not Came.UNDECIDED), wanted, counts[Came.SHOWN])
    quiet = counts[Came.QUIET] + counts[Came.OTHER]
    measured = rate(counts[Came.SHOWN], decided) if decided else None
    below = rarest_seen(quiet, CONFIDENCE) if not counts[Came.SHOWN] and quiet else None
    if counts[Came.SHOWN]:
        standing, why = Presence.PRESENT, ""
    elif counts[Came.OTHER]:
        standing, why = Presence.DIFFERENT, str(other.signature) if other is not None else ""
    elif below is None or below > lowest:
        standing = Presence.NOT_COMPARABLE
        why = (
            f"{quiet:,} of {sum(counts.values()):,} trials were judged and kept their offsets, "
            f"{trials_to_see(lowest, CONFIDENCE):,} are needed"
        )
    else:
        standing, why = Presence.NOT_SEEN, ""
    return Row(
        live.target.name,
        standing,
        decided,
        counts[Came.SHOWN],
        counts[Came.MISSED],
        counts[Came.UNDECIDED],
        measured,
        below,
        why,
        first or other,
    )
