"""The gate: hold back the end of each lane's request, then let them all go.

Rules
- Of a held request the server has the head but for its last byte (``wire.stream``), or nothing
  yet (``wire.http2``), so it cannot act on it; the task that sent it is already waiting for the
  answer when the gate opens.
- It opens when each lane is held by a connection that stands. One that breaks before is made
  again, and its request is held there.
- Release is one tight loop over plain ``send`` calls, each at its offset. Lanes of one
  connection that are due together leave in one ``send``. For a wait longer than ``_SPIN_NS``
  the loop sleeps first, so that answers that arrive meanwhile are read in time.
- A body that is larger than a socket's buffer is sent to its end beside all that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from deadheat.model.release import Release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

# anyio.sleep on a busy 2-core machine wakes up to about 1 ms late; the rest is spun.
_SPIN_NS = 1_500_000
# A wait longer than this is mostly slept away, not spun: spinning keeps a core from the server,
# which on a busy 2-core machine then acts on the first byte only after the last one is out.
_NAP_NS = 100_000
# time.sleep wakes up about 60 µs late (50 µs of timer slack).
_NAP_LATE_NS = 80_000
# Who waits for an answer has read what came after one turn of the event loop; a server that sends
# without end while its request is held must not keep the gate shut.
_LOOKS = 20


class Holder(Protocol):
    """A connection that holds the ends of requests."""

    def prepare(self, lanes: Sequence[int]) -> None:
        """Make the ends of these lanes ready; ``release`` follows at once."""
        ...

    def release(self, lanes: Sequence[int]) -> int:
        """Send the ends of these lanes; the instant just before, in nanoseconds. Never raises."""
        ...

    @property
    def readable(self) -> bool:
        """Has anything arrived that was not read yet, the end of the connection included?"""
        ...

    @property
    def pending(self) -> bool:
        """Did some of it not fit into the socket's buffer?"""
        ...

    async def drain(self) -> None:
        """Send the rest of it. Never raises."""
        ...


class Gate:
    """Collects the held requests of one round, one a lane, and releases them.

    ``offsets_us``: for each lane, how long after the opening its end goes out.
    """

    def __init__(self, offsets_us: Sequence[int]) -> None:
        self._offsets_us = tuple(offsets_us)
        self._missing = set(range(len(self._offsets_us)))
        self._held: dict[int, Holder] = {}  # by lane
        self._all_here = anyio.Event()
        self._opened = False

    def arrived(self, lane: int, holder: Holder) -> None:
        """Note that a connection now holds the end of this lane's request."""
        self._held[lane] = holder
        self.absent(lane)

    def absent(self, lane: int) -> None:
        """Note that this lane will not arrive: its first call failed before it could be held."""
        self._missing.discard(lane)
        if not self._missing:
            self._all_here.set()

    def lost(self, lane: int) -> bool:
        """Note that what held this lane has broken. May it arrive again? Not once the gate is open.

        After a True it must arrive again, or be absent.
        """
        if self._opened:
            return False
        self._held.pop(lane, None)
        if not self._missing:
            self._all_here = anyio.Event()
        self._missing.add(lane)
        return True

    async def open(self) -> tuple[Release, ...]:
        """Wait until every lane is held, then release each at its offset."""
        await self._until_all_stand()
        self._opened = True
        releases: list[Release] = []
        async with anyio.create_task_group() as draining:
            await self._release(releases, draining)
        return tuple(releases)

    async def _until_all_stand(self) -> None:
        looks = 0
        while True:
            await self._all_here.wait()
            await anyio.lowlevel.checkpoint()  # lets the last writer reach its read
            if self._missing:
                continue
            looks += 1
            if looks > _LOOKS or not any(holder.readable for holder in self._held.values()):
                return

    async def _release(self, releases: list[Release], draining: TaskGroup) -> None:
        groups = self._groups()
        ready = self._prepared(groups, 0)
        opened_ns = time.monotonic_ns()
        for n, (wanted_ns, lanes, holder) in enumerate(groups):
            left_ns = opened_ns + wanted_ns - time.monotonic_ns()
            if left_ns > _SPIN_NS:
                await anyio.sleep((left_ns - _SPIN_NS) / 1e9)
            if n == ready:
                ready = self._prepared(groups, n)
            _wait_until(opened_ns + wanted_ns)
            achieved_ns = holder.release(lanes) - opened_ns
            releases += [Release(lane, wanted_ns, achieved_ns) for lane in lanes]
            if holder.pending:
                draining.start_soon(holder.drain)

    def _groups(self) -> list[tuple[int, list[int], Holder]]:
        """What leaves in one ``send`` each: the offset in ns, the lanes, the holder."""
        groups: dict[tuple[int, int], tuple[list[int], Holder]] = {}
        for lane, holder in self._held.items():
            groups.setdefault((self._offsets_us[lane], id(holder)), ([], holder))[0].append(lane)
        in_order = sorted(groups.items(), key=lambda group: group[0][0])
        return [(key[0] * 1_000, *group) for key, group in in_order]

    @staticmethod
    def _prepared(groups: list[tuple[int, list[int], Holder]], n: int) -> int:
        """Prepare group ``n`` and those that follow without a sleep; returns the next one."""
        first_ns = groups[n][0] if groups else 0
        while n < len(groups) and groups[n][0] - first_ns <= _SPIN_NS:
            groups[n][2].prepare(groups[n][1])
            n += 1
        return n


def _wait_until(due_ns: int) -> None:
    """Block for at most ``_SPIN_NS``: asleep at first, then awake to meet the instant."""
    left_ns = due_ns - time.monotonic_ns()
    if left_ns > _NAP_NS:
        time.sleep((left_ns - _NAP_LATE_NS) / 1e9)
    while time.monotonic_ns() < due_ns:
        pass
