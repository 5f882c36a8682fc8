"""Tries a few calls on a server, one after the other, to draft a profile.

Rules
- Nothing is changed but the sessions that the probes have made, and those are deleted: every
  request passes ``ApiClient``, which asks ``Ownership`` first. Where an id may come back and others
  use the server, no second delete is sent: what it answers stays open.
- A hiccup passes, and redirects on the server are followed, as in the handshake of a run.
- A call that does not answer as it should is written down as such; nothing is guessed from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import httpx

from deadheat.drive.client import ApiClient
from deadheat.drive.draft import (
    Draft,
    DraftWire,
    at_place,
    good,
    ids_in,
    json_of,
    places_of,
    scalars,
)
from deadheat.drive.end_of_run import leave_nothing
from deadheat.drive.handshake import IdReuse, allowed, look_for_ids
from deadheat.drive.ownership import Ownership
from deadheat.drive.retries import Retries
from deadheat.drive.target import Target
from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import StartFailed
from deadheat.model.history import Created, Deleted, Invocation, Kind, Ok

if TYPE_CHECKING:
    from deadheat.model.history import Outcome

_LIST = Invocation(Kind.LIST)


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One probe: the request, the answer, and what was written because of it."""

    asked: str
    answered: str
    written: str = ""


async def probe(
    base_url: str, draft: Draft, run: str, timeout_s: float, *, alone: bool = False
) -> tuple[Draft, tuple[ProbeRow, ...]]:
    """Try ``draft`` at a server. ``run``: the token of this run's titles; ``alone``: nobody else
    uses it.

    Raises ``StartFailed`` when the server does not answer.
    """
    client = LaneClient(base_url, timeout_s)
    probing = _Probing(base_url, client, draft, Ownership(run, alone=alone))
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
    def __init__(
        self, base_url: str, client: LaneClient, draft: Draft, ownership: Ownership
    ) -> None:
        self.draft = draft
        self.rows: list[ProbeRow] = []
        self._client = client
        self._ownership = ownership
        self._api = ApiClient(Target(base_url, self._wire), base_url, ownership)
        self._made: list[str] = []
        self._retries = Retries()
        self._latest: httpx.Response | httpx.RequestError | None = None
        self._came: Outcome | None = None

    async def go(self) -> None:
        """Make about ten calls and a few looks at ids; fewer where the first ones fail."""
        status, answer, _ = await self._send(_LIST)
        self._note("list what is there", status, answer, self._done("list", status))
        if not good(status):
            self._unsure("list", f"answered {status}: correct its request, or [auth]")
            return
        self._ownership.shun(ids_in(answer))
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
        """Delete what was made and may still exist."""

        async def ask(invocation: Invocation) -> Outcome:
            self._api.wire = self._wire
            return await self._api.ask(self._client, invocation)

        await leave_nothing(ask, self._ownership)

    async def _ids_stay(self, first: str) -> bool:
        """Is it certain that an id is never given again?"""
        again = await self._create("create another", "2")
        if again is None:
            return False
        ids = IdReuse.AGAIN if again == first else IdReuse.ONCE
        if ids is IdReuse.ONCE and not self._ownership.alone:
            ids = await look_for_ids(self._ask, self._ownership)
        match ids:
            case IdReuse.ONCE:
                self._ownership.ids_stay()
            case IdReuse.AGAIN:  # the highest one and 1, say, or the lowest that is free
                self.draft = replace(self.draft, reused=True)
                self.rows[-1] = replace(self.rows[-1], written='ids = "reused"')
            case IdReuse.UNKNOWN:
                self._unsure("create", 'may an id come back? If never: promises.ids = "unique"')
        return ids is IdReuse.ONCE

    async def _ask(self, invocation: Invocation) -> Outcome:
        """Send a call whose answer matters only for the sessions that it shows."""
        outcome = await self._outcome(invocation)
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            self._made.append(outcome.result.session)
        return outcome

    async def _create(self, doing: str, number: str) -> str | None:
        create = self._ownership.create(0, f"init {number}")
        status, answer, location = await self._send(create)
        written = self._done("create", status)
        if not good(status):
            self._note(doing, status, answer)
            self._unsure("create", f"answered {status}: correct its body")
            return None
        session, id_at, by_location = self._wire.id_in(answer, location)
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

    async def _get(self, session: str, number: str) -> None:
        status, answer, _ = await self._send(Invocation(Kind.GET, session))
        written = self._done("get", status)
        if self.draft.title:
            at = next((p for p, v in scalars(answer) if v == self._title(number)), None)
            self.draft = replace(self.draft, get_title_at=at)
            written += "" if at is None else f', title = "{at}"'
            if at is None:
                self._unsure("get", f"does not show what create sent as {self.draft.title}")
        self._note("get it", status, answer, written)
        if not good(status):
            self._unsure("get", f"answered {status} of what was just created")

    async def _find_in_list(self, session: str, number: str) -> None:
        status, answer, _ = await self._send(_LIST)
        found = next(places_of(answer, session), None)
        written = ""
        if found is None:
            self._unsure("list", "does not show what was just created: has it pages, or a filter?")
        else:
            items_at, item_id_at, item = found
            title_at = next((p for p, v in scalars(item) if v == self._title(number)), None)
            self.draft = replace(
                self.draft,
                items_at=items_at,
                item_id_at=item_id_at,
                list_title_at=title_at,
                placed=True,
            )
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
            at_place(shown, self.draft.get_title_at) == self._title("renamed")
        )
        if not good(status) or not kept:
            self.draft = replace(self.draft, rename=None)
            self._unsure("rename", "left out: the new title did not show afterwards")

    async def _delete(self, session: str) -> bool:
        """Delete a session; did it work?"""
        delete = Invocation(Kind.DELETE, session)
        if not await allowed(self._ask, self._ownership, delete):
            self._unsure("delete", "not tried: no answer shows what was created")
            return False
        status, answer, _ = await self._send(delete)
        self._note("delete it", status, answer, self._done("delete", status))
        if not (isinstance(self._came, Ok) and isinstance(self._came.result, Deleted)):
            self._unsure("delete", f"answered {status} of what is there")
            return False
        gone, answer, _ = await self._send(Invocation(Kind.GET, session))
        self._note("get what is gone", gone, answer, self._absent("get", gone))
        if good(gone):
            self._unsure("get", "still shows what was deleted: is it a soft delete? Correct absent")
        return True

    async def _delete_again(self, session: str) -> None:
        again, answer, _ = await self._send(Invocation(Kind.DELETE, session))
        promise = "idempotent" if good(again) else "exactly-once"
        written = f'delete = "{promise}"'
        if not good(again):
            written += self._absent("delete", again, before=", ")
        self.draft = replace(self.draft, delete=promise)
        self._note("delete it again", again, answer, written)

    async def _list_once_more(self, session: str) -> None:
        status, answer, _ = await self._send(_LIST)
        shown = next(places_of(answer, session), None)
        self._note("list once more", status, answer)
        if shown is not None and session not in self._made[1:]:
            self._unsure(
                "list", "still shows what was deleted: does a change take time? See settle"
            )

    def _done(self, call: str, status: int) -> str:
        if not good(status):
            return ""
        self.draft = replace(self.draft, done=(*self.draft.done, (call, status)))
        return f"{call}.done = [{status}]"

    def _absent(self, call: str, status: int, before: str = "") -> str:
        if good(status) or status >= 500:
            return ""
        self.draft = replace(self.draft, absent=(*self.draft.absent, (call, status)))
        return f"{before}{call}.absent = [{status}]"

    def _unsure(self, call: str, why: str) -> None:
        self.draft = replace(self.draft, unsure=(*self.draft.unsure, (call, why)))

    def _note(self, doing: str, status: int, answer: Any, written: str = "") -> None:
        said = f"{status or 'no answer'} {_shape(answer)}".strip()
        if self._retries.tries > 1:
            said += f", when asked {self._retries.tries} times"
        self.rows.append(ProbeRow(doing, said, written))

    def _title(self, number: str) -> str:
        return self._ownership.title(0, f"init {number}")

    @property
    def _wire(self) -> DraftWire:
        return DraftWire(self.draft, self._ownership.of_run)

    async def _send(self, invocation: Invocation) -> tuple[int, Any, str | None]:
        """Send a call, with retries: returns its status (0: no answer), body and location.

        Raises what httpx does where nothing tells what came of it.
        """
        outcome = await self._outcome(invocation)
        if isinstance(self._latest, httpx.Response):
            location = self._latest.headers.get("location")
            return self._latest.status_code, json_of(self._latest.content), location
        if isinstance(outcome, Ok):
            return 0, None, None
        assert self._latest is not None
        raise self._latest

    async def _outcome(self, invocation: Invocation) -> Outcome:
        self._api.wire = self._wire
        reply = await self._api.ask_patiently(self._retries, self._client, invocation)
        self._came, self._latest = reply.outcome, reply.answer
        return reply.outcome


def _shape(answer: Any) -> str:
    match answer:
        case list():
            return f"a list of {len(answer)}"
        case dict():
            names = [name for name in answer if isinstance(name, str) and name.isprintable()]
            return "{" + ", ".join(names[:6]) + (", …" if len(names) > 6 else "") + "}"
        case _:
            return ""
