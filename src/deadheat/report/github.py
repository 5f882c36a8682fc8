"""A job for GitHub Actions: annotations on stdout, and the job's summary in Markdown.

Rule: what a server wrote cannot end a command or a code block early.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deadheat.report.cases import SERVER_IS_NOT, Ended, cases_of, last_line

if TYPE_CHECKING:
    from deadheat.results import JobResult

_MARK = {Ended.PASSED: "✅", Ended.FAILED: "❌", Ended.ERROR: "⚠️", Ended.SKIPPED: "➖"}


def workflow_commands(result: JobResult) -> str:
    """One workflow command a case that is not green."""
    lines: list[str] = []
    for case in cases_of(result):
        if case.ended in (Ended.PASSED, Ended.SKIPPED):
            continue
        where = f"file={_property(case.file.as_posix())}," if case.file is not None else ""
        title = _property(f"deadheat: {case.name}")
        lines.append(f"::error {where}title={title}::{_message(case.details)}")
    return "\n".join(lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def summary_markdown(result: JobResult) -> str:
    """The job's summary: a table, then each failure with its diagram."""
    cases = cases_of(result)
    lines = [
        f"### deadheat: {_inline(result.target)}",
        "",
        f"{_inline(last_line(result))}",
        "",
        "| | case | result | s |",
        "|---|---|---|---|",
    ]
    for case in cases:
        name, said = _cell(case.name), _cell(case.message)
        lines.append(f"| {_MARK[case.ended]} | {name} | {said} | {case.seconds:.1f} |")
    for case in cases:
        if case.ended is Ended.FAILED:
            fence = _fence(case.details)
            lines += ["", f"#### {_inline(case.name)}", "", f"{fence}text", case.details, fence]
    lines += ["", f"Seed {result.seed}. {SERVER_IS_NOT}", ""]
    return "\n".join(lines)


def _inline(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return _inline(text)


def _fence(text: str) -> str:
    """Longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)
