"""Numbers and names as people read them; the same words in every report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, assert_never

from deadheat.files import media
from deadheat.model.history import NAMING, READING
from deadheat.model.raced import NOT_LOOKED, Unraced, UnracedReason
from deadheat.model.release import Via
from deadheat.model.verdict import Anomaly
from deadheat.trials.evidence import CONFIDENCE, DRIFT, MOST_TRIALS, quiet_needed
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deadheat.files.artifact import Artifact, RateRecord
    from deadheat.model.hiccups import Hiccup
    from deadheat.model.program import Program
    from deadheat.trials.evidence import Unproven

_LOGGED_OUT = (401, 407)
# As ``Unraced.call`` has them: a custom call may have any other name.
_READS = frozenset(kind.value for kind in READING)
_CREATES = frozenset(kind.value for kind in NAMING)


def percent(fraction: float) -> str:
    """``11.5 %``; small values keep two significant digits."""
    value = fraction * 100
    if value in (0, 100) or value >= 10:
        shown = f"{value:.1f}".removesuffix(".0")
    else:
        shown = f"{value:.2g}"
    return f"{shown} %"


def counted(number: int, what: str) -> str:
    """``1 program``, ``1,204 programs``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
    """How many quiet trials it takes to call it fixed; None for a rate that may be 0."""
    if not rate.diverged:
        return None
    enough = quiet_needed(Tally(rate.trials, rate.diverged))
    if enough > MOST_TRIALS:
        return (
            f"it shows too rarely to be called fixed by silence (that takes {enough:,} trials): "
            "look for offsets at which it shows more often with `deadheat tune`"
        )
    return (
        f"to call it fixed: {enough:,} trials in a row that raced and did not show it "
        f"({percent(CONFIDENCE)} sure, should its rate fall to 1/{DRIFT} by itself)"
    )


def unproven_text(missing: Unproven) -> str:
    """What is missing for a proof, why, and what to do about it, if that is known."""
    if missing.other_promises:
        return missing.other_promises
    if missing.slower is not None:
        return (
            f"its calls take {missing.slower:.1f} times as long as when it was recorded, so the "
            "recorded rate says nothing here. Try again when the machine has less to do"
        )
    said = (
        f"the baseline showed it {missing.quiet:,} times beside a race in "
        f"{missing.trials:,} pairs of trials, and {missing.needed:,} are needed"
        if missing.baseline
        else f"{missing.quiet:,} of {missing.trials:,} trials raced and were silent, and "
        f"{missing.needed:,} are needed ({percent(CONFIDENCE)})"
    )
    parts = [said]
    if missing.undecided:
        parts.append(f"{missing.undecided:,} could not be judged")
    parts += [f"{number:,} did not race: {unraced_text(one)}" for one, number in missing.unraced]
    text = "; ".join(parts)
    most = max(missing.unraced, key=lambda each: each[1], default=None)
    if most is not None and most[0].why is UnracedReason.OFF_TIME:
        return f"{text}. Try again when this machine has less to do"
    refused = next((one for one, _ in missing.unraced if one.why is UnracedReason.REFUSED), None)
    return text if refused is None else f"{text}. {_of_refused(refused)}"


def _of_refused(refused: Unraced) -> str:
    """What to do about calls that were refused."""
    status = refused.status
    if status in _LOGGED_OUT:
        return f"{status} says that it was not let in: correct [auth] or [headers] in the profile"
    if status in NOT_LOOKED or refused.call in _READS:
        because = "" if status in NOT_LOOKED else ", and a read has no loser"
        return (
            f"With {status} the server has not looked{because}: let it answer, with --max-rps N "
            "if it is asked too often"
        )
    word = "exists" if refused.call in _CREATES else "absent"
    return (
        f"If {status} is how the server tells the loser of this race, declare it as `{word}` "
        "instead of `refused`"
    )


def unraced_text(one: Unraced) -> str:
    """``create was refused with 409``."""
    match one.why:
        case UnracedReason.UNBOUND:
            return f"{one.call} was not sent, as its session is not known to be ours"
        case UnracedReason.UNSENT:
            return f"{one.call} did not reach the server"
        case UnracedReason.REFUSED:
            return f"{one.call} was refused with {one.status}"
        case UnracedReason.UNANSWERED if one.status is None:
            return f"{one.call} got no answer"
        case UnracedReason.UNANSWERED:
            return f"{one.call} was answered {one.status}, which does not say what it did"
        case UnracedReason.OFF_TIME:
            return "this machine missed their offsets"
        case _:
            assert_never(one.why)


def size_text(program: Program) -> str:
    """``4 calls, 2 at once``."""
    calls = len(program.calls())
    together = program.concurrency
    at_once = f"{together} at once" if together > 1 else "none at once"
    return f"{calls} call{'' if calls == 1 else 's'}, {at_once}"


# A server that is late looks like these, one call at a time, too.
_OF_LATE_CHANGES = frozenset(
    {
        Anomaly.GHOST, Anomaly.RESURRECTION, Anomaly.LOST_CREATE, Anomaly.LOST_UPDATE,
        Anomaly.VANISHED, Anomaly.LATE, Anomaly.STALE_READ, Anomaly.ORPHAN,
    }
)  # fmt: skip


def standing_text(artifact: Artifact) -> str:
    """Whether this is the smallest program, and whether it is a race at all."""
    if not artifact.needs_race:
        text = "diverges without any concurrency: a bug in the logic, not a race"
        if artifact.anomaly in _OF_LATE_CHANGES and not artifact.target.settle_ms:
            return f"{text}; or changes take time to show, and settle is not declared"
        return text
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
    """What the transport means for the offsets; None: nothing."""
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


def hiccups_text(met: Sequence[Hiccup]) -> str | None:
    """The hiccups of the handshake; None: there were none."""
    if not met:
        return None
    counts = Counter(
        f"{one.kind.value} answered {one.status}"
        if one.status
        else f"{one.kind.value} got no answer ({one.why})"
        for one in met
    )
    said = ", ".join(f"{what}{f' {n} times' if n > 1 else ''}" for what, n in counts.items())
    return f"before anything raced, {said}; it was asked again"


def names_a_file(word: str) -> bool:
    """Does the target's name lead to a profile or Python file, which runs only if trusted?"""
    return "://" not in word and (word.endswith(".toml") or ".py:" in word)


def replay_line(artifact: Artifact, path: Path, again: tuple[str, ...] = ()) -> str:
    """The command that runs the example again, ready to copy.

    ``again``: the options that name its target (``Target.again``).
    """
    name = artifact.target.name
    words = again or (("--against", name) if names_a_file(name) else ())
    return media.shell_line("deadheat", "replay", str(path), *words)


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
