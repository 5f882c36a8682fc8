"""How often deadheat finds the ghost of OpenCode, how small it gets, and how long it takes.

Runs `deadheat run` as a user would, once for each version and seed, until the
ghost is shrunk, measured and saved (then it is interrupted) or `--for` is over;
replays each saved example on its own version and on a fixed one; fuzzes the
fixed version; prints Markdown tables. Exit 1 when a stated expectation fails.

With --beside the Python of another checkout's environment (an older deadheat, say), only the
search is run, on 1.0.152, by both in turns: time and requests to the minimal ghost, before and
after. Nothing but the command line of the other one is used.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deadheat.files import artifact as artifacts
from deadheat.model.program import Create, Delete, Program, Var, structure

MINIMUM = structure(
    Program(
        (
            ((Create(Var(0)),),),
            ((Create(Var(1)),),),
            ((Delete(Var(0)),), (Delete(Var(1)),)),
        )
    )
)
# As the summary of a run ends, also of an interrupted one.
_REQUESTS = re.compile(r" ([\d,]+) requests, .* overlaps in ")
_SAVED = re.compile(r"^saved ghost, .*: (?P<path>.+\.json)$")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run. ``found_s``: from the start of the process to the measured example, which took
    so many ``requests``, all told.
    """

    version: str
    seed: int
    found_s: float | None
    minimal: bool
    proven: bool
    rate: str
    trials: int
    path: Path | None
    requests: int


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "examples:\n  python fuzz/ghost_table.py --short\n"
            "  python fuzz/ghost_table.py --beside ../before/.venv/bin/python --seeds 10"
        ),
    )
    parser.add_argument("--for", dest="seconds", type=int, default=120, help="for each seed")
    parser.add_argument("--seeds", type=int, default=10, help="for 1.0.152 (others: 3)")
    parser.add_argument("--others", nargs="*", default=["1.0.142", "1.0.185"])
    parser.add_argument("--fixed", default="1.2.1", help="a version without the bug")
    parser.add_argument("--quiet-for", type=int, default=600, help="seconds on the fixed version")
    parser.add_argument("--short", action="store_true", help="one seed, 30 s of silence: for CI")
    parser.add_argument("--beside", type=Path, metavar="PYTHON", help="of another checkout")
    given = parser.parse_args()
    if given.beside is not None:
        return _compare(given.beside, given.seeds, given.seconds)
    if given.short:
        given.seeds, given.others, given.quiet_for = 1, [], 30

    with tempfile.TemporaryDirectory(prefix="deadheat-table-") as scratch:
        folder = Path(scratch)
        plan = [("1.0.152", seed) for seed in range(1, given.seeds + 1)]
        plan += [(version, seed) for version in given.others for seed in (1, 2, 3)]
        attempts = [
            _attempt(v, seed, given.seconds, folder / f"{v}-{seed}", sys.executable)
            for v, seed in plan
        ]
        _print_found(attempts, given.seconds)
        replayed = _print_replays(attempts, given.fixed)
        quiet = _print_quiet(given.fixed, given.quiet_for, folder)
    # One seed in ten may miss the minimum in the time given; more is a fault. Of one seed alone
    # (CI, on a machine that others use) only the ghost itself is asked.
    hits = [a for a in attempts if (a.path is not None if given.short else a.minimal)]
    return 0 if quiet and replayed and len(hits) >= 0.9 * len(attempts) else 1


def _deadheat(*words: str, python: str = sys.executable) -> list[str]:
    return [str(Path(python).with_name("deadheat")), *words]


