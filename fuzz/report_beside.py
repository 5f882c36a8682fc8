"""Does the Markdown report say what the hand-written one said, that the project began with?

That report had: what is wrong, the versions, a rate, a script, the expected and the actual. This
makes deadheat's report of the same ghost, prints it without the script's code, and says for
each of those where it stands, and how many words of prose it took. Exit 1 when one is missing.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# What a person looks for, and how to see that it is there.
PARTS = (
    ("what is wrong, in one line", r"^# .*deleted with success is still there"),
    ("the version", r"\*\*Version:\*\* opencode@\d"),
    ("the smallest sequence", r"a = create\(\)[\s\S]*delete\(a\)[\s\S]*delete\(b\)"),
    ("every delete answered success", r"delete\(a\) +200 deleted\n.*delete\(b\).* 200 deleted"),
    ("the actual", r"^Actual: .*was deleted with success"),
    ("the expected", r"^## Expected\n\nA session whose delete"),
    ("how often, with interval and trials", r"diverges in [\d.]+ % of trials \(95 %: .*trials\)"),
    ("a script that reproduces it", r"```python\n#!/usr/bin/env python3"),
    ("how to run it", r"`python repro\.py`"),
    ("the environment", r"^## Environment\n\nLinux"),
    ("beyond the hand-written: a proof", r"^## Why it cannot be right\n\n1\. "),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a saved ghost instead of a new one")
    parser.add_argument("--table", type=Path, help="of `replay --save-table`: adds the versions")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deadheat-report-") as scratch:
        file = given.file
        if file is None:
            recorder = Path(__file__).with_name("known_ghost.py")
            told = subprocess.run(
                [sys.executable, str(recorder), "--into", scratch],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            file = Path(told.stdout.strip())
        table = [] if given.table is None else ["--table", str(given.table)]
        done = subprocess.run(
            [sys.executable, "-m", "deadheat", "export", str(file), "--as", "markdown", *table],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    prose = re.sub(r"```python[\s\S]*?\n```", "```python\n…\n```", done.stdout)
    print(prose)
    print("---\n| it says | |\n|---|---|")
    missing = [what for what, sign in PARTS if not re.search(sign, done.stdout, re.MULTILINE)]
    for what, _ in PARTS:
        print(f"| {what} | {'missing' if what in missing else 'yes'} |")
    print(f"\n{len(prose.split())} words, diagram and headings included, the script's code not")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
