"""``cleanup``: delete what runs that were killed left on a server that deadheat does not manage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deadheat import media
from deadheat.cli.ending import find
from deadheat.cli.options import HANG_AFTER, PROFILE, REMOTE
from deadheat.cli.saying import say, tell
from deadheat.cli.trusting import TRUST, must_be_trusted
from deadheat.console import View
from deadheat.drive.cleaning import Cleaned, Fate, clean
from deadheat.drive.journal import LeftBehind, left_behind
from deadheat.drive.until import run_until
from deadheat.errors import ExitCode, UserError
from deadheat.targets.catalog import STORE
from deadheat.targets.python_file import named

if TYPE_CHECKING:
    from deadheat.drive.target import Target

_CODES = """\b
Exit codes:
  0    nothing of ours is left there
  2    a mistake in the command or a file
  3    something is still there, or the server does not answer
  130  interrupted
"""


@click.command(epilog=_CODES)
@click.argument("store", type=click.Path(file_okay=False, path_type=Path), default=STORE)
@click.option("--against", metavar="TARGET", help="Where the server is now.  [default: as noted]")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@PROFILE
@HANG_AFTER
@TRUST
@REMOTE
def cleanup(
    store: Path, against: str | None, dry_run: bool, profile: str | None, allow_remote: bool
) -> None:
    """Delete what runs that were killed left behind, as noted in STORE (default: .deadheat).

    Only sessions that such a run made are deleted. A server that deadheat started itself has
    taken its sessions with it, so there is nothing to clean up.

    \b
    Examples:
      deadheat cleanup --dry-run
      deadheat cleanup .deadheat --max-rps 5
    """
    if not store.is_dir():
        raise UserError(f"{store} is no folder. Name the one that the run wrote to.")
    found, running = left_behind(store)
    with View() as view:
        targets = [(left, _server(left, against, profile, allow_remote, view)) for left in found]
    done: list[Cleaned] = []

    async def work() -> None:
        for left, target in targets:
            if target is None:
                left.path.unlink(missing_ok=True)
                continue
            cleaned = await clean(target, left, dry=dry_run, tell=_say)
            done.extend(cleaned)
            if not dry_run and all(one.fate is not Fate.THERE for one in cleaned):
                left.path.unlink(missing_ok=True)

    interrupted, error = run_until(work, None)
    if running:
        say(f"{running} runs are under way and clean up themselves.")
    say(_sum(done, dry=dry_run))
    if error is not None:
        tell(error)
        sys.exit(error.exit_code)
    if interrupted:
        sys.exit(ExitCode.INTERRUPTED)
    left = any(one.fate is Fate.THERE for one in done)
    sys.exit(ExitCode.TARGET if left else ExitCode.CLEAN)


def _server(
    left: LeftBehind, against: str | None, profile: str | None, allow_remote: bool, view: View
) -> Target | None:
    """None: killed before it had noted anything."""
    if not left.run:
        return None
    word = against or left.word
    if against is None and named(word) is not None:  # a profile is only read
        instead = media.shell_line("--against", word)
        must_be_trusted(word, str(left.path), view, instead=instead)
    used = profile or (left.profile if "://" in word else None)
    target = find(word, used, allow_remote, view)
    if target.base_url is None:
        raise UserError(
            f"{word} starts a server of its own, which has nothing of {left.path}. "
            "Name the URL of the one that runs, with --against."
        )
    return target


def _say(one: Cleaned) -> None:
    said = f"  {one.said}" if one.said else ""
    say(f"{one.session}  {one.fate}{said}")


def _sum(done: list[Cleaned], *, dry: bool) -> str:
    if not done:
        return "nothing was left behind."
    count = {fate: sum(one.fate is fate for one in done) for fate in Fate}
    if dry:
        return f"{count[Fate.FOUND]} would be deleted, {count[Fate.GONE]} are gone already."
    text = f"{count[Fate.DELETED]} deleted, {count[Fate.GONE]} gone already"
    if count[Fate.OTHERS]:
        text += f", {count[Fate.OTHERS]} left alone"
    if count[Fate.THERE]:
        text += f", {count[Fate.THERE]} still there: look at the server, then clean up again"
    return f"{text}."
