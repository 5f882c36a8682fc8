"""A declared API: what is sent, what an answer means, and that nothing is guessed."""

from __future__ import annotations

import base64
import json
import signal
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import readme_files

from deadheat.errors import BadFile, RemoteRefused
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.model.promises import ChildrenPromise, EventPromise, ForkPromise, Shows
from deadheat.targets.catalog import resolve
from deadheat.targets.profile.profile import Profile, read_profile

if TYPE_CHECKING:
    from deadheat.targets.profile.wire import ProfileWire

SHOP = Path(__file__).resolve().parents[2] / "servers" / "shop.toml"


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


CONTROLS = "".join(map(chr, (*range(32), 127)))


@given(
    st.text(st.characters(exclude_characters=CONTROLS, codec="utf-8"), min_size=1, max_size=40)
    .filter(lambda text: text not in (".", ".."))
)  # fmt: skip
def test_no_id_leaves_its_place_in_the_path(session: str) -> None:
    path = wire().encode(Invocation(Kind.DELETE, session)).path
    head, _, last = path.rpartition("/")
    assert head == "/api/carts"
    assert last
    assert not set(last) & set("/?# \r\n")


@pytest.mark.parametrize("session", ["", ".", "..", "x" * 513, "a\nb", "\0", "\x7f"])
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


FAMILY = {
    "create": {"request": "POST /s", "body": {"name": "{title}"}},
    "create-child": {"request": "POST /s/{parent}/below", "body": {"of": ["{parent}", "{title}"]}},
    "get": {"request": "GET /s/{id}"},
    "list": {"request": "GET /s"},
    "delete": {"request": "DELETE /s/{id}"},
    "children": {"request": "GET /s/{id}/below", "items": "all", "title": "name"},
    "fork": {"request": "POST /s/{id}/copy", "id-in-location": True},
}


def profile(**changed: Any) -> Profile:
    return Profile.model_validate({"name": "x", "calls": FAMILY, **changed})


def test_parents_children_and_forks() -> None:
    spoken = profile(promises={"children": "orphan", "fork": "any"})
    target = spoken.target("x", base_url="http://127.0.0.1:1")
    assert target.families
    assert target.kinds >= {Kind.CHILDREN, Kind.FORK}
    assert Kind.RENAME not in target.kinds
    assert str(target.promises).endswith("children orphan")
    assert target.promises.fork is ForkPromise.ANY
    wire = spoken.wire()
    child = Invocation(Kind.CREATE, title="t", parent="p/q")
    sent = wire.encode(child)
    assert (sent.method, sent.path) == ("POST", "/s/p%2Fq/below")
    assert json.loads(sent.body or b"") == {"of": ["p/q", "t"]}
    assert wire.encode(Invocation(Kind.CREATE, title="t")).path == "/s"
    assert wire.decode(child, 404, b"") == Ok(Absent())  # the parent is not there
    assert wire.decode(Invocation(Kind.CREATE), 404, b"") == Ok(Undeclared(404, ""))
    below = Invocation(Kind.CHILDREN, "p")
    assert wire.encode(below).path == "/s/p/below"
    shown = b'{"all": [{"id": 1, "name": "t"}]}'
    assert wire.decode(below, 200, shown) == Ok(Offspring((Seen("1", "t"),)))


def test_an_id_from_the_location() -> None:
    fork = Invocation(Kind.FORK, "a")
    wire = profile().wire()
    for location, session in (
        ("/s/7", "7"),
        ("http://h:1/s/a%20b/?x#y", "a b"),
        ("/s/..", None),
        ("/", None),
        (None, None),
    ):
        said = wire.decode(fork, 201, b"", location)
        wanted = Info(Unknown.GARBLED, "201 of another shape")
        assert said == (wanted if session is None else Ok(Created(session)))


def test_ids_of_another_pattern_are_none() -> None:
    wire = profile(**{"id-pattern": "[a-z]+[0-9]"}).wire()
    for session in ("a", "a1b", "A1", "a1\n"):
        with pytest.raises(ValueError, match="not a session id"):
            wire.encode(Invocation(Kind.GET, session))
        answer = json.dumps([{"id": session}]).encode()
        assert isinstance(wire.decode(Invocation(Kind.LIST), 200, answer), Info)
    assert wire.encode(Invocation(Kind.GET, "ab1")).path == "/s/ab1"


def test_what_a_success_must_answer() -> None:
    calls = {**FAMILY, "delete": {"request": "DELETE /s/{id}", "answer": True}}
    wire = profile(calls=calls, error="error.name").wire()
    gone = Invocation(Kind.DELETE, "a")
    assert wire.decode(gone, 200, b"true") == Ok(Deleted())
    for body in (b"1", b"false", b'"true"', b""):
        assert isinstance(wire.decode(gone, 200, body), Info), body
    busy = b'{"error": {"name": "Busy\\u0007!"}}'
    assert wire.decode(gone, 409, busy) == Ok(Undeclared(409, "Busy!"))
    assert wire.decode(gone, 409, b"[]") == Ok(Undeclared(409, ""))


