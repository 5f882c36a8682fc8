"""A declared API on the wire: requests from templates, outcomes from statuses and dotted paths.

Rules
- A declared status is a result; any other below 500 is ``Undeclared``; a 5xx, and an answer of
  another shape than declared, is ``Info``: nobody knows what happened.
- An id goes into a path percent-encoded; one that a path would swallow (``.``, ``..``, empty)
  is no id.
- Details say nothing of what the server wrote, it may be anything; but for an error's name, where
  the profile says that an answer has one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import quote, unquote, urlsplit

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Outcome,
    Renamed,
    Result,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.drive.target import WireRequest

_PLACEHOLDER = re.compile(r"\{(id|title|parent)\}")
# Longer than any id in use; a server may answer anything.
_LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class Exchange:
    """One kind of call: its request template, and where its answer has what is wanted.

    ``done`` empty: any 2xx. ``id_at``, ``title_at``, ``items_at``: dotted paths; None: not told.
    ``answer``: what a success must say, None: anything. ``below``: it makes one below another.
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
    id_in_location: bool = False
    answer: Any = None
    below: bool = False

    def succeeded(self, status: int) -> bool:
        """Is this the status of success?"""
        return status in self.done if self.done else 200 <= status < 300


@dataclass(frozen=True, slots=True)
class ProfileWire:
    """See the module's docstring; made by ``profile.Profile``."""

    name: str
    base_path: str
    exchanges: tuple[Exchange, ...]
    id_pattern: re.Pattern[str] | None = None
    error_at: str | None = None

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call. Raises ``ValueError`` for what the API does not have."""
        exchange = self._exchange(invocation)
        session, parent = invocation.session, invocation.parent
        path = self.base_path + exchange.path
        for word, one in (("{id}", session), ("{parent}", parent)):
            if word in path:
                path = path.replace(word, quote(self._id(one), safe=""))
        if exchange.body is None:
            return WireRequest(exchange.method, path)
        known = {"{id}": session, "{title}": invocation.title, "{parent}": parent}
        return WireRequest(
            exchange.method, path, json.dumps(_filled(exchange.body, known)).encode()
        )

    def decode(
        self, invocation: Invocation, status: int, body: bytes, location: str | None = None
    ) -> Outcome:
        """What the answer means. ``location``: its header of that name."""
        exchange = self._exchange(invocation)
        if status in exchange.absent:
            return Ok(Absent())
        if not exchange.succeeded(status):
            if status >= 500:
                return Info(Unknown.SERVER_ERROR, self._error(body))
            return Ok(Undeclared(status, self._error(body)))
        try:
            return Ok(self._result(invocation, exchange, body, location))
        except _NoJson:
            return Info(Unknown.GARBLED, f"{status}, no JSON")
        except (KeyError, IndexError, TypeError, ValueError):
            return Info(Unknown.GARBLED, f"{status} of another shape")

    def _exchange(self, invocation: Invocation) -> Exchange:
        below = invocation.kind is Kind.CREATE and invocation.parent is not None
        for exchange in self.exchanges:
            if exchange.kind is invocation.kind and exchange.below is below:
                return exchange
        child = " below another session" if below else ""
        raise ValueError(f"the profile {self.name} has no {invocation.kind}{child}")

    def _result(
        self, invocation: Invocation, exchange: Exchange, body: bytes, location: str | None
    ) -> Result:
        if exchange.answer is not None:
            said = _parsed(body)
            if type(said) is not type(exchange.answer) or said != exchange.answer:  # 1 is not true
                raise ValueError("another answer than the declared one")
        match invocation.kind:
            case Kind.CREATE | Kind.FORK:
                if exchange.id_in_location:
                    return Created(self._id(_last_part(location)))
                return Created(self._id(value_at(_parsed(body), exchange.id_at or "")))
            case Kind.GET:
                if exchange.id_at is None and exchange.title_at is None:
                    return Found(None)
                answer = _parsed(body)
                if exchange.id_at is not None and (
                    self._id(value_at(answer, exchange.id_at)) != invocation.session
                ):
                    raise ValueError("another session answered")
                return Found(_title(answer, exchange.title_at))
            case Kind.LIST:
                return Listed(self._entries(exchange, body))
            case Kind.CHILDREN:
                return Offspring(self._entries(exchange, body))
            case Kind.DELETE:
                return Deleted()
            case Kind.RENAME:
                if exchange.id_at is not None and (
                    self._id(value_at(_parsed(body), exchange.id_at)) != invocation.session
                ):
                    raise ValueError("another session answered")
                return Renamed()
            case Kind.OWN:
                raise ValueError("no profile has a call of one's own")
            case _:
                assert_never(invocation.kind)

    def _entries(self, exchange: Exchange, body: bytes) -> tuple[Seen, ...]:
        items = value_at(_parsed(body), exchange.items_at or "")
        if not isinstance(items, list):
            raise TypeError("a list was expected")
        return tuple(
            Seen(
                self._id(value_at(item, exchange.id_at or "")),
                _title(item, exchange.title_at),
            )
            for item in items
        )

    def _id(self, found: Any) -> str:
        session = session_id_of(found)
        if self.id_pattern is not None and not self.id_pattern.fullmatch(session):
            raise ValueError("not a session id of this API")
        return session

    def _error(self, body: bytes) -> str:
        """The error's name, if the profile says where an answer has one."""
        if self.error_at is None:
            return ""
        try:
            name = value_at(_parsed(body), self.error_at)
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
        if not isinstance(name, str):
            return ""
        return "".join(c for c in name[:60] if c.isprintable())  # it is shown on terminals


class _NoJson(ValueError):
    """The body is no JSON, or nested too deep to be read."""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _NoJson from None


def _last_part(location: str | None) -> str:
    if location is None:
        raise ValueError("an answer without a Location")
    return unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2])


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
