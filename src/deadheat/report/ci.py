"""A job as text: each regression in a line, what was found, what was exercised, the verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deadheat.errors import ExitCode
from deadheat.files import media
from deadheat.files.results import RED
from deadheat.report.cases import (
    SERVER_IS_NOT,
    UNFINISHED,
    CaseStatus,
    last_line,
    regression_case,
    regression_line,
    regression_story,
)
from deadheat.report.run import machine_line, run_text

if TYPE_CHECKING:
    from deadheat.files.results import JobResult


def job_text(result: JobResult) -> str:
    """The text of a job, all but the last two lines: the machine's and the verdict."""
    parts: list[str] = []
    if result.regressions:
        parts.append("\n".join(f"regression {regression_line(one)}" for one in result.regressions))
    for one in result.regressions:
        case = regression_case(one)
        if case.ended is CaseStatus.FAILED:
            parts.append(f"{one.path.name}: {regression_story(one)}")
    summary = result.summary
    if summary is not None:
        proves = result.error is None
        parts.append(run_text(summary, interrupted=result.interrupted, proves=proves).strip("\n"))
        if any(not example.finished for example in summary.findings):
            parts.append(UNFINISHED)
        if summary.known:
            parts.append(f"{summary.known:,} sightings of what is committed as known")
        if summary.findings:
            parts.append(
                "to commit one as known: deadheat accept FILE; once it is fixed: deadheat fixed "
                f"FILE\n{SERVER_IS_NOT}"
            )
    return "\n" + "\n\n".join(parts) if parts else ""


def job_pages(result: JobResult) -> dict[str, str]:
    """An HTML page for each divergence, by file name: what was found, and what came back."""
    from deadheat.report.html import example_page  # few jobs ask for pages

    found = result.summary.findings if result.summary is not None else ()
    shown = [(example.artifact, example.path) for example in found]
    shown += [(one.artifact, one.path) for one in result.regressions if one.standing in RED]
    return {f"{path.stem}.html": example_page(artifact, path) for artifact, path in shown}


def job_machine_line(result: JobResult) -> str:
    """``deadheat-result: {…}``, with the regressions."""
    head, _, body = machine_line(result.summary, result.exit_code).partition(" ")
    whole = json.loads(body)
    if result.exit_code == ExitCode.DIVERGED:  # a regression alone may be what diverged
        whole["verdict"] = "diverged"
    whole["regressions"] = [
        {
            "file": one.path.as_posix(),
            "target": one.target,
            "expected": one.expected.value,
            "standing": one.standing.name.lower().replace("_", "-"),
            "trials": 0 if one.replayed is None else one.replayed.rate.trials,
        }
        for one in result.regressions
    ]
    whole["job_seconds"] = round(result.seconds, 2)
    return f"{head} {media.json_text(whole)}"


def verdict_line(result: JobResult) -> str:
    """The very last line."""
    return last_line(result)
