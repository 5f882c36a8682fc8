"""``ci``: a bounded job, whose last line is the verdict.

Rules
- An option goes before the configuration, which goes before the default.
- The last line of stdout is the verdict; the one before it is for machines.
- GitHub is told when it asks: GITHUB_ACTIONS and GITHUB_STEP_SUMMARY, as it sets them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from deadheat.cli import config as configs
from deadheat.cli.common import find
from deadheat.cli.console import View
from deadheat.cli.options import (
    CONFIG,
    EXIT_CODES,
    HANG_AFTER,
    HTTP2,
    NO_STREAM,
    PROFILE,
    REGRESSIONS,
    REMOTE,
    Duration,
)
from deadheat.cli.output import give, say, tell
from deadheat.drive.event_loop import process_age_s
from deadheat.errors import CannotSave, UserError
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.report import github
from deadheat.report.ci import job_machine_line, job_pages, job_text, verdict_line
from deadheat.run import ci as job
from deadheat.run import search as session
from deadheat.run.event_lines import EventLines, lines_to
from deadheat.run.limits import STOPPING_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.drive.target import Target
    from deadheat.files.results import JobResult
    from deadheat.run.events import Event

T = TypeVar("T")


@click.command(epilog=EXIT_CODES)
@click.argument("target", required=False)
@CONFIG
@click.option(
    "--budget",
    type=Duration(),
    help="Hard limit on everything: downloads, start, regressions, search, shrinking.  "
    "[default: 60s]",
)
@click.option("--seed", type=int, help="Seed of the programs that are drawn.  [default: 0]")
@click.option(
    "-x",
    "--exitfirst",
    is_flag=True,
    default=None,
    help="Stop once the first divergence is shrunk and measured.",
)
@PROFILE
@HTTP2
@HANG_AFTER
@NO_STREAM
@REMOTE
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for what is found.  [default: .deadheat]",
)
@REGRESSIONS
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False), help="Write JUnit XML.")
@click.option(
    "--report",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write an HTML page for each divergence.",
)
@click.option(
    "--events", metavar="FILE|-", help="Write what happens as NDJSON; - is stdout (text to stderr)."
)
def ci(
    target: str | None,
    file: Path | None,
    budget: float | None,
    seed: int | None,
    exitfirst: bool | None,
    profile: str | None,
    allow_remote: bool,
    into: Path | None,
    regressions: Path | None,
    junit: str | None,
    report: str | None,
    events: str | None,
) -> None:
    """A bounded job: committed regressions first, then a search with what is left.

    Everything that is not given is read from the configuration. A hard time limit, a fixed seed,
    no colour. The last line is the verdict; the one before it is `deadheat-result: ` and one
    JSON object.

    \b
    Examples:
      deadheat ci
      deadheat ci opencode@1.2.1 --budget 60s --junit junit.xml
      deadheat ci demo --budget 20s --exitfirst
    """
    began_s = time.monotonic() - process_age_s()
    found = configs.read_config(file)
    config = found.config
    named = _first(target, config.target)
    if named is None:
        raise UserError(
            "There is no target. Write `deadheat ci TARGET`, or target = … under [tool.deadheat] "
            "in pyproject.toml."
        )
    folder = into if into is not None else Path(config.into)
    artifacts.check_writable(folder)
    outputs = _Outputs(junit or config.junit, report or config.report, events or config.events)
    committed = regressions if regressions is not None else Path(config.regressions)
    committed_named = regressions is not None or "regressions" in config.model_fields_set
    used = _first(profile, config.profile)
    remote = allow_remote or config.allow_remote

    def into_of(searched: Target) -> Path:
        return folder / session.folder_name(searched.name)

    with outputs, View(plain=True) as view:
        if committed_named and not committed.is_dir():
            view.note(f"{committed} is not there, so no committed example is checked")

        def find_it(word: str) -> Target:
            searched = find(word, used if "://" in word else None, remote, view)
            if searched.max_rps is None:
                searched = replace(searched, max_rps=config.max_rps)
            return searched

        order = job.JobOrder(
            find=find_it,
            target=named,
            regressions=committed,
            into=into_of,
            seed=config.seed if seed is None else seed,
            ends_s=began_s + (budget if budget is not None else config.budget),
            stopping_s=_stopping_s(began_s),
            exit_first=config.exitfirst if exitfirst is None else exitfirst,
        )
        result = job.run(order, view, outputs.event)
        outputs.write(result)
    sys.exit(result.exit_code)


def _stopping_s(began_s: float) -> float:
    """The time that the end will take: on a busy machine longer, as the start was.

    Beginning (imports, nearly all of it) takes about 0.5 s on a quiet one.
    """
    return STOPPING_S + max(time.monotonic() - began_s - 0.5, 0.0)


def _first(given: T | None, configured: T | None) -> T | None:
    return given if given is not None else configured


class _Outputs:
    """Writes the job's results to stdout and every other output that was asked for."""

    def __init__(self, junit_file: str | None, report: str | None, events: str | None) -> None:
        self._junit = Path(junit_file) if junit_file else None
        self._report = Path(report) if report else None
        self._events_to = events
        self._events = EventLines(None)
        self._open = ExitStack()
        self._began_s = time.monotonic()

    def __enter__(self) -> None:
        for path in (self._junit, Path(self._events_to or "-")):
            if path is not None and str(path) != "-":
                artifacts.check_writable(path.parent)
        if self._report is not None:
            artifacts.check_writable(self._report)
        if self._events_to is not None:
            with _saving(Path(self._events_to)):
                Path(self._events_to).parent.mkdir(parents=True, exist_ok=True)
        self._events = self._open.enter_context(lines_to(self._events_to))

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def event(self, event: Event) -> None:
        """Write an event, if there is a file for events."""
        self._events.tell(event, time.monotonic() - self._began_s)

    def write(self, result: JobResult) -> None:
        """Write all results at the end."""
        aside = self._events_to == "-"
        say(job_text(result), err=aside)
        give(job_machine_line(result) + "\n", err=aside)
        say(verdict_line(result), err=aside)
        if result.error is not None:
            tell(result.error)
        if self._junit is not None:
            from deadheat.report import junit

            with _saving(self._junit):
                self._junit.parent.mkdir(parents=True, exist_ok=True)
                self._junit.write_text(media.file_text(junit.junit_xml(result)), encoding="utf-8")
        if self._report is not None:
            with _saving(self._report):
                self._report.mkdir(parents=True, exist_ok=True)
                for name, page in job_pages(result).items():
                    (self._report / name).write_text(media.file_text(page), encoding="utf-8")
        if os.environ.get("GITHUB_ACTIONS") == "true":
            commands = github.workflow_commands(result)
            if commands:
                give(f"{commands}\n", err=aside)
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with _saving(Path(summary)), Path(summary).open("a", encoding="utf-8") as shown:
                shown.write(media.file_text(github.summary_markdown(result)))


@contextlib.contextmanager
def _saving(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise CannotSave(f"{path} cannot be written ({exc.strerror}). Name another file.") from exc
