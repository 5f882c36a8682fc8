"""Zero ``Flaky``: at every rate the minimum is raised, saved, and first the next time (issue 4)."""

from __future__ import annotations

import pytest
from hypothesis import Verbosity, settings
from hypothesis.database import InMemoryExampleDatabase
from tests.quality.native_oracle import Oracle

from deadheat.generate.database import RaceFound, falsify

pytestmark = pytest.mark.quality


@pytest.mark.parametrize("p", [0.5, 0.3, 0.1, 0.05])
@pytest.mark.parametrize("seed", range(20))
def test_a_rare_race_is_never_flaky(p: float, seed: int) -> None:
    database = InMemoryExampleDatabase()
    using = settings(database=database, max_examples=3_000, verbosity=Verbosity.quiet)
    first = Oracle(p, seed)
    with pytest.raises(RaceFound):  # Hypothesis's ``Flaky`` errors are no such thing
        falsify(first, name="races", using=using)
    second = Oracle(p, seed + 100)
    with pytest.raises(RaceFound):
        falsify(second, name="races", using=using)
    assert second.replayed == first.found
    assert second.searches == 0
