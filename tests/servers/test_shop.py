"""A described API, live: its planted lost update is found, and its twin stays silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from deadheat import session
from deadheat.console import View
from deadheat.core.divergence import Anomaly
from deadheat.errors import ExitCode
from deadheat.targets.catalog import resolve

pytestmark = pytest.mark.live
SHOP = Path(__file__).parent / "shop.toml"


def searched(profile: Path, folder: Path, programs: int) -> session.RunResult:
    target = resolve(str(profile))
    order = session.RunOrder(target, 1, folder, None, programs, exit_first=True)
    return session.run(order, View(quiet=True))


def test_the_lost_update_is_found(tmp_path: Path) -> None:
    result = searched(SHOP, tmp_path, 300)
    assert result.exit_code == ExitCode.DIVERGED
    assert result.summary is not None
    assert result.summary.findings
    for found in result.summary.findings:
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


def test_the_twin_is_silent(tmp_path: Path) -> None:
    profile = tmp_path / "shop.toml"
    text = SHOP.read_text().replace("{project}", str(SHOP.parent))
    profile.write_text(text.replace("[server]", '[server]\nenv = { SHOP = "correct" }'))
    result = searched(profile, tmp_path, 300)
    assert result.exit_code == ExitCode.CLEAN, result
    assert result.summary is not None
    assert result.summary.overlaps > 300
    assert result.summary.answered["rename"] > 50
