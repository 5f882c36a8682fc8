"""A program and its choices are the same thing, in both directions."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import find, settings
from tests.quality.simulated import random_program

from deadheat.generate.grammar import _read as read
from deadheat.generate.grammar import spelled, written
from deadheat.model.program import (
    Children,
    Create,
    Delete,
    Fork,
    Get,
    List,
    Program,
    Rename,
    Var,
    canonical,
)

A, B, C = Var(0), Var(1), Var(2)
EVERY_KIND = canonical(
    Program(
        (
            ((Create(A),),),
            ((Create(B, parent=A),),),
            (
                (Fork(C, A, 1_230), Get(C, 40)),
                (Delete(A, 700), Children(A), List()),
                (Rename(B, 9_999_999),),
            ),
        )
    )
)


@pytest.mark.parametrize(
    "program", [EVERY_KIND, Program(()), *(random_program(Random(n), 4 + n) for n in range(12))]
)
def test_what_is_spelt_is_read_again(program: Program) -> None:
    choices = iter(spelled(program))
    bounds: list[tuple[int, int, int]] = []

    def pick(low: int, high: int) -> int:
        bounds.append((low, value := next(choices), high))
        return value

    assert read(pick) == canonical(program)
    assert next(choices, None) is None
    assert all(low <= value <= high for low, value, high in bounds)
    # More than this and ``st.integers`` draws a second choice, to favour the ends.
    assert all(high - low <= 127 for low, _, high in bounds)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        spelled(Program((((Create(A),),), ((Delete(A, 10_000_000),), (List(),)))))


def test_the_strategy_draws_programs_that_can_be_sent() -> None:
    raced = find(
        written(),
        lambda drawn: any(len(lanes) > 1 for lanes in drawn.program.rounds),
        settings=settings(database=None, max_examples=200),
    )
    assert raced.program.concurrency == 2


def test_the_repr_is_the_program_as_everybody_sees_it() -> None:
    shown = repr(find(written(), lambda _: True, settings=settings(database=None)))
    assert "create" not in shown  # the empty program
