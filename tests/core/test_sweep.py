"""The straight way: what it returns is legal; what it cannot see through it leaves alone."""

from __future__ import annotations

from dataclasses import replace

from deadheat.core.history import (
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
    Seen,
    Unknown,
)
from deadheat.core.sweep import sweep


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
    assert sweep((CREATE, *twice), strict_delete=True) is None


def test_it_gives_up_and_never_says_impossible() -> None:
    ghost = op(2, Kind.LIST, 40, 50, SHOWN)
    delete = op(1, Kind.DELETE, 20, 30, Ok(Deleted()), "x")
    assert sweep((CREATE, delete, ghost), strict_delete=True) is None
    early = op(1, Kind.GET, 12, 14, Ok(Absent()), "x")
    assert sweep((CREATE, early), strict_delete=True) is None
    other_title = op(1, Kind.GET, 12, 14, Ok(Found("u")), "x")
    assert sweep((CREATE, other_title), strict_delete=True) is None
    assert sweep((CREATE, replace(CREATE, index=1)), strict_delete=True) is None
