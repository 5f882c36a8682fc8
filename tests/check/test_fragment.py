"""One table says who decides which history; every row is needed, and every history has one."""

from __future__ import annotations

from itertools import product

import pytest
from tests.check.histories import Build

from deadheat.check.fragment import (
    TABLE,
    Decider,
    Fragment,
    Proof,
    Traits,
    Unsupported,
    decider_of,
    fragment_of,
    lives_fit,
    row_of,
    traits_of,
)
from deadheat.model.history import (
    FORBIDDEN,
    Absent,
    Answered,
    Created,
    Custom,
    Exists,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Offspring,
    Renamed,
    Unknown,
)
from deadheat.model.promises import (
    AbsentPromise,
    CreatePromise,
    IdPromise,
    ListPromise,
    Promises,
    Shows,
    UpdatePromise,
)

EVERY = [Traits(*said) for said in product((False, True), repeat=len(Traits._fields))]
PLAIN = Build().create("x", 0, 1).get("x", 2, 3, Found()).delete("x", 4, 5).list(6, 7).history
ONCE = Promises(create=CreatePromise.EXACTLY_ONCE)
REUSED = Promises(ids=IdPromise.REUSED)


def added(*said: tuple[Invocation, object]) -> History:
    build = Build().create("x", 0, 1)
    for n, (asked, answer) in enumerate(said):
        unknown = isinstance(answer, Info)
        build.add(asked, answer, 10 + 2 * n, None if unknown else 11 + 2 * n)  # type: ignore[arg-type]
    return build.history


ARCHIVED = added((Invocation(Kind.CUSTOM, "x", custom=Custom("archive")), Answered("archived")))
REFUSED = added((Invocation(Kind.RENAME, "x", "t"), FORBIDDEN))
CHILD = added((Invocation(Kind.CREATE, parent="x"), Created("y")))
CHILDREN = added((Invocation(Kind.CHILDREN, "x"), Offspring(())))
FORKED = added((Invocation(Kind.FORK, "x"), Absent()))
TAKEN = added((Invocation(Kind.RECREATE, title="t"), Exists()))
TWICE = added((Invocation(Kind.CREATE), Created("x")))
LOST = added((Invocation(Kind.CREATE, title="t"), Info(Unknown.TIMEOUT)))
RENAMED = added((Invocation(Kind.RENAME, "x", "t"), Renamed()))


def test_every_history_has_a_row_and_every_row_a_history() -> None:
    reached = {id(row_of(traits)) for traits in EVERY}
    assert reached == {id(row) for row in TABLE}


def test_rows_ask_about_traits_that_there_are() -> None:
    assert {name for row in TABLE for name in row.where} <= set(Traits._fields)


@pytest.mark.parametrize(
    ("history", "promises", "wanted"),
    [
        (PLAIN, Promises(), Traits()),
        (RENAMED, Promises(), Traits()),
        (History(()), Promises(), Traits()),
        (ARCHIVED, Promises(), Traits(custom=True)),
        (REFUSED, Promises(), Traits(custom=True)),
        (CHILD, Promises(), Traits(families=True)),
        (CHILDREN, Promises(), Traits(families=True)),
        (FORKED, Promises(), Traits(families=True)),
        (TAKEN, Promises(), Traits()),  # names mean nothing there
        (TAKEN, ONCE, Traits(again=True)),
        (TWICE, Promises(), Traits()),  # an id given twice is a fault of its own
        (TWICE, REUSED, Traits(again=True)),
        (LOST, Promises(), Traits()),
        (LOST, ONCE, Traits()),
        (LOST, REUSED, Traits(again=True)),
        (PLAIN, ONCE, Traits()),
        (PLAIN, Promises(reads=Shows.EVENTUAL), Traits(real_time=False)),
        (PLAIN, Promises(list=ListPromise.EVENTUAL), Traits(real_time=False)),
        (PLAIN, Promises(list=ListPromise.PER_SESSION), Traits()),
        (PLAIN, Promises(update=UpdatePromise.NONE), Traits(real_time=False)),
        (PLAIN, Promises(status_on_absent=AbsentPromise.ANY), Traits(real_time=False)),
    ],
)  # fmt: skip
def test_the_traits_of_a_history(history: History, promises: Promises, wanted: Traits) -> None:
    assert traits_of(history, promises) == wanted


def test_who_decides() -> None:
    assert decider_of(PLAIN, Promises()) is Decider.LIVES
    assert decider_of(CHILD, Promises()) is Decider.SEARCH
    assert decider_of(TWICE, REUSED) is Decider.SEARCH
    assert decider_of(ARCHIVED, Promises()) is Decider.CUSTOM
    mixed = added(
        (Invocation(Kind.CREATE, parent="x"), Created("y")),
        (Invocation(Kind.CUSTOM, "x", custom=Custom("archive")), Answered("archived")),
    )
    assert decider_of(mixed, Promises()) is None
    assert isinstance(fragment_of(mixed, Promises()), Unsupported)
    assert isinstance(fragment_of(ARCHIVED, Promises(), meant=False), Unsupported)


KNOWN = {Kind.CREATE, Kind.RECREATE, Kind.DELETE, Kind.GET, Kind.LIST, Kind.RENAME}


@pytest.mark.parametrize("kind", sorted(set(Kind) - KNOWN - {Kind.CUSTOM}))
def test_a_kind_that_the_lives_do_not_know_is_the_searchs(kind: Kind) -> None:
    history = added((Invocation(kind, "x"), Absent()))
    assert decider_of(history, Promises()) is Decider.SEARCH
    assert not lives_fit(history, Promises())


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_a_kind_that_the_lives_know_is_theirs(kind: Kind) -> None:
    history = added((Invocation(kind, "x"), Info(Unknown.TIMEOUT)))
    assert decider_of(history, Promises()) is Decider.LIVES
    assert lives_fit(history, Promises())


def test_what_can_be_said_of_an_impossible_one() -> None:
    """No proof by times where answers count as given earlier; events only where an id has one
    life; places unless only the target knows what a call means."""
    for traits in EVERY:
        found = row_of(traits).then
        if not isinstance(found, Fragment):
            continue
        assert found.events is not traits.again
        assert found.places is (traits.real_time and not traits.custom)
        assert (found.proof is Proof.PLACES) is traits.custom
        if not traits.custom:
            assert (found.proof is Proof.NONE) is not traits.real_time
        if traits.again or traits.families:
            assert found.decider is not Decider.LIVES
