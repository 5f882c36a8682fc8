"""A collection of carts, correct by construction, and what may be odd about it.

Rules
- One event loop, and each call takes effect in one step: between looking and acting there is no
  ``await`` that gives way, but for ``gap``, which does so only in the racy twin.
- Where reads may be late, what they show is worked out from the times of the changes when they
  are asked, never by a timer: however slow the machine is, they are never later than declared.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

# Long enough for the end of another request to come in: clients send them up to some ms apart.
GAP_S = 0.003


class Acts(Enum):
    """How much of a request's body is there when the handler first looks at the collection."""

    WHOLE = "all of it"
    HEAD = "none"
    HALF = "half"


class Body(Protocol):
    """The body of a request, on its way."""

    async def half(self) -> None:
        """Wait until half of it is here."""

    async def whole(self) -> bytes:
        """Wait until it is all here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """``body`` None: none at all."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


ABSENT = Reply(404, {"error": "there is no such cart"})


class Carts:
    """Carts by id, oldest first.

    ``ids``: the id of the nth. ``title``: what becomes of a title. ``early``: answers before the
    body is in. ``created``, ``deleted``: the statuses.
    """

    def __init__(
        self,
        racy: bool,
        *,
        ids: Callable[[int], str] = "cart{}".format,
        numbers: bool = False,
        title: Callable[[str], str] = str,
        acts: Acts = Acts.WHOLE,
        early: bool = False,
        created: int = 201,
        deleted: int = 204,
        idempotent: bool = False,
    ) -> None:
        self.racy = racy
        self.stored: dict[str, str] = {}
        self._ids = ids
        self._numbers = numbers
        self._title = title
        self._acts = acts
        self._early = early
        self._created = created
        self._deleted = deleted
        self._idempotent = idempotent
        self._made = 0

    async def answer(self, method: str, target: str, body: Body) -> Reply:
        """What this request comes to."""
        path, _, query = target.partition("?")
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        match method, *(unquote(part) for part in path.split("/")[1:]):
            case "POST", "carts":
                return await self.create(body)
            case "GET", "carts":
                return await self.list(asked)
            case "GET", "carts", sid:
                return await self.get(sid)
            case "PUT", "carts", sid:
                return await self.put(sid, body)
            case "PATCH", "carts", sid:
                return await self.rename(sid, body)
            case ("DELETE", "carts", sid) | ("POST", "carts", sid, "close"):
                return await self.delete(sid, body)
            case _:
                return Reply(405, {"error": "no such call"})

    # -- the calls ---------------------------------------------------------------------------

    async def create(self, body: Body) -> Reply:
        """Make one."""
        await self._enough_of(body)
        sid = self.fresh()
        self.change(sid, self._title(_name(await body.whole())))
        return Reply(self._created, self.shown(sid, self.stored[sid]), (self._place(sid),))

    async def put(self, sid: str, body: Body) -> Reply:
        """Make the one of this id, unless it is there."""
        title = self._title(_name(await body.whole()))
        if sid in self.stored:
            return Reply(409, {"error": "there is one"})
        await self.gap()
        self.change(sid, title)
        return Reply(self._created, self.shown(sid, title))

    async def list(self, _asked: dict[str, str]) -> Reply:
        """All of them."""
        return Reply(200, {"items": [self.shown(sid, name) for sid, name in self.seen().items()]})

    async def get(self, sid: str) -> Reply:
        """One."""
        seen = self.seen()
        return Reply(200, self.shown(sid, seen[sid])) if sid in seen else ABSENT

    async def rename(self, sid: str, body: Body) -> Reply:
        """Another title."""
        await self._enough_of(body)
        if sid not in self.stored:
            return ABSENT
        await self.gap()
        title = self._title(_name(await body.whole()))
        if sid in self.stored or self.racy:  # UPDATE carts SET name = … WHERE id = …
            self.change(sid, title)
        return Reply(200, self.shown(sid, title))

    async def delete(self, sid: str, body: Body) -> Reply:
        """It is gone."""
        await self._enough_of(body)
        if sid not in self.stored:
            return Reply(self._deleted) if self._idempotent else self.absent(sid)
        await self.gap()
        self.change(sid, None)
        if not self._early:
            await body.whole()
        return Reply(self._deleted)

    # -- what they are made of ---------------------------------------------------------------

    async def gap(self) -> None:
        """In the racy twin: others get their turn here."""
        if self.racy:
            await asyncio.sleep(GAP_S)

    async def _enough_of(self, body: Body) -> None:
        match self._acts:
            case Acts.WHOLE:
                await body.whole()
            case Acts.HALF:
                await body.half()
            case Acts.HEAD:
                pass

    def fresh(self) -> str:
        """An id for one more."""
        self._made += 1
        return self._ids(self._made)

    def change(self, sid: str, title: str | None) -> None:
        """The step: it has this title now, None: it is gone."""
        if title is None:
            self.stored.pop(sid, None)
        else:
            self.stored[sid] = title

    def seen(self) -> dict[str, str]:
        """What a read shows."""
        return self.stored

    def shown(self, sid: str, title: str) -> dict[str, Any]:
        """One as the API shows it."""
        return {"id": int(sid) if self._numbers else sid, "name": title}

    def absent(self, _sid: str) -> Reply:
        """What a change of one that is not there answers."""
        return ABSENT

    def _place(self, sid: str) -> tuple[str, str]:
        return ("Location", f"/carts/{sid.encode().hex()}")


