"""The bundled target: a small session server with one planted race, and its correct twin.

    python -m deadheat.targets.demo.server --port N [--correct]

The race is the one of OpenCode 1.0.x. Before a delete removes a session, it
looks for children: it lists every session, then reads them. A session that
another delete removes between the list and the read makes the read raise; the
delete's own catch swallows that and answers ``true`` without deleting
anything: a ghost. With ``--correct`` the scan skips what has vanished.

Rules
- Nothing else is wrong: all other calls take effect in one step of the event
  loop, in both modes.
- Imports nothing of deadheat but ``session_http``, its neighbour, so it also runs by path.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from deadheat.targets.demo.session_http import SessionCollection, options, pause, serve
else:  # by path: this interpreter may not know the package
    sys.path.append(str(Path(__file__).parent))
    from session_http import SessionCollection, options, pause, serve

# Between a scan's listing and its reads: the width of the race. Divided by the
# spread of the scan's length it gives the ghost's rate at a good offset: up to a
# half, so that the first minute with deadheat works on a busy machine too (at
# 110 and (200, 500) such a machine hid it from most runs of 30 s).
GAP_US = 600
# How long the reads of a scan take, drawn anew each time, as real disks vary.
# Two deletes race when they start about this far apart; at the same instant never.
READS_US = (200, 1_400)


class Vanished(Exception):
    """A session that was just listed can no longer be read."""


class DemoSessions(SessionCollection):
    """The collection. ``correct``: a scan survives sessions that vanish."""

    def __init__(self, correct: bool, rng: random.Random) -> None:
        super().__init__(correct)
        self._rng = rng

    async def delete(self, sid: str) -> None:
        """Remove a session and its children; a failure is not reported (the planted bug)."""
        try:
            await self._scan()
        except Vanished:
            return  # the planted bug: swallowed, and the answer is still ``true``
        self.take(sid)

    async def _scan(self) -> None:
        """List every session, then read each to see whose child it is."""
        listed = tuple(self.stored)
        await pause(GAP_US)
        for sid in listed:
            if sid not in self.stored and not self.correct:
                raise Vanished(sid)
        await pause(self._rng.uniform(*READS_US))


def main() -> None:
    """The command line."""
    args = options("deadheat's demo session server").parse_args()
    serve(lambda: DemoSessions(args.correct, random.Random()), "demo server", args.port)


if __name__ == "__main__":
    main()
