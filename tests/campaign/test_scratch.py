"""A worker's folder goes with it; one that somebody holds stays."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from deadheat.campaign.scratch import remove_left, remove_of, scratch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(temporary: Path, pid: int) -> Path:
    folder = temporary / f"deadheat-worker-{pid}-abc"
    folder.mkdir()
    (folder / "ghost-1.json").write_text("{}")
    return folder


def test_one_whose_worker_was_killed_is_removed_by_its_starter(temporary: Path) -> None:
    mine, other = left(temporary, 4_000_001), left(temporary, 4_000_002)
    remove_of(4_000_001)
    assert (mine.exists(), other.exists()) == (False, True)


def test_what_is_left_goes_at_the_next_start_but_not_what_is_held(temporary: Path) -> None:
    with scratch() as held:
        stale = left(temporary, 4_000_001)
        strange = temporary / "deadheat-workers-are-fine"
        strange.mkdir()
        remove_left()
        assert stale.exists()  # its worker may be about to lock it
        os.utime(stale, (0, 0))
        os.utime(held, (0, 0))
        remove_left()
        assert (stale.exists(), held.exists(), strange.exists()) == (False, True, True)
        remove_of(os.getpid())
        assert held.exists()
    assert not held.exists()
