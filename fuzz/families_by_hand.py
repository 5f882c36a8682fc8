"""The parent races of OpenCode 1.18.33, made by hand: plain httpx, nothing of deadheat's search.

Starts the server as `deadheat run` does (hermetic, loopback, ended afterwards), then sends each
race some rounds on connections of its own and prints how often the answers contradict each other:

  refused    delete(parent) ‖ delete(a child): the parent's delete answers 404, and at rest
             the parent is there
  orphan     delete(parent) ‖ (create(child of parent) → 200; get(parent) → 200): at rest the
             parent is gone, and the new child is there
  half done  delete(parent) ‖ lists: a list shows the parent with some of its children only
  twice      delete(parent) ‖ delete(parent): both answer success

Exit 0 always: it measures, and judges nothing.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

import anyio
import httpx

from deadheat.drive.server.process import ServerProcess
from deadheat.targets.opencode import releases as opencode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

# Lists sent one after the other while a cascade runs.
_LISTS = 6
# The other call starts so much later: the cascade must have begun.
_LATER_S = 0.002


class _Hand:
    """Three clients of one server, each with one warm connection."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=1)
        self.one, self.two, self.rest = (
            httpx.AsyncClient(base_url=url, timeout=30, limits=limits, trust_env=False)
            for _ in range(3)
        )

    async def close(self) -> None:
        for client in (self.one, self.two, self.rest):
            await client.aclose()

    async def family(self, count: int) -> tuple[str, list[str]]:
        parent = await self.made(self.rest, None)
        return parent, [await self.made(self.rest, parent) for _ in range(count)]

    async def made(self, client: httpx.AsyncClient, parent: str | None) -> str:
        body = {"title": "by hand"} | ({} if parent is None else {"parentID": parent})
        answer = await client.post("/session", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def listed(self, client: httpx.AsyncClient) -> set[str]:
        answer = await client.get("/session?limit=10000")
        return {str(session["id"]) for session in answer.json()}

    async def status(self, client: httpx.AsyncClient, method: str, session: str) -> int:
        return (await client.request(method, f"/session/{session}")).status_code


async def _both(
    first: Callable[[], Coroutine[Any, Any, None]],
    second: Callable[[], Coroutine[Any, Any, None]],
    later_s: float,
) -> None:
    async def after() -> None:
        await anyio.sleep(later_s)
        await second()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        tasks.start_soon(after)


async def _refused(hand: _Hand, count: int, n: int) -> bool:
    parent, children = await hand.family(count)
    said: list[int] = []

    async def top() -> None:
        said.append(await hand.status(hand.one, "DELETE", parent))

    async def child() -> None:
        await hand.status(hand.two, "DELETE", children[n % count])

    await _both(top, child, 0)
    return said == [404] and parent in await hand.listed(hand.rest)


async def _orphan(hand: _Hand, count: int, n: int) -> bool:  # noqa: ARG001 - as the others
    parent, _ = await hand.family(count)
    said: list[int] = []
    born: list[str] = []

    async def top() -> None:
        await hand.status(hand.one, "DELETE", parent)

    async def maker() -> None:
        born.append(await hand.made(hand.two, parent))
        said.append(await hand.status(hand.two, "GET", parent))

    await _both(top, maker, _LATER_S)
    there = await hand.listed(hand.rest)
    return said == [200] and parent not in there and born[0] in there


async def _half_done(hand: _Hand, count: int, n: int) -> bool:  # noqa: ARG001
    parent, children = await hand.family(count)
    halves: list[bool] = []

    async def top() -> None:
        await hand.status(hand.one, "DELETE", parent)

    async def look() -> None:
        for _ in range(_LISTS):
            shown = await hand.listed(hand.two)
            halves.append(parent in shown and not set(children) <= shown)

    await _both(top, look, _LATER_S)
    return any(halves)


async def _twice(hand: _Hand, count: int, n: int) -> bool:  # noqa: ARG001
    parent, _ = await hand.family(count)
    said: list[int] = []

    async def top(client: httpx.AsyncClient) -> None:
        said.append(await hand.status(client, "DELETE", parent))

    await _both(partial(top, hand.one), partial(top, hand.two), 0)
    return said == [200, 200] and await hand.status(hand.rest, "DELETE", parent) == 404


_RACES = {"refused": _refused, "orphan": _orphan, "half done": _half_done, "twice": _twice}


async def _measure(given: argparse.Namespace) -> None:
    target = opencode.released(given.version, partial(print, file=sys.stderr))
    if target.launch is None:
        raise SystemExit("families_by_hand: this target has no command to start it by")
    process = ServerProcess(target.launch)
    try:
        hand = _Hand(await process.start())
        try:
            print(
                f"\nopencode@{given.version}: rounds that contradict themselves, of {given.rounds}"
            )
            print("| children | " + " | ".join(_RACES) + " |")
            print("|---" * (1 + len(_RACES)) + "|")
            for count in given.children:
                row = []
                for race in _RACES.values():
                    hits = 0
                    for n in range(given.rounds):
                        hits += await race(hand, count, n)
                    row.append(str(hits))
                print(f"| {count} | " + " | ".join(row) + " |", flush=True)
        finally:
            with anyio.CancelScope(shield=True):
                await hand.close()
    finally:
        with anyio.CancelScope(shield=True):
            await process.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/families_by_hand.py --version 1.2.1",
    )
    parser.add_argument("--version", default="1.18.33", help="of OpenCode")
    parser.add_argument("--rounds", type=int, default=8, help="of each race, for each size")
    parser.add_argument("--children", type=int, nargs="*", default=[1, 2, 3, 4, 5, 8])
    anyio.run(_measure, parser.parse_args())
    return 0


if __name__ == "__main__":
    sys.exit(main())
