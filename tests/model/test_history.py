"""Histories: which intervals overlap, and what an answer proves to exist."""

from __future__ import annotations

import pytest

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Seen,
    Unknown,
    overlap,
    overlapping_pairs,
    shown_sessions,
    touched_sessions,
)


def op(
    call_ns: int,
    return_ns: int | None,
    *,
    lane: int = 0,
    kind: Kind = Kind.DELETE,
    outcome: Outcome | None = None,
    at_rest: bool = False,
) -> Operation:
    session = None if kind in (Kind.CREATE, Kind.LIST) else "x"
    given = outcome or Ok(Deleted())
    return Operation(0, lane, Invocation(kind, session), given, call_ns, return_ns, at_rest)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ((0, 10), (5, 15), True),
        ((0, 10), (2, 3), True),
        ((0, 10), (10, 20), True),  # closed intervals: one instant is enough
        ((0, 10), (11, 20), False),
        ((0, None), (99, 100), True),  # no answer: open to the end
        ((50, None), (0, 10), False),
        ((50, None), (0, None), True),
    ],
)
def test_overlap(one: tuple[int, int | None], other: tuple[int, int | None], shared: bool) -> None:
    assert overlap(op(*one), op(*other)) is shared
    assert overlap(op(*other), op(*one)) is shared


def test_overlapping_pairs_counts_answered_calls_of_different_lanes_with_a_change() -> None:
    base = op(0, 10)
    read = op(0, 10, lane=1, kind=Kind.GET, outcome=Ok(Found()))
    assert overlapping_pairs(History((base, op(5, 9, lane=1)))) == 1
    assert overlapping_pairs(History((base, read))) == 1
    assert overlapping_pairs(History((base, op(5, 9)))) == 0  # the same lane
    assert overlapping_pairs(History((base, op(11, 12, lane=1)))) == 0
    assert overlapping_pairs(History((read, op(0, 9, kind=Kind.LIST, outcome=Ok(Listed(())))))) == 0
    assert overlapping_pairs(History((base, op(0, 9, lane=1, at_rest=True)))) == 0
    unknown = Info(Unknown.TIMEOUT)
    assert overlapping_pairs(History((base, op(0, None, lane=1, outcome=unknown)))) == 0


def test_what_an_answer_shows_and_touches() -> None:
    listed = Ok(Listed((Seen("p"), Seen("q"), Seen("p"))))
    assert shown_sessions(op(0, 1, kind=Kind.LIST, outcome=listed)) == {"p", "q"}
    assert shown_sessions(op(0, 1, kind=Kind.CREATE, outcome=Ok(Created("n")))) == {"n"}
    assert shown_sessions(op(0, 1, kind=Kind.GET, outcome=Ok(Found()))) == {"x"}
    for outcome in (Ok(Absent()), Ok(Deleted()), Fail("no"), Info(Unknown.RESET)):
        asked = op(0, 1, outcome=outcome)
        assert shown_sessions(asked) == frozenset()
        assert touched_sessions(asked) == {"x"}
