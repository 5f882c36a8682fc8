"""The state machine and the source: what programs they draw, and that they only draw."""

from __future__ import annotations

import socket
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from tests.quality.simulated import Simulated, random_program

from deadheat.generate.machine import OFFSETS_US, kinds
from deadheat.generate.source import ProgramSource
from deadheat.model.history import Kind
from deadheat.model.program import (
    Create,
    Delete,
    Get,
    Program,
    canonical,
    kind_of,
    overlapping_pairs,
    problems,
    structure,
)


@pytest.fixture(scope="module")
def drawn() -> tuple[Program, ...]:
    """A few hundred programs of one seed."""
    source = ProgramSource(1)
    return tuple(program for _ in range(18) for program in source.batch())


def test_all_programs_can_be_sent_and_are_in_their_one_spelling(
    drawn: tuple[Program, ...],
) -> None:
    assert len(drawn) >= 200
    for program in drawn:
        assert problems(program) == ()
        assert canonical(program) == program


def test_programs_are_worth_running(drawn: tuple[Program, ...]) -> None:
    """Issue 2: changes overlap, sessions are few and contended, reads occur inside races."""
    assert all(overlapping_pairs(program) for program in drawn)

    def racing(program: Program) -> list[list[str]]:
        return [
            [kind_of(call) for lane in lanes for call in lane]
            for lanes in program.rounds
            if len(lanes) > 1
        ]

    rounds = [kinds for program in drawn for kinds in racing(program)]
    two_changes = sum(
        any(sum(k in ("create", "delete") for k in kinds) >= 2 for kinds in racing(program))
        for program in drawn
    )
    assert two_changes > len(drawn) / 2
    deletes = [
        [c.var for lane in lanes for c in lane if isinstance(c, Delete)]
        for program in drawn
        for lanes in program.rounds
        if len(lanes) > 1
    ]
    assert any(len(set(named)) < len(named) for named in deletes)  # the same session twice
    assert any(len(set(named)) > 1 for named in deletes)  # different ones
    assert any("get" in kinds for kinds in rounds)
    assert any("list" in kinds for kinds in rounds)
    assert max(program.concurrency for program in drawn) <= 5
    made = Counter(kind for program in drawn for kind in kinds(program))
    assert set(made) == {"Create", "Delete", "Get", "List"}


def test_the_ghosts_own_shape_is_drawn(drawn: tuple[Program, ...]) -> None:
    """Two deletes of different sessions by different lanes of one round, at many offsets."""
    offsets = {
        abs(one[0].offset_us - other[0].offset_us)
        for program in drawn
        for lanes in program.rounds
        for i, one in enumerate(lanes)
        for other in lanes[i + 1 :]
        if isinstance(one[0], Delete)
        and isinstance(other[0], Delete)
        and one[0].var != other[0].var
    }
    assert len(offsets) > len(OFFSETS_US) / 2


def test_families_of_many_sizes_are_drawn_and_leave_room_for_plain_races() -> None:
    source = ProgramSource(1, kinds=frozenset(Kind), families=True)
    programs = [program for _ in range(12) for program in source.batch()]
    sizes = [
        Counter(call.parent for call in program.calls() if isinstance(call, Create) and call.parent)
        for program in programs
    ]
    assert len(programs) / 4 < sum(map(bool, sizes)) < len(programs) * 3 / 4
    assert len({size for family in sizes for size in family.values()}) > 6
    assert any(len(family) > 1 for family in sizes)
    assert any(_looks_at_the_parent_of_its_child(program) for program in programs)


def _looks_at_the_parent_of_its_child(program: Program) -> bool:
    return any(
        isinstance(one, Create) and isinstance(then, Get) and then.var == one.parent
        for lanes in program.rounds
        if len(lanes) > 1
        for lane in lanes
        for one, then in pairwise(lane)
    )


def test_the_same_seed_draws_the_same_programs_and_another_does_not() -> None:
    one, again, other = ProgramSource(7), ProgramSource(7), ProgramSource(8)
    first, second = (one.batch(), one.batch()), (again.batch(), again.batch())
    assert first == second
    assert first[0] != first[1]  # batches go on, they do not repeat
    assert other.batch() != first[0]


def test_many_different_structures(drawn: tuple[Program, ...]) -> None:
    assert len({structure(program) for program in drawn}) > len(drawn) / 2


def test_nothing_is_sent_while_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a socket was opened while Hypothesis drew")

    monkeypatch.setattr(socket, "socket", refuse)
    assert ProgramSource(2).batch()


def test_the_source_never_ends_and_counts() -> None:
    source = ProgramSource(3)
    supply = iter(source)
    for _ in range(50):
        next(supply)
    assert source.drawn >= 50


def test_what_was_learned_of_a_slow_server_is_drawn() -> None:
    source, plain = ProgramSource(4), ProgramSource(4)
    server = Simulated(0, Random(1), latency_us=(8_000, 9_000))
    for n in range(12):
        source.learn(server.run(random_program(Random(n), 12)))

    def longest_us(source: ProgramSource) -> int:
        drawn = [program for _ in range(5) for program in source.batch()]
        return max(call.offset_us for program in drawn for call in program.calls())

    assert longest_us(plain) <= 3_000 < longest_us(source)
