"""What a command imports before it does anything: the libraries that it needs, and no others.

Names of modules and no seconds: what takes long on one machine does not on another.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete

from deadheat.cli.commands import commands
from deadheat.cli.main import cli

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).resolve().parents[2]
ARTIFACT = max((ROOT / "tests" / "artifacts").glob("*.json"))
# Each takes longer to import than all that `deadheat --help` does.
HEAVY = frozenset(
    {
        *("anyio", "asyncio", "cattrs", "distributed", "email", "h2", "httpx", "hypothesis"),
        *("jinja2", "jsonref", "junitparser", "pydantic", "rich", "sqlite3", "tomlkit", "yaml"),
    }
)
# For a page, a draft, a database, a cluster, JUnit: imported by whoever makes one.
SELDOM = frozenset(
    {"distributed", "jinja2", "jsonref", "junitparser", "sqlite3", "tomlkit", "yaml"}
)
PROBE = """
import sys
from deadheat.cli.main import main
sys.argv[0] = "deadheat"
try:
    main()
except SystemExit:
    pass
print("", *sys.modules)
"""


def heavy(folder: Path, *words: str) -> frozenset[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("--help",), frozenset()),
        ((), frozenset()),
        (("nonsense",), frozenset()),
        (("show", str(ARTIFACT)), frozenset({"cattrs", "email"})),
        (("explain", str(ARTIFACT)), frozenset({"cattrs", "email"})),
        # These end with a mistake before anything is started.
        (("ci", "--config", "none.toml"), HEAVY - SELDOM),
        (("replay", "none.json"), HEAVY - SELDOM - {"hypothesis"}),
    ],
    ids=lambda given: " ".join(given[:1]) if isinstance(given, tuple) else "",
)
def test_what_a_command_imports(
    tmp_path: Path, words: tuple[str, ...], needed: frozenset[str]
) -> None:
    assert heavy(tmp_path, *words) <= needed


@pytest.mark.parametrize("later", [*commands()], ids=lambda later: str(later.name))
def test_a_command_is_what_the_list_says(later: click.Command) -> None:
    """In ``--help`` stands the first sentence of the command's own help."""
    context = later.make_context(later.name, [], resilient_parsing=True)
    real = context.command
    assert real is not later
    assert real.name == later.name
    assert real.get_short_help_str(1_000).rstrip(".") == str(later.short_help).rstrip(".")


def completed(*words: str, incomplete: str) -> set[str]:
    shell = ShellComplete(cli, {}, "deadheat", "_DEADHEAT_COMPLETE")
    return {item.value for item in shell.get_completions([*words], incomplete)}


def test_commands_and_their_options_are_completed() -> None:
    assert completed(incomplete="re") == {"replay", "report"}
    assert {"--exitfirst", "--programs"} <= completed("run", incomplete="--")
