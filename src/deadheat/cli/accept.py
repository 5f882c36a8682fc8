"""What goes with ``ci``: ``accept`` and ``fixed`` for its regressions, ``schema`` for its file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from deadheat.cli import config as configs
from deadheat.cli.options import CONFIG, REGRESSIONS
from deadheat.cli.output import give, say
from deadheat.files import artifact as artifacts
from deadheat.files import regressions as regression
from deadheat.files.artifact import Expectation


def _moved(
    files: tuple[Path, ...],
    on: tuple[str, ...],
    config: Path | None,
    regressions: Path | None,
    expected: Expectation,
) -> None:
    folder = regressions or Path(configs.read_config(config).config.regressions)
    for path in files:
        there = regression.commit(path, folder, on, expected)
        artifact = artifacts.read(there)
        says = ", ".join(f"{label}: {what}" for label, what in artifact.expect.items())
        say(f"{there}  {says}")


FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path)
)
ON = click.option(
    "--on", multiple=True, metavar="TARGET", help="Where.  [default: where it was found]"
)


@click.command()
@FILES
@ON
@CONFIG
@REGRESSIONS
def accept(
    files: tuple[Path, ...], on: tuple[str, ...], file: Path | None, regressions: Path | None
) -> None:
    """Commit found examples as known bugs: `deadheat ci` stays green while they show.

    Moves FILE into fuzz/regressions/… and writes what is expected into it: `diverges`.

    \b
    Examples:
      deadheat accept .deadheat/carts/lost-update-1a2b3c4d.json
      deadheat accept ghost-1a2b3c4d.json --on opencode@1.0.152 --on opencode@1.0.142
    """
    _moved(files, on, file, regressions, Expectation.DIVERGES)


@click.command()
@FILES
@ON
@CONFIG
@REGRESSIONS
def fixed(
    files: tuple[Path, ...], on: tuple[str, ...], file: Path | None, regressions: Path | None
) -> None:
    """Say that the bug of an example is fixed: from now on `deadheat ci` is red when it shows.

    FILE may be committed already (then it is turned round) or not yet (then it is moved there).

    \b
    Examples:
      deadheat fixed fuzz/regressions/carts/lost-update-1a2b3c4d.json
      deadheat fixed fuzz/regressions/opencode/ghost-1a2b3c4d.json --on opencode@1.2.1
    """
    _moved(files, on, file, regressions, Expectation.CLEAN)


@click.command()
@click.argument("name", type=click.Choice(sorted(configs.SCHEMAS)))
def schema(name: str) -> None:
    """Print the JSON Schema of a configuration or a profile, for an editor.

    \b
    Example:
      deadheat schema profile > profile.schema.json
    """
    give(json.dumps(configs.schema(name), indent=2) + "\n")
