"""What a server answers to a few calls, one after the other: what a draft of a profile says of it.

Rules
- Nothing is changed but the two sessions that the probes have made, and those are deleted.
- What an answer holds is found by looking for what is known to be in it: the id, the title.
- A call that does not answer as it should is written down as such; nothing is guessed from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import anyio
import httpx

from deadheat.drive.lane import LaneClient
from deadheat.drive.ownership import Ownership
from deadheat.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    ``unsure``: what is left to be checked.
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


@dataclass(frozen=True, slots=True)
class Row:
    """One probe: what was asked and answered, and what was written because of it."""

    asked: str
    answered: str
    written: str = ""


async def probe(
    base_url: str, draft: Draft, run: str, timeout_s: float
) -> tuple[Draft, tuple[Row, ...]]:
    """Try ``draft`` at a server. ``run``: the token of this run's titles.

    Raises ``StartFailed`` when nobody answers.
    """
    client = LaneClient(base_url, timeout_s)
    probing = _Probing(client, draft, run)
    try:
        await probing.go()
    except httpx.RequestError as exc:
        raise StartFailed(
            f"{base_url} does not answer ({type(exc).__name__}). Start the server, then try again."
        ) from exc
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(timeout_s):
            await probing.clean()
            await client.aclose()
    return probing.draft, tuple(probing.rows)


class _Probing:
    def __init__(self, client: LaneClient, draft: Draft, run: str) -> None:
        self.draft = draft
        self.rows: list[Row] = []
        self._client = client
        self._ownership = Ownership(run)
        self._made: list[str] = []

    async def go(self) -> None:
        """Ten calls, or fewer where the first ones do not work."""
        status, answer, _ = await self._send(self.draft.list)
        self._note("list what is there", status, answer, self._done("list", status))
        if not _good(status):
            self._unsure("list", f"answered {status}: correct its request, or who we are")
            return
        self._ownership.shun(_ids_in(answer))
        first = await self._create("create one", "1")
        if first is None:
            return
        await self._get(first, "1")
        await self._find_in_list(first, "1")
        if self.draft.rename is not None:
            await self._rename(first)
        await self._delete(first)
        again = await self._create("create another", "2")
        if again == first:  # the highest one and 1, say, or the lowest that is free
            self.draft = replace(self.draft, reused=True)
            self.rows[-1] = replace(self.rows[-1], written='ids = "reused"')

    async def clean(self) -> None:
        """Delete what was made and may be there."""
        for session in self._made:
            if self._ownership.owns(session):
                await self._send(self.draft.delete_one, session)

    async def _create(self, doing: str, number: str) -> str | None:
        status, answer, location = await self._send(self.draft.create, title=self._title(number))
        written = self._done("create", status)
        if not _good(status):
            self._note(doing, status, answer)
            self._unsure("create", f"answered {status}: correct its body")
            return None
        session = _at(answer, self.draft.id_at)
        if session is None and location is not None:
            session = unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2]) or None
            self.draft = replace(self.draft, id_in_location=True)
            written += ", id-in-location = true"
        if session is None:
            place = next((p for p, _ in _scalars(answer) if p.lower().endswith("id")), None)
            session = None if place is None else _at(answer, place)
            self.draft = replace(self.draft, id_at=place or self.draft.id_at)
            written += "" if place is None else f', id = "{place}"'
        self._note(doing, status, answer, written)
        if session is None:
            self._unsure("create", "where is the id in its answer? Correct id")
            return None
        try:
            quote(str(session))
        except UnicodeEncodeError:  # half of a surrogate pair
            self._unsure("create", "answered an id that no address can hold")
            return None
        self._ownership.adopt(str(session))
        if not self._ownership.owns(str(session)):
            self._unsure("create", "answered the id of something that was there before")
            return None
        self._made.append(str(session))
        return str(session)

    async def _get(self, session: str, number: str) -> None:
        status, answer, _ = await self._send(self.draft.get, session)
        written = self._done("get", status)
        if self.draft.title:
            at = next((p for p, v in _scalars(answer) if v == self._title(number)), None)
            self.draft = replace(self.draft, get_title_at=at)
            written += "" if at is None else f', title = "{at}"'
            if at is None:
                self._unsure("get", f"does not show what create sent as {self.draft.title}")
        self._note("get it", status, answer, written)
        if not _good(status):
            self._unsure("get", f"answered {status} of what was just created")

    async def _find_in_list(self, session: str, number: str) -> None:
        status, answer, _ = await self._send(self.draft.list)
        found = next(_places_of(answer, session), None)
        written = ""
        if found is None:
            self._unsure("list", "does not show what was just created: has it pages, or a filter?")
        else:
            items_at, item_id_at, item = found
            title_at = next((p for p, v in _scalars(item) if v == self._title(number)), None)
            self.draft = replace(
                self.draft, items_at=items_at, item_id_at=item_id_at, list_title_at=title_at
            )
            written = f'items = "{items_at}", id = "{item_id_at}"'
            written += "" if title_at is None else f', title = "{title_at}"'
        self._note("list again", status, answer, written)

    async def _rename(self, session: str) -> None:
        assert self.draft.rename is not None
        status, answer, _ = await self._send(self.draft.rename, session, self._title("renamed"))
        self._note("give it another title", status, answer, self._done("rename", status))
        _, shown, _ = await self._send(self.draft.get, session)
        kept = self.draft.get_title_at is not None and (
            _at(shown, self.draft.get_title_at) == self._title("renamed")
        )
        if not _good(status) or not kept:
            self.draft = replace(self.draft, rename=None)
            self._unsure("rename", "left out: the new title was not to be seen afterwards")

    async def _delete(self, session: str) -> None:
        status, answer, _ = await self._send(self.draft.delete_one, session)
        self._note("delete it", status, answer, self._done("delete", status))
        if not _good(status):
            self._unsure("delete", f"answered {status} of what is there")
            return
        gone, answer, _ = await self._send(self.draft.get, session)
        self._note("get what is gone", gone, answer, self._absent("get", gone))
        if _good(gone):
            self._unsure("get", "still answers of what was deleted: is it soft? Correct absent")
        again, answer, _ = await self._send(self.draft.delete_one, session)
        promise = "idempotent" if _good(again) else "exactly-once"
        written = f'delete = "{promise}"'
        if not _good(again):
            written += self._absent("delete", again, before=", ")
        self.draft = replace(self.draft, delete=promise)
        self._note("delete it again", again, answer, written)
        status, answer, _ = await self._send(self.draft.list)
        shown = next(_places_of(answer, session), None) is not None
        self._note("list once more", status, answer)
        if shown:
            self._unsure(
                "list", "still shows what was deleted: does a change take time? See settle"
            )

    def _done(self, call: str, status: int) -> str:
        if not _good(status):
            return ""
        self.draft = replace(self.draft, done=(*self.draft.done, (call, status)))
        return f"{call}.done = [{status}]"

    def _absent(self, call: str, status: int, before: str = "") -> str:
        if _good(status) or status >= 500:
            return ""
        self.draft = replace(self.draft, absent=(*self.draft.absent, (call, status)))
        return f"{before}{call}.absent = [{status}]"

    def _unsure(self, call: str, why: str) -> None:
        self.draft = replace(self.draft, unsure=(*self.draft.unsure, (call, why)))

    def _note(self, doing: str, status: int, answer: Any, written: str = "") -> None:
        self.rows.append(Row(doing, f"{status} {_shape(answer)}".strip(), written))

    def _title(self, number: str) -> str:
        return self._ownership.title(0, f"init {number}")

    async def _send(
        self, sent: Sent, session: str = "", title: str = ""
    ) -> tuple[int, Any, str | None]:
        path = sent.path.replace("{id}", quote(session, safe=""))
        body = None if sent.body is None else json.dumps(_filled(sent.body, title)).encode()
        answer, *_ = await self._client.send(sent.method, path, body)
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError):
            said = None
        return answer.status_code, said, answer.headers.get("location")


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


def _good(status: int) -> bool:
    return 200 <= status < 300


def _scalars(answer: Any, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """Every place in objects that holds text or a number, with what is there; outermost first."""
    if not isinstance(answer, dict) or depth == 0:
        return
    for key, value in answer.items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield f"{before}{key}", value
    for key, value in answer.items():
        yield from _scalars(value, f"{before}{key}.", depth - 1)


def _at(answer: Any, place: str) -> Any:
    return next((value for at, value in _scalars(answer) if at == place), None)


def _arrays(answer: Any, before: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(answer, list):
        yield before.rstrip("."), answer
    elif isinstance(answer, dict) and depth:
        for key, value in answer.items():
            yield from _arrays(value, f"{before}{key}.", depth - 1)


def _places_of(answer: Any, session: str) -> Iterator[tuple[str, str, Any]]:
    """Where a list shows this id: the array, the place in its item, the item."""
    for at, array in _arrays(answer):
        for item in array:
            if isinstance(item, str | int) and str(item) == session:
                yield at, "", item
            for place, value in _scalars(item):
                if str(value) == session:
                    yield at, place, item


def _ids_in(answer: Any) -> set[str]:
    """All that could be an id of something that is there already."""
    found: set[str] = set()
    for _, array in _arrays(answer):
        for item in array:
            if isinstance(item, str | int):
                found.add(str(item))
            found |= {str(v) for place, v in _scalars(item) if place.lower().endswith("id")}
    return found


def _shape(answer: Any) -> str:
    match answer:
        case list():
            return f"a list of {len(answer)}"
        case dict():
            names = [name for name in answer if isinstance(name, str) and name.isprintable()]
            return "{" + ", ".join(names[:6]) + (", …" if len(names) > 6 else "") + "}"
        case _:
            return ""
