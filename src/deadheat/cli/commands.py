"""The commands by name, each with what ``--help`` says of it; imported when it is called.

Rule: nothing here imports a command's module before that command is wanted.
Most of the time of a short command would go into libraries that it has no use for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

# Module of this package, and the first sentence of each command in it.
_WHERE = {
    "run": {"run": "Fuzz TARGET: search, shrink what diverges, measure how often."},
    "check": {
        "check": "Try each call of TARGET's profile once, in order, and say where it does not fit.",
    },
    "ci": {
        "ci": "A bounded job: committed regressions first, then a search with what is left.",
    },
    "accept": {
        "accept": "Commit found examples as known bugs: `deadheat ci` stays green while they show.",
        "fixed": "Say that the bug of an example is fixed: from now on `deadheat ci` is red when "
        "it shows.",
        "schema": "Print the JSON Schema of a configuration or a profile, for an editor.",
    },
    "campaign": {
        "campaign": "Fuzz TARGET for hours: find everything, shrink it, keep going.",
        "report": "Write the report of a campaign, or of one saved example, as one HTML file.",
    },
    "replay": {
        "replay": "Run saved failing examples again.",
        "shrink": "Go on shrinking a saved failing example, with a larger budget.",
        "tune": "Look for the offsets at which a saved failing example diverges most.",
    },
    "show": {
        "show": "Print saved failing examples, without running anything.",
        "explain": "Explain a saved failing example in plain words.",
    },
    "verify": {
        "verify": "Is a saved failing example fixed, or was it only lucky?",
        "bisect": "Find the release in which a saved failing example came or went.",
    },
    "export": {
        "export": "Write a saved failing example as a file for people without deadheat.",
    },
    "cleanup": {
        "cleanup": "Delete what runs that were killed left behind, as noted in STORE "
        "(default: .deadheat).",
    },
    "init": {
        "init": "Draft a profile from SOURCE: a server's URL, an OpenAPI 3 file, or - for "
        "standard input.",
    },
    "targets": {"targets": "Say what can be named as TARGET, with an example of each."},
}


class LazyCommand(click.Command):
    """A command that is imported once it is called, or asked for its own help or completion."""

    def __init__(self, module: str, name: str, says: str) -> None:
        super().__init__(name, short_help=says)
        self._module = f"deadheat.cli.{module}"

    def real(self) -> click.Command:
        """The command itself."""
        assert self.name is not None
        found: click.Command = getattr(import_module(self._module), self.name)
        return found

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """That of the command itself, which is what click goes on with."""
        return self.real().make_context(info_name, args, parent, **extra)


def commands() -> Iterator[LazyCommand]:
    """All of them."""
    for module, names in _WHERE.items():
        for name, says in names.items():
            yield LazyCommand(module, name, says)
