"""The zoo, searched at length: each animal in silence, each racy twin found.

    python tests/zoo/table.py [ANIMAL …] [--programs N] [--into DIR] [--table]

Every stretch of programs is a file in DIR when it ends, and the same command again goes on where
it was stopped. ``--table`` searches nothing and prints what is there as Markdown, for
fuzz/README.md. Exit 1 when an animal or a twin is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

from tests.zoo.animal import Ruling
from tests.zoo.serving import Missing, raw_served, stack_served, trusted
from tests.zoo.visiting import Visit, visit
from tests.zoo.zoo import BY_NAME, complaints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.zoo.animal import Animal

# Programs of one stretch: little is lost when it is stopped.
_STRETCH = 250
# A twin shows within the first few programs; one that does not in so many is no twin.
TWIN_WITHIN = 500
_HEAD = ("animal", "habit", "declares", "programs", "raced", "overlapping pairs", "alarms", "twin")


def main() -> int:
    """Do what is not done yet, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("animals", nargs="*", metavar="ANIMAL", help="default: all")
    parser.add_argument("--programs", type=int, default=2_000, help="on each animal (2000)")
    parser.add_argument("--into", type=Path, default=Path(".deadheat/zoo"))
    parser.add_argument("--table", action="store_true", help="search nothing, print the table")
    given = parser.parse_args()
    unknown = sorted(set(given.animals) - set(BY_NAME))
    if unknown:
        parser.error(f"no animal {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    animals = [BY_NAME[name] for name in given.animals or BY_NAME]
    short = 0
    with den() as folder:
        for animal in animals:
            if not given.table:
                try:
                    said = searched(animal, folder, given.into, given.programs)
                except Missing as missing:
                    said = (f"not searched: {missing}",)
                short += bool(said)
                print(f"{animal.name}: {'; '.join(said) or 'as it must be'}", flush=True)
    print("\n| " + " | ".join(_HEAD) + " |")
    print("|---" * len(_HEAD) + "|")
    for animal in animals:
        print(_row(animal, given.into / animal.name))
    return 1 if short else 0


@contextmanager
def den() -> Iterator[Path]:
    """A folder for the servers, their certificate trusted."""
    with tempfile.TemporaryDirectory() as folder, trusted(Path(folder)):
        yield Path(folder)


def searched(animal: Animal, folder: Path, into: Path, programs: int) -> tuple[str, ...]:
    """Search what is not searched yet; what is not as it must be. Raises ``Missing``."""
    mine = into / animal.name
    mine.mkdir(parents=True, exist_ok=True)
    wanted = min(programs, animal.long)
    stretches = [
        (number, min(_STRETCH, wanted - number * _STRETCH))
        for number in range(-(-wanted // _STRETCH))
    ]
    twin = mine / "twin.json"
    todo = [one for one in stretches if not (mine / f"{one[0]}.json").exists()]
    if todo or (animal.twin and not twin.exists()):
        with _at(animal, folder) as url:
            if animal.twin and not twin.exists():
                found = visit(animal, url, 0, mine / "twin", TWIN_WITHIN, racy=True)
                _write(twin, found)
            for number, many in todo:
                _write(mine / f"{number}.json", visit(animal, url, number, mine, many))
    said = [
        f"stretch {number}: {text}"
        for number, many in stretches
        for text in complaints(animal, _read(mine / f"{number}.json"), many)
    ]
    if animal.twin and not _read(twin).alarm and animal.ruling is Ruling.SILENT:
        said.append(f"nothing found on the twin in {_read(twin).programs} programs")
    return tuple(said)


@contextmanager
def _at(animal: Animal, folder: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if animal.stack is None:
            yield stack.enter_context(raw_served([animal.name], folder))[animal.name]
        else:
            shutil.rmtree(folder / animal.name, ignore_errors=True)
            yield stack.enter_context(stack_served(animal, folder))


def _write(file: Path, seen: Visit) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(seen), indent=2), encoding="utf-8")
    temporary.replace(file)


def _read(file: Path) -> Visit:
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Visit(**{**kept, "silent": tuple(kept["silent"])})


def _row(animal: Animal, mine: Path) -> str:
    """What is there of it, as a row of the table."""
    stretches = [_read(file) for file in mine.glob("*.json") if file.stem.isdigit()]
    refused = any(one.refused for one in stretches)
    alarms = str(sum(bool(one.alarm) for one in stretches))
    twin = _read(mine / "twin.json") if (mine / "twin.json").exists() else None
    shown = "none was tried" if animal.twin else "it has none"
    if twin is not None:
        shown = f"{twin.anomaly} in {twin.programs}" if twin.anomaly else "refused"
    return "| {} |".format(
        " | ".join(
            (
                animal.name,
                animal.habit,
                animal.promises,
                f"{sum(one.programs for one in stretches):,}",
                f"{sum(one.raced for one in stretches):,}",
                f"{sum(one.overlaps for one in stretches):,}",
                f"{alarms}, refused" if refused else alarms,
                shown,
            )
        )
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore", ResourceWarning)
    raise SystemExit(main())