def _name(body: bytes) -> str:
    return str(json.loads(body)["name"])


class Reused(Carts):
    """Ids as SQLite gives them to a plain INTEGER PRIMARY KEY: one more than the largest."""

    def fresh(self) -> str:
        """One more than the largest that is there."""
        return str(max(map(int, self.stored), default=0) + 1)


class Lowest(Carts):
    """The lowest free number, as file descriptors are given."""

    def fresh(self) -> str:
        """The lowest that is free."""
        return next(str(n) for n in range(1, len(self.stored) + 2) if str(n) not in self.stored)


class Lagging(Carts):
    """Reads come from a copy that is up to ``lag_ms`` behind, half of them by all of it.

    ``late``: which reads do; the others see what is.
    """

    def __init__(
        self, racy: bool, lag_ms: float, late: tuple[str, ...] = ("get", "list"), **odd: Any
    ) -> None:
        super().__init__(racy, **odd)
        self._lag_ns = int(lag_ms * 1e6)
        self._late = late
        self._old: dict[str, str] = {}  # before all of ``_changes``
        self._changes: list[tuple[int, str, str | None]] = []
        self._random = random.Random(lag_ms)

    def change(self, sid: str, title: str | None) -> None:
        """The step, and when it was."""
        super().change(sid, title)
        self._changes.append((time.monotonic_ns(), sid, title))

    async def list(self, asked: dict[str, str]) -> Reply:
        """All of them, as they were."""
        if "list" not in self._late:
            return await super().list(asked)
        past = self._past()
        return Reply(200, {"items": [self.shown(sid, name) for sid, name in past.items()]})

    async def get(self, sid: str) -> Reply:
        """One, as it was."""
        if "get" not in self._late:
            return await super().get(sid)
        past = self._past()
        return Reply(200, self.shown(sid, past[sid])) if sid in past else ABSENT

    def _past(self) -> dict[str, str]:
        now_ns = time.monotonic_ns()
        while self._changes and self._changes[0][0] < now_ns - self._lag_ns:
            _at_ns, sid, title = self._changes.pop(0)
            _write(self._old, sid, title)
        behind = 1.0 if self._random.random() < 0.5 else self._random.random()
        until_ns = now_ns - int(behind * self._lag_ns)
        past = dict(self._old)
        for at_ns, sid, title in self._changes:
            if at_ns < until_ns:
                _write(past, sid, title)
        return past


class LateReused(Lagging):
    """Reads are late, and ids come back: one may show what had an id before."""

    def fresh(self) -> str:
        """One more than the largest that is there."""
        return str(max(map(int, self.stored), default=0) + 1)


def _write(carts: dict[str, str], sid: str, title: str | None) -> None:
    if title is None:
        carts.pop(sid, None)
    else:
        carts[sid] = title


class Paged(Carts):
    """Lists in pages of two, each right when it is read. ``way``: how the next one is asked for."""

    def __init__(self, racy: bool, way: str, **odd: Any) -> None:
        super().__init__(racy, **odd)
        self._way = way
        self._number: dict[str, int] = {}  # the place of each in the order of making

    def fresh(self) -> str:
        """An id, and its place."""
        sid = super().fresh()
        self._number[sid] = self._made
        return sid

    async def list(self, asked: dict[str, str]) -> Reply:
        """The page that is asked for."""
        there = list(self.stored)
        if self._way in ("offset", "page"):
            skip = int(asked.get("offset", 0)) + 2 * (int(asked.get("page", 1)) - 1)
            there = there[skip : skip + 2]
            more = ""
        else:
            after = int(asked.get("after", 0))
            rest = [sid for sid in there if self._number[sid] > after]
            there = rest[:2]
            more = str(self._number[there[-1]]) if len(rest) > 2 else ""
        said: dict[str, Any] = {"items": [self.shown(sid, self.stored[sid]) for sid in there]}
        if not more:
            return Reply(200, said)
        address = f"/carts?after={more}"
        match self._way:
            case "cursor":
                return Reply(200, said | {"more": more})
            case "next":
                return Reply(200, said | {"more": address})
            case _:
                return Reply(200, said, (("Link", f'<{address}>; rel="next"'),))


