"""Planted races of get and list; with ``correct``, none. Rules: as in ``writes``."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from tests.servers.writes import LONG_WINDOW_S, WINDOW_S

from deadheat.targets.demo.session_http import Missing, Session, SessionCollection

Sessions: TypeAlias = list[Session]  # inside a class, ``list`` is the call


class CachedList(SessionCollection):
    """stale-list: a list fills the cache with what it read before the last change."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._cache: Sessions | None = None
        self._changes = 0

    def _changed(self) -> None:
        self._cache = None
        self._changes += 1

    async def create(self, title: str | None) -> Session:
        """Empties the cache."""
        self._changed()
        return await super().create(title)

    async def delete(self, sid: str) -> None:
        """Empties the cache."""
        await super().delete(sid)
        self._changed()

    async def rename(self, sid: str, title: str | None) -> Session:
        """Empties the cache."""
        self._changed()
        return await super().rename(sid, title)

    async def list(self) -> Sessions:
        """From the cache, or read and then cached: by then the cache may have been emptied."""
        if self._cache is not None:
            return self._cache
        changes, listed = self._changes, await super().list()
        await asyncio.sleep(WINDOW_S)
        if changes == self._changes or not self.correct:
            self._cache = listed
        return listed


class JoinedList(SessionCollection):
    """joined-list: a list that finds another one at work takes that one's (older) answer."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._at_work: asyncio.Task[Sessions] | None = None

    async def list(self) -> Sessions:
        """One reading for all who ask meanwhile."""
        if self._at_work is not None and not self.correct:
            return await asyncio.shield(self._at_work)
        reading = self._at_work = asyncio.create_task(self._slowly())
        try:
            return await reading
        finally:
            if self._at_work is reading:
                self._at_work = None

    async def _slowly(self) -> Sessions:
        listed = await super().list()
        await asyncio.sleep(LONG_WINDOW_S)
        return listed


class FragileList(SessionCollection):
    """list-fails: a list answers 404 when a session that it is about to read goes."""

    async def list(self) -> Sessions:
        """Ids first, then each session."""
        ids = [*reversed(self.stored)]
        await asyncio.sleep(WINDOW_S)
        if self.correct:
            return await super().list()
        return [await self.get(sid) for sid in ids]


class PagedList(SessionCollection):
    """torn-list: a list reads the sessions that were there when it began, if they still are."""

    async def list(self) -> Sessions:
        """Misses what was created meanwhile, and what was deleted meanwhile too."""
        ids = [*reversed(self.stored)]
        await asyncio.sleep(LONG_WINDOW_S)
        if self.correct:
            return await super().list()
        return [self.stored[sid] for sid in ids if sid in self.stored]


class FragileGet(SessionCollection):
    """get-fails: a get answers 500 when its session goes while it is read."""

    async def get(self, sid: str) -> Session:
        """Look, then read."""
        if sid not in self.stored:
            raise Missing(sid)
        await asyncio.sleep(WINDOW_S)
        if self.correct and sid not in self.stored:
            raise Missing(sid)
        return self.stored[sid]  # KeyError: 500
