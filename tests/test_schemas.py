"""The JSON Schemas that editors are given are those of the models that read the files."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from deadheat.config import SCHEMAS, schema


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schema_in_the_package_is_in_step(name: str) -> None:
    shipped = files("deadheat").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    assert json.loads(shipped) == schema(name), (
        f"run: deadheat schema {name} > src/deadheat/schemas/{name}.schema.json"
    )


def test_keys_are_spelt_as_in_the_files() -> None:
    properties = schema("config")["properties"]
    assert isinstance(properties, dict)
    assert "allow-remote" in properties
    assert "allow_remote" not in properties
    assert schema("config")["additionalProperties"] is False
