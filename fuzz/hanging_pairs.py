"""Do two calls about one family of sessions ever leave a DELETE without an answer?

Starts its own server on loopback (as `deadheat run` does), then repeats the pairs
fork(parent) ‖ delete(parent), and delete(parent) ‖ delete(one of its children): each round a
new family, each call on a connection of its own, while a control request on another one asks
for a session that nobody touches. A call without an answer within `--bound` counts as *hung*
only when a control request that began after it was answered meanwhile; when the control was
silent too, as *slow machine*. A hung pair is given `--bound` once more, to tell late from never.

Prints a Markdown table. Exit 1 when something hung, 0 when nothing did.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import httpx

from deadheat.drive.server.process import ServerProcess
from deadheat.targets.opencode import releases as opencode

# The control asks so often: several times within the shortest bound worth asking for.
_CONTROL_EVERY_S = 0.25
# How far apart the two calls of a pair begin, drawn anew each round: a cascade over 16 children
# takes some ten milliseconds on 1.18.33.
_OFFSETS_MS = (0, 0.2, 0.5, 1, 2, 5, 10, 20)
_CHILDREN = (1, 4, 8, 16)


@dataclass(slots=True)
class _Control:
    """When each answered control request began and ended, and how long the slowest took."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0

    def alive_since(self, since_s: float) -> bool:
        return any(begun_s >= since_s for begun_s, _ in self.answered)

    @property
    def slowest_s(self) -> float:
        return max((end_s - begun_s for begun_s, end_s in self.answered), default=0.0)


@dataclass(slots=True)
class _Row:
    """What one pair did over all its rounds."""

    rounds: int = 0
    slowest_s: float = 0.0
    hung: int = 0
    late: int = 0
    never: int = 0
    slow_machine: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class _Bench:
    """The clients of one server."""

    def __init__(self, url: str, bound_s: float, seed: int) -> None:
        # One connection a client, so that no call waits for another one's.
        limits = httpx.Limits(max_connections=1)
        timeout = httpx.Timeout(2 * bound_s)
        self.lanes = [
            httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, trust_env=False)
            for _ in range(2)
        ]
        self.setup = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)
        self.watch = httpx.AsyncClient(base_url=url, timeout=bound_s, trust_env=False)
        self.bound_s = bound_s
        self.rng = random.Random(seed)
        self.control = _Control()

    async def close(self) -> None:
        for client in (*self.lanes, self.setup, self.watch):
            await client.aclose()

    async def create(self, parent: str | None = None) -> str:
        body = {"title": "hanging_pairs"} | ({} if parent is None else {"parentID": parent})
        answer = await self.setup.post("/session", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def watching(self, session: str) -> None:
        """Ask for a session that nobody touches, until cancelled."""
        while True:
            begun_s = time.monotonic()
            try:
                await self.watch.get(f"/session/{session}")
                self.control.answered.append((begun_s, time.monotonic()))
            except httpx.RequestError:
                self.control.failed += 1
            await anyio.sleep(_CONTROL_EVERY_S)


async def _round(bench: _Bench, pair: str, row: _Row) -> None:
    parent = await bench.create()
    count = bench.rng.choice(_CHILDREN)
    children = [await bench.create(parent) for _ in range(count)]
    delete = ("DELETE", f"/session/{parent}")
    if pair == "fork":
        calls = [("POST", f"/session/{parent}/fork"), delete]
    else:
        calls = [("DELETE", f"/session/{bench.rng.choice(children)}"), delete]
    bench.rng.shuffle(calls)
    offsets_s = (0.0, bench.rng.choice(_OFFSETS_MS) / 1e3)
    made: list[str] = []
    told: list[str] = []

    async def send(lane: int) -> None:
        await anyio.sleep(offsets_s[lane])
        method, path = calls[lane]
        begun_s = time.monotonic()
        body: dict[str, Any] = {"json": {}} if method == "POST" else {}
        try:
            answer = await bench.lanes[lane].request(method, path, **body)
            status = str(answer.status_code)
            if method == "POST" and answer.status_code == 200:
                made.append(str(answer.json()["id"]))
        except httpx.RequestError as error:
            status = type(error).__name__
        took_s = time.monotonic() - begun_s
        row.slowest_s = max(row.slowest_s, took_s)
        row.statuses[f"{method} {status}"] += 1
        if took_s > bench.bound_s:
            told.append(f"{method} took {took_s:.1f} s ({status}), {count} children")
            if not bench.control.alive_since(begun_s):
                row.slow_machine += 1
            else:
                row.hung += 1
                row.late += status.isdigit()
                row.never += not status.isdigit()

    async with anyio.create_task_group() as tasks:
        for lane in range(2):
            tasks.start_soon(send, lane)
    row.rounds += 1
    row.examples += told
    for session in (parent, *children, *made):
        await bench.setup.delete(f"/session/{session}")


async def _measure(given: argparse.Namespace) -> dict[str, _Row]:
    target = opencode.released(given.version, partial(print, file=sys.stderr))
    if target.launch is None:
        raise SystemExit("hanging_pairs: this target has no command to start it by")
    process = ServerProcess(target.launch)
    rows = {pair: _Row() for pair in ("fork", "delete")}
    ends_s = time.monotonic() + given.seconds
    try:
        bench = _Bench(await process.start(), given.bound, given.seed)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.watching, await bench.create())
                while time.monotonic() < ends_s and rows["delete"].rounds < given.rounds:
                    for pair, row in rows.items():
                        await _round(bench, pair, row)
                    if rows["delete"].rounds % 100 == 0:
                        print(f"{rows['delete'].rounds} rounds of each", file=sys.stderr)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await bench.close()
        print(
            f"\nopencode@{given.version}, bound {given.bound:g} s; control: "
            f"{len(bench.control.answered)} answered, {bench.control.failed} not, "
            f"slowest {bench.control.slowest_s:.2f} s"
        )
    finally:
        with anyio.CancelScope(shield=True):
            await process.stop()
    return rows


_NAMES = {
    "fork": "fork(parent) ‖ delete(parent)",
    "delete": "delete(parent) ‖ delete(child)",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/hanging_pairs.py --version 1.18.33 --rounds 500",
    )
    parser.add_argument("--version", default="1.18.33", help="of OpenCode")
    parser.add_argument("--rounds", type=int, default=500, help="of each pair, at most")
    parser.add_argument("--seconds", type=float, default=600, help="at most, for both pairs")
    parser.add_argument("--bound", type=float, default=15, help="seconds without an answer")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rows = anyio.run(_measure, given)
    print("\n| pair | rounds | hung | of these late / never | slow machine | slowest answer |")
    print("|---|---|---|---|---|---|")
    for pair, row in rows.items():
        print(
            f"| {_NAMES[pair]} | {row.rounds} | {row.hung} | {row.late} / {row.never} "
            f"| {row.slow_machine} | {row.slowest_s:.2f} s |"
        )
    for pair, row in rows.items():
        print(f"\n{_NAMES[pair]}: {dict(row.statuses.most_common())}")
        for example in row.examples:
            print(f"  {example}")
    return 1 if any(row.hung for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
