"""What the search runs next: energy is spent, mutations can be sent, the known is drawn less."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.programs import TWO_DELETES, A, B, one, programs

from deadheat.model.program import (
    Create,
    Delete,
    Get,
    List,
    Program,
    canonical,
    overlapping_pairs,
    problems,
)
from deadheat.trials.corpus import (
    Corpus,
    KnownFinding,
    can_show,
    mutated,
    race_shape,
    worth_running,
)

OFFSETS = (0, 100, 700)


@given(programs().filter(overlapping_pairs), st.integers(0, 1_000))
def test_a_mutation_can_be_sent_and_races(program: Program, seed: int) -> None:
    new = mutated(program, random.Random(seed), OFFSETS)
    assert not problems(new)
    assert overlapping_pairs(new)


def test_mutations_differ_and_reach_every_way() -> None:
    found = {mutated(TWO_DELETES, random.Random(seed), OFFSETS) for seed in range(200)}
    assert canonical(TWO_DELETES) not in found
    assert len(found) > 8
    assert any(len(program.calls()) > len(TWO_DELETES.calls()) for program in found)
    turned = Program((*TWO_DELETES.rounds[:2], ((Delete(A, 700),), (Delete(B),))))
    assert canonical(turned) in found


def test_energy_is_spent_repeats_first() -> None:
    corpus = Corpus(OFFSETS)
    rng = random.Random(1)
    assert all(corpus.next(rng) is None for _ in range(20))
    corpus.earned(TWO_DELETES)
    given_out = [p for p in (corpus.next(rng) for _ in range(100)) if p is not None]
    assert given_out[:2] == [TWO_DELETES] * 2
    assert len(given_out) == 8
    assert corpus.programs() == ()


def test_half_of_all_programs_stay_fresh_while_there_is_energy() -> None:
    corpus = Corpus(OFFSETS)
    for _ in range(200):
        corpus.earned(TWO_DELETES)
    rng = random.Random(2)
    fresh = sum(corpus.next(rng) is None for _ in range(400))
    assert 160 <= fresh <= 240  # 4 standard deviations of a fair coin


def test_what_can_show_a_minimum() -> None:
    assert race_shape(TWO_DELETES) == ("delete", "delete")
    assert race_shape(one(Create(A), Delete(A))) == ()
    with_reads = Program((((Create(A),),), ((Delete(A), List()), (Get(A),), (Delete(A),))))
    assert can_show(with_reads, race_shape(TWO_DELETES))
    assert not can_show(Program((((Create(A),),), ((Delete(A),), (Get(A),)))), ("delete", "delete"))


def test_the_loud_are_drawn_less_and_never_not_at_all() -> None:
    minimum = race_shape(TWO_DELETES)
    assert KnownFinding(minimum, 10, 10).share_kept() == 1  # too early to tell
    assert KnownFinding(minimum, 1_000, 0).share_kept() == 1
    assert KnownFinding(minimum, 1_000, 20).share_kept() == 0.96
    assert KnownFinding(minimum, 1_000, 600).share_kept() == 0.15
    rng = random.Random(3)
    loud = (KnownFinding(minimum, 1_000, 600),)
    run = sum(worth_running(TWO_DELETES, loud, rng) for _ in range(1_000))
    assert 100 <= run <= 200  # 150 expected, 4.4 standard deviations
    quiet = Program((((Create(A),),), ((Delete(A),), (Get(A),))))
    assert all(worth_running(quiet, loud, rng) for _ in range(100))
