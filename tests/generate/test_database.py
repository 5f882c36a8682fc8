"""Hypothesis tells of a race as of any failing test, and never of a flaky one (issue 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, Verbosity, settings
from hypothesis.database import InMemoryExampleDatabase
from tests.quality.native_oracle import Oracle
from tests.quality.simulated import MINIMUM

from deadheat.generate.database import FoundProgram, RaceFound, falsify
from deadheat.model.program import structure


def quiet(database: InMemoryExampleDatabase | None, **more: Any) -> settings:
    return settings(
        database=database,
        max_examples=3_000,
        verbosity=Verbosity.quiet,
        **more,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_minimum_is_raised_and_is_first_the_next_time(seed: int) -> None:
    database = InMemoryExampleDatabase()
    first = Oracle(0.5, seed)
    with pytest.raises(RaceFound, match="the ghost"):  # and no Flaky
        falsify(first, name="t.py::races", using=quiet(database))
    assert first.replayed == []
    runs = first.server.runs

    second = Oracle(0.5, seed + 100)
    with pytest.raises(RaceFound, match="again"):
        falsify(second, name="t.py::races", using=quiet(database))
    assert second.replayed == first.found
    assert second.searches == 0
    assert second.server.runs < runs


def test_the_falsifying_example_is_the_minimum(capsys: pytest.CaptureFixture[str]) -> None:
    oracle = Oracle(0.5, 1)
    with pytest.raises(RaceFound) as raised:
        falsify(oracle, name="t.py::races", using=settings(database=None), test="test_races")
    assert [structure(found) for found in oracle.found] == [MINIMUM]
    shown = "\n".join(raised.value.__notes__)
    assert "test_races(" in shown
    lines = [line.partition("+")[0].split() for line in shown.splitlines()[2:-1]]
    assert lines[:2] == [["a", "=", "create()"], ["b", "=", "create()"]]
    assert [line[0] for line in lines[2:]] == ["┌", "└"]
    assert {line[1].rstrip(",") for line in lines[2:]} == {"delete(a)", "delete(b)"}
    assert "Flaky" not in shown + capsys.readouterr().out


def test_hypothesis_shrinks_without_a_request() -> None:
    oracle = Oracle(0.5, 2)
    spent: list[int] = []
    search = oracle.search

    def counted(programs: int) -> FoundProgram | None:
        found = search(programs)
        spent.append(oracle.server.runs)
        return found

    oracle.search = counted  # type: ignore[method-assign]
    with pytest.raises(RaceFound):
        falsify(oracle, name="t.py::races", using=quiet(InMemoryExampleDatabase()))
    assert spent == [oracle.server.runs]


def test_what_no_longer_shows_is_forgotten_and_the_search_goes_on() -> None:
    database = InMemoryExampleDatabase()
    with pytest.raises(RaceFound):
        falsify(Oracle(0.5, 3), name="t.py::races", using=quiet(database))
    mended = Oracle(0.0, 3)
    mended.p = 0.5  # as many trials as it needed before
    falsify(mended, name="t.py::races", using=quiet(database))
    assert (len(mended.replayed), mended.searches) == (1, 1)
    falsify(mended, name="t.py::races", using=quiet(database))
    assert (len(mended.replayed), mended.searches) == (1, 2)


def test_another_test_has_examples_of_its_own() -> None:
    database = InMemoryExampleDatabase()
    with pytest.raises(RaceFound):
        falsify(Oracle(0.5, 4), name="t.py::races", using=quiet(database))
    other = Oracle(0.5, 5)
    with pytest.raises(RaceFound, match=r"the ghost$"):
        falsify(other, name="t.py::others", using=quiet(database))
    assert other.replayed == []


def test_the_phases_of_the_settings_are_kept() -> None:
    database = InMemoryExampleDatabase()
    oracle = Oracle(0.5, 6)
    falsify(oracle, name="t.py::races", using=quiet(database, phases=[Phase.reuse, Phase.shrink]))
    assert oracle.searches == 0
    with pytest.raises(RaceFound):
        falsify(oracle, name="t.py::races", using=quiet(database, phases=[Phase.generate]))
    falsify(Oracle(0.0, 6), name="t.py::races", using=quiet(database, phases=[Phase.generate]))
