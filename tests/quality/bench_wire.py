"""What the generic wire costs: encode and decode of OpenCode's calls, beside their JSON alone.

    python tests/quality/bench_wire.py

CPU time of one call, the best of ``--turns`` interleaved turns. "JSON alone" writes the request's
body and reads the answer's, which no wire can do without. Prints both for each kind of call.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from deadheat.model.history import Info, Invocation, Kind
from deadheat.targets.opencode.releases import profile_of

if TYPE_CHECKING:
    from collections.abc import Callable

# A session as OpenCode 1.2.1 answers it.
ID = "ses_4a1b2c3d4e5f6a7b8c9d0e1f2g"
TITLE = "deadheat 1a2b3c 17 a"
SESSION: dict[str, Any] = {
    "id": ID, "slug": "quiet-comet", "version": "1.2.1", "projectID": "0" * 40,
    "directory": "/tmp/deadheat-x/work", "title": TITLE, "time": {"created": 1, "updated": 2},
}  # fmt: skip
CASES: tuple[tuple[Invocation, int, Any], ...] = (
    (Invocation(Kind.CREATE, title=TITLE), 200, SESSION),
    (Invocation(Kind.CREATE, title=TITLE, parent=ID), 200, SESSION),
    (Invocation(Kind.GET, ID), 200, SESSION),
    (Invocation(Kind.LIST), 200, [SESSION] * 4),
    (Invocation(Kind.CHILDREN, ID), 200, [SESSION] * 2),
    (Invocation(Kind.RENAME, ID, TITLE), 200, SESSION),
    (Invocation(Kind.FORK, ID), 200, SESSION),
    (Invocation(Kind.DELETE, ID), 200, True),
    (Invocation(Kind.DELETE, ID), 404, {"name": "NotFoundError"}),
)
CALLS = 2_000  # a turn: some 10 ms, far above the clock's grain


def timed(work: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    began = time.process_time()
    for _ in range(CALLS):
        work()
    return (time.process_time() - began) / CALLS * 1e6


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    wire = profile_of("1.2.1").wire()
    sums = [0.0, 0.0]
    for asked, status, said in CASES:
        body = json.dumps(said).encode()
        sent = wire.encode(asked).body
        wanted = None if sent is None else json.loads(sent)
        assert not isinstance(wire.decode(asked, status, body), Info)

        def whole(asked: Invocation = asked, status: int = status, body: bytes = body) -> None:
            wire.encode(asked)
            wire.decode(asked, status, body)

        def alone(wanted: Any = wanted, body: bytes = body) -> None:
            if wanted is not None:
                json.dumps(wanted).encode()
            json.loads(body)

        both = [(timed(whole), timed(alone)) for _ in range(turns)]
        best = [min(column) for column in zip(*both, strict=True)]
        sums = [total + one for total, one in zip(sums, best, strict=True)]
        print(f"{asked.kind:9} {status}  wire {best[0]:5.1f} µs   JSON alone {best[1]:5.1f} µs")
    print(f"mean           wire {sums[0] / len(CASES):5.1f} µs   "
          f"JSON alone {sums[1] / len(CASES):5.1f} µs")  # fmt: skip


if __name__ == "__main__":
    main()
