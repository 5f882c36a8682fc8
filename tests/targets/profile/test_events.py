"""A declared event stream: what an event says, and that the rest says nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests import opencode

from deadheat.drive.events.listener import EventReport
from deadheat.model.history import Change
from deadheat.model.promises import EventPromise
from deadheat.targets.profile.profile import Profile

CALLS = {
    "create": {"request": "POST /carts"},
    "get": {"request": "GET /carts/{id}"},
    "list": {"request": "GET /carts"},
    "delete": {"request": "DELETE /carts/{id}"},
}
EVENTS = {"request": "GET /news", "created": "made", "deleted": "gone", "id": "cart.id"}


def profile(**events: Any) -> Profile:
    body = {"name": "carts", "base-path": "/api", "calls": CALLS, "events": EVENTS | events}
    return Profile.model_validate(body)


def test_opencode() -> None:
    said = {"type": "session.updated", "properties": {"info": {"id": "ses_1", "title": "t"}}}
    assert opencode.EVENTS.news("message", json.dumps(said)) == EventReport(
        Change.UPDATED, "ses_1", "t"
    )
    for other in (
        {"type": "server.connected", "properties": {}},
        {"type": "session.deleted", "properties": {}},
        {"type": "session.deleted", "properties": {"info": {"id": None}}},
        {"type": "session.deleted", "properties": [1]},
        ["session.deleted"],
        7,
    ):
        assert opencode.EVENTS.news("message", json.dumps(other)) is None
    assert opencode.EVENTS.news("message", "no JSON") is None
    untitled = {"type": "session.deleted", "properties": {"info": {"id": "ses_1"}}}
    assert opencode.EVENTS.news("", json.dumps(untitled)) == EventReport(Change.DELETED, "ses_1")


def test_a_profile_declares_its_own() -> None:
    target = profile().target("x", base_url="http://127.0.0.1:1")
    assert target.promises.events is EventPromise.LIVES
    assert target.events is not None
    assert target.events.path == "/api/news"
    assert target.events.news("made", '{"cart": {"id": 7}}') == EventReport(Change.CREATED, "7")
    assert target.events.news("other", '{"cart": {"id": 7}}') is None
    whole = profile(updated="changed", name="what", title="cart.name")
    assert whole.target("x", base_url="http://127.0.0.1:1").promises.events is (
        EventPromise.EXACTLY_ONCE
    )
    assert whole.events is not None
    told = '{"what": "changed", "cart": {"id": "a", "name": "t"}}'
    assert whole.events.wire("").news("", told) == EventReport(Change.UPDATED, "a", "t")


def test_without_one_nobody_listens() -> None:
    plain = Profile.model_validate({"name": "carts", "calls": CALLS})
    target = plain.target("x", base_url="http://127.0.0.1:1")
    assert (target.events, target.promises.events) == (None, EventPromise.NONE)


def test_its_request_is_a_get() -> None:
    with pytest.raises(ValidationError, match="Write GET and a path"):
        profile(request="POST /news")