def test_secrets_are_named_and_never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret")
    spoken = profile(
        headers={"X-Api-Key": "key {env:SHOP_KEY}"},
        auth={"user": "u", "password": "{env:SHOP_KEY}"},
    )
    target = spoken.target("x", base_url="http://127.0.0.1:1")
    basic = base64.b64encode(b"u:s3cret").decode()
    assert target.headers == (("x-api-key", "key s3cret"), ("authorization", f"Basic {basic}"))
    assert "s3cret" not in repr(target) + repr(spoken)
    bearer = profile(auth={"token": "{env:SHOP_KEY}"}).target("x", base_url="http://127.0.0.1:1")
    assert bearer.headers == (("authorization", "Bearer s3cret"),)
    for value in ("", "a\nb", "é"):
        monkeypatch.setenv("SHOP_KEY", value)
        with pytest.raises(BadFile, match="environment variable SHOP_KEY"):
            spoken.target("x", base_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"auth": {"user": "u", "password": "plain"}}, "pattern"),
        ({"auth": {"user": "u"}}, "user and password, or a token"),
        ({"auth": {}}, "user and password, or a token"),
        (
            {"auth": {"user": "u", "password": "{env:A}", "token": "{env:A}"}},
            "user and password, or a token",
        ),
        ({"headers": {"Host": "x"}}, "cannot be set"),
        ({"headers": {"a b": "x"}}, "cannot be set"),
        ({"headers": {"a": "x\n"}}, "plain letters"),
        ({"id-pattern": "("}, "not a regular expression"),
        ({"url": "http://u@127.0.0.1:1"}, r"Write \[auth\]"),
        ({"calls": {**FAMILY, "get": {"request": "GET /s/{id}", "title": "$["}}}, "not a JSONPath"),
        (
            {
                "calls": {
                    **FAMILY,
                    "delete": {"request": "DELETE /s/{id}", "refused": [404], "absent": [404]},
                }
            },
            "status 404 in",
        ),
        ({"calls": {**FAMILY, "create-child": None}}, "needs create-child"),
        (
            {"calls": {**FAMILY, "create-child": {"request": "POST /s"}}},
            r"needs \{parent\} in create-child",
        ),
    ],
)
def test_what_makes_no_sense_is_told(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        profile(**changed)


def test_statuses_that_refuse_and_that_say_nothing() -> None:
    calls = {
        **FAMILY,
        "delete": {
            "request": "DELETE /s/{id}",
            "absent": [410], "refused": [409, 404], "unknown": [503, 202],
        },
    }  # fmt: skip
    wire = profile(calls=calls, error="why").wire()
    gone = Invocation(Kind.DELETE, "a")
    assert wire.decode(gone, 204, b"") == Ok(Deleted())
    assert wire.decode(gone, 409, b"") == Fail("refused")
    assert wire.decode(gone, 404, b"") == Fail("refused")
    assert wire.decode(gone, 410, b"") == Ok(Absent())
    for status in (503, 202):
        assert wire.decode(gone, status, b'{"why": "Busy"}') == Info(Unknown.UNCLEAR, "Busy")
    assert wire.decode(gone, 500, b"") == Info(Unknown.SERVER_ERROR)
    assert wire.decode(gone, 418, b"") == Ok(Undeclared(418))


def test_places_are_dotted_or_jsonpaths() -> None:
    calls = {
        **FAMILY,
        "create": {"request": "POST /s", "body": {"name": "{title}"}, "id": "made.0.id"},
        "get": {"request": "GET /s/{id}", "title": "$.labels[?@.kind=='name'].text"},
        "list": {"request": "GET /s", "items": "$.all[?@.kind=='cart']", "id": "$['the id']"},
    }
    wire = profile(calls=calls).wire()
    made = wire.decode(Invocation(Kind.CREATE), 201, b'{"made": [{"id": 7}]}')
    assert made == Ok(Created("7"))
    labels = [{"kind": "name", "text": "t"}, {"kind": "colour", "text": "red"}]
    got = wire.decode(Invocation(Kind.GET, "7"), 200, json.dumps({"labels": labels}).encode())
    assert got == Ok(Found("t"))
    shown = [{"kind": "cart", "the id": 1}, {"kind": "other", "the id": 2}]
    listed = wire.decode(Invocation(Kind.LIST), 200, json.dumps({"all": shown}).encode())
    assert listed == Ok(Listed((Seen("1"),)))
    twice = json.dumps({"labels": labels[:1] * 2}).encode()  # which one nobody knows
    assert isinstance(wire.decode(Invocation(Kind.GET, "7"), 200, twice), Info)


def test_only_values_of_a_body_are_filled_in() -> None:
    calls = {**FAMILY, "create": {"request": "POST /s", "body": {"{title}": ["{title}", 1, None]}}}
    sent = profile(calls=calls).wire().encode(Invocation(Kind.CREATE, title='{id} "\n\u2028 é'))
    assert json.loads(sent.body or b"") == {"{title}": ['{id} "\n\u2028 é', 1, None]}


def test_promises_in_words() -> None:
    words = {
        "delete": "idempotent",
        "list": "eventual",
        "get": "eventual",
        "update": "none",
        "status-on-absent": "any",
        "children": "none",
    }
    events = {"request": "GET /e", "created": "c", "updated": "u", "deleted": "d"}
    target = profile(promises=words, events=events).target("x", base_url="http://127.0.0.1:1")
    said = target.promises
    assert (said.delete, said.list, said.get) == ("idempotent", "eventual", "eventual")
    assert (said.update, said.status_on_absent) == ("none", "any")
    assert said.children is ChildrenPromise.NONE
    assert said.events is EventPromise.LIVES  # of titles nothing is promised
    assert profile().target("x", base_url="http://127.0.0.1:1").promises.list == "snapshot"


def test_how_a_server_is_stopped() -> None:
    server = {"command": ["x"], "stop": "SIGINT", "stop-within": "500ms"}
    launch = profile(server=server).target("x").launch
    assert launch is not None
    assert (launch.stop, launch.stop_within_s) == (signal.SIGINT, 0.5)
    secret = profile(server={"command": ["x"], "env": {"KEY": "s3cret"}}).target("x")
    assert "s3cret" not in repr(secret)


def test_a_server_that_runs_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = SHOP.read_text()
    path = tmp_path / "carts.toml"
    plain = text[: text.index("[server]")] + text[text.index("[calls]") :]
    path.write_text('url = "http://127.0.0.1:7123/"\n' + plain)
    found = resolve(str(path))
    assert found.launch is None
    assert not found.exclusive
    assert found.name == "carts.toml"
    assert found.base_url == "http://127.0.0.1:7123"
    path.write_text('url = "http://192.0.2.1:7123"\n' + plain)
    with pytest.raises(RemoteRefused, match="--allow-remote"):
        resolve(str(path))
    assert resolve(str(path), allow_remote=True).base_url == "http://192.0.2.1:7123"
    path.write_text('url = "http://127.0.0.1:7123"\n' + text)
    with pytest.raises(BadFile, match="both server and url"):
        resolve(str(path))


def test_the_part_of_a_profile_in_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    part = tomllib.loads(readme_files.shown()["more.toml"])
    part["calls"] = {**FAMILY, **part["calls"]}
    target = Profile.model_validate({"name": "orders", **part}).target("x", base_url=part["url"])
    assert target.pages is not None
    assert str(target.promises).startswith("delete idempotent, list eventual")
    assert target.headers == (("authorization", "Bearer s3cret"),)
    gone = Invocation(Kind.DELETE, "a")
    assert target.wire.decode(gone, 423, b"") == Fail("refused")


def described(**said: Any) -> Profile:
    calls = {
        "create": {"request": "POST /carts", "body": {"name": "{title}"}},
        "get": {"request": "GET /carts/{id}"},
        "list": {"request": "GET /carts"},
        "delete": {"request": "DELETE /carts/{id}"},
    }
    return Profile.model_validate({"name": "carts", "calls": calls, **said})


@pytest.mark.parametrize(
    ("said", "reads", "within_ns", "settle_ms"),
    [
        ({}, Shows.LINEARIZABLE, None, 0),
        ({"settle": "250ms"}, Shows.SETTLED, 250_000_000, 250),
        ({"settle": "1s", "promises": {"reads": "settled"}}, Shows.SETTLED, 10**9, 1_000),
        ({"promises": {"reads": "eventual"}}, Shows.EVENTUAL, None, 2_000),
        ({"settle": "250ms", "promises": {"reads": "eventual"}}, Shows.EVENTUAL, None, 250),
        ({"promises": {"get": "eventual"}}, Shows.LINEARIZABLE, None, 2_000),
        ({"promises": {"list": "eventual"}}, Shows.LINEARIZABLE, None, 2_000),
        ({"promises": {"reads": "linearizable"}}, Shows.LINEARIZABLE, None, 0),
    ],
)
def test_when_a_change_shows(
    said: dict[str, Any], reads: Shows, within_ns: int | None, settle_ms: int
) -> None:
    target = described(**said).target("carts", base_url="http://127.0.0.1:1")
    promises = target.promises
    assert (promises.reads, promises.slack_ns, target.settle_ms) == (reads, within_ns, settle_ms)


@pytest.mark.parametrize(
    "said",
    [
        {"promises": {"reads": "settled"}},
        {"settle": "1s", "promises": {"reads": "linearizable"}},
        {"settle": "1s", "promises": {"get": "settled"}},
    ],
)
def test_what_contradicts_itself_about_when_a_change_shows(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="settle"):
        described(**said)
