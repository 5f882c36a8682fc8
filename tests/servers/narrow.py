"""Planted races whose window is short, and at the end of a slow call; with ``correct``, none.

Rules: as in ``writes``.
"""

from __future__ import annotations

import asyncio

from deadheat.targets.demo.session_http import Missing, Session, SessionCollection

# Longer than any offset that is drawn without having seen the server.
SLOW_S = 0.008
SLOWER_S = 0.012
NARROW_S = 0.0005


class EndOfDelete(SessionCollection):
    """end-of-delete: a delete takes a while; a get in the moment before its end answers 500."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._ending: set[str] = set()

    async def delete(self, sid: str) -> None:
        """In one step, after a while."""
        await asyncio.sleep(SLOW_S)
        if sid not in self.stored:
            raise Missing(sid)
        self._ending.add(sid)
        await asyncio.sleep(NARROW_S)
        self._ending.discard(sid)
        if sid not in self.stored:
            raise Missing(sid)
        self.take(sid)

    async def get(self, sid: str) -> Session:
        """What is there."""
        if not self.correct and sid in self._ending:
            raise KeyError(sid)  # 500
        return await super().get(sid)


class EndOfList(SessionCollection):
    """end-of-list: what changes in the moment before a list's end makes it answer 500."""

    async def list(self) -> list[Session]:
        """In one step, after a while."""
        await asyncio.sleep(SLOWER_S)
        before = list(self.stored)
        await asyncio.sleep(NARROW_S)
        if not self.correct and before != list(self.stored):
            raise RuntimeError("the collection changed")  # 500
        return await super().list()
