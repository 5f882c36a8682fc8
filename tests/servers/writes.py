"""Planted races of create, delete and the write that hides in a get; with ``correct``, none.

Rules
- One race a class; the rest of the class is ``SessionCollection``, which is correct.
- A window is an await, so that it does not depend on how busy the machine is;
  the correct twin waits just as long.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from typing import Any

from deadheat.targets.demo.session_http import Missing, Session, SessionCollection, new_session

# The generator starts lanes up to 3 ms apart, so most pairs of calls meet in here.
WINDOW_S = 0.003
# For a race that needs two answers of another lane inside its window: each takes
# about 1 ms, on a busy machine 3.
LONG_WINDOW_S = 0.010
# After the first reads at rest, and well within the settle time that such a server states.
LATE_S = 0.020


class CheckThenAct(SessionCollection):
    """duplicate-id: the next number is looked up, and taken a moment later."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._last = 0

    async def create(self, title: str | None) -> Session:
        """Two at once find the same number free."""
        number = self._last + 1
        if self.correct:
            self._last = number
        await asyncio.sleep(WINDOW_S)
        self._last = max(self._last, number)
        sid = f"ses_{number:08d}"
        self.stored[sid] = new_session(sid, title)
        return self.stored[sid]


class WholeFile(SessionCollection):
    """lost-create: a create reads the file, adds its session and writes the whole file.

    A delete waits until no create is under way, so only creates lose each other's work.
    """

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._file = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the server
        self._write({})
        self._one_create = asyncio.Lock()
        self._creates = 0
        self._create_ended = asyncio.Condition()

    def _read(self) -> dict[str, Session]:
        self._file.seek(0)
        stored: dict[str, Session] = json.load(self._file)
        return stored

    def _write(self, stored: dict[str, Session]) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump(stored, self._file)
        self._file.flush()

    async def create(self, title: str | None) -> Session:
        """What another create writes between our read and our write is lost."""
        self._creates += 1
        try:
            if self.correct:
                async with self._one_create:
                    return await self._add(title)
            return await self._add(title)
        finally:
            self._creates -= 1
            async with self._create_ended:
                self._create_ended.notify_all()

    async def _add(self, title: str | None) -> Session:
        stored = self._read()
        await asyncio.sleep(WINDOW_S)
        session = new_session(self.fresh_id(), title)
        self._write({**stored, session["id"]: session})
        return session

    async def get(self, sid: str) -> Session:
        """One session of the file."""
        stored = self._read()
        if sid not in stored:
            raise Missing(sid)
        return stored[sid]

    async def list(self) -> list[Session]:
        """The whole file."""
        return [*reversed(self._read().values())]

    async def delete(self, sid: str) -> None:
        """In one step, once no create is under way."""
        async with self._create_ended:
            await self._create_ended.wait_for(lambda: self._creates == 0)
            stored = self._read()
            if stored.pop(sid, None) is None:
                raise Missing(sid)
            self._write(stored)


class TouchOnRead(SessionCollection):
    """resurrection: a get writes the session back with ``seen``, deleted meanwhile or not."""

    async def get(self, sid: str) -> Session:
        """Read it, and note when it was read."""
        session = await super().get(sid)
        await asyncio.sleep(WINDOW_S)
        touched: dict[str, Any] = {**session, "time": {**session["time"], "seen": True}}
        if sid in self.stored or not self.correct:
            self.stored[sid] = touched
        return touched


class LateTouch(SessionCollection):
    """late-write: a get that saw its session deleted writes it back, long after it answered."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._writes: set[asyncio.Task[None]] = set()

    async def get(self, sid: str) -> Session:
        """Read it, and note when it was read; that is put off when somebody else is at work."""
        session = await super().get(sid)
        await asyncio.sleep(WINDOW_S)
        if sid not in self.stored and not self.correct:
            write = asyncio.create_task(self._write(session))
            self._writes.add(write)
            write.add_done_callback(self._writes.discard)
        return session

    async def _write(self, session: Session) -> None:
        await asyncio.sleep(LATE_S)
        self.stored[session["id"]] = session


class Acknowledged(SessionCollection):
    """late-delete: while another delete is at work, a delete is promised and done later."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._going: dict[str, asyncio.Task[None]] = {}

    async def delete(self, sid: str) -> None:
        """Answered at once when another delete is at work; gone a long window later."""
        if sid in self._going:
            await asyncio.wait([self._going[sid]])  # so "absent" is true when it is said
            raise Missing(sid)
        if sid not in self.stored:
            raise Missing(sid)
        promised = bool(self._going)
        self._going[sid] = asyncio.create_task(
            self._remove(sid, LONG_WINDOW_S if promised else WINDOW_S)
        )
        if self.correct or not promised:
            await self._going[sid]

    async def _remove(self, sid: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        del self.stored[sid], self._going[sid]


class SplitDelete(SessionCollection):
    """split-delete: a delete takes the record at once, and the list's entry a moment later."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._index: dict[str, Session] = {}

    async def create(self, title: str | None) -> Session:
        """In both views in one step."""
        session = await super().create(title)
        self._index[session["id"]] = session
        return session

    async def list(self) -> list[Session]:
        """What the index shows."""
        return [*reversed(self._index.values())]

    async def delete(self, sid: str) -> None:
        """Between the two, get says 404 and list still shows it."""
        await super().delete(sid)
        if self.correct:
            del self._index[sid]
        await asyncio.sleep(LONG_WINDOW_S)
        self._index.pop(sid, None)


class FreedId(SessionCollection):
    """id-reuse: until a delete is answered, its id counts as free."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._free: list[str] = []

    def fresh_id(self) -> str:
        """A freed one first."""
        return self._free.pop() if self._free else super().fresh_id()

    async def delete(self, sid: str) -> None:
        """Frees the id, and takes it out of use in the end."""
        await super().delete(sid)
        if not self.correct:
            self._free.append(sid)
        await asyncio.sleep(WINDOW_S)
        if sid in self._free:
            self._free.remove(sid)


class BothDeleted(SessionCollection):
    """double-delete: two that find the session both say that they deleted it."""

    async def delete(self, sid: str) -> None:
        """Look, then remove."""
        if sid not in self.stored:
            raise Missing(sid)
        await asyncio.sleep(WINDOW_S)
        if self.stored.pop(sid, None) is None and self.correct:
            raise Missing(sid)


class Draft(SessionCollection):
    """phantom: a session is listed under a draft's id before it gets its own."""

    async def create(self, title: str | None) -> Session:
        """Draft, then publish."""
        draft = self.fresh_id()
        if not self.correct:
            self.stored[draft] = new_session(draft, title)
        await asyncio.sleep(WINDOW_S)
        self.stored.pop(draft, None)
        return await super().create(title)


class Fatal(SessionCollection):
    """crash: two creates at once end the process."""

    def __init__(self, correct: bool) -> None:
        super().__init__(correct)
        self._creates = 0

    async def create(self, title: str | None) -> Session:
        """Cannot bear another one beside it."""
        self._creates += 1
        try:
            if self._creates > 1 and not self.correct:
                os._exit(70)  # EX_SOFTWARE
            await asyncio.sleep(WINDOW_S)
            return await super().create(title)
        finally:
            self._creates -= 1
