"""The tuner finds the window, counts every trial, and stays within its budget."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.programs import sequential
from tests.quality.simulated import GHOST, MINIMUM, Simulated

from deadheat.model.program import Create, Delete, Program, Var, structure
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.model.verdict import Anomaly, Linearizable, Signature
from deadheat.trials.tally import Tally
from deadheat.trials.tuning import Tuner


def tuned(server: Simulated, tuner: Tuner) -> Tuner:
    while (program := tuner.next()) is not None:
        tuner.feed(server.trial(program))
    return tuner


def gap_us(program: Program) -> int:
    return max(lane[0].offset_us for lane in program.rounds[-1])


@pytest.mark.parametrize("seed", range(6))
def test_finds_the_window_of_a_rare_race(seed: int) -> None:
    server = Simulated(0.15, Random(seed), window_us=(500, 900))
    tuner = tuned(server, Tuner(MINIMUM, GHOST, rng=Random(seed), trials=500))
    assert 450 <= gap_us(tuner.best) <= 950
    assert structure(tuner.best) == MINIMUM


def test_tells_which_of_two_different_lanes_must_wait() -> None:
    a, b = Var(0), Var(1)
    program = Program((((Create(a),),), ((Create(b),),), ((Delete(a),), (Delete(b, 3_000),))))
    server = Simulated(0.3, Random(7), window_us=(80, 160))
    tuner = tuned(server, Tuner(program, GHOST, rng=Random(7), trials=400))
    assert 50 <= gap_us(tuner.best) <= 160


def test_every_trial_is_in_the_picture() -> None:
    server = Simulated(0.3, Random(8))
    tuner = tuned(server, Tuner(MINIMUM, GHOST, rng=Random(8), trials=200))
    total = sum((tally for _, tally in tuner.picture), Tally())
    assert tuner.trials == server.runs == total.trials == 200
    gaps = [gap for gap, _ in tuner.picture]
    assert gaps == sorted(set(gaps))
    assert {0, 700, 4_000} <= set(gaps)
    assert all(tally.trials > 0 for gap, tally in tuner.picture if gap in (0, 700, 4_000))


def test_trials_go_to_where_it_shows() -> None:
    server = Simulated(0.5, Random(9), window_us=(500, 900))
    tuner = tuned(server, Tuner(MINIMUM, GHOST, rng=Random(9), trials=400))
    inside = sum(tally.trials for gap, tally in tuner.picture if 470 <= gap <= 900)
    assert inside > 200


def test_only_the_wanted_divergence_counts() -> None:
    other = Signature(Anomaly.LOST_CREATE, ("create", "rest"))
    tuner = tuned(Simulated(0.9, Random(10)), Tuner(MINIMUM, other, rng=Random(10), trials=60))
    assert all(tally.diverged == 0 for _, tally in tuner.picture)


def test_nothing_to_tune_without_concurrency() -> None:
    assert Tuner(sequential(MINIMUM), GHOST, rng=Random(11)).next() is None


def test_the_same_seed_gives_the_same_picture() -> None:
    pictures = [
        tuned(Simulated(0.2, Random(12)), Tuner(MINIMUM, None, rng=Random(12), trials=150)).picture
        for _ in range(2)
    ]
    assert pictures[0] == pictures[1]


def test_next_waits_for_feed_and_feed_for_next() -> None:
    tuner = Tuner(MINIMUM, GHOST, rng=Random(13))
    with pytest.raises(RuntimeError, match=r"call next\(\)"):
        tuner.feed(Linearizable(()))
    assert tuner.next() is tuner.next()


def test_a_trial_that_missed_its_offsets_is_spent_and_counts_for_none() -> None:
    """A busy machine: whatever has a small gap leaves late, in the window of another."""
    server = Simulated(1.0, Random(14), window_us=(500, 900))
    tuner = Tuner(MINIMUM, GHOST, rng=Random(14), trials=200)
    shows = server.trial(program_at(700))
    late = 0
    while (program := tuner.next()) is not None:
        on_time = gap_us(program) >= 300
        late += not on_time
        tuner.feed(
            server.trial(program) if on_time else shows,
            None if on_time else Unraced(UnracedReason.OFF_TIME),
        )
    assert tuner.trials == 200
    assert late > 20
    counted = sum((tally for _, tally in tuner.picture), Tally())
    assert counted.trials == 200 - late
    assert 500 <= gap_us(tuner.best) <= 900


def program_at(offset_us: int) -> Program:
    first, second = MINIMUM.rounds[-1]
    waits = (replace(second[0], offset_us=offset_us),)
    return Program((*MINIMUM.rounds[:-1], (first, waits)))
