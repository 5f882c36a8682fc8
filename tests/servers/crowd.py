"""A session server full of other people's sessions, whose answers can be made to lie.

A lie is one of: a create answers with somebody else's id; a list leaves sessions out, or shows
them under the tag of the trial that is running, or is another page than was asked for; a call is
redirected to somebody else's session; an id that has been freed is given out again.

With ``again`` it is SQLite's plain primary key: the next id is the highest one and 1, so an id
comes back when the last session goes. ``theirs`` is another user who makes a session at an instant
that the test decides; ``hurt`` has every change that met a session of somebody else. ``keeps`` is
what becomes of a title, ``shows`` how many sessions a list has at most, the oldest ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.servers.scripted import Asked, Says

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

GONE = Says(404, {"name": "NotFoundError"})


@dataclass(slots=True)
class Crowd:
    """``foreign`` sessions are there from the start. ``lies`` at this rate, from ``rng``."""

    rng: random.Random
    foreign: tuple[str, ...] = tuple(f"ses_foreign{i}" for i in range(20))
    lies: float = 0.0
    refuses: Callable[[Asked], Says | None] = lambda _asked: None
    stored: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    made: int = 0
    reused: int = 0
    page: int = 0  # lists come in pages of so many; 0: in one
    redirected: int = 0
    again: bool = False
    hurt: list[str] = field(default_factory=list)
    keeps: Callable[[str], str] = lambda title: title
    shows: int | None = None

    def __post_init__(self) -> None:
        self.stored.update((session, f"somebody's {session}") for session in self.foreign)

    def __call__(self, asked: Asked) -> Says:
        refused = self.refuses(asked)
        if refused is not None:
            return refused
        session = asked.path.partition("?")[0].removeprefix("/session").strip("/")
        if self.rng.random() < self.lies / 3:
            self.redirected += 1
            to = f"/session/{self.rng.choice(self.foreign)}"
            return Says(
                raw=f"HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n".encode()
            )
        if asked.method in ("DELETE", "PATCH") and not self._is_ours(session):
            self.hurt.append(f"{asked.method} {session}")
        match asked.method:
            case "POST":
                return self._create(self.keeps(json.loads(asked.body)["title"]))
            case "GET" if not session:
                return Says(body=self._paged(asked.path))
            case "GET":
                shown = {"id": session, "title": self.stored.get(session)}
                return Says(body=shown) if session in self.stored else GONE
            case "DELETE":
                self.deleted.append(session)
                self.freed += [session] if session in self.stored else []
                return Says() if self.stored.pop(session, None) is not None else GONE
            case "PATCH" if session in self.stored:
                self.stored[session] = self.keeps(json.loads(asked.body)["title"])
                return Says(body={"id": session, "title": self.stored[session]})
            case _:
                return Says(400, {"name": "BadRequest"})

    def _is_ours(self, session: str) -> bool:
        return self.stored.get(session, "deadheat ").startswith("deadheat ")

    def theirs(self) -> str:
        """Another user makes a session: its id."""
        session = self._next()
        self.stored[session] = "precious"
        return session

    def _next(self) -> str:
        if not self.again:
            self.made += 1
            return f"ses_made{self.made}"
        taken = [s.removeprefix("ses_made") for s in self.stored if s.startswith("ses_made")]
        return f"ses_made{max(map(int, taken), default=0) + 1}"

    def _create(self, title: str) -> Says:
        if self.rng.random() < self.lies:
            return Says(body={"id": self.rng.choice(self.foreign), "title": title})
        session = self._next()
        if self.freed and self.rng.random() < self.lies:
            self.reused += 1
            session = self.freed.pop()
        self.stored[session] = title
        return Says(body={"id": session, "title": title})

    def _paged(self, path: str) -> list[dict[str, str]]:
        """The page that ``?page=N`` names; a lie is another one."""
        shown = self._list()[: self.shows]
        if not self.page:
            return shown
        number = int(parse_qs(urlsplit(path).query).get("page", ["1"])[0])
        if self.rng.random() < self.lies / 3:
            number = self.rng.randint(1, number)
        return shown[(number - 1) * self.page : number * self.page]

    def _list(self) -> list[dict[str, str]]:
        titles = [title for title in self.stored.values() if title.startswith("deadheat ")]
        shown = []
        for session, title in self.stored.items():
            # A lie: under the tag of the trial that is running.
            lie = titles and self.rng.random() < self.lies
            told = self.rng.choice(titles) if lie else title
            if session in self.foreign or self.rng.random() >= self.lies:
                shown.append({"id": session, "title": told})
        return shown
