"""The straight way: what it returns is legal; what it cannot see through it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.check.simulator import simulate

from deadheat.check.decide.greedy import DeadEnd, sweep
from deadheat.check.decide.life_records import Conflict
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    Unknown,
)


def op(
    index: int,
    kind: Kind,
    call_ns: int,
    return_ns: int | None,
    outcome: Outcome,
    session: str | None = None,
    title: str | None = None,
) -> Operation:
    return Operation(index, index, Invocation(kind, session, title), outcome, call_ns, return_ns)


CREATE = op(0, Kind.CREATE, 0, 10, Ok(Created("x")), title="t")
SHOWN = Ok(Listed((Seen("x", "t"),)))
EMPTY = Ok(Listed(()))


def test_one_after_the_other() -> None:
    delete = op(1, Kind.DELETE, 20, 30, Ok(Deleted()), "x")
    listed = op(2, Kind.LIST, 40, 50, EMPTY)
    assert sweep((CREATE, delete, listed), strict_delete=True) == (0, 1, 2)


def test_a_read_takes_an_open_write_forward() -> None:
    listed = op(1, Kind.LIST, 1, 5, SHOWN)
    assert sweep((CREATE, listed), strict_delete=True) == (0, 1)


def test_a_read_that_fits_early_is_placed_early() -> None:
    delete = op(1, Kind.DELETE, 20, 30, Ok(Deleted()), "x")
    get = op(2, Kind.GET, 21, 60, Ok(Found("t")), "x")
    assert sweep((CREATE, delete, get), strict_delete=True) == (0, 2, 1)


def test_a_lost_answer_is_claimed_by_its_title() -> None:
    lost = replace(CREATE, outcome=Info(Unknown.TIMEOUT), return_ns=None)
    listed = op(1, Kind.LIST, 20, 30, SHOWN)
    assert sweep((lost, listed), strict_delete=True) == (0, 1)
    assert sweep((lost,), strict_delete=True) == ()


def test_a_second_delete_is_judged_by_the_promise() -> None:
    twice = [op(n, Kind.DELETE, 20 * n, 20 * n + 9, Ok(Deleted()), "x") for n in (1, 2)]
    assert sweep((CREATE, *twice), strict_delete=False) == (0, 1, 2)
    with pytest.raises(Conflict):
        sweep((CREATE, *twice), strict_delete=True)


def test_where_it_ends_at_a_session_that_is_impossible_by_itself_it_says_so() -> None:
    ghost = op(2, Kind.LIST, 40, 50, SHOWN)
    delete = op(1, Kind.DELETE, 20, 30, Ok(Deleted()), "x")
    with pytest.raises(Conflict) as found:
        sweep((CREATE, delete, ghost), strict_delete=True)
    assert found.value.sessions == ("x",)
    assert found.value.operations == (1, 2)
    early = op(1, Kind.GET, 12, 14, Ok(Absent()), "x")
    with pytest.raises(Conflict):
        sweep((CREATE, early), strict_delete=True)
    with pytest.raises(Conflict):
        sweep((op(0, Kind.GET, 12, 14, Ok(Absent()), "p"),), {"p"}, strict_delete=True)


def test_else_it_gives_up_and_never_says_impossible() -> None:
    other_title = op(1, Kind.GET, 12, 14, Ok(Found("u")), "x")
    assert sweep((CREATE, other_title), strict_delete=True) == DeadEnd()
    assert sweep((CREATE, replace(CREATE, index=1)), strict_delete=True) == DeadEnd()


def test_a_list_that_waits_is_placed_before_what_would_spoil_it() -> None:
    y = op(1, Kind.CREATE, 12, 60, Ok(Created("y")))
    both = op(2, Kind.LIST, 13, 70, Ok(Listed((Seen("x"), Seen("y")))))
    delete = op(3, Kind.DELETE, 14, 30, Ok(Deleted()), "x")
    x = replace(CREATE, invocation=Invocation(Kind.CREATE))
    assert sweep((x, y, both, delete), strict_delete=True) == (0, 1, 2, 3)
    late = replace(y, call_ns=31)  # nothing can make it: x is gone before y is called
    with pytest.raises(Conflict):
        sweep((x, late, both, delete), strict_delete=True)
    # x cannot go again before the list has been answered: the list is before its create.
    empty = op(1, Kind.LIST, 5, 40, Ok(Listed((Seen("y"),))))
    made = op(2, Kind.CREATE, 5, 90, Ok(Created("y")))
    gone = op(3, Kind.DELETE, 41, 50, Ok(Deleted()), "x")
    assert sweep((x, empty, made, gone), strict_delete=True) == (2, 1, 0, 3)


def test_a_choice_that_leads_nowhere_is_made_the_other_way() -> None:
    """The list misses a: before its create, which would need c too soon, or after its delete."""
    a = op(0, Kind.CREATE, 6, 10, Ok(Created("a")))
    listed = op(1, Kind.LIST, 5, 60, Ok(Listed((Seen("c"),))))
    c = op(2, Kind.CREATE, 7, 50, Ok(Created("c")))
    no_c = op(3, Kind.GET, 12, 18, Ok(Absent()), "c")
    delete = op(4, Kind.DELETE, 20, 25, Ok(Deleted()), "a")
    few = (a, listed, c, no_c, delete)
    assert sweep(few, strict_delete=True) == DeadEnd()  # too short for that
    for later in (1_000, 5_000):  # far behind the place that it goes back to
        shift = [replace(o, call_ns=o.call_ns + later, return_ns=(o.return_ns or 0) + later)
                 for o in few]  # fmt: skip
        gets = [op(5 + n, Kind.GET, 10 * n, 10 * n + 1, Ok(Absent()), "q") for n in range(90)]
        found = sweep((*gets, *shift), strict_delete=True)
        assert isinstance(found, tuple)
        assert found[-5:] == (0, 3, 4, 2, 1)


def test_an_older_choice_is_made_the_other_way_when_the_last_ones_lead_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list misses a: after its delete, it seems, as two more creates lead to it; but a is
    found when the list has been answered."""
    a = op(0, Kind.CREATE, 6, 10, Ok(Created("a")))
    listed = op(1, Kind.LIST, 5, 60, Ok(Listed((Seen("c"), Seen("d")))))
    delete = op(2, Kind.DELETE, 11, 70, Ok(Deleted()), "a")
    c, d = (op(5 + n, Kind.CREATE, 4, 80, Ok(Created("cd"[n]))) for n in range(2))
    get = op(3, Kind.GET, 20, 30, Ok(Found()), "a")
    late = op(4, Kind.GET, 61, 62, Ok(Found()), "a")
    monkeypatch.setattr("deadheat.check.decide.greedy._SAVED", 1)
    history = (a, listed, delete, get, late, c, d)
    assert sweep(history, strict_delete=True) == (5, 6, 1, 0, 3, 4, 2)
    monkeypatch.setattr("deadheat.check.decide.greedy._KEPT", 2)
    assert sweep(history, strict_delete=True) == DeadEnd()


