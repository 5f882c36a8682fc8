"""``say``: the only way from a command to stdout and stderr.

Rules
- Every text passes through ``media`` here, so no command, report or error can send what a server
  wrote to the terminal as it was. Colour is added by the one who says it, outside of the text.
- On a terminal lines are wrapped between words (``wrapping``); elsewhere they stay as they are.
- What is a file's content (an export, NDJSON, a workflow command) has been made by its own
  function of ``media`` and is written as it is.
"""

from __future__ import annotations

import shutil
import sys
import traceback
from typing import TYPE_CHECKING

import click

from deadheat.cli.wrapping import wrapped
from deadheat.files import media

if TYPE_CHECKING:
    from deadheat.errors import DeadheatError


def say(text: object, *, err: bool = False, mark: str = "") -> None:
    """Print lines; ``mark``: what stands before them, with its colour."""
    shown = media.lines(str(text))
    if (sys.stderr if err else sys.stdout).isatty():
        shown = wrapped(shown, shutil.get_terminal_size().columns - (2 if mark else 0))
    click.echo(f"{mark} {shown}" if mark else shown, err=err)


def give(content: str, *, err: bool = False) -> None:
    """Print text that ``media`` has made for a file or a machine, unchanged."""
    click.echo(content, err=err, nl=False)


def tell(error: DeadheatError) -> None:
    """Print an error in one line on stderr, and the last output of a dead server."""
    say(f"deadheat: {media.line(str(error))}", err=True)
    tail = getattr(error, "log_tail", "")
    if tail:
        say("its last output:", err=True)
        for row in tail.splitlines():
            say(f"  {row}", err=True)


def tell_bug() -> None:
    """Print the traceback of the current exception: a bug of ours."""
    say(traceback.format_exc(), err=True)
    say("deadheat: this is a bug in deadheat. Please report it with the text above.", err=True)


def ask(question: str) -> bool:
    """Ask yes or no at a terminal; without a terminal the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm(media.line(question), default=False, err=True)