class Soft(Carts):
    """A deleted cart is kept and marked. ``told``: lists show it, too, with its mark."""

    def __init__(self, racy: bool, told: bool, **odd: Any) -> None:
        super().__init__(racy, **odd)
        self._told = told
        self._gone: dict[str, str] = {}

    def change(self, sid: str, title: str | None) -> None:
        """The step; what goes is kept."""
        if title is None:
            self._gone[sid] = self.stored.get(sid, "")
        else:
            self._gone.pop(sid, None)
        super().change(sid, title)

    async def list(self, _asked: dict[str, str]) -> Reply:
        """Those that are there, and perhaps those that are not."""
        items = [self.shown(sid, name) | {"state": "open"} for sid, name in self.stored.items()]
        if self._told:  # the latest twenty will do
            gone = list(self._gone.items())[-20:]
            items += [self.shown(sid, name) | {"state": "deleted"} for sid, name in gone]
        return Reply(200, {"items": items})

    async def get(self, sid: str) -> Reply:
        """One; 410 with its last state where it is deleted."""
        return self.absent(sid) if sid in self._gone else await super().get(sid)

    def absent(self, sid: str) -> Reply:
        """It was there once, or never."""
        if sid not in self._gone:
            return ABSENT
        return Reply(410, self.shown(sid, self._gone[sid]) | {"state": "deleted"})


class ByTitle(Carts):
    """One cart a title. ``twice``: what a second create answers; 200: the first one's id."""

    def __init__(self, racy: bool, twice: int, **odd: Any) -> None:
        super().__init__(racy, **odd)
        self._twice = twice

    async def create(self, body: Body) -> Reply:
        """Make it, unless there is one."""
        title = _name(await body.whole())
        there = next((sid for sid, name in self.stored.items() if name == title), None)
        await self.gap()
        if there is None:
            there = self.fresh()
            self.change(there, title)
            return Reply(201, self.shown(there, title))
        if self._twice == 200:
            return Reply(200, self.shown(there, title))
        return Reply(self._twice, {"error": "there is one of that name"})


class OtherCase(Carts):
    """Ids mean the same in any case; lists show them in capitals."""

    async def list(self, _asked: dict[str, str]) -> Reply:
        """All of them, in capitals."""
        return Reply(200, {"items": [self.shown(s.upper(), n) for s, n in self.stored.items()]})

    async def answer(self, method: str, target: str, body: Body) -> Reply:
        """In any case."""
        return await super().answer(method, target.lower(), body)


class Crowded(Carts):
    """Five hundred carts of others were there before, and stay."""

    def __init__(self, racy: bool, **odd: Any) -> None:
        super().__init__(racy, **odd)
        self.stored |= {f"theirs{n}": f"cart {n}" for n in range(500)}


class Few(Carts):
    """No more than three at once: 409 to a create then, and nothing is made."""

    async def create(self, body: Body) -> Reply:
        """Make one, if there is room."""
        await body.whole()
        if len(self.stored) >= 3:
            return Reply(409, {"error": "three are enough"})
        return await super().create(body)


class Gradual(Carts):
    """A list reads one cart after the other, and others get their turn in between."""

    async def list(self, _asked: dict[str, str]) -> Reply:
        """Those that were there when it began, each as it is when its turn comes."""
        items = []
        for sid in list(self.stored):
            await asyncio.sleep(0)
            if sid in self.stored:
                items.append(self.shown(sid, self.stored[sid]))
        return Reply(200, {"items": items})


class Vague(Carts):
    """What is asked of a cart that is not there is a bad request, or a conflict."""

    async def get(self, sid: str) -> Reply:
        """One."""
        return await super().get(sid) if sid in self.stored else Reply(400, {"error": "which?"})

    def absent(self, _sid: str) -> Reply:
        """Of a delete."""
        return Reply(409, {"error": "cannot be"})
