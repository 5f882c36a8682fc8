"""Versions, bisections and verifications as text for a terminal, and as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.files.artifact import sessions_of
from deadheat.files.results import Presence
from deadheat.report.diagram import diagram_of_divergence, text
from deadheat.report.words import percent, unproven_text
from deadheat.trials.evidence import DRIFT, AbsentBelow, Present, Unproven

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Bisected, Verified, VersionRow
    from deadheat.trials.stats import Rate

_HEAD = ("version", "trials", "diverged", "rate (95 %)", "verdict")


def versions_table(rows: Iterable[VersionRow]) -> str:
    """A table with a row for each version."""
    table = [_HEAD, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    right = (False, True, True, False, False)
    lines = [
        "  ".join(
            cell.rjust(width) if to_the_right else cell.ljust(width)
            for cell, width, to_the_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in table
    ]
    return "\n".join(lines)


def versions_json(artifact: Artifact, rows: Iterable[VersionRow]) -> dict[str, object]:
    """The same as plain values with stable keys."""
    return {
        "anomaly": artifact.anomaly.value,
        "recorded_on": artifact.target.name,
        "versions": [
            {
                "target": row.target,
                "verdict": row.standing.value,
                "why": row.why,
                "trials": row.trials,
                "diverged": row.diverged,
                "low": None if row.rate is None else round(row.rate.low, 6),
                "high": None if row.rate is None else round(row.rate.high, 6),
                "below": None if row.below is None else round(row.below, 6),
                "did_not_race": row.unraced,
                "undecided": row.undecided,
            }
            for row in rows
        ],
    }


def verdict_text(row: VersionRow) -> str:
    """``not seen: below 1.2 % at 99 %``."""
    match row.standing:
        case Presence.PRESENT:
            return "present"
        case Presence.NOT_SEEN if row.below is not None:
            return f"not seen: below {percent(row.below)} at 99 %"
        case Presence.NOT_SEEN:
            return "not seen"
        case Presence.DIFFERENT:
            return f"different divergence: {row.why}"
        case Presence.NOT_COMPARABLE:
            return f"not comparable: {row.why}"
        case _:
            assert_never(row.standing)


def _cells(row: VersionRow) -> tuple[str, ...]:
    measured = "-" if row.rate is None else _rate(row.rate)
    return (row.target, f"{row.trials:,}", f"{row.diverged:,}", measured, verdict_text(row))


def _rate(rate: Rate) -> str:
    low, high = percent(rate.low).removesuffix(" %"), percent(rate.high)
    return f"{percent(rate.estimate)} ({low}–{high})"


def bisected_text(found: Bisected) -> str:
    """The version in which it changed, and how often that is wrong."""
    first = "first good" if found.fixed else "first bad"
    named = found.without_it if found.fixed else found.with_it
    other = found.with_it if found.fixed else found.without_it
    lines = [f"{first}: {named}"]
    if found.skipped:
        lines = [f"{first}: one of {', '.join((*found.skipped, named))}"]
    has = "still shows it" if found.fixed else "does not show it"
    lines.append(f"{other}, the version before, {has}")
    lines.append(
        f"wrong at most {percent(found.wrong)} of the time, if one change made the difference and "
        f"the race shows at no less than 1/{DRIFT} of the rate of the version tried beside it"
    )
    return "\n".join(lines)


def verified_text(artifact: Artifact, path: str, found: Verified) -> str:
    """Fixed, not fixed, or not comparable, and why."""
    sure = f"{percent(found.confidence)}"
    match found.evidence:
        case Present():
            head = [f"not fixed  {path} diverges on {found.target}"]
        case AbsentBelow():
            head = [f"fixed  {path} on {found.target} ({sure})"]
        case Unproven() as missing:
            head = [f"not comparable  {path} on {found.target}: {unproven_text(missing)}"]
        case _:
            assert_never(found.evidence)
    lines = [*head, _counts(found)]
    if isinstance(found.evidence, AbsentBelow):
        lines.append(_would_have(found.evidence))
    if found.seen is not None:
        sessions = sessions_of(artifact.program, found.seen.history)
        if not isinstance(found.evidence, Present):
            lines.append(f"but another divergence shows there: {found.seen.signature}")
        lines += ["", text(diagram_of_divergence(artifact.program, found.seen, sessions))]
    return "\n".join(lines)


def _counts(found: Verified) -> str:
    diverged, trials = found.new
    here = f"{diverged:,} of {trials:,} trials diverged"
    if not found.baseline:
        return here
    old_diverged, old_trials = found.old
    why = (
        f" (the recorded rate says nothing here: {found.incomparable})"
        if found.incomparable
        else ""
    )
    return (
        f"{here}, {old_diverged:,} of {old_trials:,} on {found.baseline} in between, "
        f"trial by trial{why}"
    )


def _would_have(fixed: AbsentBelow) -> str:
    if fixed.below is None:
        return f"a race at 1/{DRIFT} of the old version's rate or more would have been seen"
    return (
        f"a race showing in {percent(fixed.below)} of trials or more would have been seen "
        f"(1/{DRIFT} of the lowest rate that fits what was recorded)"
    )
