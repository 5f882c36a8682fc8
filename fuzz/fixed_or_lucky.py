"""How often `deadheat verify` would be wrong, each way, on simulated fixes and races that are left.

The rules of `trials/evidence.py` and `trials/baseline.py` as the product uses them, on coins, not
servers: rates drawn log-uniformly, recorded with 200 trials; a race that is left shows at a
third of its rate in every other run (the worst that is allowed for), else at a third to the whole
of it. By the recorded rate, and beside a baseline whose rate drifts. Prints a Markdown table; exit
1 when an error is more frequent than stated, beyond what chance makes of 1 in 1,000 such tables.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.trials.fixes import DESIGNS, Wrong, simulate

from deadheat.trials.stats import rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="fixes, and races that are left")
    parser.add_argument("--low", type=float, default=0.02)
    parser.add_argument("--high", type=float, default=0.9)
    parser.add_argument("--confidence", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        f"{given.runs:,} fixes and {given.runs:,} races that are left, rates {given.low} to "
        f"{given.high}, confidence {given.confidence}, seed {given.seed}\n"
    )
    print("| by | said fixed, was not | stated bound | said not fixed, was | could not tell |")
    print("|---|---|---|---|---|")
    good = True
    for design in DESIGNS:
        told = simulate(
            design,
            given.runs,
            given.confidence,
            Random(f"{given.seed} {design}"),
            given.low,
            given.high,
        )
        missed = rate(told[Wrong.MISSED], given.runs, 0.998)
        good = good and missed.low <= 1 - given.confidence and not told[Wrong.ALARM]
        print(
            f"| {design} | {told[Wrong.MISSED]} of {given.runs:,} | "
            f"{(1 - given.confidence) * given.runs:.0f} | {told[Wrong.ALARM]} of {given.runs:,} | "
            f"{told[Wrong.UNDECIDED]} of {2 * given.runs:,} |",
            flush=True,
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
