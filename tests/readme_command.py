"""Print one of the README's own commands, so that CI runs exactly what the README says.

Usage: ``python tests/readme_command.py run|tests``. The README marks each with a
comment line before its code block: ``<!-- command: tests -->``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def command(name: str) -> str:
    """The only line of the code block marked with ``name``; ``KeyError`` when there is none."""
    pattern = rf"<!-- command: {re.escape(name)} -->\n+```console\n\$ (?P<line>.+)\n"
    match = re.search(pattern, README.read_text(encoding="utf-8"))
    if match is None:
        raise KeyError(f"the README marks no command {name!r}")
    return match["line"]


if __name__ == "__main__":
    print(command(sys.argv[1]))
