"""Committed regressions: which folder they are in, and what is expected of each where.

Rules
- ``fuzz/regressions/GROUP/*.json``: all versions of one server share a group.
- ``expect`` of a file says ``clean`` or ``diverges`` by the target's label. A target that it
  does not name is expected to be clean.
- A label is the target's name; of an address or a profile's file, which differ from machine to
  machine, it is the profile's name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.errors import BadArtifact
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Artifact, Expectation

if TYPE_CHECKING:
    from pathlib import Path


def label_of(name: str, profile: str) -> str:
    """What ``expect`` calls this target: ``opencode@1.0.152``, ``carts``."""
    if "://" in name or name.endswith(".toml"):
        return profile
    # A Python file above this folder; and a name of a stranger's leads nowhere else.
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def group_of(name: str, profile: str) -> str:
    """The folder of its regressions: ``opencode``, ``carts``."""
    return re.split("[@:]", label_of(name, profile))[0]


def expected_of(artifact: Artifact, label: str) -> Expectation:
    """What the artifact expects on this target."""
    return artifact.expect.get(label, Expectation.CLEAN)


def committed(folder: Path, group: str) -> tuple[tuple[Path, Artifact], ...]:
    """Every regression of a group, by name.

    Raises ``BadArtifact`` for one that is damaged, and for one beside the groups: no job has it.
    """
    for path in sorted(folder.glob("*.json")):
        record = artifacts.read(path).target
        home = folder / group_of(record.name, record.profile)
        raise BadArtifact(
            f"{path} is in no target's folder: no job would check it. Move it to {home}."
        )
    return tuple((path, artifacts.read(path)) for path in sorted((folder / group).glob("*.json")))


def commit(path: Path, folder: Path, labels: tuple[str, ...], expected: Expectation) -> Path:
    """Move the example at ``path`` among the committed ones, expecting this of ``labels``.

    No label: the target that it was found on. One that is committed already is rewritten, and
    what it expects of others stays; of two of the same finding the better one is kept. The new
    path. Raises ``BadArtifact``, ``CannotSave``.
    """
    artifact = artifacts.read(path)
    record = artifact.target
    named = labels or (label_of(record.name, record.profile),)
    home = folder / group_of(record.name, record.profile)
    there = home / artifact.filename
    before = artifact.expect
    if there.exists() and not there.samefile(path):  # the same finding, found again
        committed_one = artifacts.read(there)
        before = {**committed_one.expect, **before}
        if not artifacts.is_better(artifact, committed_one):
            artifact = committed_one
    moved = artifacts.write(
        replace(artifact, expect={**before, **dict.fromkeys(named, expected)}), home
    )
    if not moved.samefile(path):
        path.unlink()
    return moved
