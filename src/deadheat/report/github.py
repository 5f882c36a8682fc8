"""A job for GitHub Actions: annotations on stdout, and the job's summary in Markdown.

Rule: what a server wrote cannot end a command or a code block early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.files import media
from deadheat.report.cases import SERVER_IS_NOT, CaseStatus, cases_of, last_line

if TYPE_CHECKING:
    from deadheat.files.results import JobResult

_MARK = {
    CaseStatus.PASSED: "✅",
    CaseStatus.FAILED: "❌",
    CaseStatus.ERROR: "⚠️",
    CaseStatus.SKIPPED: "➖",
}


def workflow_commands(result: JobResult) -> str:
    """A workflow command for each case that is not green."""
    lines: list[str] = []
    for case in cases_of(result):
        if case.ended in (CaseStatus.PASSED, CaseStatus.SKIPPED):
            continue
        where = (
            f"file={media.github_property(case.file.as_posix())}," if case.file is not None else ""
        )
        title = media.github_property(f"deadheat: {case.name}")
        lines.append(f"::error {where}title={title}::{media.github_command(case.details)}")
    return "\n".join(lines)


def summary_markdown(result: JobResult) -> str:
    """The job's summary: a table, then each failure with its diagram."""
    cases = cases_of(result)
    lines = [
        f"### deadheat: {media.markdown_line(result.target)}",
        "",
        f"{media.markdown_line(last_line(result))}",
        "",
        "| | case | result | s |",
        "|---|---|---|---|",
    ]
    for case in cases:
        name, said = media.markdown_line(case.name), media.markdown_line(case.message)
        lines.append(f"| {_MARK[case.ended]} | {name} | {said} | {case.seconds:.1f} |")
    for case in cases:
        if case.ended is CaseStatus.FAILED:
            block = media.markdown_block(case.details)
            lines += ["", f"#### {media.markdown_line(case.name)}", "", block]
    lines += ["", f"Seed {result.seed}. {SERVER_IS_NOT}", ""]
    return "\n".join(lines)
