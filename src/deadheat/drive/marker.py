"""The marker: a session of our own, made or deleted when all else has been answered.

Its announcement flushes the event stream: on an ordered stream whatever was answered before the
marker was asked for has been announced by then. One request a trial: it is made, and at the next
flush deleted. It is no trial's session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.core.history import Change, Created, Deleted, Invocation, Kind, Ok

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.core.history import Announcement, Outcome
    from deadheat.drive.listening import Listener


class Marker:
    """``ask`` sends one call and gives its outcome; ``title`` is what the session is called."""

    def __init__(
        self,
        listener: Listener,
        ask: Callable[[Invocation], Awaitable[Outcome]],
        disregard: Callable[[str], None],
        title: str,
    ) -> None:
        self._listener = listener
        self._ask = ask
        self._disregard = disregard
        self._title = title
        self._session: str | None = None

    async def flush(self) -> int | None:
        """When the marker's announcement arrived; None: it did not, or nobody listens."""
        since = len(self._listener.heard)
        if self._session is None:
            outcome = await self._ask(Invocation(Kind.CREATE, title=self._title))
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

    async def remove(self) -> None:
        """Leave nothing behind."""
        session, self._session = self._session, None
        if session is not None:
            await self._ask(Invocation(Kind.DELETE, session))

    async def _arrival(self, change: Change, session: str, since: int) -> int | None:
        def told(one: Announcement) -> bool:
            return one.change is change and one.session == session

        found = await self._listener.until(told, since)
        return None if found is None else found.arrived_ns
