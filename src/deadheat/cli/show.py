"""``show`` and ``explain``: a saved example for a person, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from deadheat.cli.options import EXIT_CODES, PROFILE, REMOTE
from deadheat.cli.output import say
from deadheat.cli.trust import TRUST
from deadheat.errors import UserError
from deadheat.files import artifact as artifacts
from deadheat.report.explanation import explanation_text, window_text
from deadheat.report.finding import finding_text


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
def show(files: tuple[Path, ...]) -> None:
    """Print saved failing examples, without running anything.

    \b
    Example:
      deadheat show .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json
    """
    for path in files:
        say(finding_text(artifacts.read(path), path))


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--window",
    type=click.IntRange(20),
    metavar="N",
    help="Also run N trials at other offsets: at which does it show?",
)
@click.option("--against", metavar="TARGET", help="With --window: another server.")
@PROFILE
@TRUST
@REMOTE
def explain(
    file: Path, window: int | None, against: str | None, profile: str | None, allow_remote: bool
) -> None:
    """Explain a saved failing example in plain words.

    Which answer no order of the calls can place, the longest order that works, why
    every other place is none, and where the race window seems to be. Runs nothing,
    unless --window is given.

    \b
    Examples:
      deadheat explain ghost-1a2b3c4d.json
      deadheat explain ghost-1a2b3c4d.json --window 600

    Exits with 0.
    """
    artifact = artifacts.read(file)
    if window is None and (against or profile):
        raise UserError("--against and --profile go with --window. Add --window 600.")
    say(explanation_text(artifact))
    if window is None:
        return
    # Nothing of this is wanted where nothing runs.
    from deadheat.cli.common import target_of
    from deadheat.cli.console import View
    from deadheat.report import run as outcome
    from deadheat.run import compare as comparison

    with View() as view:
        target = target_of(artifact, file, against, profile, allow_remote, view)
        picture = comparison.window(artifact, target, window, view)
    say(f"\non {target.name}:")
    say(window_text(picture, outcome.offset_picture(picture)))
