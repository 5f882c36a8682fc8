"""Does learning find races in fewer programs? Offsets as drawn against offsets as learned.

    python tests/quality/learning.py --simulated [--seeds N] [--most PROGRAMS]
    python tests/quality/learning.py [RACE …] [--seeds N] [--most PROGRAMS]

Simulated, on a virtual clock: the ghost of two deletes, with a window at a given part of a call
that takes so long. Live: both ways take turns, a program each, against servers of their own, so
that a busy moment hits both. Counted are programs up to the first divergence; ``most`` where
there was none.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

from tests.quality.simulated import Simulated
from tests.servers.registry import BY_NAME, Race

from deadheat.check.checker import check
from deadheat.drive.live import open_target
from deadheat.generate.source import ProgramSource
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged
from deadheat.run.trial import once

# Two with a narrow window at the end of a slow call, and five with a wide one.
RACES = (
    "end-of-delete",
    "end-of-list",
    "get-fails",
    "torn-list",
    "resurrection",
    "double-delete",
    "lost-delete",
)
# How long a call takes, and how long after the first delete the second must be called.
WINDOWS = (
    ((800, 2_400), (400, 900)),
    ((800, 2_400), (0, 100)),
    ((2_000, 3_000), (1_800, 2_000)),
    ((5_000, 6_000), (4_500, 5_000)),
    ((8_000, 9_000), (7_500, 8_500)),
    ((20_000, 24_000), (18_000, 20_000)),
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("races", nargs="*", default=RACES, metavar="RACE")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--seeds", type=int, default=10, help="pairs of searches (10)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=400, help="programs of one search (400)")
    args = parser.parse_args()
    if args.simulated:
        simulated(range(args.first_seed, args.first_seed + args.seeds), args.most)
        return
    print(
        "| race | not learning: found | programs (median) | learning: found | programs (median) |"
    )
    print("|---|---|---|---|---|")
    for name in args.races:
        pairs = [
            anyio.run(one_pair, BY_NAME[name], seed, args.most)
            for seed in range(args.first_seed, args.first_seed + args.seeds)
        ]
        cells = [name]
        for way in zip(*pairs, strict=True):
            cells.append(f"{sum(one is not None for one in way)}/{len(way)}")
            cells.append(f"{statistics.median(one or args.most for one in way):g}")
        print("| " + " | ".join(cells) + " |", flush=True)


def simulated(seeds: range, most: int) -> None:
    """One row a window: each seed searched both ways."""
    print("| call takes | window | not learning: found | programs | learning: found | programs |")
    print("|---|---|---|---|---|---|")
    for latency_us, window_us in WINDOWS:
        cells = [f"{low:,}–{high:,} µs" for low, high in (latency_us, window_us)]
        for learns in (False, True):
            needed = [
                until_found(
                    Simulated(0.5, Random(seed), window_us, 30, latency_us), seed, most, learns
                )
                for seed in seeds
            ]
            cells.append(f"{sum(one is not None for one in needed)}/{len(needed)}")
            cells.append(f"{statistics.median(one or most for one in needed):g}")
        print("| " + " | ".join(cells) + " |", flush=True)


def until_found(server: Simulated, seed: int, most: int, learns: bool) -> int | None:
    """Programs up to the first ghost; None: not in ``most``."""
    source = ProgramSource(seed)
    supply = iter(source)
    for number in range(1, most + 1):
        program = next(supply)
        history = server.run(program)
        if learns:
            source.learn(history)
        if isinstance(check(history, Promises()), Diverged):
            return number
    return None


async def one_pair(race: Race, seed: int, most: int) -> tuple[int | None, ...]:
    """Programs up to the first divergence, not learning and learning."""
    target = race.target()
    needed: list[int | None] = [None, None]
    async with AsyncExitStack() as stack:
        lives = [
            await stack.enter_async_context(open_target(target, f"{way}{seed}"))
            for way in ("plain", "learn")
        ]
        sources = [ProgramSource(seed, kinds=target.kinds, families=target.families) for _ in lives]
        supplies = [iter(source) for source in sources]
        for number in range(1, most + 1):
            for way, live in enumerate(lives):
                if needed[way] is not None:
                    continue
                program = next(supplies[way])
                trial = await once(live, program, patient=target.settle_ms > 0)
                if way:
                    sources[way].learn(trial.execution.history)
                if isinstance(trial.verdict, Diverged):
                    needed[way] = number
            if None not in needed:
                break
    return tuple(needed)


if __name__ == "__main__":
    main()
