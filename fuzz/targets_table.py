"""What deadheat finds in servers that have nothing to do with OpenCode.

Checks each profile (`deadheat check`), runs `deadheat run PROFILE --for BUDGET`, one after the
other, and prints a Markdown table: programs, overlaps, requests a second, and each divergence with
its rate on fresh trials and its calls (✓: proven minimal). What it found stays in the folder. A
target whose server cannot be started is told, and makes the exit code 3; a negative control in
which something diverged makes it 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.files import artifact as artifacts
from deadheat.files.artifact import divergence_of

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact

HERE = Path(__file__).parent / "targets"
CONTROLS = frozenset({"json-server"})  # in which nothing can diverge: one process, one step a call
# `--for` bounds the search; starting, the last trial and stopping come on top.
_EXTRA_S = 300
_SUMMARY = re.compile(
    r": ([\d,]+) programs, ([\d,]+) trials, ([\d,]+) requests, ([\d,]+) overlaps in (.+)$",
    re.MULTILINE,
)
_PROGRESS = re.compile(r"([\d,]+) requests/s")


@dataclass(frozen=True, slots=True)
class Ran:
    """One target's run; ``counts`` are programs, trials, requests, overlaps and the time."""

    name: str
    code: int
    counts: tuple[str, ...]
    a_second: str
    examples: tuple[Artifact, ...]


def main() -> int:
    names = sorted(path.stem for path in HERE.glob("*.toml"))
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/targets_table.py json-server pouchdb-server --for 60",
    )
    parser.add_argument(
        "targets", nargs="*", default=names, metavar="TARGET", help=", ".join(names)
    )
    parser.add_argument("--for", dest="seconds", type=int, default=300, help="for each run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, default=Path(".deadheat/targets"), help="the folder")
    parser.add_argument("--print-only", action="store_true", help="run nothing")
    given = parser.parse_args()
    ran: list[Ran] = []
    for name in given.targets:
        folder = given.into / name
        if not given.print_only:
            _run(name, given.seconds, given.seed, folder)
        ran.append(_read(name, folder))
    _print(ran)
    if any(one.code not in (0, 1) for one in ran):
        return 3
    return 1 if any(one.code and one.name in CONTROLS for one in ran) else 0


def _run(name: str, seconds: int, seed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.rglob("*.json"):
        old.unlink()
    profile = str(HERE / f"{name}.toml")
    print(f"{name}, seed {seed}, {seconds} s", file=sys.stderr, flush=True)
    deadheat = [sys.executable, "-m", "deadheat"]
    with (folder / "said.txt").open("w") as said:
        checked = subprocess.run(
            [*deadheat, "check", profile], stdout=said, stderr=subprocess.STDOUT, check=False
        )
        code = checked.returncode
        if code == 0:
            said.flush()
            words = ["run", profile, "--for", f"{seconds}s", "--seed", str(seed)]
            code = subprocess.run(
                [*deadheat, *words, "--into", str(folder)],
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=seconds + _EXTRA_S,
            ).returncode
    (folder / "code.txt").write_text(str(code))
    print(f"  exit {code}", file=sys.stderr, flush=True)


def _read(name: str, folder: Path) -> Ran:
    said = (folder / "said.txt").read_text()
    counts = _SUMMARY.findall(said)
    rates = _PROGRESS.findall(said)
    examples = [artifacts.read(path) for path in sorted(folder.rglob("*.json"))]
    return Ran(
        name,
        int((folder / "code.txt").read_text()),
        counts[-1] if counts else ("-",) * 5,
        rates[-1] if rates else "-",
        tuple(sorted(examples, key=lambda one: str(divergence_of(one).signature))),
    )


def _print(ran: list[Ran]) -> None:
    print("| target | programs | overlaps | requests | requests/s | time | divergences |")
    print("|---|---|---|---|---|---|---|")
    for one in ran:
        programs, _trials, requests, overlaps, time = one.counts
        if one.code not in (0, 1):
            print(f"| {one.name} | exit {one.code}: see said.txt | | | | | |")
            continue
        found = "; ".join(map(_shown, one.examples)) or "none"
        print(
            f"| {one.name} | {programs} | {overlaps} | {requests} | {one.a_second} | {time} "
            f"| {found} |"
        )


def _shown(example: Artifact) -> str:
    rate = "?" if example.rate is None else f"{example.rate.diverged}/{example.rate.trials}"
    proven = " ✓" if example.proven_minimal else ""
    calls = len(example.program.calls())
    return f"`{divergence_of(example).signature}` {rate}, {calls} calls{proven}"


if __name__ == "__main__":
    sys.exit(main())
