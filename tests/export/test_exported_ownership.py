"""An exported script on a server of somebody's: it changes only what is its own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.drive.test_ownership import Neighbour
from tests.examples import example
from tests.export.exported import loaded
from tests.servers.crowd import Crowd
from tests.servers.scripted import Scripted

pytestmark = pytest.mark.live


def script() -> Any:
    module = loaded(example())
    module.TRIALS = 3
    module.MISS_US = 1_000_000  # how exact the machine is plays no part here
    return module


def left(crowd: Crowd) -> list[str]:
    return [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.parametrize("after", ["", "DELETE", "POST", "GET"])
def test_where_ids_come_back_it_changes_nothing_of_others(
    after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    crowd = Crowd(random.Random(0), again=True)
    neighbour = Neighbour(crowd, after)
    with Scripted(crowd) as server:
        module = script()
        if after == "DELETE":  # it takes every id that is freed, so no look shows one
            module.LOOKS, module.PROGRAM = 2, [[[module.PROGRAM[0][0][0]]]]
        code = module.run(server.base_url, None)
    assert neighbour.last
    assert crowd.hurt == []
    assert left(crowd) == []
    if not after:
        assert code == 2
        assert "add --alone" in capsys.readouterr().err


def test_alone_it_does_not_mind_and_where_ids_stay_neither() -> None:
    for again, alone in ((True, True), (False, False)):
        crowd = Crowd(random.Random(0), foreign=(), again=again)
        with Scripted(crowd) as server:
            assert script().run(server.base_url, None, alone) in (0, 1, 3)
        assert len(crowd.deleted) >= 6
        assert crowd.stored == {}


def test_a_create_that_answers_what_was_there_before_ends_it() -> None:
    crowd = Crowd(random.Random(0), lies=1.0)
    with Scripted(crowd) as server:
        module = script()
        crowd.lies = 1.0
        module.run(server.base_url, None)
    assert not set(crowd.deleted) & set(crowd.foreign)
