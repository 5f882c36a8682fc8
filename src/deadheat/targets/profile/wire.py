"""A declared API on the wire: requests from templates, outcomes from statuses and places.

Rules
- A declared status is a result, a refusal (nothing happened) or unknown; any other
  below 500 is ``Undeclared``; a 5xx, and an answer of another shape than declared, is ``Info``.
- An id goes into a path percent-encoded; one that a path would swallow (``.``, ``..``, empty), or
  that has control characters, is no id.
- Half of a surrogate pair, which JSON may hold, is in no address, as there is no UTF-8 of it: a
  create that answers such an id is garbled, and a list is read without it.
- Templates and places are read once, when the wire is made: each request of a race passes here.
- Details say nothing of what the server wrote, it may be anything; but for an error's name, where
  the profile says that an answer has one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, assert_never
from urllib.parse import quote, unquote, urlsplit

from deadheat.drive.wire.api import WireRequest
from deadheat.model.history import (
    NAMING,
    REFUSED,
    Absent,
    Created,
    Deleted,
    Exists,
    Fail,
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
from deadheat.targets.profile.value_path import NoJson, ValuePath, parsed, place

_PLACEHOLDER = re.compile(r"\{(id|title|parent)\}")
# Ids that a path takes as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]*\Z").match
# Longer than any id in use is none; a server may answer anything.
_ID = re.compile(r"(?!\.\.?\Z)[^\x00-\x1f\x7f]{1,512}\Z").match
_SURROGATE = re.compile(r"[\ud800-\udfff]").search


@dataclass(frozen=True, slots=True)
class CallFormat:
    """One kind of call: its request template, and where its answer has what matters.

    ``done`` empty: any 2xx. ``refused``: it did nothing. ``unknown``: what it did is unknown.
    ``id_at``, ``title_at``, ``items_at``: places; None: not told. ``answer``: what a success must
    say, None: anything. ``below``: it makes one below another. ``exists``: it made nothing, for
    there is one of that name.
    """

    kind: Kind
    method: str
    path: str
    body: Any
    done: frozenset[int]
    absent: frozenset[int]
    refused: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()
    id_at: str | None = None
    title_at: str | None = None
    items_at: str | None = None
    id_in_location: bool = False
    answer: Any = None
    below: bool = False
    exists: frozenset[int] = frozenset()


class NoId(ValueError):
    """An id that no address can hold."""


class ProfileWire:
    """See the module's docstring; made by ``profile.Profile``."""

    __slots__ = ("_calls", "_error_at", "_id_pattern", "name")

    def __init__(
        self,
        name: str,
        base_path: str,
        exchanges: tuple[CallFormat, ...],
        id_pattern: re.Pattern[str] | None = None,
        error_at: str | None = None,
    ) -> None:
        self.name = name
        self._calls = tuple(
            (one.kind, one.below, _PreparedCall(base_path, one)) for one in exchanges
        )
        self._id_pattern = id_pattern
        self._error_at = None if error_at is None else place(error_at)

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call. Raises ``ValueError`` for what the API does not have."""
        call = self._call(invocation)
        session, parent = invocation.session, invocation.parent
        path = call.path.fixed
        if path is None:
            known = {}
            for word in call.path.words:
                if word == "title":
                    one = invocation.title or ""
                else:
                    one = self._id(session if word == "id" else parent)
                known[word] = one if _PLAIN(one) else quote(one, safe="")
            path = call.path.filled(known)
        if call.body is None:
            return WireRequest(call.method, path)
        body = call.body.fixed
        if body is None:
            said = {"id": session, "title": invocation.title, "parent": parent}
            body = call.body.filled(
                {word: encode_basestring_ascii(said[word] or "")[1:-1] for word in call.body.words}
            )
        return WireRequest(call.method, path, body.encode())

    def decode(
        self, invocation: Invocation, status: int, body: bytes, location: str | None = None
    ) -> Outcome:
        """The outcome of an answer. ``location``: its header of that name."""
        call = self._call(invocation)
        declared = call.exchange
        if not (status in declared.done if declared.done else 200 <= status < 300):
            return self._other(declared, status, body)
        if status in call.not_done:  # any 2xx, but for these
            return self._other(declared, status, body)
        try:
            return Ok(self._result(invocation, call, body, location))
        except NoJson:
            return Info(Unknown.GARBLED, f"{status}, no JSON")
        except NoId:
            return Info(Unknown.GARBLED, f"{status}, an id that no address can hold")
        except (LookupError, TypeError, ValueError):
            return Info(Unknown.GARBLED, f"{status} of another shape")

    def _other(self, declared: CallFormat, status: int, body: bytes) -> Outcome:
        if status in declared.exists:
            return Ok(Exists())
        if status in declared.absent:
            return Ok(Absent())
        if status in declared.refused:
            return Fail(REFUSED)
        if status in declared.unknown:
            return Info(Unknown.UNCLEAR, self._error(body))
        if status >= 500:
            return Info(Unknown.SERVER_ERROR, self._error(body))
        return Ok(Undeclared(status, self._error(body)))

    def _call(self, invocation: Invocation) -> _PreparedCall:
        below = invocation.kind is Kind.CREATE and invocation.parent is not None
        for kind, makes_below, call in self._calls:  # faster than to hash an enum
            if kind is invocation.kind and makes_below is below:
                return call
        child = " below another session" if below else ""
        raise ValueError(f"the profile {self.name} has no {invocation.kind}{child}")

    def _result(
        self, invocation: Invocation, call: _PreparedCall, body: bytes, location: str | None
    ) -> Result:
        answer: Any = None
        if call.reads or call.exchange.answer is not None:
            answer = parsed(body)
        wanted = call.exchange.answer
        if wanted is not None and (type(answer) is not type(wanted) or answer != wanted):
            raise ValueError("another answer than the declared one")  # 1 is not true
        kind = invocation.kind
        match kind:
            case Kind.CREATE | Kind.RECREATE | Kind.FORK:
                return Created(self._made(invocation, call, answer, location))
            case Kind.GET | Kind.RENAME:
                if call.repeats_id and self._id(call.id_at.of(answer)) != invocation.session:
                    raise ValueError("another session answered")
                return Renamed() if kind is Kind.RENAME else Found(_title(answer, call.title_at))
            case Kind.LIST:
                return Listed(self._entries(call, answer))
            case Kind.CHILDREN:
                return Offspring(self._entries(call, answer))
            case Kind.DELETE:
                return Deleted()
            case Kind.CUSTOM | Kind.OWN:
                raise ValueError("no profile has a custom call")
            case _:
                assert_never(kind)

    def _made(
        self, invocation: Invocation, call: _PreparedCall, answer: Any, location: str | None
    ) -> str:
        if call.exchange.id_in_location:
            made = self._id(_last_part(location))
        elif call.exchange.id_at is None:
            return str(invocation.session)  # the id that the client chose, and nothing else is told
        else:
            made = self._id(call.id_at.of(answer))
        if invocation.kind in NAMING and invocation.session not in (None, made):
            raise ValueError("another session answered")
        return made

    def _entries(self, call: _PreparedCall, answer: Any) -> tuple[Seen, ...]:
        id_at, title_at, session = call.id_at.of, call.title_at, self._id
        found = []
        for item in call.items_at.array(answer):
            try:
                found.append(Seen(session(id_at(item)), _title(item, title_at)))
            except NoId:  # nobody can ask for it, so it is none that anybody here has made
                continue
        return tuple(found)

    def _id(self, found: Any) -> str:
        session = session_id_of(found)
        if self._id_pattern is not None and not self._id_pattern.fullmatch(session):
            raise ValueError("not a session id of this API")
        return session

    def _error(self, body: bytes) -> str:
        """The error's name, if the profile says where an answer has it."""
        if self._error_at is None:
            return ""
        try:
            name = self._error_at.of(parsed(body))
        except (LookupError, TypeError, ValueError):
            return ""
        if not isinstance(name, str):
            return ""
        return "".join(c for c in name[:60] if c.isprintable())  # it is shown on terminals


