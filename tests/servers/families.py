"""Planted races of parents and renames; with ``correct``, none. Rules: as in ``writes``."""

from __future__ import annotations

import asyncio

from tests.servers.writes import WINDOW_S

from deadheat.targets.demo.session_http import Missing, Session, SessionCollection


class LateChild(SessionCollection):
    """orphan: a delete takes the children that it found when it began."""

    async def delete(self, sid: str) -> None:
        """A child made meanwhile stays, though its parent goes."""
        if sid not in self.stored:
            raise Missing(sid)
        found = self.below(sid)
        await asyncio.sleep(WINDOW_S)
        if sid not in self.stored:
            raise Missing(sid)
        if self.correct:
            self.take(sid)
            return
        for child in found:
            self.take(child)
        self.stored.pop(sid)


class OneByOne(SessionCollection):
    """partial-cascade: children go one by one; one that has gone already ends it with 404.

    The twin's deletes wait for each other: of two, the one that is told 404 has taken nothing.
    """

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._one_at_a_time = asyncio.Lock()

    async def delete(self, sid: str) -> None:
        """Newest first, each in a step of its own."""
        if not self.correct:
            await self._take_one_by_one(sid)
            return
        async with self._one_at_a_time:
            await self._take_one_by_one(sid)

    async def _take_one_by_one(self, sid: str) -> None:
        if sid not in self.stored:
            raise Missing(sid)
        for child in self.below(sid):
            await asyncio.sleep(WINDOW_S)
            if child in self.stored:
                self.take(child)
            elif not self.correct:
                raise Missing(child)
        if sid not in self.stored:
            raise Missing(sid)
        self.take(sid)  # with what was made below it meanwhile


class RenameBack(SessionCollection):
    """rename-back: a rename writes its session back, deleted meanwhile or not."""

    async def rename(self, sid: str, title: str | None) -> Session:
        """Read, then write."""
        session = await self.get(sid)
        await asyncio.sleep(WINDOW_S)
        if self.correct and sid not in self.stored:
            raise Missing(sid)
        self.stored[sid] = {**session, "title": title}
        return self.stored[sid]


class AllTitles(SessionCollection):
    """lost-rename: a rename reads every title, and writes them all."""

    async def rename(self, sid: str, title: str | None) -> Session:
        """What another rename wrote in between is lost."""
        if sid not in self.stored:
            raise Missing(sid)
        titles = {one: session["title"] for one, session in self.stored.items()}
        await asyncio.sleep(WINDOW_S)
        if sid not in self.stored:
            raise Missing(sid)
        titles = {sid: title} if self.correct else {**titles, sid: title}
        for one in titles.keys() & self.stored.keys():
            self.stored[one] = {**self.stored[one], "title": titles[one]}
        return self.stored[sid]
