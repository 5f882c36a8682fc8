"""How far apart the requests of one round leave: the gate against ``asyncio.gather`` on httpx.

    python tests/quality/bench_gate.py --rounds 200

All ways interleaved in one run, all offsets 0, each against a server of its own that does
nothing else. At the sender: from the first release (for gather: the first request written, as
httpcore's own trace tells) to the last. Over HTTP/2 there is one release for all. At the server:
from the first request that its application got to the last, by the same clock. Gather: one
shared ``httpx.AsyncClient`` with warm connections. A round that a server did not answer whole is
left out. Exit 1 when the goal is missed on plain TCP.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

from tests.servers.behind import WAYS, certify, serving

from deadheat.drive.wire.address import address_of
from deadheat.drive.wire.gate import Gate
from deadheat.drive.wire.http2 import SharedConnection
from deadheat.drive.wire.lane import LaneClient

if TYPE_CHECKING:
    from deadheat.model.release import Release

PATH = "/session/ses_now"
LANES = (2, 5, 10, 20)
GOAL_US = 25  # a lane, at the sender (issue 4)
WARM_UP = 5  # rounds that open connections and are not counted


@dataclass(slots=True)
class Spread:
    """Of each round, in nanoseconds: at the sender, and at the server."""

    sent: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    def note(self, sent_ns: list[int], answers: list[httpx.Response]) -> None:
        """One round."""
        at = [answer.json()["received_ns"] for answer in answers]
        self.sent.append(max(sent_ns) - min(sent_ns))
        self.received.append(max(at) - min(at))


async def _gated(clients: list[LaneClient], spread: Spread) -> None:
    gate = Gate([0] * len(clients))
    answers: list[httpx.Response] = []
    releases: tuple[Release, ...] = ()

    async def one(lane: int, client: LaneClient) -> None:
        try:
            answer, *_ = await client.send("GET", PATH, None, (gate, lane))
        except httpx.RequestError:  # hypercorn ends an HTTP/2 connection now and then
            gate.absent(lane)
            return
        answers.append(answer)

    async with anyio.create_task_group() as tasks:
        for lane, client in enumerate(clients):
            tasks.start_soon(one, lane, client)
        releases = await gate.open()
    if len(answers) == len(clients):
        spread.note([release.achieved_ns for release in releases], answers)


async def _gathered(client: httpx.AsyncClient, lanes: int, spread: Spread) -> None:
    written: list[int] = []

    async def trace(event: str, _info: object) -> None:
        if event == "http11.send_request_body.complete":
            written.append(time.monotonic_ns())

    asked = (client.get(PATH, extensions={"trace": trace}) for _ in range(lanes))
    spread.note(written, list(await asyncio.gather(*asked)))


async def _measure(lanes: int, rounds: int, urls: dict[str, str]) -> dict[str, Spread]:
    async with AsyncExitStack() as stack:
        clients: dict[str, list[LaneClient]] = {}
        for way, url in urls.items():
            shared = SharedConnection(address_of(url)) if way == "http2" else None
            if shared is not None:
                stack.push_async_callback(shared.aclose)
            clients[way] = [
                LaneClient(url, 10, shared=shared.lane() if shared else None) for _ in range(lanes)
            ]
            for client in clients[way]:
                stack.push_async_callback(client.aclose)
        plain = await stack.enter_async_context(
            httpx.AsyncClient(base_url=urls["tcp"], trust_env=False)
        )
        for count in (WARM_UP, rounds):
            spreads = {way: Spread() for way in (*urls, "gather")}
            for _ in range(count):
                for way, own in clients.items():
                    await _gated(own, spreads[way])
                await _gathered(plain, lanes, spreads["gather"])
    return spreads


async def _run(rounds: int) -> int:
    missed = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deadheat-gate-")))
        os.environ["SSL_CERT_FILE"] = str(certify(folder))
        urls = {way: stack.enter_context(serving(way, folder, correct=True)) for way in WAYS}
        print(
            "| lanes | way | at the sender: median µs (90 %) | µs a lane | gather is so many times "
            "wider | at the server: median µs (90 %) | gather |"
        )
        print("|---|---|---|---|---|---|---|")
        for lanes in LANES:
            spreads = await _measure(lanes, rounds, urls)
            for way in (*urls, "gather"):
                missed |= _print_row(lanes, way, spreads[way], spreads["gather"])
    print(f"\ngoal: at most {GOAL_US} µs a lane at the sender: {'not met' if missed else 'met'}")
    return 1 if missed else 0


def _print_row(lanes: int, way: str, own: Spread, other: Spread) -> bool:
    """One row; is it one of plain TCP that misses the goal?"""
    sent, received = statistics.median(own.sent), statistics.median(own.received)
    wider = statistics.median(other.sent) / max(sent, 1)
    later = statistics.median(other.received) / max(received, 1)
    shown = [
        f"{statistics.median(found) / 1e3:,.0f} ({sorted(found)[int(0.9 * len(found))] / 1e3:,.0f})"
        for found in (own.sent, own.received)
    ]
    at_once = way == "http2"  # one send for all
    print(
        f"| {lanes} | {way if way == 'gather' else f'gate, {way}'} "
        f"| {'one send' if at_once else shown[0]} "
        f"| {'-' if at_once else f'{sent / 1e3 / lanes:,.0f}'} "
        f"| {'-' if at_once else f'{wider:,.0f}'} | {shown[1]} | {later:,.1f} |",
        flush=True,
    )
    return way == "tcp" and sent / 1e3 / lanes > GOAL_US


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    return anyio.run(_run, parser.parse_args().rounds)


if __name__ == "__main__":
    sys.exit(main())
