"""One session judged by itself says what the lives of all say of it, and no more."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.histories import Build, random_history

from deadheat.check.decide.life_records import Conflict, NeedsSearch
from deadheat.check.decide.lifetimes import judge_alone, judge_lists, read_lives
from deadheat.check.projections import only_sessions
from deadheat.model.history import Absent, Created, Ok

if TYPE_CHECKING:
    from deadheat.model.history import History


def _by_itself(history: History, session: str, *, strict: bool = True) -> tuple[str, ...]:
    existing = session in history.existing
    try:
        judge_alone(history.operations, session, existing=existing, strict_delete=strict)
    except Conflict as conflict:
        return conflict.sessions
    return ()


def _without_others(history: History, session: str, *, strict: bool) -> tuple[str, ...]:
    only = only_sessions(history, frozenset({session}))
    try:
        judge_lists(read_lives(only.operations, only.existing, strict_delete=strict))
    except Conflict as conflict:
        return conflict.sessions
    except NeedsSearch:
        return ()
    return ()


def _is_made(history: History, session: str) -> bool:
    return session in history.existing or any(
        isinstance(op.outcome, Ok) and op.outcome.result == Created(session)
        for op in history.operations
    )


@pytest.mark.parametrize("many", [900, pytest.param(9_000, marks=pytest.mark.quality)])
def test_a_session_is_judged_as_if_there_were_no_others(many: int) -> None:
    impossible = possible = orphans = 0
    for seed in range(many):
        rng = Random(seed)
        strict = rng.random() < 0.6
        history = random_history(
            rng, rng.randint(2, 12), info=0.15, bend=rng.choice([0, 0.2, 0.4]),
            width=rng.choice([1, 4, 16]), existing=True, renames=rng.random() < 0.3,
            idempotent=not strict,
        )  # fmt: skip
        asked = {op.invocation.session for op in history.operations} | history.existing
        for session in sorted(filter(None, asked)):
            alone = _by_itself(history, session, strict=strict)
            if _is_made(history, session):
                assert alone == _without_others(history, session, strict=strict), (seed, session)
                impossible += bool(alone)
                possible += not alone
            else:
                assert not alone, (seed, session)
                orphans += 1
    assert impossible > many // 10
    assert possible > many * 2 // 3
    assert orphans > many // 30


def test_a_list_that_misses_it_counts_as_an_answer_absent() -> None:
    there = Build().create("x", 0, 1)
    assert _by_itself(there.list(2, 3).history, "x") == ("x",)
    assert _by_itself(Build().create("x", 0, 1).list(1, 3).history, "x") == ()
    assert _by_itself(Build().create("x", 0, 1).get("x", 2, 3, Absent()).history, "x") == ("x",)


def test_whoever_two_creates_made_is_impossible() -> None:
    twice = Build().create("x", 0, 9).create("x", 0, 9).history
    assert _by_itself(twice, "x") == ("x",)
