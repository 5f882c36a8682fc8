"""``run`` and ``ci``: search a target, shrink what diverges, measure how often."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from deadheat import artifact as artifacts
from deadheat import session
from deadheat.cli.ending import end, find, say, say_and_end
from deadheat.cli.options import EXIT_CODES, FOLDER, HTTP2, PROFILE, REMOTE, Duration
from deadheat.console import View
from deadheat.report import outcome

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
@click.option("--seed", type=int, help="Draw the same programs again.  [default: random]")
@click.option(
    "-x", "--exitfirst", is_flag=True, help="Stop once the first divergence is shrunk and measured."
)
@PROFILE
@HTTP2
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
      deadheat run http://127.0.0.1:4096 --profile opencode --programs 2000 --seed 7
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


@click.command(epilog=EXIT_CODES)
@click.argument("target")
@click.option(
    "--budget",
    type=Duration(),
    default="60s",
    show_default=True,
    help="Hard limit on everything: server start, search, shrinking.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which programs are drawn.")
@click.option(
    "-x", "--exitfirst", is_flag=True, help="Stop once the first divergence is shrunk and measured."
)
@PROFILE
@HTTP2
@REMOTE
@FOLDER
def ci(
    target: str,
    budget: float,
    seed: int,
    exitfirst: bool,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """The bounded form of run: a hard time limit, a fixed seed, no colour.

    The last line of stdout is `deadheat-result: ` and one JSON object.

    \b
    Examples:
      deadheat ci opencode@1.2.1 --budget 60s
      deadheat ci demo --budget 20s --exitfirst
    """
    began_s = time.monotonic()
    artifacts.check_writable(into)
    with View(plain=True) as view:
        found = find(target, profile, allow_remote, view)
        order = session.RunOrder(
            found,
            seed=seed,
            folder=into / session.folder_name(found.name),
            seconds=max(budget - (time.monotonic() - began_s), 0.1),
            programs=None,
            exit_first=exitfirst,
            hard=True,
        )
        result = session.run(order, view)
    say(result)
    click.echo(outcome.machine_line(result.summary, int(result.exit_code)))
    end(result)