def test_a_create_without_a_title_may_be_whoever_nobody_made() -> None:
    lost = op(0, Kind.CREATE, 0, None, Info(Unknown.TIMEOUT))
    listed = op(1, Kind.LIST, 5, 6, Ok(Listed((Seen("z"),))))
    assert sweep((lost, listed), strict_delete=True) == (0, 1)
    with pytest.raises(Conflict):
        sweep((replace(lost, call_ns=7), listed), strict_delete=True)
    known = op(2, Kind.CREATE, 8, 9, Ok(Created("z")))
    with pytest.raises(Conflict):
        sweep((lost, listed, known), strict_delete=True)
    two = op(1, Kind.LIST, 5, 6, Ok(Listed((Seen("y"), Seen("z")))))
    with pytest.raises(Conflict):
        sweep((lost, two), strict_delete=True)


def test_a_create_that_another_took_on_the_way_is_not_given_twice() -> None:
    """The list misses y, which stays, so it comes first, and takes the first unknown create."""
    first, second = (op(i, Kind.CREATE, i, None, Info(Unknown.TIMEOUT)) for i in (0, 1))
    only_z = op(2, Kind.LIST, 5, 60, Ok(Listed((Seen("z"),))))
    y_is_there = op(3, Kind.GET, 6, 10, Ok(Found()), "y")
    assert sweep((second, first, only_z, y_is_there), strict_delete=True) == (0, 2, 1, 3)
    with pytest.raises(Conflict):
        sweep((first, only_z, y_is_there), strict_delete=True)


