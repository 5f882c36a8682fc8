"""How far apart the requests of one round leave: the gate against ``asyncio.gather`` on httpx.

    python tests/quality/bench_gate.py --rounds 200

Measured at the sender, on the bundled demo server, the two ways interleaved in
one run. For the gate: from the first to the last release, all offsets 0. For
gather: one shared ``httpx.AsyncClient`` (warm connections), from the first to
the last request written, as httpcore's own trace tells.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING

import anyio
import httpx

from deadheat.drive.gate import Gate
from deadheat.drive.lane import LaneClient
from deadheat.drive.server import ServerProcess
from deadheat.targets.catalog import demo

if TYPE_CHECKING:
    from deadheat.core.release import Release

PATH = "/global/health"


async def _gated(clients: list[LaneClient]) -> int:
    gate = Gate([0] * len(clients))
    releases: tuple[Release, ...] = ()
    async with anyio.create_task_group() as tasks:
        for lane, client in enumerate(clients):
            tasks.start_soon(client.send, "GET", PATH, None, (gate, lane))
        releases = await gate.open()
    achieved = [release.achieved_ns for release in releases]
    return max(achieved) - min(achieved)


async def _gathered(client: httpx.AsyncClient, lanes: int) -> int:
    written: list[int] = []

    async def trace(event: str, _info: object) -> None:
        if event == "http11.send_request_body.complete":
            written.append(time.monotonic_ns())

    await asyncio.gather(*(client.get(PATH, extensions={"trace": trace}) for _ in range(lanes)))
    return max(written) - min(written)


async def _measure(lanes: int, rounds: int, base_url: str) -> tuple[list[int], list[int]]:
    clients = [LaneClient(base_url, 10) for _ in range(lanes)]
    gated: list[int] = []
    gathered: list[int] = []
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as shared:
        for n in range(rounds + 5):  # the first five open connections and are not counted
            pair = (await _gated(clients), await _gathered(shared, lanes))
            if n >= 5:
                gated.append(pair[0])
                gathered.append(pair[1])
    for client in clients:
        await client.aclose()
    return gated, gathered


async def _run(rounds: int) -> None:
    launch = demo(correct=True).launch
    if launch is None:
        sys.exit("the demo has no launch")
    process = ServerProcess(launch)
    base_url = await process.start()
    try:
        print("| lanes | gate: median µs (90 %) | µs a lane | gather: median µs (90 %) | ratio |")
        print("|---|---|---|---|---|")
        for lanes in (2, 5, 10, 20):
            gated, gathered = await _measure(lanes, rounds, base_url)
            one, other = statistics.median(gated) / 1e3, statistics.median(gathered) / 1e3
            high = [sorted(found)[int(0.9 * len(found))] / 1e3 for found in (gated, gathered)]
            print(
                f"| {lanes} | {one:,.0f} ({high[0]:,.0f}) | {one / lanes:,.0f} "
                f"| {other:,.0f} ({high[1]:,.0f}) | {other / one:,.0f} |"
            )
    finally:
        await process.stop()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    anyio.run(_run, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
