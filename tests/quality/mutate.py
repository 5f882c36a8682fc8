"""How many small faults put into the checker its own tests notice (mutation testing, by mutmut).

    python -m tests.quality.mutate --help
    python -m tests.quality.mutate --each 25 --for 60m
    python -m tests.quality.mutate --modules saturation,refutation --each 1000

What is mutated, and which tests are asked, is ``[tool.mutmut]`` in pyproject.toml. From each
module ``--each`` mutants are drawn with a fixed seed; all of them take most of a day. The work is
done in a scratch copy (``--in``), so the checkout may change meanwhile; a copy that is there
already is used again, and what was decided in it is not asked again.

``killed``: a test failed, or ran much longer. ``survived``: to be looked at, the difference is
printed. ``untested``: no test reaches the function. ``annotation``: the mutant changes only
words for people or for the type checker: ``TypeVar("S")``, ``cast``, ``zip(strict=…)``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "pyproject.toml", "README.md")
# Mutants a call of mutmut is given: it first runs the clean tests, half a minute each time.
CHUNK = 60
# mutmut's exit codes: https://github.com/boxed/mutmut, ``status_by_exit_code``.
SURVIVED, UNTESTED = 0, (5, 33)
EQUIVALENT = re.compile(r"strict=|assert_never|TypeVar\(|ParamSpec\(|cast\(|# pragma")


def main() -> int:
    """Mutate, and print a table."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        epilog="Needs mutmut: pip install mutmut",
    )
    parser.add_argument("--each", type=int, default=25, help="mutants drawn from each module")
    parser.add_argument("--modules", help="only these of check and model, by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--for", dest="time", default="60m", help="start nothing after (60m)")
    parser.add_argument("--in", dest="scratch", type=Path, default=Path(".mutants"))
    parser.add_argument("--report", action="store_true", help="only print what was decided there")
    chosen = parser.parse_args()
    scratch: Path = chosen.scratch.resolve()
    deadline = time.monotonic() + 60 * float(chosen.time.removesuffix("m"))
    if shutil.which("mutmut") is None:
        print("mutmut is not installed: pip install mutmut", file=sys.stderr)
        return 2
    if not (scratch / "mutants").is_dir():
        _copy(scratch)
        print("making the mutants, and running every test once under them …", flush=True)
        _mutmut(scratch, "run", "--max-children", "1", "nothing.of.that.name")
        # In the run that makes the mutants mutmut 3.8 forgets which test reaches which function.
        (scratch / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    names = _drawn(scratch, chosen.each, chosen.seed, (chosen.modules or "").split(","))
    left = [] if chosen.report else [name for name in names if _decided(scratch)[name] is None]
    for at in range(0, len(left), CHUNK):
        if time.monotonic() > deadline:
            print(f"time is up: {len(left) - at} of {len(left)} not tried")
            break
        _mutmut(scratch, "run", "--max-children", "1", *left[at : at + CHUNK])
        print(f"{min(at + CHUNK, len(left))} of {len(left)} tried", flush=True)
    return _report(scratch, names)


def _copy(scratch: Path) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, scratch / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, scratch / name)


def _mutmut(scratch: Path, *words: str) -> str:
    """Run mutmut at the lowest priority and return what it printed."""
    # Randomized hashing would make what a test covers, and how long it takes, differ.
    done = subprocess.run(
        ["nice", "-n", "19", "mutmut", *words],
        cwd=scratch, env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def _decided(scratch: Path) -> dict[str, int | None]:
    """Every mutant and its exit code, if it was tried."""
    found: dict[str, int | None] = {}
    for meta in sorted((scratch / "mutants").rglob("*.py.meta")):
        found.update(json.loads(meta.read_text())["exit_code_by_key"])
    return found


def _module(name: str) -> str:
    return name.split(".")[2]


def _drawn(scratch: Path, each: int, seed: int, wanted: list[str]) -> list[str]:
    by_module: dict[str, list[str]] = {}
    for name in sorted(_decided(scratch)):
        by_module.setdefault(_module(name), []).append(name)
    drawn: list[str] = []
    for module, names in by_module.items():
        if wanted == [""] or module in wanted:
            rng = Random(f"{module}/{seed}")
            drawn += rng.sample(names, min(each, len(names)))
    Random(seed).shuffle(drawn)
    return drawn


def _report(scratch: Path, names: list[str]) -> int:
    codes = _decided(scratch)
    table: dict[str, Counter[str]] = {}
    survivors: list[tuple[str, str]] = []
    for name in sorted(names):
        code = codes[name]
        if code is None:
            continue
        word = "killed"
        if code == SURVIVED:
            change = _mutmut(scratch, "show", name)
            removed = [line for line in change.splitlines() if line.startswith("-")]
            word = "annotation" if any(EQUIVALENT.search(r) for r in removed) else "survived"
            if word == "survived":
                survivors.append((name, change))
        elif code in UNTESTED:
            word = "untested"
        table.setdefault(_module(name), Counter())[word] += 1
    for name, change in survivors:
        lines = [line for line in change.splitlines() if line[:1] in "+-" and line[:3] not in
                 ("+++", "---")]  # fmt: skip
        print(f"{name}\n" + "\n".join(f"    {line}" for line in lines))
    words = ("killed", "survived", "untested", "annotation")
    print(f"{'module':<14}" + "".join(f"{word:>12}" for word in words))
    for module, counts in sorted(table.items()):
        print(f"{module:<14}" + "".join(f"{counts[word]:>12}" for word in words))
    whole = sum(table.values(), Counter[str]())
    print(f"{'all':<14}" + "".join(f"{whole[word]:>12}" for word in words))
    return 1 if whole["survived"] or whole["untested"] else 0


if __name__ == "__main__":
    sys.exit(main())
