"""What deadheat finds in which release of OpenCode, and how often it shows.

Runs `deadheat run opencode@VERSION --for BUDGET` for each version and seed, one after the other,
and prints a Markdown table: one row for each divergence (by its signature), one column for each
version, with the rate of its smallest example on fresh trials. What it found stays in the folder,
so it can be replayed; a version and seed that has run to its end there is not run again, and one
that was interrupted is run anew. `--print-only` makes the table of what is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.files import artifact as artifacts
from deadheat.files.artifact import divergence_of

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact

VERSIONS = ("1.0.152", "1.1.65", "1.2.1", "1.3.2", "1.15.13", "1.17.19", "1.18.33")
_ENDED = "ended.json"  # written when a run has come to its end, with its exit code
# `--for` bounds the search; starting, the last trial and stopping come on top.
_EXTRA_S = 300


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/versions_table.py --for 120 --seeds 1 --into /tmp/versions",
    )
    parser.add_argument("--versions", nargs="*", default=list(VERSIONS), metavar="VERSION")
    parser.add_argument("--for", dest="seconds", type=int, default=600, help="for each run")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each version")
    parser.add_argument("--into", type=Path, default=Path(".deadheat/versions"), help="the folder")
    parser.add_argument("--print-only", action="store_true", help="run nothing")
    given = parser.parse_args()
    for version in given.versions:
        for seed in range(1, given.seeds + 1):
            folder = given.into / version / f"seed-{seed}-{given.seconds}s"
            if not given.print_only and not (folder / _ENDED).exists():
                _run(version, seed, given.seconds, folder)
    _print(given.into, given.versions)
    return 0


def _run(version: str, seed: int, seconds: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.rglob("*.json"):  # of a run that was interrupted
        old.unlink()
    print(f"{version}, seed {seed}, {seconds} s", file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "deadheat", "run", f"opencode@{version}"]
    words += ["--for", f"{seconds}s", "--seed", str(seed), "--into", str(folder)]
    began_s = time.monotonic()
    with (folder / "said.txt").open("w") as said:
        try:
            done = subprocess.run(
                words,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=seconds + _EXTRA_S,
            )
        except subprocess.TimeoutExpired:
            print(f"  not at its end {_EXTRA_S} s after its budget: left out", file=sys.stderr)
            return
    ended = {"exit": done.returncode, "seconds": round(time.monotonic() - began_s)}
    if done.returncode in (0, 1):
        (folder / _ENDED).write_text(json.dumps(ended))
    print(f"  {ended}", file=sys.stderr, flush=True)


def _examples(run: Path) -> list[Artifact]:
    return [artifacts.read(path) for path in sorted(run.rglob("*.json")) if path.name != _ENDED]


def _print(folder: Path, versions: list[str]) -> None:
    runs = {version: sorted(folder.glob(f"{version}/*/{_ENDED}")) for version in versions}
    cells: dict[str, dict[str, list[Artifact]]] = {}
    for version, ended in runs.items():
        for example in (one for path in ended for one in _examples(path.parent)):
            name = str(divergence_of(example).signature)
            cells.setdefault(name, {}).setdefault(version, []).append(example)
    shown = [version for version in versions if runs[version]]
    print("| divergence | " + " | ".join(shown) + " |")
    print("|---" * (1 + len(shown)) + "|")
    runs_of = [f"{len(runs[version])} ({_budgets(runs[version])})" for version in shown]
    print("| *runs (budget of each)* | " + " | ".join(runs_of) + " |")
    for name, by_version in sorted(cells.items()):
        print(f"| `{name}` | " + " | ".join(_cell(by_version.get(v, [])) for v in shown) + " |")
    print("\nEach cell: runs that found it; the rate of the smallest example; its calls (✓: proven")
    print("minimal). A rate of ? was not measured: the budget ended before.")


def _budgets(ended: list[Path]) -> str:
    return ", ".join(sorted({path.parent.name.rpartition("-")[2] for path in ended}))


def _cell(examples: list[Artifact]) -> str:
    if not examples:
        return "–"
    best = min(examples, key=lambda one: (one.rate is None, len(one.program.calls())))
    rate = "?" if best.rate is None else f"{best.rate.diverged}/{best.rate.trials}"
    proven = " ✓" if best.proven_minimal else ""
    return f"{len(examples)}; {rate}; {len(best.program.calls())}{proven}"


if __name__ == "__main__":
    sys.exit(main())