def _compare(beside: Path, seeds: int, seconds: int) -> int:
    """Both checkouts in turns, first one first, then the other, as the load drifts."""
    here, there = sys.executable, str(beside.absolute())  # not resolved: a venv's is a link
    asked = _deadheat("--version", python=there)
    if subprocess.run(asked, check=False, capture_output=True).returncode:
        raise SystemExit(f"there is no deadheat beside {there}. Name the Python of another one.")
    found: dict[str, list[Attempt]] = {here: [], there: []}
    with tempfile.TemporaryDirectory(prefix="deadheat-table-") as scratch:
        for seed in range(1, seeds + 1):
            order = (here, there) if seed % 2 else (there, here)
            for python in order:
                folder = Path(scratch) / f"{seed}-{python == here:d}"
                found[python].append(_attempt("1.0.152", seed, seconds, folder, python))
    print(
        f"\n| checkout | seeds | minimal ghost within {seconds} s | proven | median s "
        "| min-max s | median requests |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, python in (("this one", here), ("the other", there)):
        own = [a for a in found[python] if a.minimal and a.found_s is not None]
        times = [a.found_s for a in own if a.found_s is not None]
        shown = (
            f"{statistics.median(times):.0f} | {min(times):.0f}-{max(times):.0f} "
            f"| {statistics.median(a.requests for a in own):,.0f}"
            if own
            else "- | - | -"
        )
        print(
            f"| {name} | {len(found[python])} | {len(own)} "
            f"| {sum(a.proven for a in own)} | {shown} |"
        )
    return 0


def _attempt(version: str, seed: int, seconds: int, folder: Path, python: str) -> Attempt:
    began_s = time.monotonic()
    process = subprocess.Popen(
        _deadheat(
            *("run", f"opencode@{version}", "--for", f"{seconds}s"),
            *("--seed", str(seed), "--into", str(folder)),
            python=python,
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.parent,  # not a checkout: `-m` would import what lies there
    )
    assert process.stdout is not None
    assert process.stderr is not None
    found_s: float | None = None
    path: Path | None = None
    for line in process.stderr:
        match = _SAVED.match(line.strip())
        if match and found_s is None:
            found_s, path = time.monotonic() - began_s, Path(match["path"])
            process.send_signal(signal.SIGINT)
    said = process.stdout.read()  # short, and only at the end
    process.wait()
    counted = _REQUESTS.findall(said)
    requests = int(counted[-1].replace(",", "")) if counted else 0
    if path is None:
        return _said(Attempt(version, seed, None, False, False, "-", 0, None, requests))
    found = artifacts.read(path)
    rate = found.rate
    shown = "-" if rate is None else f"{rate.diverged}/{rate.trials}"
    return _said(
        Attempt(
            version,
            seed,
            found_s,
            structure(found.program) == MINIMUM,
            found.proven_minimal,
            shown,
            found.origin.trials_to_shrink,
            path,
            requests,
        )
    )


def _said(attempt: Attempt) -> Attempt:
    print(attempt, file=sys.stderr, flush=True)
    return attempt


def _print_found(attempts: list[Attempt], seconds: int) -> None:
    print(
        f"\n| version | seeds | minimal ghost within {seconds} s | proven | "
        "median s to the measured example | min-max s | median trials to shrink |"
    )
    print("|---|---|---|---|---|---|---|")
    for version in dict.fromkeys(a.version for a in attempts):
        own = [a for a in attempts if a.version == version]
        times = [a.found_s for a in own if a.found_s is not None and a.minimal]
        trials = [a.trials for a in own if a.minimal]
        print(
            f"| {version} | {len(own)} | {sum(a.minimal for a in own)} "
            f"| {sum(a.proven for a in own)} "
            f"| {statistics.median(times):.0f} | {min(times):.0f}-{max(times):.0f} "
            f"| {statistics.median(trials):.0f} |"
            if times
            else f"| {version} | {len(own)} | 0 | 0 | - | - | - |"
        )
    print("\nrates of the saved examples (diverged/fresh trials):")
    print(", ".join(f"{a.version} seed {a.seed}: {a.rate}" for a in attempts))


def _print_replays(attempts: list[Attempt], fixed: str) -> bool:
    print("\n| replayed on | examples | diverged again | exit codes |")
    print("|---|---|---|---|")
    saved = [a for a in attempts if a.path is not None]
    good = True
    for where, wanted in (("its own version", 1), (fixed, 0)):
        codes: list[int] = []
        for attempt in saved:
            against = () if wanted else ("--against", f"opencode@{fixed}")
            done = subprocess.run(
                _deadheat("replay", str(attempt.path), *against),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            codes.append(done.returncode)
        shown = sum(code == 1 for code in codes)
        print(f"| {where} | {len(codes)} | {shown} | {sorted(set(codes))} |", flush=True)
        good = good and all(code == wanted for code in codes)
    return good


def _print_quiet(fixed: str, seconds: int, folder: Path) -> bool:
    done = subprocess.run(
        _deadheat(
            *("ci", f"opencode@{fixed}", "--budget", f"{seconds}s", "--into", str(folder)),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    machine = done.stdout.strip().splitlines()[-2]
    result = json.loads(machine.removeprefix("deadheat-result: "))
    print(f"\n{fixed} for {seconds} s: exit {done.returncode}, {json.dumps(result)}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
