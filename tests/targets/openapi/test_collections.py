"""Collections in documents of several makes, and the profile that is drafted of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from deadheat.errors import BadFile
from deadheat.files.toml_file import load
from deadheat.targets.openapi.collections import base_path, collections, read_document
from deadheat.targets.openapi.draft import draft_of, profile_text
from deadheat.targets.profile.profile import Profile

ONE = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
REF = {"$ref": "#/components/schemas/One"}


def answered(schema: Any, status: str = "200") -> dict[str, Any]:
    return {status: {"description": "", "content": {"application/json": {"schema": schema}}}}


def document(**changed: Any) -> dict[str, Any]:
    """Carts as FastAPI describes them."""
    new = {
        "type": "object",
        "required": ["name", "size", "kind"],
        "properties": {
            "name": {"type": "string"},
            "size": {"type": "integer", "minimum": 3},
            "kind": {"type": "string", "enum": ["big", "small"]},
            "note": {"type": "string"},
        },
    }
    sent = {"content": {"application/json": {"schema": new}}}
    return {
        "openapi": "3.1.0",
        "paths": {
            "/carts": {
                "get": {"responses": answered({"type": "array", "items": REF})},
                "post": {"requestBody": sent, "responses": answered(REF, "201")},
            },
            "/carts/{cart_id}": {
                "get": {"responses": answered(REF)},
                "delete": {"responses": {"204": {"description": ""}}},
                "patch": {"requestBody": sent, "responses": answered(REF)},
            },
            "/health": {"get": {"responses": answered({"type": "string"})}},
        },
        "components": {"schemas": {"One": ONE}},
        **changed,
    }


def test_what_fastapi_writes() -> None:
    (carts,) = collections(read_document(json.dumps(document()), "x"))
    assert (carts.path, carts.item, carts.name) == ("/carts", "/carts/{id}", "carts")
    assert carts.create.body == {"name": "{title}", "size": 3, "kind": "big"}
    assert (carts.title, carts.id, carts.items) == ("name", "id", "")
    assert (carts.create.done, carts.delete.done) == ((201,), (204,))
    assert carts.rename is not None
    assert carts.rename.body == {"name": "{title}", "size": 3, "kind": "big"}


def test_lists_in_an_object_yaml_and_a_prefix() -> None:
    whole = document(openapi="3.0.3", servers=[{"url": "https://example.com/api/v1/"}])
    wrapped = {"type": "object", "properties": {"total": {}, "data": {"type": "array"}}}
    whole["paths"]["/carts"]["get"]["responses"] = answered(wrapped)
    read = read_document(yaml.safe_dump(whole), "x")
    (carts,) = collections(read)
    assert carts.items == "data"
    draft = draft_of(carts, base_path(read))
    assert draft.create.path == "/api/v1/carts"
    assert draft.get.path == "/api/v1/carts/{id}"


def test_a_schema_that_contains_itself_ends() -> None:
    whole = document()
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/x"}}}
    whole["x"] = node
    whole["paths"]["/carts"]["post"]["requestBody"]["content"]["application/json"]["schema"] = {
        "$ref": "#/x"
    }
    (carts,) = collections(read_document(json.dumps(whole), "x"))
    assert "next" in carts.create.body


@pytest.mark.parametrize(
    "left_out", [("/carts", "post"), ("/carts", "get"), ("/carts/{cart_id}", "delete")]
)
def test_what_is_no_collection(left_out: tuple[str, str]) -> None:
    whole = document()
    del whole["paths"][left_out[0]][left_out[1]]
    assert collections(read_document(json.dumps(whole), "x")) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "neither JSON nor YAML"),
        ("[]", "not an OpenAPI 3 document"),
        ('{"swagger": "2.0"}', "not an OpenAPI 3 document"),
        ("[" * 10_000, "Name another one"),
    ],
)
def test_what_is_no_document(text: str, says: str) -> None:
    with pytest.raises(BadFile, match=says) as caught:
        read_document(text, "api.json")
    assert "\n" not in str(caught.value)


def drafted(**how: Any) -> str:
    (carts,) = collections(read_document(json.dumps(document()), "x"))
    known: dict[str, Any] = {"url": None, "command": None, "source": "x", "probed": True}
    return profile_text(draft_of(carts, ""), **known | how)


@pytest.mark.parametrize(
    "how",
    [{"url": "http://127.0.0.1:9"}, {"command": ("serve", "--port", "{port}")}, {"probed": False}],
    ids=str,
)
def test_a_draft_is_a_profile(how: dict[str, Any], tmp_path: Any) -> None:
    path = tmp_path / "carts.toml"
    path.write_text(drafted(**how))
    profile = load(path, Profile)
    assert profile is not None
    assert profile.name == "carts"
    assert profile.calls.get.title == "name"
    assert (profile.server is None) is ("command" not in how)
    assert ("CHECK: no server was asked" in path.read_text()) is (how.get("probed") is False)


def test_what_is_unsure_is_marked() -> None:
    (carts,) = collections(read_document(json.dumps(document()), "x"))
    draft = draft_of(carts, "")
    text = profile_text(
        replace(draft, unsure=(("list", "has it pages?"), ("rename", "left out")), rename=None),
        url=None,
        command=None,
        source="x",
        probed=True,
    )
    assert "[calls.list]\n# CHECK: has it pages?." in text
    assert "# CHECK: rename: left out." in text
    assert "# CHECK: where does it run?" in text
