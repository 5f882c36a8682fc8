"""The configuration of a CI job: ``[tool.deadheat]`` of pyproject.toml, deadheat.toml, or a file.

Rules
- The nearest folder, from here upwards, that has one counts; its deadheat.toml goes before its
  pyproject.toml.
- Paths in it are relative to the file; what is not said has the default, relative to here.
- An option on the command line goes before it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from deadheat.files.toml_file import load
from deadheat.targets.profile.profile import Profile
from deadheat.targets.profile.sections import Seconds
from deadheat.targets.profile.table import Table

if TYPE_CHECKING:
    from pydantic import BaseModel

PYPROJECT, OWN = "pyproject.toml", "deadheat.toml"
_TABLE = ("tool", "deadheat")


class Config(Table):
    """The settings of a job. Every key is an option of ``deadheat ci``, too."""

    target: str | None = Field(
        default=None,
        description="What is searched: a name of `deadheat targets`, a URL, or a profile's file.",
        examples=["opencode@1.2.1"],
    )
    profile: str | None = Field(
        default=None,
        description="How to speak to a URL: opencode, or a profile's file.",
        examples=["fuzz/carts.toml"],
    )
    budget: Seconds = Field(default=60.0, description="Hard limit on everything.", examples=["60s"])
    seed: int = Field(default=0, description="Seed of the programs that are drawn.", examples=[0])
    exitfirst: bool = Field(
        default=False, description="Stop at the first divergence.", examples=[True]
    )
    allow_remote: bool = Field(
        default=False, description="Allow a URL that is not on this machine.", examples=[True]
    )
    max_rps: float | None = Field(
        default=None, gt=0, description="At most so many requests a second.", examples=[50]
    )
    regressions: str = Field(
        default="fuzz/regressions",
        description="Folder of the committed examples.",
        examples=["fuzz/regressions"],
    )
    into: str = Field(
        default=".deadheat", description="Folder for what is found.", examples=[".deadheat"]
    )
    junit: str | None = Field(default=None, description="JUnit XML.", examples=["junit.xml"])
    report: str | None = Field(
        default=None, description="Folder for a page a divergence.", examples=["report"]
    )
    events: str | None = Field(
        default=None, description="NDJSON of what happens; - is stdout.", examples=["events.ndjson"]
    )


@dataclass(frozen=True, slots=True)
class FoundConfig:
    """A configuration and its file; None: there is no file, and all is default."""

    config: Config
    file: Path | None

    def path(self, written: str) -> Path:
        """A path of the configuration, shortened where it is below the working directory."""
        if self.file is None:
            return Path(written)
        return Path(os.path.relpath(self.file.parent / written))


def read_config(file: Path | None) -> FoundConfig:
    """The named configuration, else the nearest; defaults without a file. Raises ``BadFile``."""
    if file is not None:
        table = _TABLE if file.name == PYPROJECT else ()
        return _placed(load(file, Config, table) or Config(), file)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (own := folder / OWN).is_file():
            return _placed(load(own, Config) or Config(), own)
        project = folder / PYPROJECT
        if project.is_file() and (config := load(project, Config, _TABLE)) is not None:
            return _placed(config, project)
    return FoundConfig(Config(), None)


def _placed(config: Config, file: Path) -> FoundConfig:
    """The configuration with its paths taken from the file's own folder."""
    found = FoundConfig(config, file)
    placed: dict[str, str] = {
        name: str(found.path(value))
        for name in ("target", "profile", "regressions", "into", "junit", "report", "events")
        if name in config.model_fields_set
        and isinstance(value := getattr(config, name), str)
        and _is_path(name, value)
    }
    return FoundConfig(config.model_copy(update=placed), file)


def _is_path(name: str, value: str) -> bool:
    match name:
        case "target" | "profile":
            return value.endswith(".toml")
        case "events":
            return value != "-"
        case _:
            return True


# Shipped in the package for editors; ``deadheat schema`` prints them.
SCHEMAS: dict[str, type[BaseModel]] = {"config": Config, "profile": Profile}


def schema(name: str) -> dict[str, object]:
    """The JSON Schema of one kind of file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SCHEMAS[name].model_json_schema(by_alias=True, mode="validation"),
    }
