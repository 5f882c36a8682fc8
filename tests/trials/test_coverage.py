"""Overlap coverage: what counts as an overlap, in which order, and what silence is worth."""

from __future__ import annotations

from collections import Counter

import pytest

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Unknown,
)
from deadheat.model.verdict import Linearizable, Obstacle, Undecided
from deadheat.trials.coverage import (
    Coverage,
    Overlap,
    Pairing,
    Relation,
    Sequence,
    Silence,
    overlaps_of,
    parse,
    plateaued,
    possible_pairings,
)

NOBODY = Undecided(Obstacle.STEPS)


def op(
    index: int, lane: int, asked: Invocation, answer: Outcome, start: int, end: int | None
) -> Operation:
    return Operation(index, lane, asked, answer, start, end)


DELETE = Invocation(Kind.DELETE, "s1")
GET = Invocation(Kind.GET, "s1")
OTHER = Invocation(Kind.DELETE, "s2")


def history(*operations: Operation) -> History:
    return History(operations)


def test_the_one_released_first_comes_first_whatever_answers_first() -> None:
    late = op(0, 0, DELETE, Ok(Deleted()), 100, 200)
    early = op(1, 1, GET, Ok(Absent()), 50, 300)
    (found,) = overlaps_of(history(late, early), NOBODY)
    assert found.pairing == Pairing(Kind.GET, Kind.DELETE, Relation.SAME)
    assert found.answered is Sequence.OVERTAKEN
    assert found.effect is Sequence.UNKNOWN  # nobody placed them


def test_the_effect_is_read_off_the_legal_order() -> None:
    delete = op(0, 0, DELETE, Ok(Deleted()), 0, 100)
    get = op(1, 1, GET, Ok(Found()), 10, 120)
    both = history(delete, get)
    (kept,) = overlaps_of(both, Linearizable((0, 1)))
    (turned,) = overlaps_of(both, Linearizable((1, 0)))
    assert (kept.effect, turned.effect) == (Sequence.KEPT, Sequence.OVERTAKEN)


@pytest.mark.parametrize(
    ("other", "relation"),
    [
        (GET, Relation.SAME),
        (OTHER, Relation.OTHER),
        (Invocation(Kind.LIST), Relation.ALL),
        (Invocation(Kind.CREATE), Relation.OTHER),
        (Invocation(Kind.CREATE, parent="s1"), Relation.SAME),
        (Invocation(Kind.FORK, "s1"), Relation.SAME),
    ],
)
def test_what_two_calls_have_in_common(other: Invocation, relation: Relation) -> None:
    answers: dict[Kind, Outcome] = {
        Kind.LIST: Ok(Listed(())),
        Kind.CREATE: Ok(Created("s9")),
        Kind.FORK: Ok(Created("s9")),
    }
    one = op(0, 0, DELETE, Ok(Deleted()), 0, 100)
    two = op(1, 1, other, answers.get(other.kind, Ok(Absent())), 10, 90)
    (found,) = overlaps_of(history(one, two), NOBODY)
    assert found.pairing.relation is relation


def test_parent_and_child_are_a_family() -> None:
    made = op(0, 0, Invocation(Kind.CREATE, parent="s1"), Ok(Created("s2")), 0, 10)
    one = op(1, 0, DELETE, Ok(Deleted()), 20, 100)
    two = op(2, 1, Invocation(Kind.GET, "s2"), Ok(Absent()), 30, 90)
    (found,) = overlaps_of(history(made, one, two), NOBODY)
    assert found.pairing.relation is Relation.FAMILY


def test_what_is_no_overlap() -> None:
    delete = op(0, 0, DELETE, Ok(Deleted()), 0, 100)
    after = op(1, 1, GET, Ok(Absent()), 101, 200)
    same_lane = op(2, 0, GET, Ok(Absent()), 50, 60)
    unanswered = op(3, 1, GET, Info(Unknown.TIMEOUT), 10, None)
    resting = Operation(4, 2, GET, Ok(Absent()), 10, 90, at_rest=True)
    reads = (
        op(5, 3, GET, Ok(Absent()), 300, 400),
        op(6, 4, GET, Ok(Absent()), 300, 400),
    )
    assert not overlaps_of(history(delete, after, same_lane, unanswered, resting), NOBODY)
    assert not overlaps_of(history(*reads), NOBODY)


def test_every_overlap_survives_its_text() -> None:
    for pairing in possible_pairings(tuple(Kind), families=True):
        for answered in Sequence:
            whole = Overlap(pairing, answered, Sequence.KEPT)
            assert parse(str(whole)) == whole


def test_what_can_overlap_depends_on_the_calls_of_the_target() -> None:
    plain = possible_pairings((Kind.CREATE, Kind.DELETE, Kind.GET, Kind.LIST), families=False)
    assert Pairing(Kind.DELETE, Kind.GET, Relation.SAME) in plain
    assert Pairing(Kind.CREATE, Kind.GET, Relation.SAME) not in plain  # nothing names it yet
    assert not any(p.first is Kind.GET and p.second is Kind.LIST for p in plain)
    assert len(plain) == len(set(plain)) == 15


def test_new_means_never_seen_here_or_elsewhere() -> None:
    one = Overlap(Pairing(Kind.DELETE, Kind.GET, Relation.SAME), Sequence.KEPT, Sequence.KEPT)
    two = Overlap(one.pairing, Sequence.OVERTAKEN, Sequence.KEPT)
    coverage = Coverage()
    assert coverage.add({one: 3}, judged=True, diverged=False) == 1
    assert coverage.add({one: 1}, judged=True, diverged=False) == 0
    assert coverage.merge(Counter({one: 1, two: 1}), {}) == (two,)
    assert len(coverage) == 2
    assert coverage.never((one.pairing, Pairing(Kind.DELETE, Kind.DELETE, Relation.SAME))) == (
        Pairing(Kind.DELETE, Kind.DELETE, Relation.SAME),
    )


def test_silence_counts_trials_once_and_only_judged_ones() -> None:
    pairing = Pairing(Kind.DELETE, Kind.GET, Relation.SAME)
    ways = {
        Overlap(pairing, Sequence.KEPT, Sequence.KEPT): 5,
        Overlap(pairing, Sequence.OVERTAKEN, Sequence.KEPT): 2,
    }
    coverage = Coverage()
    for _ in range(458):
        coverage.add(ways, judged=True, diverged=False)
    coverage.add(ways, judged=False, diverged=False)
    silence = coverage.silence[pairing]
    assert silence == Silence(458, 0)
    rarest = silence.would_have_seen()
    assert rarest is not None
    assert 0.0099 < rarest < 0.0101  # 458 quiet trials: 1 % at 99 %
    coverage.add(ways, judged=True, diverged=True)
    assert coverage.silence[pairing].would_have_seen() is None
    assert Silence().would_have_seen() is None


def test_a_plateau_is_as_long_as_all_before_it() -> None:
    assert not plateaued(400, 0)
    assert plateaued(1_000, 500)
    assert not plateaued(10_000, 6_000)
