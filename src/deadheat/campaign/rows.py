"""What a campaign's settings, samples and findings are called in its store.

Rules
- A name in a store stays: a field that is given another name keeps its name here.
- A value that a store of before does not have is given what says so. One that nobody here knows is
  refused: a newer deadheat may have counted on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from deadheat.results import CampaignFinding, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deadheat.artifact import Artifact

T = TypeVar("T")

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


def settings_values(settings: Settings) -> dict[str, object]:
    """Plain values, by name."""
    return {
        "word": settings.word,
        "profile": settings.profile,
        "allow_remote": settings.allow_remote,
        "seed": settings.seed,
        "seconds": settings.seconds,
        "programs": settings.programs,
        "keep": settings.keep,
        "recycle_programs": settings.recycle_programs,
        "recycle_bytes": settings.recycle_bytes,
        "began": settings.began,
        "http2": settings.http2,
        "max_rps": settings.max_rps,
        "version": settings.version,
    }


def settings_of(values: Mapping[str, Any]) -> Settings:
    """What ``settings_values`` gave. Raises ``LookupError``."""
    settings = Settings(
        word=values["word"],
        profile=values["profile"],
        allow_remote=values["allow_remote"],
        seed=values["seed"],
        seconds=values["seconds"],
        programs=values["programs"],
        keep=values["keep"],
        recycle_programs=values["recycle_programs"],
        recycle_bytes=values["recycle_bytes"],
        began=values["began"],
        http2=values.get("http2", False),
        max_rps=values.get("max_rps"),
        version=values["version"],
    )
    return _all_known(settings, values, settings_values(settings))


def sample_values(sample: Sample) -> dict[str, object]:
    """Plain values, by name."""
    return {
        "at_s": sample.at_s,
        "programs": sample.programs,
        "requests": sample.requests,
        "overlaps": sample.overlaps,
        "findings": sample.findings,
        "restarts": sample.restarts,
        "workers": sample.workers,
        "server_bytes": sample.server_bytes,
        "coordinator_bytes": sample.coordinator_bytes,
    }


def sample_text(sample: Sample) -> str:
    """As JSON."""
    return json.dumps(sample_values(sample))


def sample_of(text: str) -> Sample:
    """What ``sample_text`` wrote. Raises ``LookupError``, ``ValueError``."""
    values = json.loads(text)
    sample = Sample(
        at_s=values["at_s"],
        programs=values["programs"],
        requests=values["requests"],
        overlaps=values["overlaps"],
        findings=values["findings"],
        restarts=values["restarts"],
        workers=values["workers"],
        server_bytes=values["server_bytes"],
        coordinator_bytes=values["coordinator_bytes"],
    )
    return _all_known(sample, values, sample_values(sample))


def finding_values(finding: CampaignFinding) -> dict[str, object]:
    """Plain values, by name; its key and its example have places of their own."""
    return {
        "settled": finding.settled,
        "measured": finding.measured,
        "programs": finding.programs,
        "hits": finding.hits,
        "sightings": finding.sightings,
        "first_s": finding.first_s,
        "last_s": finding.last_s,
        "first_program": finding.first_program,
        "attempts": finding.attempts,
        "picture": finding.picture,
    }


def finding_text(finding: CampaignFinding) -> str:
    """As JSON."""
    return json.dumps(finding_values(finding))


def finding_of(key: str, artifact: Artifact, path: Path, text: str) -> CampaignFinding:
    """What ``finding_text`` wrote. Raises ``LookupError``, ``ValueError``."""
    values = json.loads(text)
    finding = CampaignFinding(
        key,
        artifact,
        path,
        settled=values["settled"],
        measured=values["measured"],
        programs=values["programs"],
        hits=values["hits"],
        sightings=values["sightings"],
        first_s=values["first_s"],
        last_s=values["last_s"],
        first_program=values["first_program"],
        attempts=values.get("attempts", 0),
        picture=tuple(tuple(row) for row in values.get("picture", ())),
    )
    return _all_known(finding, values, finding_values(finding))


def _all_known(read: T, values: Mapping[str, Any], known: Mapping[str, object]) -> T:
    if unknown := sorted(set(values) - set(known)):
        raise LookupError(f"nothing here knows {unknown[0]!r}")
    return read
