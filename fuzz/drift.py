"""How far the rate of one program drifts: within a server, from start to start, and with load.

Each server is started afresh, and measured in blocks of trials; in every other block each core
of the machine is kept busy by somebody else. Only trials that raced count (`model/raced.py`), and
blocks whose calls take at most `evidence.SLOWER` times as long as recorded (the others are listed,
and nothing is said by them anywhere). What
the trials themselves scatter by chance is taken out: between two occasions (a block on one server,
and a block on another) the logarithm of the rate differs by a normal error whose deviation is
estimated by maximum likelihood from all blocks, a binomial each. The last line is the factor by
which the rate falls from one occasion to the next in at most one of 200 pairs: what
`trials/evidence.py` allows for (`DRIFT`).
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from math import exp, lgamma, log, log1p, pi, sqrt
from pathlib import Path
from statistics import NormalDist, median
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.live import open_target
from deadheat.files import artifact as artifacts
from deadheat.model.history import makespan_ns
from deadheat.report.words import percent
from deadheat.run.trial import look
from deadheat.targets.catalog import resolve
from deadheat.trials.evidence import SLOWER, TrialResult
from deadheat.trials.stats import rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deadheat.files.artifact import Artifact

BUSY = "while True: pass"
# Half of what may go wrong at 99 % in one answer; the other half is for too few trials.
TAIL = 0.005
STEPS = 41  # of the integral over an occasion's own rate; more change nothing in three digits


@dataclass(frozen=True, slots=True)
class Block:
    """Trials of one occasion. ``unraced``: those that say nothing."""

    server: int
    busy: bool
    shown: int
    raced: int
    unraced: int
    took_ms: float  # the calls, in the median of those that raced


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/drift.py fuzz/regressions/opencode/ghost-6a356f56.json",
    )
    parser.add_argument("files", nargs="+", type=Path, help="saved examples")
    parser.add_argument("--against", help="another target than the recorded one")
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("--blocks", type=int, default=4, help="on each server; every other busy")
    parser.add_argument("--seconds", type=float, default=5, help="of each block")
    given = parser.parse_args()
    worst = 1.0
    for file in given.files:
        artifact = artifacts.read(file)
        blocks = tuple(anyio.run(_measured, artifact, given))
        worst = max(worst, _print(file, blocks, makespan_ns(artifact.history) / 1e6))
    print(f"\nallow for a drift of {worst:.1f}")
    return 0


async def _measured(artifact: Artifact, given: argparse.Namespace) -> list[Block]:
    blocks: list[Block] = []
    target = resolve(given.against or artifact.target.name, report=_said)
    for server in range(given.servers):
        async with open_target(target, secrets.token_hex(3)) as live:
            for number in range(given.blocks):
                busy = number % 2 == 1
                counts = [0, 0, 0]
                took_ns = [0]
                with _Load(busy):
                    until_s = time.monotonic() + given.seconds
                    while time.monotonic() < until_s:
                        seen = await look(live, artifact)
                        if seen.unraced is not None:
                            counts[2] += 1
                        elif seen.result is not TrialResult.UNDECIDED:
                            counts[0] += seen.result is TrialResult.SHOWN
                            counts[1] += 1
                            took_ns.append(seen.took_ns)
                took_ms = median(took_ns) / 1e6
                blocks.append(Block(server, busy, counts[0], counts[1], counts[2], took_ms))
                _said(f"{target.name}: {blocks[-1]}")
    return blocks


class _Load:
    """One busy process a core, for as long as it lasts."""

    def __init__(self, busy: bool) -> None:
        self._wanted = (os.cpu_count() or 1) if busy else 0
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        self._running = [
            subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(self._wanted)
        ]

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
            process.wait()


def _print(file: Path, blocks: Sequence[Block], recorded_ms: float) -> float:
    print(f"\n{file.name}, {len(blocks)} blocks; its calls took {recorded_ms:.1f} ms\n")
    print("| server | load | diverged of raced | rate (95 %) | did not race | ms |")
    print("|---|---|---|---|---|---|")
    for one in blocks:
        if one.raced:
            shown = rate(one.shown, one.raced)
            said = f"{percent(shown.estimate)} ({percent(shown.low)} to {percent(shown.high)})"
            print(
                f"| {one.server + 1} | {'busy' if one.busy else '-'} "
                f"| {one.shown} of {one.raced} | {said} | {one.unraced} | {one.took_ms:.1f} |"
            )
    print("\n| occasions | rate | deviation of its logarithm | falls to 1/x in 1 of 200 pairs |")
    print("|---|---|---|---|")
    blocks = [one for one in blocks if one.took_ms <= SLOWER * recorded_ms]
    quiet = [one for one in blocks if not one.busy]
    busy = [one for one in blocks if one.busy]
    factors = [
        _row("within a server, no load", _centred(quiet)),
        _row("all without load", [(one.shown, one.raced) for one in quiet]),
        _row("all with load", [(one.shown, one.raced) for one in busy]),
        _row("all", [(one.shown, one.raced) for one in blocks]),
    ]
    return factors[-1]


def _centred(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    """The blocks of the server that has most trials: nothing differs between them but the time."""
    of: dict[int, list[Block]] = {}
    for one in blocks:
        of.setdefault(one.server, []).append(one)
    most = max(of.values(), key=lambda some: sum(one.raced for one in some), default=[])
    return [(one.shown, one.raced) for one in most]


def _row(what: str, counts: Iterable[tuple[int, int]]) -> float:
    told = [(k, n) for k, n in counts if n]
    if len(told) < 2:
        print(f"| {what} | too few | - | - |")
        return 1.0
    centre, deviation = fitted(told)
    factor = exp(-NormalDist().inv_cdf(TAIL) * sqrt(2) * deviation)
    print(f"| {what} | {percent(centre)} | {deviation:.2f} | {factor:.1f} |", flush=True)
    return factor


def fitted(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The rate and the deviation of its logarithm under which the counts are likeliest."""
    best = (float("-inf"), 0.5, 0.0)
    total = sum(k for k, _ in counts) / max(sum(n for _, n in counts), 1)
    for centre in (max(total, 1e-4) * exp(step / 20) for step in range(-14, 15)):
        for deviation in (step / 50 for step in range(76)):
            found = (_likelihood(counts, min(centre, 0.999), deviation), centre, deviation)
            best = max(best, found)
    return min(best[1], 0.999), best[2]


def _likelihood(counts: Sequence[tuple[int, int]], centre: float, deviation: float) -> float:
    points = list(_points(deviation))
    found = 0.0
    for k, n in counts:
        terms = [
            log(weight) + _binomial(k, n, min(centre * exp(deviation * z), 0.999))
            for z, weight in points
        ]
        top = max(terms)
        found += top + log(sum(exp(term - top) for term in terms))
    return found


def _points(deviation: float) -> Iterator[tuple[float, float]]:
    if deviation == 0:
        yield 0.0, 1.0
        return
    width = 8 / (STEPS - 1)
    for step in range(STEPS):
        z = -4 + width * step
        yield z, width * exp(-z * z / 2) / sqrt(2 * pi)


def _binomial(k: int, n: int, p: float) -> float:
    ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return ways + k * log(p) + (n - k) * log1p(-p)


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
