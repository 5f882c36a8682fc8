"""A program as the choices that Hypothesis would draw for it, and back.

Rules
- ``written()`` and ``spelled(program)`` are one grammar read in two directions: the
  strategy draws exactly the choices that the function returns, in that order.
- Only small bounded integers are drawn, each of which is one choice of Hypothesis; simpler
  is smaller, so that its shrinker goes our way.
- Every valid program can be spelt, also those that the machine never draws: a shrunk
  program need not look like a drawn one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hypothesis import reject
from hypothesis import strategies as st

from deadheat.model.program import (
    KINDS,
    Call,
    Create,
    CustomCall,
    Fork,
    List,
    Program,
    Var,
    canonical,
    makes,
    problems,
)
from deadheat.report.diagram import program_lines, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deadheat.model.program import Lane, Round

_MOST_SESSIONS = 100  # a cascade of 16 children and its cousins fits five times
_MOST_DIGITS = 7  # of an offset: up to 10 s
_KINDS = tuple(KINDS)  # their order is that of the choices in Hypothesis's databases


class DrawnProgram:
    """A drawn program; its ``repr`` is what the falsifying example shows."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __repr__(self) -> str:
        return "\n" + text(program_lines(self.program))


@st.composite
def written(draw: st.DrawFn) -> DrawnProgram:
    """A strategy for any valid program, call by call."""
    return DrawnProgram(_read(lambda low, high: draw(st.integers(low, high))))


def spelled(program: Program) -> tuple[int, ...]:
    """The choices by which ``written()`` draws ``program``.

    Raises ``ValueError`` for a program of more sessions, or with a longer offset, than
    the grammar has.
    """
    return tuple(_spell(canonical(program)))


def _read(pick: Callable[[int, int], int]) -> Program:
    rounds: list[Round] = []
    while pick(0, 1):
        lanes = [_read_lane(pick)]
        while pick(0, 1):
            lanes.append(_read_lane(pick))
        rounds.append(tuple(lanes))
    program = Program(tuple(rounds))
    if problems(program):
        reject()
    return canonical(program)


def _read_lane(pick: Callable[[int, int], int]) -> Lane:
    lane = [_read_call(pick)]
    while pick(0, 1):
        lane.append(_read_call(pick))
    return tuple(lane)


def _read_call(pick: Callable[[int, int], int]) -> Call:
    kind = _KINDS[pick(0, len(_KINDS) - 1)]
    offset_us = 0
    for _ in range(pick(0, _MOST_DIGITS)):
        offset_us = offset_us * 10 + pick(0, 9)
    if kind is List:
        return List(offset_us)
    var = Var(pick(0, _MOST_SESSIONS - 1))
    if kind is Create:
        parent = pick(0, _MOST_SESSIONS)
        return Create(var, offset_us, Var(parent - 1) if parent else None)
    if kind is Fork:
        return Fork(var, Var(pick(0, _MOST_SESSIONS - 1)), offset_us)
    return cast("Callable[[Var, int], Call]", kind)(var, offset_us)


def _spell(program: Program) -> Iterator[int]:
    for lanes in program.rounds:
        yield 1
        for k, lane in enumerate(lanes):
            if k:
                yield 1
            for i, call in enumerate(lane):
                if i:
                    yield 1
                yield from _spell_call(call)
            yield 0
        yield 0
    yield 0


def _spell_call(call: Call) -> Iterator[int]:
    made = makes(call)
    digits = str(call.offset_us) if call.offset_us else ""
    if len(digits) > _MOST_DIGITS or (made is not None and made.index >= _MOST_SESSIONS):
        raise ValueError(f"{call} has a number too large to be spelt")
    yield _KINDS.index(type(call))
    yield len(digits)
    yield from map(int, digits)
    if isinstance(call, CustomCall):
        raise ValueError(f"{call} is of a kind that the grammar does not have")
    match call:
        case List():
            pass
        case Fork(var, source):
            yield from (var.index, source.index)
        case Create(var, _, parent):
            yield from (var.index, 0 if parent is None else parent.index + 1)
        case _:
            yield call.var.index
