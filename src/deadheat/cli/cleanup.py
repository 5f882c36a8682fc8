"""``cleanup``: delete what runs that were killed left on a server that deadheat does not manage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deadheat.cli.common import find
from deadheat.cli.console import View
from deadheat.cli.options import HANG_AFTER, PROFILE, REMOTE
from deadheat.cli.output import ask, say, tell
from deadheat.cli.trust import TRUST, must_be_trusted, trust_given
from deadheat.drive.cleanup import Cleaned, CleanupStatus, clean
from deadheat.drive.event_loop import run_until
from deadheat.drive.journal import LeftBehind, left_behind
from deadheat.errors import ExitCode, UserError
from deadheat.files import media
from deadheat.model.history import Invocation, Kind
from deadheat.report.words import names_a_file
from deadheat.targets.catalog import STORE
from deadheat.targets.python.loader import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.drive.target import Target

_CODES = """\b
Exit codes:
  0    nothing of ours is left there
  2    a mistake in the command or a file
  3    something is still there, or the server does not answer
  130  interrupted
"""
# What the notes are kept for, as something has yet to be done about it.
_LEFT = (CleanupStatus.THERE, CleanupStatus.CLAIMED)
# The calls of a cleanup.
_CALLS = (Kind.LIST, Kind.GET, Kind.DELETE)
_ID = "deadheat"  # an id that a path takes as it is


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

    Only sessions that such a run made are deleted: its token in their title or name proves it.
    Where only STORE says so, --trust or a yes is needed, as it is for a profile that STORE names.
    A server that deadheat started itself has taken its sessions with it.

    \b
    Examples:
      deadheat cleanup --dry-run
      deadheat cleanup .deadheat --max-rps 5
    """
    if not store.is_dir():
        raise UserError(f"{store} is not a folder. Name the one that the run wrote to.")
    found, running = left_behind(store)
    with View() as view:
        targets = [(left, _server(left, against, profile, allow_remote, view)) for left in found]
    done: dict[tuple[Path, str], Cleaned] = {}
    untold: list[tuple[LeftBehind, str, int]] = []

    async def work() -> None:
        for left, target in targets:
            if target is None:
                left.path.unlink(missing_ok=True)
                continue
            earlier = _claimed(done, left)
            cleaned = await clean(
                target, left, dry=dry_run, tell=_say, believed=trusted, only=earlier or None
            )
            done.update({(left.path, one.session): one for one in cleaned.sessions})
            if cleaned.untold and not earlier:
                untold.append((left, target.name, cleaned.untold))
            mine = (one for (path, _), one in done.items() if path == left.path)
            if not dry_run and all(one.status not in _LEFT for one in mine):
                left.path.unlink(missing_ok=True)

    trusted = trust_given()
    interrupted, error = run_until(work, None)
    claims = [(left, target) for left, target in targets if _claimed(done, left)]
    if claims and not (dry_run or interrupted or error) and ask(_question(done)):
        trusted, targets = True, claims
        interrupted, error = run_until(work, None)
    if running:
        say(f"{running} runs are under way and clean up themselves.")
    for left, target, many in untold:
        say(
            f"{left.path}: a create may have been on its way when that run ended, and of {many} "
            f"sessions at {target} nothing tells whose they are. Look at them yourself."
        )
    say(_sum(list(done.values()), dry=dry_run, blind=bool(untold)))
    if error is not None:
        tell(error)
        sys.exit(error.exit_code)
    if interrupted:
        sys.exit(ExitCode.INTERRUPTED)
    stays = any(one.status in _LEFT for one in done.values())
    sys.exit(ExitCode.TARGET if stays and not dry_run else ExitCode.CLEAN)


def _claimed(done: Mapping[tuple[Path, str], Cleaned], left: LeftBehind) -> tuple[str, ...]:
    """The sessions that only ``left`` says are ours."""
    return tuple(
        session
        for (path, session), one in done.items()
        if path == left.path and one.status is CleanupStatus.CLAIMED
    )


def _question(done: Mapping[tuple[Path, str], Cleaned]) -> str:
    claims = [path for (path, _), one in done.items() if one.status is CleanupStatus.CLAIMED]
    paths = " and ".join(sorted({str(path) for path in claims}))
    return f"Only {paths} says that a run made {len(claims)} of these. Delete them?"


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
    if against is None:
        _must_be_agreed(target, word, "--against", left, view)
    if profile is None and used is not None:
        _must_be_agreed(target, used, "--profile", left, view)
    return target


def _must_be_agreed(target: Target, file: str, option: str, left: LeftBehind, view: View) -> None:
    """Raises ``UserError`` unless the user agrees to the calls that ``file`` would make.

    It may be a stranger's, as ``left`` is: a get that is a POST may do anything, and so may a
    DELETE at another user's address.
    """
    if not names_a_file(file) or named(file) is not None:  # that one has been asked for
        return
    encoded = (target.wire.encode(Invocation(k, None if k is Kind.LIST else _ID)) for k in _CALLS)
    calls = (f"{request.method} {request.path.replace(_ID, '{id}')}" for request in encoded)
    does = f"calls {', '.join(calls)} at {target.base_url}"
    if not trust_given():
        with view.still():
            agreed = ask(f"{left.path} names {file}, which {does}. Go on?")
        if not agreed:
            raise UserError(
                f"{left.path} names {file}, which {does}. deadheat runs nothing that a file names "
                f"without asking: name it yourself ({media.shell_line(option, file)}), "
                "or add --trust."
            )
    view.note(f"{left.path} names {file}, which {does}")


def _say(one: Cleaned) -> None:
    said = f"  {one.said}" if one.said else ""
    say(f"{one.session}  {one.status}{said}")


def _sum(done: list[Cleaned], *, dry: bool, blind: bool) -> str:
    if not done:
        return "nothing that was noted is left." if blind else "nothing was left behind."
    count = {status: sum(one.status is status for one in done) for status in CleanupStatus}
    if dry:
        gone = f"{count[CleanupStatus.GONE]} are gone already"
        text = f"{count[CleanupStatus.FOUND]} would be deleted, {gone}"
        if count[CleanupStatus.CLAIMED]:
            text += f", {count[CleanupStatus.CLAIMED]} would be with --trust"
        return f"{text}."
    text = f"{count[CleanupStatus.DELETED]} deleted, {count[CleanupStatus.GONE]} gone already"
    if count[CleanupStatus.OTHERS]:
        text += f", {count[CleanupStatus.OTHERS]} left alone"
    if count[CleanupStatus.CLAIMED]:
        text += f", {count[CleanupStatus.CLAIMED]} would be with --trust"
    if count[CleanupStatus.THERE]:
        text += (
            f", {count[CleanupStatus.THERE]} still there: look at the server, then clean up again"
        )
    return f"{text}."
