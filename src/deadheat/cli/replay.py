"""Commands that run saved examples: ``replay``, ``shrink``, ``tune``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deadheat.cli import verify as versions
from deadheat.cli.common import say_and_end, target_of
from deadheat.cli.console import View
from deadheat.cli.options import (
    EXIT_CODES,
    FOLDER,
    HANG_AFTER,
    HTTP2,
    NO_STREAM,
    PROFILE,
    REMOTE,
    Duration,
)
from deadheat.cli.output import say
from deadheat.cli.trust import TRUST
from deadheat.errors import ExitCode, UserError
from deadheat.files import artifact as artifacts
from deadheat.report import run as outcome
from deadheat.run import search as session
from deadheat.targets.catalog import several

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.files.results import Summary
    from deadheat.run.engine import Engine


@click.command(epilog=EXIT_CODES)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option(
    "--against",
    metavar="TARGET[,…]",
    help="Another server than the recorded one; several give a table.",
)
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Run exactly N trials.  [default: until it diverges, or as many as its rate asks for]",
)
@click.option(
    "--save-table",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the table of several targets as JSON.",
)
@PROFILE
@HTTP2
@HANG_AFTER
@NO_STREAM
@TRUST
@REMOTE
def replay(
    files: tuple[Path, ...],
    against: str | None,
    trials: int | None,
    save_table: Path | None,
    profile: str | None,
    allow_remote: bool,
) -> None:
    """Run saved failing examples again.

    Without --trials each one is run until it diverges, or until so many trials
    were quiet that its recorded rate is refuted (99 %). Against several targets the
    servers are started one after the other, and each gets as many trials.

    \b
    Examples:
      deadheat replay .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json
      deadheat replay ghost-1a2b3c4d.json --against opencode@1.2.1
      deadheat replay ghost-1a2b3c4d.json --against opencode@1.0.142,1.0.152,1.2.1,latest
      deadheat replay ghost-1a2b3c4d.json --trials 500
    """
    loaded = [(path, artifacts.read(path)) for path in files]
    words = several(against) if against and "," in against else ()
    if save_table is not None and (not words or len(files) > 1):
        raise UserError("--save-table goes with one file and several targets. Add --against A,B.")
    worst = ExitCode.CLEAN
    for path, artifact in loaded:
        if words:
            code = versions.compare(
                path, artifact, words, trials, profile, allow_remote, save_table
            )
            if code is ExitCode.INTERRUPTED:
                sys.exit(code)
            worst = max(worst, code)
            continue
        with View() as view:
            target = target_of(artifact, path, against, profile, allow_remote, view)
            result = session.replay(artifact, target, trials, view)
        if result.replayed is not None:
            say(outcome.replay_text(artifact, path, result.replayed, target.name))
        if result.error is not None:
            raise result.error
        if result.interrupted:
            say("interrupted: nothing was decided", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        worst = max(worst, result.exit_code)
    sys.exit(worst)


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    default="5m",
    show_default=True,
    help="Stop after this long.",
)
@click.option("--against", metavar="TARGET", help="Another server than the recorded one.")
@PROFILE
@HTTP2
@HANG_AFTER
@NO_STREAM
@TRUST
@REMOTE
@FOLDER
def shrink(
    file: Path,
    seconds: float,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Go on shrinking a saved failing example, with a larger budget.

    The result is saved in the target's folder under --into; a smaller example
    gets a file of its own.

    \b
    Example:
      deadheat shrink .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json --for 10m
    """
    artifact = artifacts.read(file)

    def work(engine: Engine) -> Awaitable[Summary]:
        return engine.shrink_again(artifact, file)

    say_and_end(rework(artifact, file, seconds, against, profile, allow_remote, into, work))


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--trials", type=click.IntRange(20), default=600, show_default=True, help="Trials to spend."
)
@click.option("--against", metavar="TARGET", help="Another server than the recorded one.")
@PROFILE
@HTTP2
@HANG_AFTER
@NO_STREAM
@TRUST
@REMOTE
@FOLDER
def tune(
    file: Path,
    trials: int,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Look for the offsets at which a saved failing example diverges most.

    A coarse sweep, then most trials around the best offsets; the winner is
    measured on fresh trials, so that its rate is not that of a lucky one.

    \b
    Example:
      deadheat tune .deadheat/demo/ghost-1a2b3c4d.json --trials 1000
    """
    artifact = artifacts.read(file)

    def work(engine: Engine) -> Awaitable[Summary]:
        return engine.tune_again(artifact, file, trials)

    result = rework(artifact, file, None, against, profile, allow_remote, into, work)
    if result.picture:
        say(outcome.offset_picture(result.picture))
    say_and_end(result)


def rework(
    artifact: artifacts.Artifact,
    file: Path,
    seconds: float | None,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
    work: Callable[[Engine], Awaitable[Summary]],
) -> session.RunResult:
    artifacts.check_writable(into)
    with View() as view:
        target = target_of(artifact, file, against, profile, allow_remote, view)
        order = session.RunOrder(
            target,
            seed=artifact.origin.seed,
            folder=into / session.folder_name(target.name),
            seconds=seconds,
            programs=None,
            exit_first=True,
        )
        return session.run(order, view, work)
