"""The draft of a profile: which requests it sends, and how it reads sessions from answers.

Rule: what an answer holds is found by looking for what is known to be in it: the id, the title.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from deadheat.drive.wire.api import WireRequest
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deadheat.model.history import Outcome

_DEPTH = 4  # how far below the top of an answer it is looked for an id or a title


@dataclass(frozen=True, slots=True)
class Sent:
    """A request with its blanks: {id} in the path, {title} in strings of the body."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a collection; the probes fill in what they have seen.

    ``done`` and ``absent``: by call, as ``create``. ``*_at``: places, dotted; None: not seen.
    ``delete``: what a second delete means; "": unknown. ``reused``: a freed id was given again.
    ``unsure``: what is left to be checked. ``placed``: the list's place of ids has been seen.
    """

    name: str
    create: Sent
    get: Sent
    list: Sent
    delete_one: Sent
    rename: Sent | None = None
    title: str = ""
    id_at: str = "id"
    id_in_location: bool = False
    items_at: str = ""
    item_id_at: str = "id"
    get_title_at: str | None = None
    list_title_at: str | None = None
    done: tuple[tuple[str, int], ...] = ()
    absent: tuple[tuple[str, int], ...] = ()
    delete: str = ""
    reused: bool = False
    unsure: tuple[tuple[str, str], ...] = ()
    placed: bool = False


class DraftWire:
    """Speaks a draft. ``of_run``: is this a title of this run?"""

    name = "a draft"

    def __init__(self, draft: Draft, of_run: Callable[[str | None], bool]) -> None:
        self._draft = draft
        self._of_run = of_run

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call."""
        sent = self._sent(invocation.kind)
        path = sent.path.replace("{id}", quote(invocation.session or "", safe=""))
        title = invocation.title or ""
        body = None if sent.body is None else json.dumps(_filled(sent.body, title)).encode()
        return WireRequest(sent.method, path, body)

    def _sent(self, kind: Kind) -> Sent:
        draft = self._draft
        match kind:
            case Kind.CREATE:
                return draft.create
            case Kind.GET:
                return draft.get
            case Kind.DELETE:
                return draft.delete_one
            case Kind.RENAME if draft.rename is not None:
                return draft.rename
            case _:
                return draft.list

    def decode(
        self, invocation: Invocation, status: int, body: bytes, location: str | None = None
    ) -> Outcome:
        """The sessions that an answer shows."""
        answer = json_of(body)
        if status >= 500:
            return Info(Unknown.SERVER_ERROR)
        if not good(status):
            gone = status in (404, 410) and invocation.kind is not Kind.CREATE
            return Ok(Absent() if gone else Undeclared(status))
        match invocation.kind:
            case Kind.CREATE:
                session, *_ = self.id_in(answer, location)
                return Ok(Undeclared(status) if session is None else Created(session))
            case Kind.DELETE:
                return Ok(Deleted())
            case Kind.GET:
                texts = (str(value) for _, value in scalars(answer))
                return Ok(Found(next(filter(self._of_run, texts), None)))
            case Kind.RENAME:
                return Ok(Renamed())
            case _:
                return Ok(Listed(tuple(self._entries(answer))))

    def id_in(self, answer: Any, location: str | None) -> tuple[str | None, str, bool]:
        """The id in a create's answer, where it stands, and whether the location has it."""
        at = self._draft.id_at
        if (session := at_place(answer, at)) is not None:
            return str(session), at, False
        if location is not None:
            last = unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2])
            return last or None, at, True
        place = next((p for p, _ in scalars(answer) if p.lower().endswith("id")), None)
        if place is None:
            return None, at, False
        return str(at_place(answer, place)), place, False

    def _entries(self, answer: Any) -> Iterator[Seen]:
        for _, array in _arrays(answer):
            for item in array:
                if isinstance(item, str | int):
                    yield Seen(str(item))
                yield from self._seen(item)

    def _seen(self, item: Any) -> Iterator[Seen]:
        """The item with the title beside its own id: other titles in it may be others'."""
        texts = (str(value) for _, value in scalars(item))
        title = next(filter(self._of_run, texts), at_place(item, self._draft.list_title_at))
        at = self._draft.item_id_at
        ids = [(p, str(v)) for p, v in scalars(item) if p == at or p.lower().endswith("id")]
        if not self._draft.placed:
            at = ids[0][0] if len(ids) == 1 else ""
        for place, value in ids:
            yield Seen(value, None if title is None or place != at else str(title))


def json_of(body: bytes) -> Any:
    """The answer as JSON; None where it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _filled(body: Any, title: str) -> Any:
    match body:
        case str():
            return body.replace("{title}", title)
        case dict():
            return {key: _filled(value, title) for key, value in body.items()}
        case list():
            return [_filled(value, title) for value in body]
        case _:
            return body


def good(status: int) -> bool:
    return 200 <= status < 300


def scalars(answer: Any, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """Every place in objects that holds text or a number, with what is there; outermost first."""
    if not isinstance(answer, dict) or depth == 0:
        return
    for key, value in answer.items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield f"{before}{key}", value
    for key, value in answer.items():
        yield from scalars(value, f"{before}{key}.", depth - 1)


def at_place(answer: Any, place: str | None) -> Any:
    return next((value for at, value in scalars(answer) if at == place), None)


def _arrays(answer: Any, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(answer, list):
        yield before.rstrip("."), answer
    elif isinstance(answer, dict) and depth:
        for key, value in answer.items():
            yield from _arrays(value, f"{before}{key}.", depth - 1)


def places_of(answer: Any, session: str) -> Iterator[tuple[str, str, Any]]:
    """Where a list shows this id: the array, the place in its item, the item."""
    for at, array in _arrays(answer):
        for item in array:
            if isinstance(item, str | int) and str(item) == session:
                yield at, "", item
            for place, value in scalars(item):
                if str(value) == session:
                    yield at, place, item


def ids_in(answer: Any) -> set[str]:
    """Everything in the answer that could be the id of an existing session."""
    found: set[str] = set()
    for _, array in _arrays(answer):
        for item in array:
            if isinstance(item, str | int):
                found.add(str(item))
            found |= {str(v) for place, v in scalars(item) if place.lower().endswith("id")}
    return found
