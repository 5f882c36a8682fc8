"""Print how often, and at what cost, simulated races are shrunk to their exact minimum.

    python -m tests.quality.shrink_table --help

Rule: nothing here decides whether the figures are good enough; that is
``test_shrink_simulated.py``, on the same runs.
"""

from __future__ import annotations

import argparse
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from tests.quality.shrink_runs import (
    MOST_EXECUTIONS,
    Row,
    Run,
    Window,
    by_deadheat,
    by_hegel,
    by_hypothesis,
    by_machine,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Seeds that no constant of the shrinker was ever chosen on.
FRESH = 10_000
RATES = (0.5, 0.3, 0.1, 0.05, 0.02)


def measured(
    tool: str,
    shrink: Callable[[float, int, Window], Run],
    p: float,
    seeds: Iterable[int],
    window: Window,
) -> Row:
    """One tool at one rate, a run for each of ``seeds``."""
    return Row(tool, p, tuple(shrink(p, seed, window) for seed in seeds))


def line(row: Row) -> str:
    """One row of the Markdown table."""
    trials = sorted(run.structure_trials for run in row.runs)
    clean = sum(run.clean for run in row.runs)
    exact = sum(run.minimal and run.clean for run in row.runs)
    unproved = sum(not run.observed for run in row.runs)
    return (
        f"| {row.p:g} | {row.tool} | {clean}/{len(row.runs)} | {exact}/{len(row.runs)} "
        f"| {row.median_trials:,.0f} | {trials[len(trials) * 9 // 10]:,} "
        f"| {row.median_with_offsets:,.0f} | {unproved} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=300, help="runs for each rate (default 300)")
    parser.add_argument(
        "--first-seed",
        type=int,
        default=FRESH,
        help=f"the constants were chosen on seeds 0 to 59; default {FRESH}",
    )
    parser.add_argument(
        "--rates",
        type=lambda text: tuple(float(part) for part in text.split(",")),
        default=RATES,
        help="rates of the race, with commas (default 0.5,0.3,0.1,0.05,0.02)",
    )
    parser.add_argument(
        "--window",
        type=lambda text: tuple(int(part) for part in text.split("-")),
        help="LOW-HIGH: the race shows only with this many microseconds between the two calls",
    )
    parser.add_argument(
        "--compare",
        type=int,
        default=0,
        metavar="SEEDS",
        help="also Hypothesis (1 and 20 executions, its state machine) and hegeltest",
    )
    options = parser.parse_args(arguments)
    began = monotonic()
    print(
        "| rate | tool | ended clean | exact minimum | median trials | 90 % | with offsets "
        "| accepted unobserved |"
    )
    print("|---|---|---|---|---|---|---|---|")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for p in options.rates:
        print(line(measured("deadheat", by_deadheat, p, seeds, options.window)), flush=True)
        if not options.compare:
            continue
        others: list[tuple[str, Callable[[float, int, Window], Run]]] = [
            ("Hypothesis, 1 execution", by_hypothesis),
            ("Hypothesis, 20 executions", partial(by_hypothesis, repeats=20)),
            ("Hypothesis, state machine", by_machine),
            ("Hypothesis, state machine, 20", partial(by_machine, repeats=20)),
        ]
        try:
            import hegel  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        except ImportError:
            print("| | hegeltest is not installed | | | | | | |")
        else:
            others.append(("hegeltest", by_hegel))
        for tool, shrink in others:
            row = measured(tool, shrink, p, seeds[: options.compare], options.window)
            print(line(row), flush=True)
    print(
        f"\n{monotonic() - began:,.0f} s; trials after the first failure (others: at most "
        f"{MOST_EXECUTIONS:,}, then they are stopped)"
    )


if __name__ == "__main__":
    main()
