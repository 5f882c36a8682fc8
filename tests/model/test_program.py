"""Programs: validity, the one spelling, the order of shrinking."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from tests.programs import TWO_DELETES, A, B, C, one, programs, sequential

from deadheat.model.program import (
    LONGEST_OFFSET_US,
    Call,
    Create,
    Delete,
    Get,
    List,
    Program,
    Var,
    canonical,
    changes,
    keep,
    kind_of,
    overlapping_pairs,
    problems,
    roundness,
    sort_key,
    structure,
    with_offsets,
)
from deadheat.report.calls import described


def test_names_run_through_the_alphabet_and_then_count() -> None:
    assert [Var(i).name for i in (0, 25, 26, 53)] == ["a", "z", "a1", "b2"]


@pytest.mark.parametrize(
    ("call", "kind", "text", "change"),
    [
        (Create(B), "create", "b = create()", True),
        (Delete(A), "delete", "delete(a)", True),
        (Get(A), "get", "get(a)", False),
        (List(), "list", "list()", False),
    ],
)
def test_each_call_has_its_words(call: Call, kind: str, text: str, change: bool) -> None:
    assert (kind_of(call), described(call), changes(call)) == (kind, text, change)


def test_problems_name_each_kind_of_mistake() -> None:
    assert problems(TWO_DELETES) == ()
    for broken, word in (
        (Program(((),)), "empty lane"),
        (Program((((Create(A),), ()),)), "empty lane"),
        (one(Create(A), Create(A)), "created twice"),
        (Program((((Create(A),), (Create(A),)),)), "created twice"),
        (one(Delete(A)), "not known"),
        # made in the same round, but by another lane: its id is not there in time
        (Program((((Create(A),), (Get(A),)),)), "not known"),
        (one(Create(A, offset_us=-1)), "negative"),
    ):
        (problem,) = problems(broken)
        assert word in problem
        assert problem.startswith("round ")
    longest = replace(Create(A), offset_us=LONGEST_OFFSET_US)
    assert problems(Program((((longest,),),))) == ()
    (problem,) = problems(Program((((replace(longest, offset_us=LONGEST_OFFSET_US + 1),),),)))
    assert "too long" in problem
    assert problems(Program((((Create(A), Get(A)),),))) == ()


@given(programs())
def test_the_canonical_form_is_valid_and_its_own(program: Program) -> None:
    assert problems(program) == ()
    once = canonical(program)
    assert problems(once) == ()
    assert canonical(once) == once
    assert len(once.calls()) == len(program.calls())
    assert overlapping_pairs(once) == overlapping_pairs(program)
    assert sorted(map(kind_of, once.calls())) == sorted(map(kind_of, program.calls()))
    created = [call.var.index for call in once.calls() if isinstance(call, Create)]
    assert created == list(range(len(created)))


@given(programs())
def test_renaming_and_reordering_lanes_does_not_show_in_the_canonical_form(
    program: Program,
) -> None:
    """Where one round makes sessions in several lanes their names follow the lanes' order."""
    makers = [
        sum(any(isinstance(call, Create) for call in lane) for lane in lanes)
        for lanes in program.rounds
    ]
    shifted = Program(
        tuple(
            tuple(
                tuple(
                    call if isinstance(call, List) else replace(call, var=Var(call.var.index + 9))
                    for call in lane
                )
                for lane in (lanes[::-1] if maker <= 1 else lanes)
            )
            for maker, lanes in zip(makers, program.rounds, strict=True)
        )
    )
    assert canonical(shifted) == canonical(program)


def test_the_canonical_form_by_example() -> None:
    loose = Program(
        (
            (),
            ((), (Create(C, 5), Get(C, 7))),
            ((List(900),), (Delete(C, 200), List(40))),
        )
    )
    assert canonical(loose) == Program(
        (
            ((Create(A),),),
            ((Get(A),),),
            ((Delete(A), List(40)), (List(700),)),
        )
    )


@given(programs(), programs())
def test_only_equal_canonical_programs_share_a_sort_key(one: Program, other: Program) -> None:
    one, other = canonical(one), canonical(other)
    assert (sort_key(one) == sort_key(other)) == (one == other)


def test_who_shares_a_lane_is_part_of_the_order() -> None:
    first = canonical(Program((((List(), List()), (List(),)),)))
    other = Program((((Create(A), Delete(A)), (List(),)),))
    third = Program((((Create(A),), (List(), List())),))
    assert len({sort_key(p) for p in (first, other, third)}) == 3
    left = Program((((Create(A),),), ((Delete(A), Get(A)), (List(),))))
    right = Program((((Create(A),),), ((Delete(A),), (Get(A), List()))))
    assert canonical(left) != canonical(right)
    assert sort_key(left) != sort_key(right)


def test_smaller_means_fewer_calls_then_less_concurrency_then_rounder_offsets() -> None:
    calm = sequential(TWO_DELETES)
    ragged = with_offsets(TWO_DELETES, lambda _place, call: call.offset_us + 12)
    longer = Program((*calm.rounds, ((List(),),)))
    keys = [sort_key(p) for p in (calm, structure(TWO_DELETES), TWO_DELETES, ragged, longer)]
    assert keys == sorted(keys)
    assert sorted((0, 1_000, 30, 700, 12), key=roundness) == [0, 30, 700, 1_000, 12]


@given(programs())
def test_sequential_and_structure_forget_only_what_they_say(program: Program) -> None:
    calm = sequential(program)
    assert problems(calm) == ()
    assert calm.concurrency <= 1
    assert len(calm.calls()) == len(program.calls())
    bare = structure(program)
    assert all(call.offset_us == 0 for call in bare.calls())
    assert structure(bare) == bare


def test_keep_brings_the_creates_that_the_kept_calls_need() -> None:
    assert keep(TWO_DELETES, frozenset({(2, 1, 0)})) == one(Create(A), Delete(A))
    assert keep(TWO_DELETES, frozenset()) == Program(())
    whole = frozenset(place for place, _ in TWO_DELETES.placed())
    assert keep(TWO_DELETES, whole) == TWO_DELETES


def test_overlapping_pairs_counts_pairs_with_a_change_only() -> None:
    assert overlapping_pairs(TWO_DELETES) == 1
    assert overlapping_pairs(sequential(TWO_DELETES)) == 0
    reads = Program((((Create(A),),), ((Get(A),), (List(),), (Delete(A), List()))))
    assert overlapping_pairs(reads) == 2
    assert reads.concurrency == 3
    assert Program(()).concurrency == 0
