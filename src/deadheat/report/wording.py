"""Numbers and names as people read them; the same words in every report."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.core.release import Via
from deadheat.core.stats import trials_to_see

if TYPE_CHECKING:
    from deadheat.artifact import Artifact, RateRecord
    from deadheat.core.program import Program


def percent(fraction: float) -> str:
    """``11.5 %``; small ones keep two significant digits."""
    value = fraction * 100
    if value in (0, 100) or value >= 10:
        shown = f"{value:.1f}".removesuffix(".0")
    else:
        shown = f"{value:.2g}"
    return f"{shown} %"


def rate_text(rate: RateRecord) -> str:
    """``diverges in 11.5 % of trials (95 % Clopper–Pearson: 8–16 %, 200 trials)``."""
    low, high = percent(rate.low).removesuffix(" %"), percent(rate.high)
    if rate.trials and not rate.diverged:
        return (
            f"seen, but not again in {rate.trials:,} fresh trials "
            f"(its rate is below {high}, {rate.confidence * 100:.0f} %)"
        )
    return (
        f"diverges in {percent(rate.diverged / rate.trials)} of trials "
        f"({rate.confidence * 100:g} % Clopper–Pearson: {low}–{high}, {rate.trials:,} trials)"
        if rate.trials
        else "not measured"
    )


def fixed_text(rate: RateRecord) -> str | None:
    """How many quiet replays would be needed to call it fixed; None for a rate that may be 0.

    At the lower end of the interval: fewer would prove less than they seem to.
    """
    if not rate.diverged:
        return None
    enough, surely = (trials_to_see(rate.low, confidence) for confidence in (0.95, 0.99))
    return (
        f"to call it fixed: {enough:,} replays in a row without it (95 % sure), {surely:,} (99 %)"
    )


def size_text(program: Program) -> str:
    """``4 calls, 2 at once``."""
    calls = len(program.calls())
    together = program.concurrency
    at_once = f"{together} at once" if together > 1 else "none at once"
    return f"{calls} call{'' if calls == 1 else 's'}, {at_once}"


def standing_text(artifact: Artifact) -> str:
    """Is this the smallest, and is it a race at all?"""
    if not artifact.needs_race:
        return "diverges without any concurrency: a bug in the logic, not a race"
    if artifact.proven_minimal:
        return "smallest failing program"
    return "smallest so far, not proven minimal"


def duration_text(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, seconds_left = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds_left} s" if seconds_left else f"{minutes} min"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if minutes_left else f"{hours} h"


def via_text(via: Via) -> str | None:
    """What somebody who reads offsets should know of the way the requests went; None: nothing."""
    match via:
        case Via.TCP:
            return None
        case Via.UNIX:
            return "over a unix socket: requests are held at the end of their head, as over TCP"
        case Via.TLS:
            return (
                "over TLS: requests are held at the last byte of the record that ends their head, "
                "which the server has yet to decrypt; its offsets are a little less exact than the "
                "sender's"
            )
        case Via.HTTP2:
            return (
                "over HTTP/2: one connection for all lanes; requests are held whole, and those due "
                "together leave in one packet"
            )
        case _:
            assert_never(via)


def signature_text(artifact: Artifact) -> str:
    """``ghost (create, delete, read)``."""
    passing = "transient " if artifact.transient else ""
    return f"{passing}{artifact.anomaly} ({', '.join(artifact.signature)})"


def bytes_text(size: int) -> str:
    """``512 MB``, ``1.5 GB``: powers of 1,000."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    if size >= 1_000_000:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e3:.0f} kB"