def test_a_dead_end_to_which_every_step_was_forced_is_a_proof() -> None:
    """Each list must come before the session that it misses, and so before the other list."""
    x, y = (op(i, Kind.CREATE, 0, 50, Ok(Created("xy"[i]))) for i in (0, 1))
    only_x = op(2, Kind.LIST, 1, 40, Ok(Listed((Seen("x"),))))
    only_y = op(3, Kind.LIST, 2, 41, Ok(Listed((Seen("y"),))))
    with pytest.raises(Conflict) as found:
        sweep((x, y, only_x, only_y), strict_delete=True)
    assert 2 in found.value.operations
    # Not where a list is no snapshot, or where deletes and titles leave more than one way.
    assert sweep((x, y, only_x, only_y), strict_delete=True, snapshot=False) == DeadEnd()
    assert sweep((x, y, only_x, only_y), strict_delete=False) == DeadEnd()
    titled = replace(x, invocation=Invocation(Kind.CREATE, title="t"))
    assert sweep((titled, y, only_x, only_y), strict_delete=True) == DeadEnd()
    # Where x may end, the list that misses it may come after that: there is an order.
    end = op(4, Kind.DELETE, 30, 60, Ok(Deleted()), "x")
    assert sweep((x, y, only_x, only_y, end), strict_delete=True) == (0, 2, 4, 1, 3)


def test_what_existed_may_have_any_title_that_nobody_writes() -> None:
    listed = op(0, Kind.LIST, 0, 5, Ok(Listed((Seen("p", "old"),))))
    rename = op(1, Kind.RENAME, 10, 20, Ok(Renamed()), "p", "new")
    again = op(2, Kind.GET, 21, 25, Ok(Found("old")), "p")
    assert sweep((listed, rename), {"p"}, strict_delete=True) == (0, 1)
    assert sweep((listed, rename, again), {"p"}, strict_delete=True) == DeadEnd()
    early = op(0, Kind.LIST, 0, 5, Ok(Listed((Seen("p", "new"),))))
    assert sweep((early, rename), {"p"}, strict_delete=True) == DeadEnd()
    refused = replace(rename, outcome=Ok(Absent()), call_ns=2)
    gone = op(3, Kind.DELETE, 6, 9, Ok(Deleted()), "p")
    assert sweep((early, gone, refused), {"p"}, strict_delete=True) == DeadEnd()


def test_it_leads_through_nearly_every_legal_history() -> None:
    """Else it would be only a cost. 95 % of these when it was written; a quarter has 8 clients."""
    through = 0
    for seed in range(300):
        rng = Random(seed)
        clients = rng.choice([2, 3, 5, 8])
        run = simulate(rng, None, calls=rng.choice([10, 40, 120]), clients=clients, info=0.1)
        through += isinstance(sweep(run.history.operations, strict_delete=True), tuple)
    assert through >= 276


def test_what_was_renamed_with_success_was_there() -> None:
    """The delete is answered first; the rename comes before it all the same."""
    rename = op(1, Kind.RENAME, 20, 60, Ok(Renamed()), "x", "u")
    delete = op(2, Kind.DELETE, 21, 30, Ok(Deleted()), "x")
    assert sweep((CREATE, rename, delete), strict_delete=True) == (0, 1, 2)


def test_a_list_that_waits_for_a_later_title_does_not_hurry_it() -> None:
    first = op(1, Kind.RENAME, 20, 30, Ok(Renamed()), "x", "u")
    second = op(2, Kind.RENAME, 21, 60, Ok(Renamed()), "x", "v")
    listed = op(3, Kind.LIST, 22, 70, Ok(Listed((Seen("x", "v"),))))
    assert sweep((CREATE, first, second, listed), strict_delete=True) == (0, 1, 2, 3)
