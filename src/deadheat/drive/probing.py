"""What a server answers to a few calls, one after the other: what a draft of a profile says of it.

Rules
- Nothing is changed but the sessions that the probes have made, and those are deleted: every
  request passes ``_send``, which asks ``Ownership`` first. Where an id may come back and others use
  the server, no second delete is sent: what it answers stays open.
- What an answer holds is found by looking for what is known to be in it: the id, the title.
- A call that does not answer as it should is written down as such; nothing is guessed from it.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import anyio
import httpx

from deadheat.core.history import (
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
from deadheat.drive.api import WireRequest
from deadheat.drive.handshake import Ids, allowed, look_for_ids
from deadheat.drive.lane import LaneClient
from deadheat.drive.leaving import leave_nothing
from deadheat.drive.outcome import outcome_of_error
from deadheat.drive.ownership import Ownership
from deadheat.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.core.history import Outcome

_LIST = Invocation(Kind.LIST)
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
    base_url: str, draft: Draft, run: str, timeout_s: float, *, alone: bool = False
) -> tuple[Draft, tuple[Row, ...]]:
    """Try ``draft`` at a server. ``run``: the token of this run's titles; ``alone``: nobody else
    uses it.

    Raises ``StartFailed`` when nobody answers.
    """
    client = LaneClient(base_url, timeout_s)
    probing = _Probing(client, draft, Ownership(run, alone=alone))
    try:
        await probing.go()
    except httpx.RequestError as exc:
        raise StartFailed(
            f"{base_url} does not answer ({type(exc).__name__}). Start the server, then try again."
        ) from exc
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(timeout_s):
                await probing.clean()
            await client.aclose()
    return probing.draft, tuple(probing.rows)


class _Probing:
    def __init__(self, client: LaneClient, draft: Draft, ownership: Ownership) -> None:
        self.draft = draft
        self.rows: list[Row] = []
        self._client = client
        self._ownership = ownership
        self._made: list[str] = []
        self._placed = False  # the list's place of ids has been seen

    async def go(self) -> None:
        """Ten calls and a few looks at ids, or fewer where the first ones do not work."""
        status, answer, _ = await self._send(_LIST)
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
        if await self._delete(first):
            if self._ownership.alone:
                await self._delete_again(first)
            stay = await self._ids_stay(first)
            if stay and not self._ownership.alone:
                await self._delete_again(first)
            elif not self._ownership.alone:
                self._unsure("delete", "not sent twice: its id may be another user's by then")
            await self._list_once_more(first)

    async def clean(self) -> None:
        """Delete what was made and may be there."""
        with contextlib.suppress(httpx.RequestError):  # said already, or no news
            await leave_nothing(self._ask, self._ownership)

    async def _ids_stay(self, first: str) -> bool:
        """Is an id never given again, once its session is gone?"""
        again = await self._create("create another", "2")
        if again is None:
            return False
        ids = Ids.AGAIN if again == first else Ids.ONCE
        if ids is Ids.ONCE and not self._ownership.alone:
            ids = await look_for_ids(self._ask, self._ownership)
        match ids:
            case Ids.ONCE:
                self._ownership.ids_stay()
            case Ids.AGAIN:  # the highest one and 1, say, or the lowest that is free
                self.draft = replace(self.draft, reused=True)
                self.rows[-1] = replace(self.rows[-1], written='ids = "reused"')
            case Ids.UNKNOWN:
                self._unsure("create", 'may an id come back? If never: promises.ids = "unique"')
        return ids is Ids.ONCE

    async def _ask(self, invocation: Invocation) -> Outcome:
        """The same as a call whose answer is only looked at for what it says of sessions."""
        status, answer, location = await self._send(invocation)
        outcome = self._outcome(invocation, status, answer, location)
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            self._made.append(outcome.result.session)
        return outcome

    async def _create(self, doing: str, number: str) -> str | None:
        create = self._ownership.create(0, f"init {number}")
        status, answer, location = await self._send(create)
        written = self._done("create", status)
        if not _good(status):
            self._note(doing, status, answer)
            self._unsure("create", f"answered {status}: correct its body")
            return None
        session, id_at, by_location = self._id_in(answer, location)
        if id_at != self.draft.id_at:
            written += f', id = "{id_at}"'
        if by_location:
            written += ", id-in-location = true"
        self.draft = replace(self.draft, id_at=id_at, id_in_location=by_location)
        self._note(doing, status, answer, written)
        if session is None:
            self._unsure("create", "where is the id in its answer? Correct id")
            return None
        try:
            quote(session)
        except UnicodeEncodeError:  # half of a surrogate pair
            self._unsure("create", "answered an id that no address can hold")
            return None
        self._made.append(session)
        if not self._ownership.owns(session):
            await self._send(Invocation(Kind.GET, session))  # its title may say that it is ours
        if not self._ownership.owns(session):
            self._unsure("create", "answered the id of something that was there before")
            return None
        return session

    def _id_in(self, answer: Any, location: str | None) -> tuple[str | None, str, bool]:
        """The id that a create's answer gives, where that is in it, and is it in its location?"""
        at = self.draft.id_at
        if (session := _at(answer, at)) is not None:
            return str(session), at, False
        if location is not None:
            last = unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2])
            return last or None, at, True
        place = next((p for p, _ in _scalars(answer) if p.lower().endswith("id")), None)
        if place is None:
            return None, at, False
        return str(_at(answer, place)), place, False

    async def _get(self, session: str, number: str) -> None:
        status, answer, _ = await self._send(Invocation(Kind.GET, session))
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
        status, answer, _ = await self._send(_LIST)
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
            self._placed = True
            written = f'items = "{items_at}", ' if items_at else ""
            written += f'id = "{item_id_at}"'
            written += "" if title_at is None else f', title = "{title_at}"'
        self._note("list again", status, answer, written)

    async def _rename(self, session: str) -> None:
        rename = Invocation(Kind.RENAME, session, self._title("renamed"))
        if not await allowed(self._ask, self._ownership, rename):
            self._unsure("rename", "not tried: no answer shows what was created")
            return
        status, answer, _ = await self._send(rename)
        self._note("give it another title", status, answer, self._done("rename", status))
        _, shown, _ = await self._send(Invocation(Kind.GET, session))
        kept = self.draft.get_title_at is not None and (
            _at(shown, self.draft.get_title_at) == self._title("renamed")
        )
        if not _good(status) or not kept:
            self.draft = replace(self.draft, rename=None)
            self._unsure("rename", "left out: the new title was not to be seen afterwards")

    async def _delete(self, session: str) -> bool:
        """Did it work?"""
        delete = Invocation(Kind.DELETE, session)
        if not await allowed(self._ask, self._ownership, delete):
            self._unsure("delete", "not tried: no answer shows what was created")
            return False
        status, answer, _ = await self._send(delete)
        self._note("delete it", status, answer, self._done("delete", status))
        if not _good(status):
            self._unsure("delete", f"answered {status} of what is there")
            return False
        gone, answer, _ = await self._send(Invocation(Kind.GET, session))
        self._note("get what is gone", gone, answer, self._absent("get", gone))
        if _good(gone):
            self._unsure("get", "still answers of what was deleted: is it soft? Correct absent")
        return True

    async def _delete_again(self, session: str) -> None:
        again, answer, _ = await self._send(Invocation(Kind.DELETE, session))
        promise = "idempotent" if _good(again) else "exactly-once"
        written = f'delete = "{promise}"'
        if not _good(again):
            written += self._absent("delete", again, before=", ")
        self.draft = replace(self.draft, delete=promise)
        self._note("delete it again", again, answer, written)

    async def _list_once_more(self, session: str) -> None:
        status, answer, _ = await self._send(_LIST)
        shown = next(_places_of(answer, session), None)
        self._note("list once more", status, answer)
        if shown is not None and session not in self._made[1:]:
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

    async def _send(self, invocation: Invocation) -> tuple[int, Any, str | None]:
        """The one way to the server: nothing is sent that ``Ownership`` does not permit."""
        sent = self._sent(invocation.kind)
        path = sent.path.replace("{id}", quote(invocation.session or "", safe=""))
        title = invocation.title or ""
        body = None if sent.body is None else json.dumps(_filled(sent.body, title)).encode()
        with self._ownership.sending(invocation, self._client):
            answer = await self._answer(invocation, WireRequest(sent.method, path, body))
        if isinstance(answer, httpx.RequestError):
            raise answer
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError):
            said = None
        status, location = answer.status_code, answer.headers.get("location")
        outcome = self._outcome(invocation, status, said, location)
        self._ownership.answered(invocation, outcome)
        return status, said, location

    async def _answer(
        self, invocation: Invocation, request: WireRequest
    ) -> httpx.Response | httpx.RequestError:
        try:
            answer, *_ = await self._client.send(request.method, request.path, request.body)
        except httpx.RequestError as exc:
            self._ownership.answered(invocation, outcome_of_error(exc))
            return exc
        return answer

    def _sent(self, kind: Kind) -> Sent:
        draft = self.draft
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

    def _outcome(
        self, invocation: Invocation, status: int, answer: Any, location: str | None
    ) -> Outcome:
        """What an answer says of sessions, as far as the draft can tell."""
        if status >= 500:
            return Info(Unknown.SERVER_ERROR)
        if not _good(status):
            gone = status in (404, 410) and invocation.kind is not Kind.CREATE
            return Ok(Absent() if gone else Undeclared(status))
        match invocation.kind:
            case Kind.CREATE:
                session, *_ = self._id_in(answer, location)
                return Ok(Undeclared(status) if session is None else Created(session))
            case Kind.DELETE:
                return Ok(Deleted())
            case Kind.GET:
                texts = (str(value) for _, value in _scalars(answer))
                return Ok(Found(next(filter(self._ownership.of_run, texts), None)))
            case Kind.RENAME:
                return Ok(Renamed())
            case _:
                return Ok(Listed(tuple(self._entries(answer))))

    def _entries(self, answer: Any) -> Iterator[Seen]:
        for _, array in _arrays(answer):
            for item in array:
                if isinstance(item, str | int):
                    yield Seen(str(item))
                yield from self._seen(item)

    def _seen(self, item: Any) -> Iterator[Seen]:
        """The item's title is that of its own id: others in it may be somebody's."""
        texts = (str(value) for _, value in _scalars(item))
        title = next(filter(self._ownership.of_run, texts), _at(item, self.draft.list_title_at))
        at = self.draft.item_id_at
        ids = [(p, str(v)) for p, v in _scalars(item) if p == at or p.lower().endswith("id")]
        if not self._placed:
            at = ids[0][0] if len(ids) == 1 else ""
        for place, value in ids:
            yield Seen(value, None if title is None or place != at else str(title))


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


def _at(answer: Any, place: str | None) -> Any:
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
