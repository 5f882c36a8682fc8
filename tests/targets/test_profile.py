"""A declared API: what is sent, what an answer means, and that nothing is guessed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from deadheat.errors import BadFile
from deadheat.targets.catalog import resolve
from deadheat.targets.profile import Profile, read_profile

if TYPE_CHECKING:
    from deadheat.targets.profile_wire import ProfileWire

SHOP = Path(__file__).resolve().parents[1] / "servers" / "shop.toml"


def wire(**changed: Any) -> ProfileWire:
    calls = {
        "create": {"request": "POST /carts", "body": {"name": "{title}", "n": [1, "{title}"]}},
        "get": {"request": "GET /carts/{id}", "id": "id", "title": "meta.name"},
        "list": {"request": "GET /carts?limit=999", "items": "data.items", "title": "name"},
        "delete": {"request": "DELETE /carts/{id}", "done": [204], "absent": [404, 409]},
        "rename": {"request": "PATCH /carts/{id}", "body": {"name": "{title}"}},
    }
    body = {"name": "carts", "base-path": "/api", "calls": {**calls, **changed}}
    return Profile.model_validate(body).wire()


def test_requests_are_filled_in() -> None:
    sent = wire().encode(Invocation(Kind.CREATE, title='a "b" {id}'))
    assert (sent.method, sent.path) == ("POST", "/api/carts")
    assert json.loads(sent.body or b"") == {"name": 'a "b" {id}', "n": [1, 'a "b" {id}']}
    assert wire().encode(Invocation(Kind.LIST)).path == "/api/carts?limit=999"
    assert wire().encode(Invocation(Kind.GET, "x/../y?z")).path == "/api/carts/x%2F..%2Fy%3Fz"
    renamed = wire().encode(Invocation(Kind.RENAME, "7", "new"))
    assert (renamed.method, renamed.path) == ("PATCH", "/api/carts/7")
    assert renamed.body == b'{"name": "new"}'


@given(st.text(min_size=1, max_size=40).filter(lambda text: text not in (".", "..")))
def test_no_id_leaves_its_place_in_the_path(session: str) -> None:
    path = wire().encode(Invocation(Kind.DELETE, session)).path
    head, _, last = path.rpartition("/")
    assert head == "/api/carts"
    assert last
    assert not set(last) & set("/?# \r\n")


@pytest.mark.parametrize("session", ["", ".", "..", "x" * 513])
def test_what_a_path_would_swallow_is_no_id(session: str) -> None:
    with pytest.raises(ValueError, match="not a session id"):
        wire().encode(Invocation(Kind.DELETE, session))
    answer = json.dumps({"id": session}).encode()
    said = wire().decode(Invocation(Kind.CREATE), 201, answer)
    assert said == Info(Unknown.GARBLED, "201 of another shape")


@pytest.mark.parametrize(
    ("invocation", "status", "answer", "meant"),
    [
        (Invocation(Kind.CREATE), 201, {"id": 7}, Ok(Created("7"))),
        (Invocation(Kind.CREATE), 404, {}, Ok(Undeclared(404, ""))),
        (Invocation(Kind.GET, "7"), 200, {"id": 7, "meta": {"name": "t"}}, Ok(Found("t"))),
        (Invocation(Kind.GET, "7"), 200, {"id": 8, "meta": {"name": "t"}}, None),
        (Invocation(Kind.GET, "7"), 200, {"id": 7}, None),
        (Invocation(Kind.GET, "7"), 410, None, Ok(Absent())),
        (
            Invocation(Kind.LIST),
            200,
            {"data": {"items": [{"id": "a", "name": "t"}, {"id": 2, "name": None}]}},
            Ok(Listed((Seen("a", "t"), Seen("2", None)))),
        ),
        (Invocation(Kind.LIST), 200, [], None),
        (Invocation(Kind.LIST), 200, {"data": {"items": "no"}}, None),
        (Invocation(Kind.LIST), 404, {}, Ok(Undeclared(404, ""))),
        (Invocation(Kind.DELETE, "7"), 204, None, Ok(Deleted())),
        (Invocation(Kind.DELETE, "7"), 200, {}, Ok(Undeclared(200, ""))),
        (Invocation(Kind.DELETE, "7"), 409, {}, Ok(Absent())),
        (Invocation(Kind.DELETE, "7"), 302, {}, Ok(Undeclared(302, ""))),
        (Invocation(Kind.DELETE, "7"), 503, {}, Info(Unknown.SERVER_ERROR)),
        (Invocation(Kind.RENAME, "7"), 200, None, Ok(Renamed())),
    ],
)
def test_what_an_answer_means(invocation: Invocation, status: int, answer: Any, meant: Any) -> None:
    body = b"" if answer is None else json.dumps(answer).encode()
    wanted = meant or Info(Unknown.GARBLED, f"{status} of another shape")
    assert wire().decode(invocation, status, body) == wanted


@given(st.sampled_from(list(Kind)[:5]), st.integers(100, 599), st.binary(max_size=60))
def test_whatever_a_server_says_has_a_meaning(kind: Kind, status: int, body: bytes) -> None:
    assert isinstance(wire().decode(Invocation(kind, "7"), status, body), Ok | Info)


def test_the_target_of_a_file(tmp_path: Path) -> None:
    target = resolve(str(SHOP))
    assert target.launch is not None
    assert target.launch.argv[0] == sys.executable
    assert str(SHOP.parent) in target.launch.argv
    assert "{port}" in target.launch.argv
    assert target.kinds == {Kind.CREATE, Kind.GET, Kind.LIST, Kind.DELETE, Kind.RENAME}
    assert target.exclusive
    assert not target.name.startswith("/")
    at = resolve("http://127.0.0.1:1", profile=str(SHOP))
    assert at.launch is None
    assert not at.exclusive
    text = SHOP.read_text()
    no_server = tmp_path / "carts.toml"
    no_server.write_text(text[: text.index("[server]")] + text[text.index("[calls]") :])
    assert read_profile(no_server).server is None
    with pytest.raises(BadFile, match=r"Add \[server\]"):
        resolve(str(no_server))
