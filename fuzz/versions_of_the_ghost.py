"""In which releases of OpenCode is the ghost, and which was the first without it?

Records the ghost on 1.0.152 (or takes a saved example), replays it against releases of several
years, bisects between a bad and a good one, then looks at the two neighbours by hand: the
exported script, which knows nothing of deadheat, on the first good binary and on the one
before, in turns. Prints Markdown; exit 1 when the by-hand look contradicts the bisection.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from deadheat.targets.opencode.npm import fetch_binary, platform_package

VERSIONS = "1.0.142,1.0.152,1.0.185,1.1.11,1.1.34,1.1.53,1.1.65,1.2.1,1.3.2,latest"


def deadheat(*words: str) -> subprocess.CompletedProcess[str]:
    """Its own progress goes to our stderr."""
    return subprocess.run(
        [sys.executable, "-m", "deadheat", *words], stdout=subprocess.PIPE, text=True, check=False
    )


def known_ghost(into: Path, *words: str) -> Path:
    """``known_ghost.py`` of this folder, as a user would run it."""
    script = Path(__file__).with_name("known_ghost.py")
    done = subprocess.run(
        [sys.executable, str(script), "--into", str(into), *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


def by_hand(script: Path, versions: list[str], rounds: int, trials: int) -> dict[str, int]:
    """How often the exported script reproduced on each version's binary, in turns."""
    shown = dict.fromkeys(versions, 0)
    for _ in range(rounds):
        for version in versions:
            binary = fetch_binary(platform_package(), version, "bin/opencode", print)
            done = subprocess.run(
                [sys.executable, "-I", script, "--program", binary, "--trials", str(trials)],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            match = re.search(r"reproduced in (\d+) of (\d+) trials", done.stdout)
            if match is None or int(match[2]) != trials:
                raise SystemExit(f"{version}: the script did not run ({done.returncode})")
            shown[version] += int(match[1])
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a saved ghost instead of a new one")
    parser.add_argument("--versions", default=VERSIONS)
    parser.add_argument("--good", default="1.2.1")
    parser.add_argument("--bad", default="1.0.185")
    parser.add_argument("--trials", type=int, help="for each version of the table")
    parser.add_argument("--by-hand", type=int, default=200, help="trials a turn, five turns")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deadheat-versions-") as scratch:
        file = given.file or known_ghost(Path(scratch))
        trials = [] if given.trials is None else ["--trials", str(given.trials)]
        words = ",".join(f"opencode@{version}" for version in given.versions.split(","))
        table = deadheat("replay", str(file), "--against", words, *trials)
        print(f"```\n{table.stdout.strip()}\n```\n", flush=True)
        bisected = deadheat("bisect", str(file), "--good", given.good, "--bad", given.bad)
        print(f"```\n{bisected.stdout.strip()}\n```\n", flush=True)
        names = re.findall(r"opencode@([0-9.]+[0-9])", bisected.stdout)
        if bisected.returncode or len(names) < 2:
            return 1
        first_good, last_bad = names[0], names[1]
        script = Path(scratch, "repro.py")
        deadheat("export", str(file), "--as", "script", "--stdlib", "-o", str(script))
        shown = by_hand(script, [last_bad, first_good], 5, given.by_hand)
        print("| by hand, the exported script | reproduced |\n|---|---|")
        for version, count in shown.items():
            print(f"| {version} | {count} of {5 * given.by_hand:,} |")
        return 0 if shown[last_bad] and not shown[first_good] else 1


if __name__ == "__main__":
    sys.exit(main())
