"""``run``: search a target, shrink what diverges, measure how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from deadheat.cli.common import find, say_and_end
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
from deadheat.files import artifact as artifacts
from deadheat.run import search as session

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=EXIT_CODES)
@click.argument("target")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    help="Stop after this long, shrinking included.  [default: 60s unless --programs is given]",
)
@click.option("--programs", type=click.IntRange(1), metavar="N", help="Stop after N programs.")
@click.option(
    "--seed",
    type=int,
    help="Draw the same programs again (offsets follow a slow server).  [default: random]",
)
@click.option(
    "-x", "--exitfirst", is_flag=True, help="Stop once the first divergence is shrunk and measured."
)
@PROFILE
@HTTP2
@HANG_AFTER
@NO_STREAM
@REMOTE
@FOLDER
def run(
    target: str,
    seconds: float | None,
    programs: int | None,
    seed: int | None,
    exitfirst: bool,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Fuzz TARGET: search, shrink what diverges, measure how often.

    \b
    Examples:
      deadheat run demo --exitfirst
      deadheat run opencode@1.0.152 --for 10m
      deadheat run http://127.0.0.1:4096 --profile opencode --programs 2000
    """
    if seconds is None and programs is None:
        seconds = 60.0
    artifacts.check_writable(into)
    with View() as view:
        found = find(target, profile, allow_remote, view)
        order = session.RunOrder(
            found,
            seed=session.random_seed() if seed is None else seed,
            folder=into / session.folder_name(found.name),
            seconds=seconds,
            programs=programs,
            exit_first=exitfirst,
        )
        result = session.run(order, view)
    say_and_end(result)
