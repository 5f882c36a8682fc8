"""Alternatives: the order that works is legal, and every place of the culprit has its reason."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.examples import PROMISES, ghost
from tests.export.exported import faulty, random_program

from deadheat.check.checker import check
from deadheat.check.explain.placements import alternatives
from deadheat.model.grounds import Rejected, TooEarly, WouldAnswer
from deadheat.model.history import History, Listed, Ok, Operation
from deadheat.model.promises import DeletePromise, ListPromise, Promises
from deadheat.model.verdict import Diverged


def test_the_ghost_has_three_places_and_none_is_right() -> None:
    _, divergence = ghost()
    told = alternatives(divergence, PROMISES)
    create, delete, read = divergence.witness
    assert (told.culprit, told.longest) == (read, (create, delete))
    assert set(told.rejected) == {
        Rejected(None, create, TooEarly(create)),
        Rejected(create, delete, TooEarly(delete)),
        Rejected(delete, None, WouldAnswer(())),
    }


@pytest.mark.parametrize(
    "promises",
    [Promises(), Promises(delete=DeletePromise.IDEMPOTENT, list=ListPromise.PER_SESSION)],
    ids=str,
)
def test_what_is_said_of_random_histories_is_true(promises: Promises) -> None:
    """200 divergences: the order of the others is legal; with a reason each, none has a place."""
    rng = Random(f"alternatives {promises}")
    told_all = 0
    for _ in range(200):
        program = random_program(rng)
        while not isinstance(verdict := check(faulty(program, rng), promises), Diverged):
            pass
        divergence = verdict.divergence
        told = alternatives(divergence, promises)
        assert told.culprit == divergence.culprit
        assert set(told.longest) < set(divergence.witness)
        ops = {op.index: op for op in divergence.history.operations}
        if len(told.longest) == len(divergence.witness) - 1 and told.longest:
            told_all += 1
            assert told.rejected
            # As a history in which each comes after the one before: legal, in that order.
            line = tuple(
                replace(ops[index], call_ns=10 * n, return_ns=10 * n + 5)
                for n, index in enumerate(told.longest)
                if isinstance(ops[index].outcome, Ok)
            )
            about = frozenset(divergence.sessions)
            verdict = check(_only(replace(divergence.history, operations=line), about), promises)
            assert not isinstance(verdict, Diverged), (told, line)
    assert told_all > 100


def _only(history: History, about: frozenset[str]) -> History:
    """Lists without the sessions that the divergence is not about."""

    def shorter(op: Operation) -> Operation:
        match op.outcome:
            case Ok(Listed(entries)):
                kept = tuple(entry for entry in entries if entry.session in about)
                return replace(op, outcome=Ok(Listed(kept)))
            case _:
                return op

    return replace(history, operations=tuple(map(shorter, history.operations)))
