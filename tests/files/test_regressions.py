"""Which committed examples a job has: those in its target's folder, and none unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.examples import example

from deadheat.errors import BadArtifact
from deadheat.files import artifact as artifacts
from deadheat.files.regressions import committed

if TYPE_CHECKING:
    from pathlib import Path


def test_those_in_the_folder_of_its_group(tmp_path: Path) -> None:
    path = artifacts.write(example(), tmp_path / "demo")
    artifacts.write(example(), tmp_path / "other")
    assert committed(tmp_path, "demo") == ((path, example()),)
    assert committed(tmp_path, "absent") == ()
    assert committed(tmp_path / "absent", "demo") == ()


def test_one_beside_the_groups_is_refused(tmp_path: Path) -> None:
    """No job would check it, and each would be green."""
    path = artifacts.write(example(), tmp_path)
    with pytest.raises(BadArtifact, match="in no target's folder") as raised:
        committed(tmp_path, "demo")
    assert str(path) in str(raised.value)
    assert str(tmp_path / "demo") in str(raised.value)
