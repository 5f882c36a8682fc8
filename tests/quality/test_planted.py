"""Each planted race is found under a known name, and its twin is silent: one seed, quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.quality.hunting import hunt
from tests.servers.registry import RACES, Race

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.quality]


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_the_race_is_found(race: Race, tmp_path: Path) -> None:
    found = hunt(race.target(), 1, tmp_path, seconds=60, shrink=False)
    assert found.first is not None, f"nothing in {found.summary.programs} programs"
    assert found.sight(race) is not None, found.first


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_the_correct_twin_is_silent(race: Race, tmp_path: Path) -> None:
    quiet = hunt(race.target(correct=True), 1, tmp_path, programs=100, shrink=False)
    assert quiet.first is None, quiet.first
    assert quiet.error is None
    assert quiet.summary.programs == 100
    assert quiet.summary.undecided == 0
    assert set(quiet.summary.answered) == {kind.value for kind in race.kinds}
    assert quiet.summary.overlaps > 0
