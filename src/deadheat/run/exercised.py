"""Decides whether a search has exercised its target; without that, silence proves nothing.

Rule: exercised, or not green (DESIGN §4). ``run``, ``ci``, pytest and ``campaign`` ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.errors import NothingExercised
from deadheat.report.words import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.files.results import CampaignRecord, Summary


@dataclass(frozen=True, slots=True)
class Exercise:
    """The figures of a search that matter here.

    ``drawn``, ``answered``: calls by kind. ``unanswered``: programs in which no two calls that
    raced were answered; ``unanswered_s`` went on those. ``explained``: a death or a hang was found,
    which is what the restarts were for.
    """

    programs: int
    drawn: tuple[str, ...]
    answered: Mapping[str, int]
    overlapped: bool
    restarts: int
    explained: bool
    raced: int
    unanswered: int
    unanswered_s: float
    elapsed_s: float


def of_run(summary: Summary) -> Exercise:
    """The figures of one run."""
    return Exercise(
        programs=min(summary.programs, summary.trials),  # the first may have been cut off
        drawn=tuple(summary.drawn),
        answered=summary.answered,
        overlapped=summary.overlaps > 0,
        restarts=summary.restarts,
        explained=bool(summary.findings or summary.known),
        raced=summary.raced,
        unanswered=summary.unanswered,
        unanswered_s=summary.unanswered_s,
        elapsed_s=summary.elapsed_s,
    )


def of_campaign(record: CampaignRecord) -> Exercise:
    """The figures of a campaign, from its totals. An older version has not counted all of them."""
    totals = record.totals
    programs = totals.get("programs", 0)
    return Exercise(
        programs=programs,
        drawn=tuple(name.removeprefix("drawn ") for name in totals if name.startswith("drawn ")),
        answered={
            name.removeprefix("answered "): many
            for name, many in totals.items()
            if name.startswith("answered ")
        },
        overlapped=bool(record.seen),
        restarts=totals.get("restarts", 0),
        explained=bool(record.findings),
        raced=totals.get("raced", programs),
        unanswered=totals.get("unanswered", 0),
        unanswered_s=0.0,
        elapsed_s=record.elapsed_s,
    )


def nothing_exercised(done: Exercise) -> NothingExercised | None:
    """The reason why silence proves nothing here; None: it proves something."""
    why = _why(done)
    return None if why is None else NothingExercised(why)


def _why(done: Exercise) -> str | None:
    if done.programs == 0:
        return "no program was run in the time given. Give it more (--for, in CI --budget)."
    silent = sorted(kind for kind in done.drawn if not done.answered.get(kind))
    if silent:
        return (
            f"no {', no '.join(silent)} ever succeeded, so silence proves nothing. "
            "Check the server, or give it more time."
        )
    if not done.overlapped:
        return "no two calls ever overlapped, so silence proves nothing. Give it more time."
    if done.restarts and not done.explained:
        return (
            f"the server stopped answering and had to be started again {done.restarts:,} times, "
            "so silence proves nothing. Check the server."
        )
    if done.unanswered * 2 > done.programs:
        return (
            f"in {done.unanswered:,} of {done.programs:,} programs no two calls that race were "
            "answered (refused, or no answer at all), so silence proves nothing. Check the server."
        )
    if done.unanswered_s * 2 > done.elapsed_s:
        return (
            f"{duration_text(done.unanswered_s)} of {duration_text(done.elapsed_s)} went on calls "
            "without an answer, so silence proves nothing. Check the server."
        )
    if done.raced == 0:
        return (
            "no two answered calls ever overlapped in a program that could be judged, so silence "
            "proves nothing. Give it more time."
        )
    return None
