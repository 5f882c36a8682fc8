"""Planted faults of the event stream, and calls that hang; with ``correct``, none.

Rules: as in ``writes``. A correct server announces a change in the step that makes it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from tests.servers.writes import LONG_WINDOW_S, WINDOW_S

from deadheat.targets.demo.session_http import Missing, Session, SessionCollection

# For ever, next to any bound.
_AGES_S = 3_600.0
# Long for a call, and well within the bound that such a server is given.
_SLOW_S = 0.1


class SaidTwice(SessionCollection):
    """duplicate-event: two deletes that find the session both announce that it is gone."""

    announces = True

    async def delete(self, sid: str) -> None:
        """One of them answers 404, and has said all the same that it did it."""
        if sid not in self.stored:
            raise Missing(sid)
        session = self.stored[sid]
        await asyncio.sleep(WINDOW_S)
        if sid in self.stored:
            self.take(sid)
            return
        if not self.correct:
            self.announce("deleted", session)
        raise Missing(sid)


class SaidTooSoon(SessionCollection):
    """early-event: a delete is announced when it begins."""

    announces = True

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._said: set[str] = set()  # and only once: that is another fault

    async def delete(self, sid: str) -> None:
        """And done a long window later."""
        if sid not in self.stored:
            raise Missing(sid)
        if not self.correct and sid not in self._said:
            self._said.add(sid)
            self.announce("deleted", self.stored[sid])
        await asyncio.sleep(LONG_WINDOW_S)
        if sid not in self.stored:
            raise Missing(sid)
        if self.correct:
            self.take(sid)
        else:
            self.stored.pop(sid)


class SaidLast(SessionCollection):
    """missing-event: what is to be announced waits in one place, for the next one to take."""

    announces = True

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._waiting: list[Session] = []

    async def delete(self, sid: str) -> None:
        """Gone at once, announced a moment later."""
        if sid not in self.stored:
            raise Missing(sid)
        session = self.stored.pop(sid)
        if not self.correct:
            self._waiting.clear()
        self._waiting.append(session)
        await asyncio.sleep(WINDOW_S)
        while self._waiting:
            self.announce("deleted", self._waiting.pop(0))


class CrossedLocks(SessionCollection):
    """deadlock: a delete locks its own session first, then all others."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def delete(self, sid: str) -> None:
        """The twin takes the locks in one order, whichever session it is about."""
        if sid not in self.stored:
            raise Missing(sid)
        others = sorted(set(self.stored) - {sid})
        order = sorted(self.stored) if self.correct else [sid, *others]
        held: list[asyncio.Lock] = []
        try:
            for one in order:
                await self._locks[one].acquire()
                held.append(self._locks[one])
                if len(held) == 1:
                    await asyncio.sleep(WINDOW_S)
            if sid not in self.stored:
                raise Missing(sid)
            self.take(sid)
        finally:
            for lock in held:
                lock.release()


class StandsStill(SessionCollection):
    """stall: two creates at once stop the whole server; the twin is slow, and answers in time."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._creates = 0

    async def create(self, title: str | None) -> Session:
        """Cannot bear another one beside it."""
        self._creates += 1
        try:
            if self._creates > 1:
                time.sleep(_SLOW_S if self.correct else _AGES_S)  # noqa: ASYNC251 - as planted
                await asyncio.sleep(_SLOW_S)
            await asyncio.sleep(WINDOW_S)
            return await super().create(title)
        finally:
            self._creates -= 1
