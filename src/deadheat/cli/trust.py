"""Runs what a file names only with the user's consent.

An example, a campaign's folder or a journal may come from a stranger. The target that it names may
be a profile, whose command deadheat would start, or a Python file, which it would import.

Rules
- A target that is named on the command line is trusted, and so are those that deadheat brings
  along (``demo``, releases of OpenCode). An address starts nothing.
- ``cleanup`` asks for the profile that a journal names, and says which calls it makes where; and
  deletes unasked only what a title or a name proves ours.
- Any other is shown, with what it would run, and asked for at a terminal; elsewhere it is refused.
  ``--trust`` answers yes.
- What is started because a file names it is printed before it runs.
- Nothing in the file itself, or beside it, can say yes: what came with it may say anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deadheat.cli.output import ask
from deadheat.errors import UserError
from deadheat.files import media
from deadheat.report.words import names_a_file

if TYPE_CHECKING:
    from deadheat.cli.console import View


def _put(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    ctx.meta["deadheat.trust"] = given


TRUST = click.option(
    "--trust",
    is_flag=True,
    expose_value=False,
    callback=_put,
    help="Believe FILE: run what it names (a profile's command, a Python file) without asking.",
)


def trust_given() -> bool:
    """Was ``--trust`` given to the command that is running?"""
    return bool(click.get_current_context().meta.get("deadheat.trust"))


def is_trusted(word: str, source: str, view: View) -> bool:
    """May the target that ``source`` names run? Asks at a terminal; False without one.

    Raises ``BadFile`` for a profile that is none.
    """
    does = what_runs(word)
    if does is None:
        return True
    if not trust_given():
        with view.still():
            if not ask(f"{source} names {word}, which {does}. Go on?"):
                return False
    view.note(f"{source} names {word}, which {does}")
    return True


def must_be_trusted(word: str, source: str, view: View, *, instead: str = "") -> None:
    """Raises ``UserError`` unless the target may run; ``instead``: how to name it directly."""
    if not is_trusted(word, source, view):
        yourself = f"name it yourself ({instead}), or " if instead else ""
        raise UserError(
            f"{source} names {word}, which {what_runs(word)}. deadheat runs nothing that a file "
            f"names without asking: {yourself}add --trust."
        )


def what_runs(word: str) -> str | None:
    """What running this target would start, in words; None: nothing that a stranger wrote."""
    if not names_a_file(word):
        return None
    # Commands that run nothing, such as show, do without these.
    from deadheat.targets.profile.profile import read_profile
    from deadheat.targets.python.loader import named

    if (python := named(word)) is not None:
        return f"runs the Python file {python[0]}"
    if not word.endswith(".toml"):
        return None
    profile = read_profile(Path(word))
    if profile.server is None:
        return f"sends requests to {profile.url or 'an address'}"
    # With its environment: a PATH or an LD_PRELOAD decides what that command is.
    env = (f"{name}={value}" for name, value in profile.server.env.items())
    return f"starts: {media.shell_line(*env, *profile.server.command)}"
