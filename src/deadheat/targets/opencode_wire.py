"""OpenCode's session API on the wire (see shared facts: the table of calls).

Rules
- Only the paths of this module are ever sent: OpenCode forwards unknown ones to
  the web.
- A status that the API does not declare for a call is ``Undeclared``; a 5xx and
  an answer that is no JSON are ``Info``.
- Details keep the error's name only: its message carries paths of the machine.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, assert_never

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

# Newer versions list the 100 last updated by default; no trial comes near 10,000.
_LIST_PATH = "/session?limit=10000"
_ADDRESSED = frozenset({Kind.GET, Kind.DELETE, Kind.RENAME, Kind.CHILDREN, Kind.FORK})
_ID = re.compile(r"ses_[A-Za-z0-9]+\Z")  # path-like ids reach the file system on 1.0.x


@dataclass(frozen=True, slots=True)
class OpenCodeWire:
    """The profile ``opencode``; the demo speaks it too."""

    name: str = "opencode"

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call. Raises ``ValueError`` for an id that is no OpenCode id."""
        match invocation.kind:
            case Kind.CREATE:
                asked = {"title": invocation.title}
                if invocation.parent is not None:
                    asked["parentID"] = _session_id(invocation.parent)
                return WireRequest("POST", "/session", _json(asked))
            case Kind.LIST:
                return WireRequest("GET", _LIST_PATH)
            case Kind.GET:
                return WireRequest("GET", _path(invocation))
            case Kind.DELETE:
                return WireRequest("DELETE", _path(invocation))
            case Kind.RENAME:
                return WireRequest("PATCH", _path(invocation), _json({"title": invocation.title}))
            case Kind.CHILDREN:
                return WireRequest("GET", f"{_path(invocation)}/children")
            case Kind.FORK:
                return WireRequest("POST", f"{_path(invocation)}/fork", _json({}))
            case Kind.OWN:
                raise ValueError("OpenCode's API has no call of one's own")
            case _:
                assert_never(invocation.kind)

    def decode(self, invocation: Invocation, status: int, body: bytes) -> Outcome:
        """What the answer means."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            if status >= 500:
                return Info(Unknown.SERVER_ERROR)
            return Info(Unknown.GARBLED, f"{status}, no JSON")
        if status >= 500:
            return Info(Unknown.SERVER_ERROR, _error_name(answer))
        if status == 404 and (invocation.kind in _ADDRESSED or invocation.parent is not None):
            return Ok(Absent())
        if status != 200:
            return Ok(Undeclared(status, _error_name(answer)))
        try:
            return Ok(_result(invocation, answer))
        except (KeyError, TypeError, ValueError):
            return Info(Unknown.GARBLED, "200 of another shape")


def _result(invocation: Invocation, answer: Any) -> Result:
    match invocation.kind:
        case Kind.CREATE | Kind.FORK:
            return Created(_session_id(answer["id"]))
        case Kind.LIST:
            return Listed(_entries(answer))
        case Kind.CHILDREN:
            return Offspring(_entries(answer))
        case Kind.GET:
            if answer["id"] != invocation.session:
                raise ValueError("another session answered")
            return Found(_title(answer))
        case Kind.DELETE:
            if answer is not True:
                raise ValueError("true was expected")
            return Deleted()
        case Kind.RENAME:
            if answer["id"] != invocation.session:
                raise ValueError("another session answered")
            return Renamed()
        case Kind.OWN:
            raise ValueError("OpenCode's API has no call of one's own")
        case _:
            assert_never(invocation.kind)


def _entries(answer: Any) -> tuple[Seen, ...]:
    if not isinstance(answer, list):
        raise TypeError("a list was expected")
    return tuple(Seen(_session_id(item["id"]), _title(item)) for item in answer)


def _session_id(found: Any) -> str:
    if not isinstance(found, str) or not _ID.match(found):
        raise ValueError("not a session id")
    return found


def _path(invocation: Invocation) -> str:
    return f"/session/{_session_id(invocation.session)}"


def _title(item: Any) -> str | None:
    title = item.get("title")
    return title if isinstance(title, str) else None


def _error_name(answer: Any) -> str:
    name = answer.get("name") if isinstance(answer, dict) else None
    if not isinstance(name, str):
        return ""
    return "".join(c for c in name[:60] if c.isprintable())  # it is shown on terminals


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
