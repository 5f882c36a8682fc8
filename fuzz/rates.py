"""How often a saved example diverges: at its offsets, at offset 0, and by plain asyncio.gather.

On the real server, all ways interleaved in one run (rates drift with the load of the machine):
each round runs each way once, in an order drawn anew. Two programs where the example has two:
the smallest, and the most reliable one (more sessions, another order, other offsets). By gather
means one shared httpx.AsyncClient and asyncio.gather over the lanes, as anybody would write it.
All trials are judged by the same checker, and what counts is a divergence of the example's kind.

Without FILE it first finds an example itself (`deadheat run`, --search seconds). The offsets at
which it shows most belong to the machine and its load, so the example is tuned here and now
(`deadheat tune`, --tune trials) before anything is compared.
Exit 0 when both goals are met, 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import httpx

from deadheat.check.checker import check
from deadheat.drive.binding import TrialRun
from deadheat.drive.client import Reply
from deadheat.drive.live import LiveTarget, open_target
from deadheat.drive.ownership import Ownership
from deadheat.drive.wire.outcome import outcome_of_error
from deadheat.files import artifact as artifacts
from deadheat.model.history import Created, History, Info, Invocation, Kind, Ok
from deadheat.model.program import Program, structure
from deadheat.model.release import missed_rounds
from deadheat.report.diagram import program_lines, text
from deadheat.report.words import percent
from deadheat.run.trial import matching, once
from deadheat.targets.catalog import resolve
from deadheat.trials.stats import Rate, rate, rate_ratio

if TYPE_CHECKING:
    from deadheat.drive.wire.gate import Gate
    from deadheat.drive.wire.lane import LaneClient
    from deadheat.files.artifact import Artifact
    from deadheat.model.verdict import Verdict

# Issue 4: what the offsets, and what the most reliable program, are to be worth.
GOAL_AGAINST_0 = 8
GOAL_AGAINST_GATHER = 2
# Deleting what a trial left behind: one that survives so many deletes is a broken server.
CLEANINGS = 10


class Plain:
    """Requests through one shared client, as a script would send them."""

    def __init__(self, live: LiveTarget, http: httpx.AsyncClient) -> None:
        self._wire = live.target.wire
        self._http = http
        self.ownership = Ownership("plain")
        self.observer = cast("LaneClient", None)  # the lanes are all one client, which is ours

    def lane(self, _index: int) -> LaneClient:
        """No lane has a client of its own."""
        return self.observer

    async def afford(self, _requests: int) -> None:
        """As fast as it answers."""

    async def exchange(
        self, _client: LaneClient, invocation: Invocation, _held: tuple[Gate, int] | None = None
    ) -> Reply:
        """See ``drive.binding.Exchange``."""
        self.ownership.permit(invocation)
        asked = self._wire.encode(invocation)
        headers = {} if asked.body is None else {"content-type": "application/json"}
        call_ns = time.monotonic_ns()
        try:
            answer = await self._http.request(
                asked.method, asked.path, content=asked.body, headers=headers
            )
        except httpx.RequestError as exc:
            return Reply(outcome_of_error(exc), call_ns, None, None, exc)
        return_ns = time.monotonic_ns()
        outcome = self._wire.decode(invocation, answer.status_code, answer.content)
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            self.ownership.adopt(outcome.result.session)
        known = None if isinstance(outcome, Info) else return_ns
        return Reply(outcome, call_ns, known, answer.status_code, answer)


class Gathered(TrialRun):
    """One trial whose rounds are one ``asyncio.gather`` each."""

    async def round(self, r: int) -> None:
        """Send one round and wait for all its answers."""
        await asyncio.gather(*(self._in_order(r, n) for n in range(len(self._program.rounds[r]))))

    async def _in_order(self, r: int, n: int) -> None:
        for i, call in enumerate(self._program.rounds[r][n]):
            await self._place((r, n, i), call, None)


@dataclass(slots=True)
class Way:
    """One program, run one way, and what came of it. ``late``: rounds that missed offsets."""

    name: str
    program: Program
    gathered: bool = False
    diverged: int = 0
    trials: int = 0
    late: int = 0
    spent_s: float = 0.0

    @property
    def rate(self) -> Rate:
        return rate(self.diverged, self.trials)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/rates.py --seconds 120",
    )
    parser.add_argument("file", nargs="?", type=Path, help="a saved example")
    parser.add_argument("--target", default="opencode@1.0.152", help="default: %(default)s")
    parser.add_argument("--anomaly", default="ghost", help="to look for without FILE")
    parser.add_argument("--search", type=int, default=90, help="seconds, without FILE")
    parser.add_argument("--tune", type=int, default=600, help="trials; 0: as saved")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10_000, help="at most")
    parser.add_argument("--seconds", type=float, default=180, help="of measuring")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deadheat-rates-") as scratch:
        file = given.file or _found(given, Path(scratch) / "found")
        if file is None:
            print(f"no {given.anomaly} in {given.search} s; give it more with --search")
            return 1
        if given.tune:
            into = Path(scratch) / "tuned"
            _deadheat("tune", file, "--against", given.target, "--trials", given.tune, into=into)
            file = _smallest(into, artifacts.read(file).anomaly) or file
        artifact = artifacts.read(file)
    return anyio.run(_measured, artifact, given)


def _deadheat(*words: object, into: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "deadheat", *map(str, words), "--into", str(into)],
        stdout=subprocess.DEVNULL,
        check=False,
    )


def _found(given: argparse.Namespace, folder: Path) -> Path | None:
    seconds = f"{given.search}s"
    _deadheat("run", given.target, "--for", seconds, "--seed", given.seed, into=folder)
    return _smallest(folder, given.anomaly)


def _smallest(folder: Path, anomaly: str) -> Path | None:
    found = {path: artifacts.read(path) for path in folder.rglob(f"{anomaly}-*.json")}
    return min(found, key=lambda path: len(found[path].program.calls()), default=None)


async def _measured(artifact: Artifact, given: argparse.Namespace) -> int:
    smallest, reliable = artifact.program, artifact.most_reliable
    ways = _ways("smallest", smallest)
    if reliable is not None:
        ways += _ways("most reliable", reliable)
    rng = random.Random(given.seed)
    async with (
        open_target(resolve(given.target, report=_said), "rates") as live,
        httpx.AsyncClient(base_url=live.base_url, trust_env=False, timeout=10) as http,
    ):
        plain = Plain(live, http)
        until_s = time.monotonic() + given.seconds
        number = 0
        while number < given.rounds and time.monotonic() < until_s:
            number += 1
            for way in rng.sample(ways, len(ways)):
                await _once(way, live, plain, artifact, number)
    return _print(given.target, smallest, reliable, ways)


def _ways(which: str, program: Program) -> list[Way]:
    return [
        Way(f"{which}, at its offsets", program),
        Way(f"{which}, at offset 0", structure(program)),
        Way(f"{which}, by gather", structure(program), gathered=True),
    ]


async def _once(way: Way, live: LiveTarget, plain: Plain, artifact: Artifact, number: int) -> None:
    began_s = time.monotonic()
    if way.gathered:
        verdict = await _gathered(way.program, live, plain, number)
    else:
        trial = await once(live, way.program, patient=False)
        verdict = trial.verdict
        way.late += missed_rounds(trial.execution.history.releases)
    way.spent_s += time.monotonic() - began_s
    way.trials += 1
    wanted = artifacts.divergence_of(artifact).signature
    way.diverged += matching(verdict, wanted) is not None


async def _gathered(program: Program, live: LiveTarget, plain: Plain, number: int) -> Verdict:
    run = Gathered(plain, program, number, plain.ownership)
    for r in range(len(program.rounds)):
        await run.round(r)
    await run.read_at_rest()
    verdict = check(History(tuple(run.operations)), live.promises)
    left = run.may_be_there()
    for _ in range(CLEANINGS):
        for session in left:
            await plain.exchange(plain.lane(0), Invocation(Kind.DELETE, session))
        before = len(run.operations)
        await run.look_for_tags()
        (listed,) = run.operations[before:]
        shown = listed.outcome.result if isinstance(listed.outcome, Ok) else None
        left = tuple(s for s in left if s in getattr(shown, "sessions", left))
        if not left:
            return verdict
    sys.exit(f"{len(left)} sessions refuse to be deleted: what follows would not be clean")


def _said(line: str) -> None:
    print(line, file=sys.stderr)


def _print(target: str, smallest: Program, reliable: Program | None, ways: list[Way]) -> int:
    for name, program in (("smallest", smallest), ("most reliable", reliable)):
        if program is not None:
            print(f"\n{name}:\n{text(program_lines(program))}")
    print(f"\n{target}, {ways[0].trials} rounds, all ways interleaved:\n")
    print("| way | diverged | rate (95 %) | ms a trial | offsets missed |")
    print("|---|---|---|---|---|")
    for way in ways:
        shown = way.rate
        print(
            f"| {way.name} | {way.diverged} of {way.trials} "
            f"| {percent(shown.estimate)} ({percent(shown.low)} to {percent(shown.high)}) "
            f"| {1_000 * way.spent_s / max(way.trials, 1):.0f} "
            f"| {'-' if way.gathered else way.late} |"
        )
    best = ways[-3]
    print("\n| against | times as often (95 %) | goal |")
    print("|---|---|---|")
    met = [
        _compared("smallest at its offsets against offset 0", ways[0], ways[1], GOAL_AGAINST_0),
        _compared("smallest at its offsets against gather", ways[0], ways[2], GOAL_AGAINST_GATHER),
    ]
    if best is not ways[0]:
        met = [
            _compared("most reliable against offset 0", best, ways[-2], GOAL_AGAINST_0),
            _compared("most reliable against gather", best, ways[-1], GOAL_AGAINST_GATHER),
            _compared(
                "most reliable against gather of the smallest", best, ways[2], GOAL_AGAINST_GATHER
            ),
            *met,
        ]
    return 0 if all(met[-2:]) else 1


def _compared(what: str, one: Way, other: Way, goal: float) -> bool:
    ratio = rate_ratio(one.rate, other.rate)
    met = ratio.estimate >= goal
    print(
        f"| {what} | {ratio.estimate:.1f} ({ratio.low:.1f} to {ratio.high:.1f}) "
        f"| {goal}: {'met' if met else 'not met'} |"
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
