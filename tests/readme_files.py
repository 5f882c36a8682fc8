"""The files that the README's CI section shows, as they stand there.

The README marks each with a comment line before its code block: ``<!-- file: NAME -->``.
"""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"<!-- file: (?P<name>\S+) -->\n+```\w+\n(?P<text>.*?)```", re.DOTALL)


def shown() -> dict[str, str]:
    """Each file's text by its name."""
    text = README.read_text(encoding="utf-8")
    return {found["name"]: found["text"] for found in _BLOCK.finditer(text)}


def write(folder: Path, *names: str) -> None:
    """Put these files into ``folder``; ``KeyError`` for one that the README does not show."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown()[name], encoding="utf-8")
