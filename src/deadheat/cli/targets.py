"""``targets``: lists what can be named as TARGET."""

from __future__ import annotations

import click

from deadheat.cli.output import say
from deadheat.targets.catalog import KINDS


@click.command()
def targets() -> None:
    """Say what can be named as TARGET, with an example of each."""
    width = max(len(word) for word, _, _ in KINDS)
    for word, meaning, example in KINDS:
        say(f"{word.ljust(width)}  {meaning}")
        say(f"{' ' * width}  $ {example}")
