"""The event stream as an observer of trials: what it announced of their sessions.

Rules
- The marker is a session of our own, made or deleted when all else has been answered. Its
  announcement flushes the stream: on an ordered one, what was answered before the marker was
  asked for has been announced by then. One request a flush: made at one, deleted at the next.
  It is no trial's session.
- A fresh connection counts only once it has announced a marker: a server may say that it is
  connected before it listens to itself.
- What some say of a change after its answer (OpenCode 1.18: up to 50 ms and more on a busy
  machine) is waited for like that, never slept for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.event_stream import owed
from deadheat.model.history import Change, Created, Deleted, History, Invocation, Kind, Ok, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from deadheat.drive.events.listener import Listener
    from deadheat.model.history import Announcement, Operation, Outcome
    from deadheat.model.promises import Promises

# A change that is not announced before the first marker may be behind it on a stream that is not
# quite in order: only what several markers have overtaken is missing.
_FLUSHES = 4


class StreamObserver:
    """``ask`` sends one call and gives its outcome; ``create`` is the one that makes the marker.

    ``disregard`` hears of each marker's id before anything else is sent.
    """

    def __init__(
        self,
        listener: Listener,
        ask: Callable[[Invocation], Awaitable[Outcome]],
        disregard: Callable[[str], None],
        create: Invocation,
    ) -> None:
        self._listener = listener
        self._ask = ask
        self._disregard = disregard
        self._create = create
        self._session: str | None = None
        self._attached = 0  # the number of the connection that is known to announce
        self._whole = False  # since the last ``begin`` nothing can have been missed, if it lasts

    async def begin(self) -> bool:
        """Begin a trial, with nothing heard. Is every announcement from now on heard?"""
        listener = self._listener
        self._whole = await listener.begin()
        if self._whole and self._attached != listener.connections:
            self._whole = await self.flush() is not None
            self._attached = listener.connections if self._whole else 0
        return self._whole

    async def end(
        self, operations: Sequence[Operation], sessions: Collection[str], promises: Promises
    ) -> Stream:
        """What was announced of ``sessions`` in the trial, flushed if possible."""
        flushed_ns: int | None = None
        for _ in range(_FLUSHES if self._whole else 0):
            flushed_ns = await self.flush()
            if flushed_ns is None or not self._unbroken():
                return self.said_of(sessions)
            done = History(tuple(operations), stream=self.said_of(sessions, flushed_ns))
            if not owed(done, promises):
                break
        return self.said_of(sessions, flushed_ns)

    def said_of(self, sessions: Collection[str], flushed_ns: int | None = None) -> Stream:
        """What has been announced of these sessions so far."""
        said = (one for one in self._listener.heard if one.session in sessions)
        return Stream(tuple(said), flushed_ns)

    def _unbroken(self) -> bool:
        return self._listener.live and self._listener.connections == self._attached

    async def flush(self) -> int | None:
        """The instant at which the marker's announcement arrived; None: it did not."""
        since = len(self._listener.heard)
        if self._session is None:
            outcome = await self._ask(self._create)
            if not (isinstance(outcome, Ok) and isinstance(outcome.result, Created)):
                return None
            self._session = session = outcome.result.session
            self._disregard(session)
            return await self._arrival(Change.CREATED, session, since)
        session, self._session = self._session, None
        outcome = await self._ask(Invocation(Kind.DELETE, session))
        if not (isinstance(outcome, Ok) and isinstance(outcome.result, Deleted)):
            return None
        return await self._arrival(Change.DELETED, session, since)

    async def _arrival(self, change: Change, session: str, since: int) -> int | None:
        def told(one: Announcement) -> bool:
            return one.change is change and one.session == session

        found = await self._listener.until(told, since)
        return None if found is None else found.arrived_ns

    def stop(self) -> None:
        """Stop listening."""
        self._listener.end()

    async def rest(self) -> None:
        """Pause until ``begin``: the server then works for the lanes only."""
        self.stop()
        await self.remove()

    async def remove(self) -> None:
        """Delete the marker."""
        session, self._session = self._session, None
        if session is not None:
            await self._ask(Invocation(Kind.DELETE, session))
