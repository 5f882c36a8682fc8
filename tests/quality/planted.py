"""How well the planted races are found and shrunk, and how silent their twins are.

    python tests/quality/planted.py [RACE …] [--seeds N] [--seconds S] [--twin M] [--into DIR]

Every search is a file in DIR when it ends. The same command again goes on where it was
stopped, several at once share the work, and ``--table`` only prints what is there.
Run it on a machine with nothing else to do: the times are real.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

from tests.quality.hunting import Hunt, hunt
from tests.servers.registry import BY_NAME, Race

from deadheat.report.finding import finding_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = "{:<16}{:>7}{:>7}{:>7}{:>9}{:>8}{:>9}{:>9}{:>9}{:>15}{:>7}"
HEAD = (
    "race",
    "found",
    "named",
    "calls",
    "minimal",
    "proven",
    "found s",
    "small s",
    "trials",
    "twin programs",
    "wrong",
)
# Programs of one stretch of a twin: some seconds, so that little is lost when it is stopped.
_STRETCH = 500


@dataclass(frozen=True, slots=True)
class Search:
    """What is kept of one search. ``text``: the whole of what was not as expected."""

    found: bool
    named: bool
    fewest_calls: bool
    minimal: bool
    proven: bool
    found_s: float | None
    smallest_s: float | None
    trials: int
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is kept of some programs on a twin. ``wrong``: findings, of which there are none."""

    programs: int
    wrong: int
    text: str


def main() -> int:
    """Do what is not done yet, print one row a race; exit 1 when one falls short."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of: {', '.join(BY_NAME)}")
    parser.add_argument("--seeds", type=int, default=10, help="searches of each race (10)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="for one search (60)")
    parser.add_argument("--twin", type=int, default=5_000, help="programs on each twin (5000)")
    parser.add_argument("--into", type=Path, default=Path(".deadheat/planted"))
    parser.add_argument("--table", action="store_true", help="search nothing, print the table")
    args = parser.parse_args()
    unknown = sorted(set(args.races) - set(BY_NAME))
    if unknown:
        parser.error(f"no race {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    races = [BY_NAME[name] for name in args.races or BY_NAME]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    stretches = -(-args.twin // _STRETCH)
    short = 0
    if not args.table:
        print(ROW.format(*HEAD), flush=True)
    for race in races:
        folder = args.into / race.name
        if not args.table:
            for seed in seeds:
                _search(race, seed, folder, args.seconds)
            for number in range(stretches):
                _twin(race, number, folder, min(_STRETCH, args.twin - number * _STRETCH))
            short += _tell(race, folder, seeds, stretches)
    if args.table or len(races) > 1:
        print("\n" + ROW.format(*HEAD))
        short = sum(_tell(race, args.into / race.name, seeds, stretches) for race in races)
    return 1 if short else 0


def _search(race: Race, seed: int, folder: Path, seconds: float) -> None:
    with _claimed(folder / f"seed-{seed}.json") as file:
        if file is None:
            return
        one = hunt(race.target(), seed, folder / f"seed-{seed}", seconds=seconds)
        kept = Search(
            found=one.first is not None,
            named=one.named(race),
            fewest_calls=one.fewest_calls(race),
            minimal=one.minimal(race),
            proven=one.first is not None and one.first.proven_minimal,
            found_s=one.found_s,
            smallest_s=one.smallest_s,
            trials=one.summary.trials,
            text="" if one.minimal(race) and not one.error else _explained(race, one),
        )
        _write(file, asdict(kept))
        if not kept.minimal:
            print(f"  {race.name}, seed {seed}: {kept.text}", flush=True)


def _twin(race: Race, number: int, folder: Path, programs: int) -> None:
    with _claimed(folder / f"twin-{number}.json") as file:
        if file is None:
            return
        one = hunt(
            race.target(correct=True),
            number,
            folder / f"twin-{number}",
            programs=programs,
            shrink=False,
        )
        wrong = len(one.summary.findings)
        kept = Stretch(one.summary.programs, wrong, _explained(race, one) if wrong else "")
        _write(file, asdict(kept))
        if wrong:
            print(f"  THE TWIN of {race.name}, stretch {number}: {kept.text}", flush=True)


@contextmanager
def _claimed(file: Path) -> Iterator[Path | None]:
    """The file to write, unless it is there or another process is at it."""
    claim = file.with_suffix(".claim")
    file.parent.mkdir(parents=True, exist_ok=True)
    if claim.exists() and not _runs(claim):
        claim.unlink(missing_ok=True)
    try:
        with claim.open("x") as mine:
            mine.write(str(os.getpid()))
    except FileExistsError:
        yield None
        return
    try:
        yield None if file.exists() else file
    finally:
        claim.unlink(missing_ok=True)


def _runs(claim: Path) -> bool:
    try:
        os.kill(int(claim.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _write(file: Path, kept: dict[str, Any]) -> None:
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(kept, indent=2), encoding="utf-8")
    temporary.replace(file)


def _tell(race: Race, folder: Path, seeds: range, stretches: int) -> int:
    """Print the row; how many searches and twins fall short."""
    searches = [
        Search(**json.loads(file.read_text(encoding="utf-8")))
        for seed in seeds
        if (file := folder / f"seed-{seed}.json").exists()
    ]
    twins = [
        Stretch(**json.loads(file.read_text(encoding="utf-8")))
        for number in range(stretches)
        if (file := folder / f"twin-{number}.json").exists()
    ]

    def share(count: int) -> str:
        return f"{count}/{len(searches)}"

    def median(values: list[float | None]) -> str:
        known = [value for value in values if value is not None]
        return f"{statistics.median(known):.1f}" if known else "-"

    wrong = sum(twin.wrong for twin in twins)
    print(
        ROW.format(
            race.name,
            share(sum(one.found for one in searches)),
            share(sum(one.named for one in searches)),
            share(sum(one.fewest_calls for one in searches)),
            share(sum(one.minimal for one in searches)),
            share(sum(one.proven for one in searches)),
            median([one.found_s for one in searches]),
            median([one.smallest_s for one in searches]),
            median([one.trials for one in searches]),
            sum(twin.programs for twin in twins),
            wrong,
        ),
        flush=True,
    )
    return wrong + sum(not one.minimal for one in searches)


def _explained(race: Race, one: Hunt) -> str:
    """What was not as expected, whole."""
    lines = [] if one.error is None else [f"ended early: {str(one.error)[:200]}"]
    if one.first is None or one.example is None:
        return "\n".join([*lines, f"nothing in {one.summary.programs} programs"])
    sight = one.sight(race)
    if not one.named(race):
        why = sight.misnomer if sight is not None else "this race cannot look like that"
        lines.append(f"{one.first.anomaly} is the wrong name: {why}")
    return "\n".join([*lines, finding_text(one.first, one.example.path)])


if __name__ == "__main__":
    raise SystemExit(main())
