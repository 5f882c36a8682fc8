"""The names of a campaign's settings, samples and findings in its store.

Rules
- A name in a store stays: a table here for each kind of row, and pins in the tests, hold them.
- A value that a store of before does not have is given what says so. One that is unknown here is
  refused: a newer deadheat may have counted on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deadheat.files.results import CampaignFinding, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deadheat.files.artifact import Artifact

# 1: the first.
STORE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What the campaign was asked for; a resumed one has the same, unless told otherwise."""

    word: str
    profile: str | None
    allow_remote: bool
    seed: int
    seconds: float | None
    programs: int | None
    keep: int
    recycle_programs: int
    recycle_bytes: int
    began: str
    http2: bool = False
    max_rps: float | None = None
    version: int = STORE_VERSION


_NEEDED: Final = object()

# Name in the store, and what a store of before means that does not have it.
_SETTINGS: Mapping[str, object] = {
    **dict.fromkeys(("word", "profile", "allow_remote", "seed", "seconds", "programs"), _NEEDED),
    **dict.fromkeys(("keep", "recycle_programs", "recycle_bytes", "began"), _NEEDED),
    "http2": False,
    "max_rps": None,
    "version": _NEEDED,
}
_SAMPLE: Mapping[str, object] = {
    **dict.fromkeys(("at_s", "programs", "requests", "overlaps", "findings"), _NEEDED),
    **dict.fromkeys(("restarts", "workers", "server_bytes", "coordinator_bytes"), _NEEDED),
}
_FINDING: Mapping[str, object] = {
    **dict.fromkeys(("settled", "measured", "programs", "hits", "sightings"), _NEEDED),
    **dict.fromkeys(("first_s", "last_s", "first_program"), _NEEDED),
    "attempts": 0,
    "picture": (),
}


def settings_values(settings: Settings) -> dict[str, object]:
    """The settings as plain values, by name."""
    return _values(settings, _SETTINGS)


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The settings that ``settings_values`` wrote. Raises ``LookupError``."""
    return Settings(**_read(values, _SETTINGS))


def sample_text(sample: Sample) -> str:
    """The sample as JSON."""
    return json.dumps(_values(sample, _SAMPLE))


def sample_of(text: str) -> Sample:
    """The sample that ``sample_text`` wrote. Raises ``LookupError``, ``ValueError``."""
    return Sample(**_read(json.loads(text), _SAMPLE))


def finding_text(finding: CampaignFinding) -> str:
    """The finding as JSON, without its key and example, which the store keeps by themselves."""
    return json.dumps(_values(finding, _FINDING))


def finding_of(key: str, artifact: Artifact, path: Path, text: str) -> CampaignFinding:
    """The finding that ``finding_text`` wrote. Raises ``LookupError``, ``ValueError``."""
    values = _read(json.loads(text), _FINDING)
    values["picture"] = tuple(tuple(row) for row in values["picture"])
    return CampaignFinding(key, artifact, path, **values)


def _values(row: object, names: Mapping[str, object]) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}


def _read(values: Mapping[str, Any], names: Mapping[str, object]) -> dict[str, Any]:
    if unknown := sorted(set(values) - set(names)):
        raise LookupError(f"nothing here knows {unknown[0]!r}")
    return {
        name: values[name] if default is _NEEDED else values.get(name, default)
        for name, default in names.items()
    }
