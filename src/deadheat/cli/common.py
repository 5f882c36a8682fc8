"""What every command does at its ends: find its target, say the result, choose the exit code.

Rules
- A user's mistake is one line on stderr that says what to do, never a traceback.
- With findings an error is told, and the exit code is that of the findings.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from deadheat.cli.options import http2_wanted, observing
from deadheat.cli.output import say, tell
from deadheat.cli.trust import must_be_trusted
from deadheat.drive.journal import noted_in
from deadheat.errors import UserError
from deadheat.files import media
from deadheat.model.release import Via
from deadheat.report import run as outcome
from deadheat.report.words import names_a_file
from deadheat.targets.catalog import is_remote, resolve

if TYPE_CHECKING:
    from deadheat.cli.console import View
    from deadheat.drive.target import Target
    from deadheat.files import artifact as artifacts
    from deadheat.run import search as session


def target_of(
    artifact: artifacts.Artifact,
    file: Path,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    view: View,
) -> Target:
    """The target to run an example on: the recorded one, or another of the same profile."""
    word = against or artifact.target.name
    if against is None and profile != word:
        if names_a_file(word) and not Path(word.removesuffix(word.partition(".py")[2])).exists():
            raise UserError(
                f"{file} was recorded on {word}, which is not here. Name that file where it is: "
                "--against PATH."
            )
        instead = media.shell_line("--against", word)
        must_be_trusted(word, str(file), view, instead=instead)
    used = profile or (artifact.target.profile if "://" in word else None)
    target = observing(find(word, used, allow_remote, view), artifact.target.timeout_s)
    if target.wire.name != artifact.target.profile:
        raise UserError(
            f"{file} is for the profile {artifact.target.profile}, and {target.name} "
            f"speaks {target.wire.name}. Name a target of that profile with --against."
        )
    if against is None and artifact.target.via is Via.HTTP2:
        return replace(target, http2=True)
    return target


def say_and_end(result: session.RunResult) -> NoReturn:
    """Print the result; exit with its code."""
    _say_result(result)
    end(result)


def _say_result(result: session.RunResult) -> None:
    """Print what the run came to, on stdout."""
    proves = result.error is None
    say(outcome.run_text(result.summary, interrupted=result.interrupted, proves=proves))


def end(result: session.RunResult) -> NoReturn:
    """With findings an error is told, and the exit code is that of the findings."""
    if result.error is not None:
        tell(result.error)
    sys.exit(result.exit_code)


def find(word: str, profile: str | None, allow_remote: bool, view: View) -> Target:
    """The target that the user named. Raises ``UserError`` or ``TargetError``."""
    found = observing(
        resolve(
            word,
            profile=profile,
            allow_remote=allow_remote,
            http2=http2_wanted(),
            report=view.waiting,
        )
    )
    if is_remote(found):
        rate = "as fast as it answers (--max-rps N limits that)"
        if found.max_rps is not None:
            rate = f"at most {found.max_rps:g} requests a second"
        view.note(f"sessions are made and deleted on {found.name}, {rate}")
    if found.journal is not None:
        _tell_what_stays(found.journal.store)
    return found


def _tell_what_stays(store: Path) -> None:
    """At the end of the command, if it has noted something there that it has not seen to go."""
    before = noted_in(store)

    def told() -> None:
        if noted_in(store) - before:
            say(
                "not all that was made is known to be gone: `deadheat cleanup` looks for it, "
                f"as noted in {store}",
                err=True,
            )

    click.get_current_context().call_on_close(told)
