"""A described API, live: its planted lost update is found, and its twin stays silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.quality.hunting import hunt

from deadheat.model.verdict import Anomaly
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from deadheat.files.results import Summary

pytestmark = pytest.mark.live
SHOP = Path(__file__).parent / "shop.toml"


def searched(profile: Path, folder: Path, programs: int) -> Summary:
    """Until the first divergence, which is on disk then."""
    return hunt(resolve(str(profile)), 1, folder, programs=programs, shrink=False).summary


def test_the_lost_update_is_found(tmp_path: Path) -> None:
    summary = searched(SHOP, tmp_path, 1_000)
    assert summary.findings
    for found in summary.findings:
        # The copy written back loses whatever came in between.
        assert found.artifact.anomaly in {
            Anomaly.LOST_UPDATE,
            Anomaly.LOST_CREATE,
            Anomaly.RESURRECTION,
            Anomaly.GHOST,
            Anomaly.VANISHED,
            Anomaly.DOUBLE_DELETE,  # it came back between the two
            Anomaly.STALE_READ,
        }
        assert found.artifact.target.profile == "carts"
        assert str(SHOP.parent) not in found.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("programs", [30, pytest.param(1_000, marks=pytest.mark.quality)])
def test_the_twin_is_silent(programs: int, tmp_path: Path) -> None:
    profile = tmp_path / "shop.toml"
    text = SHOP.read_text().replace("{project}", str(SHOP.parent))
    profile.write_text(text.replace("[server]", '[server]\nenv = { SHOP = "correct" }'))
    summary = searched(profile, tmp_path, programs)
    assert not summary.findings
    assert summary.programs == programs
    assert summary.overlaps > programs
    assert summary.answered["rename"] > programs // 6
