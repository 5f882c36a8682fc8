"""Only its own, at length: programs against a server full of foreign sessions, which lies.

    python tests/quality/foreign.py [--programs N] [--lies SHARE]

After them every foreign session must be there as it was, to the byte, and no request that
changes something may ever have named one. Exit 1 otherwise.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

import anyio
from tests import opencode
from tests.servers.crowd import Crowd
from tests.servers.scripted import Scripted

from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import PLAIN, Target
from deadheat.generate.source import ProgramSource
from deadheat.model.history import Kind
from deadheat.targets.profile.pages import DeclaredPages, PagesTable

PAGE = 10  # of 20 foreign sessions and ours: three pages
KINDS = PLAIN | {Kind.RENAME}


def main() -> int:
    """Print what was tried; 0 when every foreign session survived untouched."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--lies", type=float, default=0.2, help="share of the answers that lie")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    good = True
    for page in (0, PAGE):
        for lies in (0.0, given.lies):
            good = anyio.run(_try, given.programs // 4, lies, page, given.seed) and good
    return 0 if good else 1


async def _try(programs: int, lies: float, page: int, seed: int) -> bool:
    crowd = Crowd(random.Random(seed), page=page)
    before = dict(crowd.stored)
    supply = iter(ProgramSource(seed, kinds=KINDS))
    began_s = time.monotonic()
    pages = DeclaredPages({Kind.LIST: PagesTable(page="page")}) if page else None
    target = Target(
        "crowd", opencode.WIRE, exclusive=False, timeout_s=5.0, kinds=KINDS, pages=pages
    )
    with Scripted(crowd) as server:
        async with Executor(server.base_url, target, Ownership("run", unique=True)) as running:
            await running.look_around()
            crowd.lies = lies
            for _ in range(programs):
                await running.run(next(supply))
            left = len(running.left_behind)
    touched = [
        asked.path
        for asked in server.asked
        if asked.method in ("DELETE", "PATCH", "POST")
        and asked.path.removeprefix("/session").strip("/").partition("/")[0] in crowd.foreign
    ]
    after = {session: crowd.stored.get(session) for session in before}
    calls = Counter(asked.method for asked in server.asked)
    print(
        f"lies {lies:.0%}, {f'pages of {page}' if page else 'one page'}: "
        f"{programs:,} programs, {len(server.asked):,} requests "
        f"({', '.join(f'{n:,} {method}' for method, n in sorted(calls.items()))}), "
        f"{crowd.made:,} sessions made, {crowd.reused:,} ids reused, "
        f"{crowd.redirected:,} redirects, {left:,} left behind, "
        f"{time.monotonic() - began_s:.0f} s\n"
        f"  foreign sessions: {len(before)} before, "
        f"{sum(after[s] == title for s, title in before.items())} unchanged after; "
        f"{len(touched)} changing requests named one",
        flush=True,
    )
    return after == before and not touched


if __name__ == "__main__":
    raise SystemExit(main())
