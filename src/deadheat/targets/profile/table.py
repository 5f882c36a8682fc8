"""The base of all tables in our TOML files."""

from __future__ import annotations

from pydantic import AliasGenerator, BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a TOML file: keys with dashes, unknown keys refused, immutable."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        alias_generator=AliasGenerator(alias=lambda name: name.replace("_", "-")),
    )
