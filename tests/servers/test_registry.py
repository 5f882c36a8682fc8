"""The table of planted races is whole, and its minima can be sent."""

from __future__ import annotations

import pytest
from tests.servers.planted import STORES
from tests.servers.registry import BY_NAME, RACES, Race

from deadheat.model.program import canonical, problems, sort_key


def test_every_server_is_registered_once() -> None:
    assert {*STORES, "lost-delete"} == set(BY_NAME)
    assert len(BY_NAME) == len(RACES)


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_the_minima_are_programs_in_their_one_spelling(race: Race) -> None:
    assert not race.sights[0].misnomer
    for sight in race.sights:
        assert bool(sight.minima) is not bool(sight.misnomer)
        for minimum in sight.minima:
            assert not problems(minimum)
            assert canonical(minimum) == minimum
            assert (minimum.concurrency > 1) is race.needs_race


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_the_first_sight_is_the_smallest(race: Race) -> None:
    smallest = [min(map(sort_key, s.minima)) for s in race.sights if s.minima]
    assert smallest[0] == min(smallest)
