"""The target's event stream: one more observer, with its own connection and its own clock.

Rules
- An announcement is stamped when it has been read: it was sent then or sooner, never later.
- A stream that breaks, ends or never begins is no finding: the caller is told that there may
  have been more (``Heard.broken``), and the next trial listens again.
- What is no announcement of a session (heartbeats, other news) is passed over.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
import httpx
import httpx_sse

from deadheat.drive.wire.address import address_of
from deadheat.drive.wire.lane import LaneTransport
from deadheat.model.history import Announcement

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from deadheat.model.history import Change

# Until the stream's first event; OpenCode says ``server.connected`` at once.
_BEGINS_WITHIN_S = 2.0
# Until the announcement of a change that has been answered. Measured on OpenCode: before the
# answer, or within 20 ms of it.
HEARD_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class EventReport:
    """What one event reports about a session."""

    change: Change
    session: str
    title: str | None = None


class EventWire(Protocol):
    """How one API announces its changes as server-sent events."""

    @property
    def path(self) -> str:
        """The path to GET, relative to the base URL."""
        ...

    def news(self, event: str, text: str) -> EventReport | None:
        """What an event (its name and data) reports; None: nothing about a session."""
        ...


class Listener:
    """One server's stream, from ``begin`` to ``end``. Its reader runs in the given task group."""

    def __init__(
        self,
        base_url: str,
        wire: EventWire,
        tasks: TaskGroup,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._headers = headers
        self._base_url = base_url
        self._wire = wire
        self._tasks = tasks
        self._reading: anyio.CancelScope | None = None
        self._changed = anyio.Event()
        self._connections = 0
        self.heard: list[Announcement] = []

    @property
    def connections(self) -> int:
        """How often it has connected: if the number changes, there was a gap."""
        return self._connections

    @property
    def live(self) -> bool:
        """Is it listening?"""
        return self._reading is not None

    async def begin(self) -> bool:
        """Start listening, if not started, and forget what was heard before.

        False when the stream does not begin.
        """
        self.heard.clear()
        if self._reading is not None:
            return True
        self._connections += 1
        self._reading = scope = anyio.CancelScope()
        connected = anyio.Event()
        self._tasks.start_soon(self._read, scope, connected)
        with anyio.move_on_after(_BEGINS_WITHIN_S):
            await connected.wait()
        if self._reading is scope and not connected.is_set():
            self.end()
        return self._reading is scope

    def end(self) -> None:
        """Stop listening."""
        scope, self._reading = self._reading, None
        if scope is not None:
            scope.cancel()

    async def until(self, told: Callable[[Announcement], bool], since: int) -> Announcement | None:
        """The first announcement from number ``since`` on that is ``told``; None: too late."""
        with anyio.move_on_after(HEARD_WITHIN_S):
            while True:
                for one in self.heard[since:]:
                    if told(one):
                        return one
                if self._reading is None:
                    return None
                await self._changed.wait()
        return None

    async def _read(self, scope: anyio.CancelScope, connected: anyio.Event) -> None:
        broken = (httpx.HTTPError, httpx.InvalidURL, httpx_sse.SSEError)  # no finding
        with scope, contextlib.suppress(*broken):
            await self._follow(connected)
        if self._reading is scope:
            self._reading = None
        connected.set()
        self._wake()

    async def _follow(self, connected: anyio.Event) -> None:
        # A quiet stream is no broken one: no limit on the time between two events.
        timeout = httpx.Timeout(_BEGINS_WITHIN_S, read=None)
        address = address_of(self._base_url)
        async with (
            httpx.AsyncClient(
                base_url=address.base_url,
                transport=LaneTransport(address),
                trust_env=False,
                headers=self._headers,
                timeout=timeout,
            ) as client,
            httpx_sse.aconnect_sse(client, "GET", self._wire.path) as source,
        ):
            async for event in source.aiter_sse():
                now_ns = time.monotonic_ns()
                connected.set()
                news = self._wire.news(event.event, event.data)
                if news is not None:
                    self.heard.append(Announcement(news.change, news.session, now_ns, news.title))
                    self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
