"""``check``: do a profile and a server agree, before anything races?"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

import click

from deadheat.cli.common import find
from deadheat.cli.console import View
from deadheat.cli.options import HANG_AFTER, HTTP2, PROFILE, REMOTE
from deadheat.cli.output import say, tell
from deadheat.drive.checkup import CheckedCall, dry_run, server_of
from deadheat.drive.event_loop import run_until
from deadheat.errors import ExitCode

if TYPE_CHECKING:
    from deadheat.drive.target import Target

_CODES = """\b
Exit codes:
  0    they agree
  2    they do not, or a mistake in the command or the file
  3    no server answers
  130  interrupted
"""


@click.command(epilog=_CODES)
@click.argument("target")
@PROFILE
@HTTP2
@HANG_AFTER
@REMOTE
def check(target: str, profile: str | None, allow_remote: bool) -> None:
    """Try each call of TARGET's profile once, in order, and say where it does not fit.

    Nothing races. What it creates it deletes again, and it changes nothing else.

    \b
    Examples:
      deadheat check fuzz/carts.toml
      deadheat check http://127.0.0.1:8000 --profile carts.toml
    """
    with View() as view:
        found = find(target, profile, allow_remote, view)
    steps: list[CheckedCall] = []

    async def work() -> None:
        async with server_of(found) as base_url:
            steps.extend(await dry_run(found, base_url, secrets.token_hex(3)))

    interrupted, error = run_until(work, None)
    for step in steps:
        _say(step)
    if error is not None:
        tell(error)
        sys.exit(error.exit_code)
    if interrupted:
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(_verdict(found, steps))


def _say(step: CheckedCall) -> None:
    mark = click.style("✗", fg="red") if step.wrong else click.style("✓", fg="green")
    status = "–" if step.status is None else str(step.status)
    say(f"{step.doing:20} {step.request:32} {status}  {step.said}", mark=mark)
    if step.wrong:
        came = "" if step.status is None else f"{status} "
        say(f"    {came}{_ended(step.wrong)}")
    if step.hint:
        say(f"    {_ended(step.hint)}")


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def _verdict(target: Target, steps: list[CheckedCall]) -> ExitCode:
    wrong = sum(1 for step in steps if step.wrong)
    if steps and all(step.status is None for step in steps):
        say(f"\nno answer from {target.name}. Start the server, then check again.")
        return ExitCode.TARGET
    if wrong:
        do = "does" if wrong == 1 else "do"
        say(f"\n{wrong} of {len(steps)} calls {do} not fit: correct the profile, then check again.")
        return ExitCode.USER
    say(f"\nthe profile fits {target.name}: deadheat run is next.")
    return ExitCode.CLEAN
