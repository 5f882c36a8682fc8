"""The JSON Schemas that editors are given are those of the models that read the files."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from deadheat.cli.config import SCHEMAS, schema

TESTS = Path(__file__).parents[1]
PROFILES = (
    *sorted(
        Path(str(files("deadheat").joinpath("targets", "opencode", "profiles"))).glob("*.toml")
    ),
    *sorted((TESTS / "servers").glob("*.toml")),
)


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


def test_there_are_profiles_to_look_at() -> None:
    assert len(PROFILES) >= 4


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.name)
def test_the_profile_schema_accepts_what_is_shipped(path: Path) -> None:
    shipped = files("deadheat").joinpath("schemas", "profile.schema.json").read_text("utf-8")
    validator = jsonschema.Draft202012Validator(json.loads(shipped))
    validator.check_schema(validator.schema)
    body = tomllib.loads(path.read_text("utf-8"))
    validator.validate(body)
    for table, key, wrong in (
        ("calls", "get", {"request": "GET /s/{id}", "titel": "t"}),
        ("promises", "list", "sometimes"),
        ("calls", "delete", None),
    ):
        spoilt = {**body, table: {**body.get(table, {}), key: wrong}}
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(spoilt)


def test_the_config_schema_accepts_ours() -> None:
    body = tomllib.loads((TESTS.parent / "fuzz" / "opencode.toml").read_text("utf-8"))
    jsonschema.validate(body, schema("config"), jsonschema.Draft202012Validator)
