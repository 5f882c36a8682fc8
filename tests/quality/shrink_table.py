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

from tests.quality.shrink_runs import Row, Run, Window, by_deadheat, by_hegel, by_hypothesis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATES = (0.5, 0.3, 0.1, 0.05, 0.02)


def measured(
    tool: str, shrink: Callable[[float, int, Window], Run], p: float, seeds: int, window: Window
) -> Row:
    """``seeds`` runs of one tool at one rate."""
    return Row(tool, p, tuple(shrink(p, seed, window) for seed in range(seeds)))


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
    parser.add_argument("--seeds", type=int, default=60, help="runs for each rate (default 60)")
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
        help="also Hypothesis (1 and 20 executions an example) and hegeltest, if installed",
    )
    options = parser.parse_args(arguments)
    began = monotonic()
    print(
        "| rate | tool | ended clean | exact minimum | median trials | 90 % | with offsets "
        "| accepted unobserved |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for p in options.rates:
        print(line(measured("deadheat", by_deadheat, p, options.seeds, options.window)), flush=True)
        if not options.compare:
            continue
        others: list[tuple[str, Callable[[float, int, Window], Run]]] = [
            ("Hypothesis, 1 execution", by_hypothesis),
            ("Hypothesis, 20 executions", partial(by_hypothesis, repeats=20)),
        ]
        try:
            import hegel  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        except ImportError:
            print("| | hegeltest is not installed | | | | | | |")
        else:
            others.append(("hegeltest", by_hegel))
        for tool, shrink in others:
            print(line(measured(tool, shrink, p, options.compare, options.window)), flush=True)
    print(f"\n{monotonic() - began:,.0f} s; trials: all after the first failure.")


if __name__ == "__main__":
    main()
