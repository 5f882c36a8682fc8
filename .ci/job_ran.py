"""Has the job on the real OpenCode run, and found nothing new? ``job_ran.py OUTPUT STATUS``.

Rules
- Nothing came back, everything was tried, and at least one known bug shows: so the job can see one.
- How often a known bug shows is luck and the machine's load, and what silence proves is, too: that
  one of them stayed quiet in its time, or that nothing is proved (exit 3), is no fault of the
  change that is to land.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAD = "deadheat-result: "
UNDECIDED = {"not-comparable", "unfinished"}


def faults(said: str, status: int) -> list[str]:
    """What is wrong with the job that said so."""
    (line,) = [row for row in said.splitlines() if row.startswith(HEAD)]
    regressions = json.loads(line.removeprefix(HEAD))["regressions"]
    found = [] if status in (0, 3) else [f"exit {status}"]
    if not regressions:
        found.append("no regression was looked at")
    for one in regressions:
        known = one["expected"] == "diverges"
        right = UNDECIDED | {"known", "quiet"} if known else UNDECIDED | {"silent"}
        if one["standing"] not in right or not one["trials"]:
            found.append(f"{one['file']} on {one['target']}: {one['standing']}")
    if not any(one["standing"] == "known" for one in regressions):
        found.append("no known bug showed: can the job see one?")
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]).read_text(encoding="utf-8"), int(sys.argv[2]))
    print("\n".join(wrong) or "the job ran, and found nothing new")
    sys.exit(1 if wrong else 0)
