"""Does the exported script reproduce as often as deadheat itself?

Five times 200 trials each, in turns: deadheat's replay, the script in a virtual environment that
has only httpx, the `--stdlib` script in one that has nothing (no pip even), each on the version
with the ghost and on one without. The three of a turn share one server, in another order each turn:
the rate differs more from server to server (6 to 51 of 200 for one and the same program) than
between them. Prints a Markdown table; exit 1 when a script shows the ghost on the fixed version,
or never on the other, or its rate is not compatible with deadheat's (99 %).
"""

from __future__ import annotations

import argparse
import re
import secrets
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from deadheat.drive.live import open_target
from deadheat.model.promises import EventPromise
from deadheat.targets.catalog import resolve
from deadheat.trials.stats import rate

WAYS = ("deadheat replay", "script (httpx)", "script --stdlib")


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with just these; its Python."""
    words = [] if packages else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *words, str(folder)], check=True)
    python = folder / "bin" / "python"
    if packages:
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def count(words: list[str | Path], trials: int) -> int:
    """How many of its trials reproduced."""
    done = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if match := re.search(r"reproduced in (\d+) of (\d+) trials", done.stdout):
        assert int(match[2]) == trials, done.stdout
        return int(match[1])
    if "did not show" in done.stdout:
        return 0
    match = re.search(r"diverges in ([\d.]+) % of trials .*, ([\d,]+) trials", done.stdout)
    if match is None:
        raise SystemExit(f"{words[:4]} said nothing about a rate:\n{done.stdout[-1000:]}")
    return round(float(match[1]) / 100 * trials)


async def one_server(
    version: str, ways: dict[str, list[str | Path]], turn: int, trials: int
) -> dict[str, int]:
    """How many of its trials reproduced, by way, each on the same server of that version."""
    counts: dict[str, int] = {}
    target = resolve(f"opencode@{version}")
    deaf = replace(target.promises, events=EventPromise.NONE)  # a listener would slow all three
    target = replace(target, events=None, promises=deaf)
    async with open_target(target, secrets.token_hex(3)) as live:
        for n in range(len(WAYS)):
            way = WAYS[(n + turn) % len(WAYS)]
            url = "--against" if way == WAYS[0] else "--url"
            words = [*ways[way], url, live.base_url]
            counts[way] = await anyio.to_thread.run_sync(count, words, trials)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a saved ghost instead of a new one")
    parser.add_argument("--bad", default="1.0.152")
    parser.add_argument("--good", default="1.2.1")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    given = parser.parse_args()
    trials = str(given.trials)
    with tempfile.TemporaryDirectory(prefix="deadheat-rates-") as scratch:
        folder = Path(scratch)
        file = given.file
        if file is None:
            recorder = Path(__file__).with_name("known_ghost.py")
            recorded = subprocess.run(
                [sys.executable, recorder, "--into", scratch, "--target", f"opencode@{given.bad}"],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            file = Path(recorded.stdout.strip())
        deadheat = [sys.executable, "-m", "deadheat"]
        export = [*deadheat, "export", str(file), "--as", "script"]
        subprocess.run([*export, "-o", folder / "with.py"], check=True)
        subprocess.run([*export, "--stdlib", "-o", folder / "std.py"], check=True)
        only, bare = environment(folder / "only", "httpx"), environment(folder / "bare")
        ways: dict[str, list[str | Path]] = {
            WAYS[0]: [*deadheat, "replay", file, "--profile", "opencode", "--trials", trials],
            WAYS[1]: [only, "-I", folder / "with.py", "--trials", trials],
            WAYS[2]: [bare, "-I", folder / "std.py", "--trials", trials],
        }
        totals: dict[tuple[str, str], list[int]] = {}
        for turn in range(given.turns):
            for version in (given.bad, given.good):
                counts = anyio.run(one_server, version, ways, turn, given.trials)
                for way in WAYS:
                    totals.setdefault((version, way), []).append(counts[way])
            print(f"turn {turn + 1}: {totals}", file=sys.stderr, flush=True)
    return report(totals, given.bad, given.turns * given.trials)


def report(totals: dict[tuple[str, str], list[int]], bad: str, trials: int) -> int:
    print("| version | way | each turn | in all | rate (95 %) |\n|---|---|---|---|---|")
    good = True
    own = rate(sum(totals[bad, WAYS[0]]), trials, 0.99)
    for (version, way), counts in totals.items():
        found = rate(sum(counts), trials)
        wide = rate(sum(counts), trials, 0.99)
        print(
            f"| {version} | {way} | {', '.join(map(str, counts))} | {found.diverged} of {trials:,} "
            f"| {found.estimate:.1%} ({found.low:.1%} to {found.high:.1%}) |"
        )
        if version == bad:
            good = good and found.diverged > 0 and wide.low <= own.high and own.low <= wide.high
        else:
            good = good and found.diverged == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
