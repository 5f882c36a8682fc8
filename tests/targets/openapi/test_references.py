"""Documents of strangers: nothing outside is touched, nothing explodes, cycles end."""

from __future__ import annotations

import json
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.targets.openapi.test_collections import answered, document

from deadheat.errors import BadFile
from deadheat.targets.openapi import references
from deadheat.targets.openapi.collections import base_path, collections, read_document
from deadheat.targets.openapi.draft import draft_of, profile_text
from deadheat.targets.openapi.references import read_linked

if TYPE_CHECKING:
    from pathlib import Path


def bomb(levels: int) -> str:
    """A list of lists of lists, each nine times the one before: YAML's billion laughs."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def with_sent(schema: Any, **more: Any) -> dict[str, Any]:
    """Carts, whose create sends this."""
    whole = document(**more)
    sent = {"content": {"application/json": {"schema": schema}}}
    whole["paths"]["/carts"]["post"]["requestBody"] = sent
    return whole


def test_a_reference_outside_is_told_and_neither_fetched_nor_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.json").write_text('{"type": "object", "required": ["pwned"]}')
    told: list[str] = []

    def never(*_: object) -> None:
        raise AssertionError("a document has opened a connection")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", never)
    for outside in ("http://127.0.0.1:1/x.yaml#/y", f"file://{tmp_path}/there.json", "there.json"):
        told.clear()
        whole = json.dumps(with_sent({"$ref": outside}))
        (carts,) = collections(read_document(whole, "api.json", told.append))
        assert carts.create.body == {}
        assert len(told) == 1
        assert outside in told[0]


def test_a_path_that_lies_outside_is_no_collection() -> None:
    whole = document()
    whole["paths"]["/carts"] = {"$ref": "http://127.0.0.1:1/x.yaml"}
    assert collections(read_document(json.dumps(whole), "x")) == ()


def test_data_is_no_reference_and_a_property_may_be_called_default() -> None:
    data = {"$ref": "http://example.invalid/"}
    schema = {
        "required": ["kept", "default"],
        "properties": {"kept": {"example": data}, "default": {"$ref": "#/components/schemas/Two"}},
    }
    whole = with_sent(schema, components={"schemas": {"Two": {"const": 2}, "One": {}}})
    told: list[str] = []
    (carts,) = collections(read_document(json.dumps(whole), "x", told.append))
    assert carts.create.body == {"kept": data, "default": 2}
    assert told == []


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
        {"A": {"$ref": "#/components/schemas/A"}},
        {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"required": ["a"], "properties": {"a": {"$ref": "#/components/schemas/A"}}}},
        {"A": {"anyOf": [{"$ref": "#/components/schemas/A"}]}},
        {"A": {"type": "array", "minItems": 3, "items": {"$ref": "#/components/schemas/A"}}},
        {"A": {"$ref": "#"}},
        {"A": {"$ref": "#/nowhere"}},
        {"A": {"$ref": "#nowhere"}},
    ],
    ids=str,
)
def test_a_cycle_ends(schemas: dict[str, Any]) -> None:
    reference = {"$ref": "#/components/schemas/A"}
    whole = with_sent(reference, components={"schemas": {"One": {}, **schemas}})
    whole["paths"]["/carts"]["get"]["responses"] = answered(reference)
    (carts,) = collections(read_document(json.dumps(whole), "x"))
    json.dumps(carts.create.body)  # a value without a cycle


def test_a_chain_of_references_is_followed() -> None:
    names = [f"S{n}" for n in range(20)]
    schemas: dict[str, Any] = {
        one: {"$ref": f"#/components/schemas/{other}"} for one, other in pairwise(names)
    }
    schemas[names[-1]] = {"const": 7}
    whole = with_sent({"$ref": "#/components/schemas/S0"}, components={"schemas": schemas})
    (carts,) = collections(read_document(json.dumps(whole), "x"))
    assert carts.create.body == 7


def test_aliases_are_not_written_out() -> None:
    whole = f"{bomb(30)}\nopenapi: 3.0.0\npaths: *a29\n"
    assert collections(read_document(whole, "x")) == ()
    below = yaml.safe_dump(with_sent("SENT")).replace("SENT", "{example: *a29}")
    (carts,) = collections(read_document(f"{bomb(30)}\n{below}", "x"))
    assert len(json.dumps(carts.create.body)) < 100_000


def test_a_list_that_contains_itself_ends() -> None:
    below = yaml.safe_dump(with_sent("SENT")).replace("SENT", "{example: *me}")
    (carts,) = collections(read_document(f"me: &me [*me, *me]\n{below}", "x"))
    json.dumps(carts.create.body)


def test_merge_keys_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["a0: &a0 {k0: v}"]
    lines += [f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: v}}" for n in range(1, 20)]
    read_linked("\n".join(lines), "x")
    monkeypatch.setattr(references, "_MOST_MERGED", 100)
    with pytest.raises(BadFile, match="Name another one"):
        read_linked("\n".join(lines), "x")


def test_a_schema_as_wide_as_it_is_deep_gives_a_small_sample() -> None:
    wide = [f"p{n}" for n in range(40)]
    schemas = {
        f"S{n}": {
            "required": wide,
            "properties": {name: {"$ref": f"#/components/schemas/S{n + 1}"} for name in wide},
            "allOf": [{"$ref": f"#/components/schemas/S{(n + k) % 9}"} for k in range(9)],
        }
        for n in range(9)
    }
    whole = with_sent({"$ref": "#/components/schemas/S0"}, components={"schemas": schemas})
    (carts,) = collections(read_document(json.dumps(whole), "x"))
    assert len(json.dumps(carts.create.body)) < 100_000


def test_a_document_too_large_to_walk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_MOST_VALUES", 30)
    with pytest.raises(BadFile, match="too large"):
        read_linked(json.dumps(document()), "x")


REFERENCES = st.sampled_from(
    ["#", "#/paths", "#/components/schemas/One", "#/paths/~1carts", "http://127.0.0.1:1/", "%%"]
)
WORDS = st.sampled_from(
    ["type", "properties", "required", "allOf", "anyOf", "oneOf", "items", "example", "examples",
     "enum", "const", "default", "format", "minLength", "minItems", "minimum", "content", "schema",
     "application/json", "name", "id", "200", "responses"]
)  # fmt: skip
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS, inner, max_size=5)
        | st.builds(lambda one: {"$ref": one}, REFERENCES)
    ),
    max_leaves=25,
)


@given(sent=ODD, answer=ODD, responses=ODD, servers=ODD)
def test_any_document_is_a_profile_or_one_line(
    sent: Any, answer: Any, responses: Any, servers: Any
) -> None:
    whole = with_sent(sent, servers=servers)
    whole["paths"]["/carts"]["get"]["responses"] = answered(answer)
    whole["paths"]["/carts/{cart_id}"]["get"]["responses"] = responses
    read = read_document(json.dumps(whole), "x")
    for found in collections(read):
        profile_text(
            draft_of(found, base_path(read)), url=None, command=None, source="x", probed=False
        )