class _Template:
    """A text with blanks: literal, word, literal, word …, literal."""

    __slots__ = ("fixed", "parts", "words")

    def __init__(self, parts: list[str]) -> None:
        self.parts = parts
        self.words = frozenset(parts[1::2])
        self.fixed = parts[0] if len(parts) == 1 else None

    def filled(self, known: dict[str, str]) -> str:
        if len(self.parts) == 3:
            return f"{self.parts[0]}{known[self.parts[1]]}{self.parts[2]}"
        return "".join([known[p] if n % 2 else p for n, p in enumerate(self.parts)])


class _PreparedCall:
    """A call's format, prepared for use."""

    __slots__ = (
        "body", "exchange", "id_at", "items_at", "method", "not_done", "path", "reads",
        "repeats_id", "title_at",
    )  # fmt: skip

    def __init__(self, base_path: str, exchange: CallFormat) -> None:
        self.exchange = exchange
        self.method = exchange.method
        self.path = _Template(_PLACEHOLDER.split(base_path + exchange.path))
        self.body = None if exchange.body is None else _Template(_body_parts(exchange.body))
        self.id_at = place(exchange.id_at or "")
        self.items_at = place(exchange.items_at or "")
        self.title_at = None if exchange.title_at is None else place(exchange.title_at)
        self.repeats_id = exchange.id_at is not None
        self.not_done = (
            frozenset[int]()
            if exchange.done
            else exchange.absent | exchange.refused | exchange.unknown | exchange.exists
        )
        match exchange.kind:
            case Kind.CREATE | Kind.RECREATE | Kind.FORK:
                self.reads = exchange.id_at is not None and not exchange.id_in_location
            case Kind.GET:
                self.reads = self.repeats_id or self.title_at is not None
            case Kind.RENAME:
                self.reads = self.repeats_id
            case Kind.LIST | Kind.CHILDREN:
                self.reads = True
            case _:
                self.reads = False


def _body_parts(body: Any) -> list[str]:
    """A JSON text with blanks inside its strings; a key is never a blank."""
    marked = json.dumps(_marked(body))
    return re.split(r"\\u0000(id|title|parent)\\u0000", marked)


def _marked(body: Any) -> Any:
    match body:
        case str():
            return _PLACEHOLDER.sub("\0\\1\0", body)
        case dict():
            return {key: _marked(value) for key, value in body.items()}
        case list():
            return [_marked(value) for value in body]
        case _:
            return body


def _last_part(location: str | None) -> str:
    if location is None:
        raise ValueError("an answer without a Location")
    return unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2])


def session_id_of(found: Any) -> str:
    """The id in a value: a string or a whole number."""
    if type(found) is int:
        found = str(found)
    if type(found) is not str:
        raise ValueError("not a session id")
    if _SURROGATE(found):
        raise NoId("not a session id: no address can hold it")
    if not _ID(found):
        raise ValueError("not a session id")
    return found


def _title(item: Any, at: ValuePath | None) -> str | None:
    if at is None:
        return None
    title = at.of(item)
    return title if isinstance(title, str) else None
