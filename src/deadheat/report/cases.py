"""A job as cases for JUnit and GitHub: one for each regression, one for the search.

Rule: the words are those of the terminal, so that who knows one report knows all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.files.artifact import sessions_of
from deadheat.files.results import PROVES_NOTHING, RED, RegressionStatus
from deadheat.report.diagram import diagram_of_divergence, text
from deadheat.report.finding import finding_text
from deadheat.report.reasons import MEANING
from deadheat.report.words import percent, rate_text, replay_line, signature_text
from deadheat.trials.evidence import rate_refuted

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.results import Finding, JobResult, Regression, Summary

# A race seen in one of so many; the figures on either side are as good, so two digits will do.
_DIGITS = 2
SERVER_IS_NOT = (
    "The programs are the same for this seed and version; the server's timing is not: the same "
    "program may diverge in one run and not in the next."
)
UNFINISHED = (
    "unfinished: it was not shrunk and measured (no time left, or too few trials raced). "
    "Go on with `deadheat shrink FILE`."
)


class CaseStatus(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"  # a divergence that must not be
    ERROR = "error"  # it proves nothing
    SKIPPED = "skipped"  # another case ended the job first


@dataclass(frozen=True, slots=True)
class Case:
    """The outcome of one check. ``message``: one line. ``details``: the whole, with the diagram."""

    name: str
    ended: CaseStatus
    message: str
    details: str
    seconds: float
    file: Path | None = None


def cases_of(result: JobResult) -> tuple[Case, ...]:
    """Regressions in the order in which they were checked, then the search."""
    return (*map(regression_case, result.regressions), search_case(result))


def regression_case(one: Regression) -> Case:
    """The case of one committed example on one target."""
    ended = (
        CaseStatus.FAILED
        if one.standing in RED
        else CaseStatus.ERROR
        if one.standing in PROVES_NOTHING
        else CaseStatus.PASSED
    )
    message = regression_line(one)
    return Case(
        f"regression {one.path.stem} on {one.target}",
        ended,
        message,
        f"{message}\n{regression_story(one)}".rstrip(),
        one.seconds,
        one.path,
    )


def regression_line(one: Regression) -> str:
    """``ghost-1a2b3c4d.json on opencode@1.2.1: still clean, 0 of 430 trials``."""
    rate = None if one.replayed is None else one.replayed.rate
    head = f"{one.path.name} on {one.target}: {one.standing}"
    match one.standing:
        case RegressionStatus.SILENT | RegressionStatus.QUIET:
            said = f", 0 of {_trials(one)} trials that raced"
        case RegressionStatus.CAME_BACK | RegressionStatus.KNOWN:
            said = f", in trial {_trials(one)}" if rate and rate.diverged == 1 else ""
        case RegressionStatus.GONE:
            chance = "" if rate is None else f" ({percent(rate_refuted(rate.trials))}, 99 %)"
            said = (
                f" 0 of {_trials(one)} trials that raced, enough to refute its recorded rate"
                f"{chance}. "
                f"If it is fixed: deadheat fixed {one.path} --on {one.target}"
            )
        case RegressionStatus.OTHER:
            other = None if one.replayed is None else one.replayed.other
            said = f": {other.anomaly}" if other is not None else ""
        case (
            RegressionStatus.NOT_COMPARABLE
            | RegressionStatus.UNFINISHED
            | RegressionStatus.UNAVAILABLE
        ):
            said = f": {one.why}"
    return head + said


def _trials(one: Regression) -> str:
    return f"{one.replayed.rate.trials if one.replayed is not None else 0:,}"


def regression_story(one: Regression, *, reachable: bool = True) -> str:
    """What it showed, if that is red, and how to replay it if its server is ``reachable``."""
    if one.replayed is None:
        return ""
    shown = one.replayed.divergence or one.replayed.other
    if shown is None or one.standing is RegressionStatus.KNOWN:
        return ""
    artifact = one.artifact
    sessions = sessions_of(artifact.program, shown.history)
    recorded = "without a rate" if artifact.rate is None else rate_text(artifact.rate)
    lines = [
        MEANING[shown.anomaly],
        "",
        text(diagram_of_divergence(artifact.program, shown, sessions)),
        "",
        f"under the promises: {one.replayed.promises}",
        f"recorded on {artifact.target.name}: {recorded}",
    ]
    if reachable:
        here = one.name != artifact.target.name and not one.again
        again = ("--against", one.name) if here else one.again
        lines.append(f"replay  {replay_line(artifact, one.path, again)}")
    return "\n".join(lines)


def search_case(result: JobResult) -> Case:
    """The case of the search: what it found, or what its silence proves."""
    summary = result.summary
    name = f"search {result.target}"
    seconds = 0.0 if summary is None else summary.elapsed_s
    if summary is not None and summary.findings:
        said = _many(len(summary.findings), "divergence")
        found = ", ".join(finding_line(example) for example in summary.findings)
        told = (finding_story(example, summary.again) for example in summary.findings)
        stories = "\n\n".join(told)
        details = f"{stories}\n\nseed {result.seed}. {SERVER_IS_NOT}"
        return Case(name, CaseStatus.FAILED, f"{said}: {found}", details, seconds)
    if summary is None and result.error is None:
        if result.interrupted:
            return Case(name, CaseStatus.ERROR, "interrupted", "interrupted", seconds)
        why = "not run: a regression was red first"
        return Case(name, CaseStatus.SKIPPED, why, why, seconds)
    if result.error is not None:
        return Case(name, CaseStatus.ERROR, str(result.error), str(result.error), seconds)
    assert summary is not None
    if result.interrupted:
        return Case(name, CaseStatus.ERROR, "interrupted", power_text(summary), seconds)
    return Case(name, CaseStatus.PASSED, power_text(summary), power_text(summary), seconds)


def finding_line(example: Finding) -> str:
    """``ghost (create, delete, read)``."""
    return signature_text(example.artifact)


def finding_story(example: Finding, again: tuple[str, ...] = ()) -> str:
    """A whole finding, and whether it is finished."""
    story = finding_text(example.artifact, example.path, again, kept=example.kept)
    return story if example.finished else f"{story}\n{UNFINISHED}"


def power_text(summary: Summary) -> str:
    """What silence proves (DESIGN §4): how rare a race the programs would have shown."""
    raced = summary.raced
    if not raced:
        return "nothing raced, which proves nothing"
    known = f", {summary.known:,} sightings of known bugs" if summary.known else ""
    return (
        f"clean: {raced:,} programs raced, {summary.overlaps:,} overlapping pairs{known}; "
        f"a race showing in 1 of {one_of(raced):,} programs would have been seen (99 %)"
    )


def one_of(programs: int) -> int:
    """The largest N, to two digits, for which a race in 1 of N programs would have been seen."""
    exact = 1 / rate_refuted(programs)
    whole = max(int(exact + 1e-9), 1)
    unit: int = 10 ** max(len(str(whole)) - _DIGITS, 0)
    return whole // unit * unit


def last_line(result: JobResult) -> str:
    """The verdict of the job in one line."""
    failed = [case for case in cases_of(result) if case.ended is CaseStatus.FAILED]
    broken = [case for case in cases_of(result) if case.ended is CaseStatus.ERROR]
    if result.interrupted:
        return "interrupted: this is what was found until then"
    if failed:
        return f"diverged: {'; '.join(_short(case) for case in failed)}"
    if broken:
        return f"nothing proven: {'; '.join(_short(case) for case in broken)}"
    assert result.summary is not None
    return power_text(result.summary)


def _short(case: Case) -> str:
    return f"{case.name}: {case.message}" if case.file is None else case.message


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
