"""A declared API on the wire: requests from templates, outcomes from statuses and dotted paths.

Rules
- A declared status is a result; any other below 500 is ``Undeclared``; a 5xx, and an answer of
  another shape than declared, is ``Info``: nobody knows what happened.
- An id goes into a path percent-encoded; one that a path would swallow (``.``, ``..``, empty)
  is no id.
- Details say nothing of what the server wrote: it may be anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import quote

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
    Outcome,
    Renamed,
    Result,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.drive.target import WireRequest

_PLACEHOLDER = re.compile(r"\{(id|title)\}")
# Longer than any id in use; a server may answer anything.
_LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class Exchange:
    """One kind of call: its request template, and where its answer has what is wanted.

    ``done`` empty: any 2xx. ``id_at``, ``title_at``, ``items_at``: dotted paths; None: not told.
    """

    kind: Kind
    method: str
    path: str
    body: Any
    done: frozenset[int]
    absent: frozenset[int]
    id_at: str | None = None
    title_at: str | None = None
    items_at: str | None = None

    def succeeded(self, status: int) -> bool:
        """Is this the status of success?"""
        return status in self.done if self.done else 200 <= status < 300


@dataclass(frozen=True, slots=True)
class ProfileWire:
    """See the module's docstring; made by ``profile.Profile``."""

    name: str
    base_path: str
    exchanges: tuple[Exchange, ...]

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call. Raises ``ValueError`` for what the API does not have."""
        exchange = self._exchange(invocation.kind)
        session = invocation.session
        path = self.base_path + exchange.path
        if session is not None:
            path = path.replace("{id}", quote(session_id_of(session), safe=""))
        if exchange.body is None:
            return WireRequest(exchange.method, path)
        known = {"{id}": session, "{title}": invocation.title}
        return WireRequest(
            exchange.method, path, json.dumps(_filled(exchange.body, known)).encode()
        )

    def decode(self, invocation: Invocation, status: int, body: bytes) -> Outcome:
        """What the answer means."""
        exchange = self._exchange(invocation.kind)
        if status in exchange.absent:
            return Ok(Absent())
        if not exchange.succeeded(status):
            if status >= 500:
                return Info(Unknown.SERVER_ERROR)
            return Ok(Undeclared(status, ""))
        try:
            return Ok(_result(invocation, exchange, body))
        except (KeyError, TypeError, ValueError, RecursionError):
            return Info(Unknown.GARBLED, f"{status} of another shape")

    def _exchange(self, kind: Kind) -> Exchange:
        for exchange in self.exchanges:
            if exchange.kind is kind:
                return exchange
        raise ValueError(f"the profile {self.name} has no {kind}")


def _result(invocation: Invocation, exchange: Exchange, body: bytes) -> Result:
    match invocation.kind:
        case Kind.CREATE:
            return Created(session_id_of(value_at(json.loads(body), exchange.id_at or "")))
        case Kind.GET:
            if exchange.id_at is None and exchange.title_at is None:
                return Found(None)
            answer = json.loads(body)
            if exchange.id_at is not None and session_id_of(value_at(answer, exchange.id_at)) != (
                invocation.session
            ):
                raise ValueError("another session answered")
            return Found(_title(answer, exchange.title_at))
        case Kind.LIST:
            items = value_at(json.loads(body), exchange.items_at or "")
            if not isinstance(items, list):
                raise TypeError("a list was expected")
            return Listed(
                tuple(
                    Seen(
                        session_id_of(value_at(item, exchange.id_at or "")),
                        _title(item, exchange.title_at),
                    )
                    for item in items
                )
            )
        case Kind.DELETE:
            return Deleted()
        case Kind.RENAME:
            return Renamed()
        case Kind.CHILDREN | Kind.FORK | Kind.OWN:
            raise ValueError("no profile has this call so far")
        case _:
            assert_never(invocation.kind)


def value_at(answer: Any, dotted: str) -> Any:
    """What stands at a dotted path. Raises ``KeyError`` or ``TypeError``."""
    for key in dotted.split(".") if dotted else ():
        answer = answer[key]
    return answer


def session_id_of(found: Any) -> str:
    """Strings and whole numbers are ids."""
    if type(found) is int:
        found = str(found)
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID or found in (".", ".."):
        raise ValueError("not a session id")
    return found


def _title(item: Any, dotted: str | None) -> str | None:
    if dotted is None:
        return None
    title = value_at(item, dotted)
    return title if isinstance(title, str) else None


def _filled(body: Any, known: dict[str, str | None]) -> Any:
    match body:
        case str():  # in one pass: what is filled in is not looked at again
            return _PLACEHOLDER.sub(lambda found: known[found[0]] or "", body)
        case dict():
            return {key: _filled(value, known) for key, value in body.items()}
        case list():
            return [_filled(value, known) for value in body]
        case _:
            return body
