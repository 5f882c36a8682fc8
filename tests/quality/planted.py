"""How well the planted races are found and shrunk, and how silent their twins are.

    python tests/quality/planted.py [RACE …] [--seeds N] [--seconds S] [--twin M] [--keep DIR]

Run it alone: the times are real.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

from tests.quality.hunting import Hunt, hunt
from tests.servers.registry import BY_NAME, Race

from deadheat.report.terminal import finding_text

ROW = "{:<14}{:>7}{:>7}{:>8}{:>9}{:>8}{:>10}{:>10}{:>9}{:>14}{:>7}"
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


def main() -> int:
    """Print one row a race; exit 1 when a race was missed or a twin was not silent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of: {', '.join(BY_NAME)}")
    parser.add_argument("--seeds", type=int, default=10, help="searches of each race")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="for one search")
    parser.add_argument("--twin", type=int, default=5_000, help="programs against each twin")
    parser.add_argument("--keep", type=Path, help="keep the examples in this folder")
    args = parser.parse_args()
    unknown = sorted(set(args.races) - set(BY_NAME))
    if unknown:
        parser.error(f"no race {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    wrong = 0
    print(ROW.format(*HEAD), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        for race in [BY_NAME[name] for name in args.races or BY_NAME]:
            hunts = [
                hunt(race.target(), seed, folder / race.name / str(seed), seconds=args.seconds)
                for seed in seeds
            ]
            twins = 0
            if args.twin:
                twin = hunt(
                    race.target(correct=True),
                    args.first_seed,
                    folder / race.name / "twin",
                    programs=args.twin,
                    shrink=False,
                )
                twins = len(twin.summary.findings)
            print(_row(race, hunts, args.twin, twins), flush=True)
            for seed, one in zip(seeds, hunts, strict=True):
                _explain(race, seed, one)
            wrong += twins + sum(not one.minimal(race) for one in hunts)
    return 1 if wrong else 0


def _row(race: Race, hunts: list[Hunt], programs: int, twins: int) -> str:
    def share(count: int) -> str:
        return f"{count}/{len(hunts)}"

    def median(values: list[float | None]) -> str:
        known = [value for value in values if value is not None]
        return f"{statistics.median(known):.1f}" if known else "-"

    return ROW.format(
        race.name,
        share(sum(one.first is not None for one in hunts)),
        share(sum(one.named(race) for one in hunts)),
        share(sum(one.fewest_calls(race) for one in hunts)),
        share(sum(one.minimal(race) for one in hunts)),
        share(sum(one.first is not None and one.first.proven_minimal for one in hunts)),
        median([one.found_s for one in hunts]),
        median([one.smallest_s for one in hunts]),
        median([one.summary.trials for one in hunts]),
        programs,
        twins,
    )


def _explain(race: Race, seed: int, one: Hunt) -> None:
    """What was not as expected, whole."""
    if one.error is not None:
        print(f"  seed {seed} ended early: {one.error[:200]}")
    if one.minimal(race):
        return
    if one.first is None:
        print(f"  seed {seed}: nothing in {one.summary.programs} programs")
        return
    print(f"  seed {seed}, proven minimal: {one.first.proven_minimal}")
    sight = one.sight(race)
    if not one.named(race):
        why = sight.misnomer if sight is not None else "this race cannot look like that"
        print(f"  {one.first.anomaly} is the wrong name: {why}")
    print(finding_text(one.first, one.summary.findings[0].path))


if __name__ == "__main__":
    raise SystemExit(main())
