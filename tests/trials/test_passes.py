"""Every pass goes down, stays valid, and keeps the instants of the recorded run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from random import Random

import pytest
from tests.quality.simulated import MINIMUM, Simulated, diverging_start, random_program

from deadheat.model.history import READING, History, Kind
from deadheat.model.program import (
    Call,
    Children,
    Create,
    Delete,
    Get,
    List,
    Program,
    Recreate,
    Round,
    Var,
    canonical,
    kind_of,
    problems,
    sort_key,
    structure,
)
from deadheat.model.verdict import operations_by_index
from deadheat.trials import passes
from deadheat.trials.rounding import offset_steps
from deadheat.trials.tally import Observed

A, B, C = Var(0), Var(1), Var(2)
Shrink = Callable[[Program, History | None], Iterator[Program]]
STRUCTURAL: tuple[Shrink, ...] = (
    passes.drop_rounds,
    passes.calm_rounds,
    passes.drop_lanes,
    passes.drop_sessions,
    passes.drop_reads,
    passes.drop_calls,
    passes.calm_calls,
    passes.merge_sessions,
)


def ghosts(p: float = 0.5, seeds: int = 12) -> Iterator[Observed]:
    for seed in range(seeds):
        yield Observed(*diverging_start(Simulated(p, Random(seed + 1_000)), Random(seed)))


@pytest.mark.parametrize("shrink", STRUCTURAL, ids=lambda one: one.__name__)
def test_a_pass_yields_smaller_valid_canonical_programs_once(shrink: Shrink) -> None:
    total = 0
    for observed in ghosts():
        found = list(shrink(observed.program, observed.divergence.history))
        total += len(found)
        assert len(set(found)) == len(found)
        for program in found:
            assert problems(program) == ()
            assert canonical(program) == program
            assert sort_key(structure(program)) < sort_key(structure(observed.program))
    assert total > 0


def test_the_history_leads_straight_to_the_minimum() -> None:
    straight = 0
    for observed in ghosts():
        found = [structure(program) for program in passes.projections(observed)]
        ops = operations_by_index(observed.divergence.history)
        if not any(ops[i].kind in READING for i in observed.divergence.witness):
            continue  # a second delete answers for the first: their race is not the ghost's own
        assert MINIMUM in found
        assert found.index(MINIMUM) < 15  # among the first of some dozens
        straight += 1
    assert straight > 8


def test_projections_are_smaller_and_valid() -> None:
    for observed in ghosts():
        for program in passes.projections(observed):
            assert problems(program) == ()
            assert sort_key(structure(program)) < sort_key(structure(observed.program))


def test_dropping_what_came_before_keeps_the_instants() -> None:
    program = Program(
        (
            ((Create(A),),),
            ((Create(B),),),
            ((List(), Delete(A, 100)), (Delete(B, 50),)),
        )
    )
    history = Simulated(0.0, Random(0)).run(program)
    sent = {op.place: op.call_ns for op in history.operations}
    gap_us = (sent[2, 0, 1] - sent[2, 1, 0]) // 1_000
    (bare,) = [p for p in passes.drop_reads(program, history) if structure(p) == MINIMUM]
    assert bare == Program(
        (((Create(A),),), ((Create(B),),), ((Delete(A, gap_us),), (Delete(B, 0),)))
    )
    (inherited,) = passes.drop_reads(program)
    assert inherited.rounds[2] == ((Delete(A, 50),), (Delete(B, 0),))


def test_no_concurrency_in_three_orders() -> None:
    program = Program((((Create(A),),), ((Delete(A), Get(A)), (List(300),))))
    history = Simulated(0.0, Random(0)).run(program)
    orders = list(passes.sequential_orders(program, history))
    assert len(orders) == 3
    assert all(one.concurrency == 1 and problems(one) == () for one in orders)
    assert [type(call) for call in orders[0].calls()] == [Create, Delete, List, Get]  # as sent


def test_whatever_can_be_sent_can_be_sent_without_concurrency() -> None:
    """Also where a lane creates again what only a later call of it creates."""
    calls: tuple[Call, ...] = (Create(A), Create(B), Recreate(A), Recreate(B))
    tried = 0
    for one, two, three, four in permutations(calls):
        shapes: tuple[Round, ...] = (
            ((one, two), (three, four)),
            ((one,), (two,), (three, four)),
        )
        for lanes in shapes:
            program = Program((lanes,))
            if not problems(program):
                tried += 1
                flat = next(passes.sequential_orders(program), None)
                assert flat is not None
                assert flat.concurrency == 1
                assert not problems(flat)
    assert tried == 48


def test_a_call_leaves_the_race_at_either_end() -> None:
    program = Program((((Create(A),),), ((Get(A), Delete(A)), (List(),))))
    found = set(passes.calm_calls(program))
    assert Program((((Create(A),),), ((Get(A),),), ((Delete(A),), (List(),)))) in found
    assert Program((((Create(A),),), ((Get(A),), (List(),)), ((Delete(A),),))) in found


def test_merging_names_one_session_everywhere() -> None:
    assert list(passes.merge_sessions(MINIMUM)) == [
        Program((((Create(A),),), ((Delete(A),), (Delete(A),))))
    ]


def test_dropping_a_session_takes_all_that_names_it() -> None:
    program = Program(
        (((Create(A), Get(A)), (Create(B),)), ((Delete(A),), (Delete(B),)), ((List(),),))
    )
    assert canonical(Program((((Create(B),),), ((Delete(B),),), ((List(),),)))) in set(
        passes.drop_sessions(program)
    )


def test_offsets_go_to_zero_then_to_round_values() -> None:
    program = Program((((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B, 734),))))
    gaps = [p.rounds[2][1][0].offset_us for p in offset_steps(program)]
    assert gaps == [0, 700, 730]


def test_nothing_is_rounder_than_zero() -> None:
    assert list(offset_steps(MINIMUM)) == []


def test_the_minimum_has_only_one_racing_reduction() -> None:
    racing = [p for p in passes.reductions(MINIMUM) if p.concurrency > 1]
    assert racing == list(passes.merge_sessions(MINIMUM))


def test_canonical_is_idempotent() -> None:
    rng = Random(5)
    for _ in range(300):
        program = random_program(rng, rng.randint(8, 20))
        assert canonical(program) == program  # random_program answers canonical(...)


def test_a_lane_may_go_behind_another_where_two_are_left() -> None:
    a = Var(0)
    three = Program((((Create(a),),), ((Delete(a),), (Get(a),), (List(),))))
    chained = set(passes.chain_lanes(three))
    assert canonical(Program((((Create(a),),), ((Delete(a),), (Get(a), List()))))) in chained
    assert all(sort_key(program) < sort_key(canonical(three)) for program in chained)
    assert all(len(program.rounds[1]) == 2 for program in chained)
    assert list(passes.chain_lanes(Program((((Create(a),),), ((Delete(a),), (Get(a),)))))) == []


def test_a_read_of_children_becomes_a_list_so_that_the_children_can_go() -> None:
    read = (Create(C, 700, parent=A), Children(A, 50))
    whole = canonical(Program((((Create(A),),), ((Create(B, parent=A),),), (read, (Delete(A),)))))
    plain = list(passes.plain_reads(whole))
    assert [kind_of(call) for program in plain for call in program.rounds[2][0]] == [
        Kind.CREATE,
        Kind.LIST,
    ]
    assert {call.offset_us for program in plain for call in program.rounds[2][0]} == {700, 50}
    assert all(sort_key(structure(program)) < sort_key(structure(whole)) for program in plain)
    without = [len(smaller.calls()) for smaller in passes.drop_sessions(plain[0])]
    assert len(whole.calls()) - 1 in without
    assert list(passes.plain_reads(MINIMUM)) == []
