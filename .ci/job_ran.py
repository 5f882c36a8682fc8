"""Has the job on the real OpenCode run, and found nothing new? ``job_ran.py OUTPUT STATUS``.

Rule: known bugs show, nothing came back, and everything was tried. That silence proves nothing on
a machine much slower than the one that recorded a rate (exit 3) is the machine's matter, and no
fault of the change that is to land.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAD = "deadheat-result: "


def faults(said: str, status: int) -> list[str]:
    """What is wrong with the job that said so."""
    (line,) = [row for row in said.splitlines() if row.startswith(HEAD)]
    regressions = json.loads(line.removeprefix(HEAD))["regressions"]
    found = [] if status in (0, 3) else [f"exit {status}"]
    if not regressions:
        found.append("no regression was looked at")
    for one in regressions:
        right = (
            {"known"}
            if one["expected"] == "diverges"
            else {"silent", "not-comparable", "unfinished"}
        )
        if one["standing"] not in right or not one["trials"]:
            found.append(f"{one['file']} on {one['target']}: {one['standing']}")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]).read_text(encoding="utf-8"), int(sys.argv[2]))
    print("\n".join(wrong) or "the job ran, and found nothing new")
    sys.exit(1 if wrong else 0)
