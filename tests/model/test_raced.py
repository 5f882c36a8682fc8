"""Did the race of a trial take place? One answer from the program and its history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.programs import TWO_DELETES, A, B, sequential
from tests.run.simulated import simulate

from deadheat.model.history import (
    REFUSED,
    Absent,
    Control,
    Fail,
    History,
    Info,
    Kind,
    Ok,
    Operation,
    Outcome,
    Undeclared,
    Unknown,
)
from deadheat.model.program import Create, Delete, Get, List, Program
from deadheat.model.raced import Unraced, UnracedReason, answered_race, unraced
from deadheat.model.release import Release

if TYPE_CHECKING:
    from deadheat.model.history import Place


def history(program: Program = TWO_DELETES) -> History:
    return simulate(program, lost_delete=False).history


def answered(place: Place, outcome: Outcome, status: int | None, of: History) -> History:
    def now(op: Operation) -> Operation:
        return replace(op, outcome=outcome, status=status) if op.place == place else op

    return replace(of, operations=tuple(map(now, of.operations)))


def without(place: Place, of: History) -> History:
    return replace(of, operations=tuple(op for op in of.operations if op.place != place))


def released(late_us: int) -> History:
    gone = (Release(0, 0, 0), Release(1, 400_000, 400_000 + late_us * 1_000))
    return replace(history(), releases=(gone,))


def test_a_trial_whose_calls_were_all_answered_on_time_has_raced() -> None:
    assert unraced(TWO_DELETES, history()) is None
    assert unraced(TWO_DELETES, released(0)) is None
    alone = sequential(TWO_DELETES)
    assert unraced(alone, history(alone)) is None


@pytest.mark.parametrize(
    ("outcome", "status", "why"),
    [
        (Fail(REFUSED), 409, Unraced(UnracedReason.REFUSED, "delete", 409)),
        (Fail("ConnectError"), None, Unraced(UnracedReason.UNSENT, "delete")),
        (Info(Unknown.TIMEOUT), None, Unraced(UnracedReason.UNANSWERED, "delete")),
        (Info(Unknown.SERVER_ERROR), 500, Unraced(UnracedReason.UNANSWERED, "delete", 500)),
        (Ok(Absent()), 404, None),  # how a loser is told
        (Ok(Undeclared(418)), 418, None),  # an answer, and a wrong one
        (
            Ok(Undeclared(429)),
            429,
            Unraced(UnracedReason.REFUSED, "delete", 429),
        ),  # it has not looked
        (Ok(Undeclared(401)), 401, Unraced(UnracedReason.REFUSED, "delete", 401)),
    ],
)
def test_what_is_an_answer(outcome: Outcome, status: int | None, why: Unraced | None) -> None:
    assert unraced(TWO_DELETES, answered((2, 1, 0), outcome, status, history())) == why


@pytest.mark.parametrize(
    ("outcome", "status", "why"),
    [
        (Fail(REFUSED), 429, Unraced(UnracedReason.REFUSED, "list", 429)),
        (
            Info(Unknown.GARBLED),
            200,
            Unraced(UnracedReason.UNANSWERED, "list", 200),
        ),  # a page to log in
        (Info(Unknown.TIMEOUT), None, Unraced(UnracedReason.UNANSWERED, "list")),
        (Ok(Undeclared(401)), 401, Unraced(UnracedReason.REFUSED, "list", 401)),
    ],
)
def test_where_nobody_could_look_at_what_came_of_it_nothing_was_silent(
    outcome: Outcome, status: int | None, why: Unraced
) -> None:
    def blind(kinds: frozenset[Kind]) -> History:
        whole = history()
        return replace(
            whole,
            operations=tuple(
                replace(op, outcome=outcome, status=status, return_ns=None)
                if op.at_rest and op.kind in kinds
                else op
                for op in whole.operations
            ),
        )

    lists, both = blind(frozenset({Kind.LIST})), blind(frozenset({Kind.LIST, Kind.GET}))
    assert unraced(TWO_DELETES, lists) == unraced(TWO_DELETES, both) == why
    assert answered_race(TWO_DELETES, lists)
    assert not answered_race(TWO_DELETES, both)
    # It answered later, after the settle time: that is what counts.
    again = tuple(op for op in history().operations if op.at_rest)
    operations = (*both.operations, *again)
    settled = replace(
        both, operations=tuple(replace(op, index=n) for n, op in enumerate(operations))
    )
    assert unraced(TWO_DELETES, settled) is None


def test_the_first_cause_is_named() -> None:
    refused = answered((1, 0, 0), Fail(REFUSED), 409, without((2, 1, 0), history()))
    assert unraced(TWO_DELETES, refused) == Unraced(UnracedReason.REFUSED, "create", 409)
    assert unraced(TWO_DELETES, without((2, 1, 0), history())) == Unraced(
        UnracedReason.UNBOUND, "delete"
    )


def test_offsets_that_were_missed() -> None:
    assert unraced(TWO_DELETES, released(2_000)) == Unraced(UnracedReason.OFF_TIME)
    # What the server did is said before what the sender missed.
    both = answered((2, 1, 0), Fail(REFUSED), 409, released(2_000))
    assert unraced(TWO_DELETES, both) == Unraced(UnracedReason.REFUSED, "delete", 409)


def test_a_call_that_hangs_has_raced_and_one_of_a_slow_machine_has_not() -> None:
    second_ns = 1_000_000_000
    for took_ns, raced in ((1_000_000, True), (second_ns, False), (None, False)):
        waited = answered((2, 1, 0), Info(Unknown.TIMEOUT), None, history())
        asked_ns = 2 * second_ns
        control = Control(
            second_ns, asked_ns, None if took_ns is None else asked_ns + took_ns, "GET /x with 200"
        )
        waited = replace(waited, controls=(control,))
        assert (unraced(TWO_DELETES, waited) is None) is raced


def test_in_a_search_two_lanes_that_were_answered_are_enough() -> None:
    program = Program(
        (((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B),), (List(), Get(A))))
    )
    whole = history(program)
    assert answered_race(program, whole)
    assert answered_race(program, answered((2, 2, 1), Fail(REFUSED), 409, whole))
    assert answered_race(program, answered((2, 1, 0), Fail(REFUSED), 409, whole))
    one = answered((2, 1, 0), Fail(REFUSED), 409, whole)
    assert not answered_race(program, answered((2, 2, 1), Info(Unknown.TIMEOUT), None, one))
    reads = answered((2, 0, 0), Fail(REFUSED), 409, one)
    assert not answered_race(program, reads)  # the list alone
    assert not answered_race(sequential(program), history(sequential(program)))
