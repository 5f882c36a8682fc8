"""The shrinker on simulated servers: what it reaches, what it never does, when it stops."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.quality.shrink_runs import by_deadheat
from tests.quality.simulated import (
    GHOST,
    MINIMUM,
    Sent,
    Simulated,
    diverging_start,
)

from deadheat.check.checker import check
from deadheat.model.history import Info, Kind, Place, Unknown, went_on_unanswered
from deadheat.model.program import (
    Create,
    Delete,
    List,
    Program,
    Var,
    canonical,
    overlapping_pairs,
    problems,
    sort_key,
    structure,
)
from deadheat.model.promises import Promises
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.model.verdict import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Obstacle,
    Signature,
    Undecided,
    Verdict,
)
from deadheat.trials.shrinker import Shrinker

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.model.history import History
    from deadheat.trials.shrunk import ShrinkResult

A, B = Var(0), Var(1)
QUIET = Linearizable(())


class LogicBug(Simulated):
    """No race: every delete but the first of a trial does nothing."""

    def lost(self, sent: list[Sent]) -> set[Place]:
        deletes = [one for one in sent if isinstance(one.call, Delete)]
        return {one.place for one in sorted(deletes, key=lambda one: one.call_us)[1:]}


class DropsConnections(Simulated):
    """The race, and in half of the trials the first delete's answer is lost on its way.

    The client sends the next one at once, so the two race even where it sends one at a time.
    """

    dropped = False

    def run(self, program: Program) -> History:
        self.dropped = self.rng.random() < 0.5
        history = super().run(program)
        deletes = [op for op in history.operations if op.kind is Kind.DELETE and not op.at_rest]
        if not deletes or not self.dropped:
            return history
        operations = list(history.operations)
        lost = replace(deletes[0], outcome=Info(Unknown.RESET), return_ns=None)
        operations[lost.index] = lost
        return replace(history, operations=tuple(operations))

    def lost(self, sent: list[Sent]) -> set[Place]:
        deletes = sorted((o for o in sent if isinstance(o.call, Delete)), key=lambda o: o.call_us)
        if self.dropped and len({one.call for one in deletes}) > 1 and self.rng.random() < 0.5:
            return {deletes[-1].place}
        return super().lost(sent)


class LouderWithList(Simulated):
    """The race shows twice as often while a list is under way."""

    def lost(self, sent: list[Sent]) -> set[Place]:
        quiet, self.p = self.p, self.p * (2 if any(isinstance(s.call, List) for s in sent) else 1)
        try:
            return super().lost(sent)
        finally:
            self.p = quiet


def shrink(
    shrinker: Shrinker, trial: Callable[[Program], Verdict], most: int = 100_000
) -> ShrinkResult:
    for _ in range(most):
        candidate = shrinker.next()
        if candidate is None:
            break
        shrinker.feed(trial(candidate))
    return shrinker.result()


def started(
    server: Simulated, seed: int, **options: object
) -> tuple[Shrinker, Program, Divergence]:
    rng = Random(seed)
    program, divergence = diverging_start(server, rng)
    return Shrinker(program, divergence, rng=rng, **options), program, divergence  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_reaches_the_exact_minimum_and_proves_it(seed: int) -> None:
    server = Simulated(0.5, Random(100 + seed))
    shrinker, _, _ = started(server, seed)
    shrunk = shrink(shrinker, server.trial)
    assert structure(shrunk.smallest) == MINIMUM
    assert shrunk.proven_minimal
    assert not shrunk.sequential
    assert shrinker.phase == "done"


@pytest.mark.parametrize("seed", range(4))
def test_everything_reported_was_observed(seed: int) -> None:
    server = Simulated(0.3, Random(200 + seed))
    shrinker, program, divergence = started(server, seed)
    observed = {canonical(program)}
    while (candidate := shrinker.next()) is not None:
        assert problems(candidate) == ()
        verdict = server.trial(candidate)
        if isinstance(verdict, Diverged) and GHOST in {d.signature for d in verdict.all}:
            observed.add(candidate)
        shrinker.feed(verdict)
        assert shrinker.best in observed
        assert sort_key(shrinker.best) <= sort_key(canonical(program))
    shrunk = shrinker.result()
    for smaller, proof in (
        (shrunk.smallest, shrunk.smallest_divergence),
        (shrunk.most_reliable, shrunk.most_reliable_divergence),
    ):
        assert canonical(smaller) in observed
        assert isinstance(check(proof.history, Promises()), Diverged)
        places = {op.place for op in proof.history.operations if not op.at_rest}
        assert places == {place for place, _ in smaller.placed()}
        assert proof.signature == divergence.signature


def test_a_logic_bug_is_told_from_a_race_at_once() -> None:
    server = LogicBug(1.0, Random(1))
    shrinker, _, _ = started(server, 1)
    accepted_at = None
    while (candidate := shrinker.next()) is not None:
        shrinker.feed(server.trial(candidate))
        if accepted_at is None and shrinker.best.concurrency <= 1:
            accepted_at = shrinker.trials
    shrunk = shrinker.result()
    assert accepted_at is not None
    assert accepted_at <= 5
    assert shrunk.sequential
    assert shrunk.proven_minimal
    assert [type(call) for call in shrunk.smallest.calls()].count(Delete) == 2
    assert len(shrunk.smallest.calls()) == 4
    assert shrunk.smallest.concurrency == 1


def test_calls_that_raced_with_one_left_unanswered_are_no_logic_bug() -> None:
    """Seen with hypercorn, which ends an HTTP/2 connection after so many requests."""
    server = DropsConnections(0.5, Random(1))
    for seed in range(5):
        rng = Random(seed)
        program, divergence = diverging_start(server, rng)
        while went_on_unanswered(divergence.history):
            program, divergence = diverging_start(server, rng)
        shrinker = Shrinker(program, divergence, rng=rng)
        shrunk = shrink(shrinker, server.trial)
        assert structure(shrunk.smallest) == MINIMUM, seed
        assert not shrunk.sequential


def test_a_sequential_program_with_a_lost_answer_needed_a_race() -> None:
    server = DropsConnections(0.5, Random(2))
    flat = Program((((Create(A),),), ((Create(B),),), ((Delete(A),),), ((Delete(B),),)))
    verdict = server.trial(flat)
    while not isinstance(verdict, Diverged):
        verdict = server.trial(flat)
    assert not Shrinker(flat, verdict.divergence, rng=Random(1)).result().sequential


def test_race_or_logic_is_answered_even_for_a_program_that_is_minimal_already() -> None:
    server = Simulated(0.5, Random(3))
    verdict = server.trial(MINIMUM)
    while not isinstance(verdict, Diverged):
        verdict = server.trial(MINIMUM)
    shrinker = Shrinker(MINIMUM, verdict.divergence, rng=Random(3))
    shrunk = shrink(shrinker, server.trial)
    assert shrunk.smallest == MINIMUM
    without = sum(
        tally.quiet
        for program, tally in shrinker.ledger.tallies.items()
        if overlapping_pairs(program) == 0
    )
    assert without >= 6  # at 95 %: half of a rate of 0.5, estimated at 0.7


def test_the_budget_ends_it_with_the_best_so_far() -> None:
    server = Simulated(0.1, Random(4))
    shrinker, program, _ = started(server, 4, budget=15)
    shrunk = shrink(shrinker, server.trial)
    assert shrunk.trials == 15
    assert shrinker.next() is None
    assert not shrunk.proven_minimal
    assert sort_key(shrunk.smallest) <= sort_key(program)


def test_may_be_asked_before_the_first_trial() -> None:
    server = Simulated(0.5, Random(5))
    shrinker, program, divergence = started(server, 5)
    shrunk = shrinker.result()
    assert shrunk.smallest == program
    assert shrunk.smallest_divergence == divergence
    assert (shrunk.trials, shrunk.proven_minimal) == (0, False)


def test_another_divergence_is_not_this_one() -> None:
    server = Simulated(0.5, Random(6))
    rng = Random(6)
    program, divergence = diverging_start(server, rng)
    other = Signature(Anomaly.LOST_CREATE, ("create", "rest"))
    shrinker = Shrinker(program, divergence, rng=rng, signature=other, budget=60)
    shrunk = shrink(shrinker, server.trial)
    assert shrunk.smallest == program
    assert all(tally.diverged == 0 for tally in shrinker.ledger.tallies.values())


def test_undecided_trials_neither_accept_nor_reject() -> None:
    server = Simulated(0.5, Random(7))
    shrinker, program, _ = started(server, 7, budget=900)
    shrunk = shrink(shrinker, lambda _program: Undecided(Obstacle.STEPS))
    assert (shrunk.smallest, shrunk.trials, shrunk.proven_minimal) == (program, 900, False)


def test_quiet_for_ever_keeps_the_program_that_was_seen_once() -> None:
    server = Simulated(0.5, Random(8))
    shrinker, program, divergence = started(server, 8, floor=0.2)
    shrunk = shrink(shrinker, lambda _program: QUIET)
    assert shrunk.smallest == program
    assert shrunk.smallest_divergence == divergence
    assert shrunk.trials < 5_000  # every candidate was given up at the floor
    assert not shrunk.proven_minimal  # what never showed again proves nothing by silence


def test_a_program_that_never_shows_again_is_refused() -> None:
    server = Simulated(0.6, Random(9))
    shrinker, _, _ = started(server, 9, floor=0.1)
    shown = 0

    def once_only(program: Program) -> Verdict:
        nonlocal shown
        if structure(program) == MINIMUM:
            shown += 1
            if shown > 1:
                return QUIET
            while not isinstance(verdict := server.trial(program), Diverged):
                pass
            return verdict
        return server.trial(program)

    shrunk = shrink(shrinker, once_only)
    assert shown > 20  # it was given its chance
    assert structure(shrunk.smallest) != MINIMUM


def test_offsets_stay_in_the_window_and_get_round() -> None:
    digits = []
    for seed in range(5):
        server = Simulated(0.6, Random(300 + seed), window_us=(500, 900))
        shrinker, _, _ = started(server, seed)
        shrunk = shrink(shrinker, server.trial)
        assert structure(shrunk.smallest) == MINIMUM
        gap_us = max(lane[0].offset_us for lane in shrunk.smallest.rounds[2])
        assert 450 <= gap_us <= 950
        digits.append(len(str(gap_us).rstrip("0")))
    assert sorted(digits)[3] <= 2  # each step is lost by chance in one of ten


def test_offsets_go_to_zero_where_that_costs_nothing() -> None:
    server = Simulated(0.5, Random(11))
    shrinker, _, _ = started(server, 11)
    assert shrink(shrinker, server.trial).smallest == MINIMUM


def test_a_trial_that_missed_its_offsets_makes_none_rounder() -> None:
    server = Simulated(0.5, Random(11))
    shrinker, _, _ = started(server, 11, budget=1_500)
    odd: set[Program] = set()
    while (candidate := shrinker.next()) is not None:
        rounding = shrinker.phase == "offsets"
        if rounding:
            odd.add(shrinker.best)
        shrinker.feed(
            server.trial(candidate), Unraced(UnracedReason.OFF_TIME) if rounding else None
        )
    assert len(odd) == 1  # some trials were spent, and nothing was learnt from them
    assert shrinker.best in odd
    assert any(lane[0].offset_us for lane in shrinker.best.rounds[2])


def test_offsets_are_left_alone_when_asked() -> None:
    server = Simulated(0.5, Random(12))
    shrinker, _, _ = started(server, 12, round_offsets=False)
    phases = set()
    while (candidate := shrinker.next()) is not None:
        phases.add(shrinker.phase)
        shrinker.feed(server.trial(candidate))
    assert "offsets" not in phases
    assert {"race or logic", "confirm"} <= phases


def test_the_most_reliable_program_is_kept_beside_the_smallest() -> None:
    server = LouderWithList(0.4, Random(13))
    while True:
        program = Program(
            (((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B),), (List(),)))
        )
        verdict = server.trial(program)
        if isinstance(verdict, Diverged) and verdict.divergence.signature == GHOST:
            break
    shrinker = Shrinker(program, verdict.divergence, rng=Random(13), round_offsets=False)
    for _ in range(60):  # known to be frequent before it is left
        shrinker.ledger.record(program, server.trial(program))
    shrunk = shrink(shrinker, server.trial)
    assert structure(shrunk.smallest) == MINIMUM
    assert any(call == List() for call in shrunk.most_reliable.calls())
    lists = [
        op for op in shrunk.most_reliable_divergence.history.operations if op.kind is Kind.LIST
    ]
    assert any(not op.at_rest for op in lists)


def test_the_same_seed_gives_the_same_run() -> None:
    results = []
    for _ in range(2):
        server = Simulated(0.3, Random(14))
        shrinker, _, _ = started(server, 14)
        results.append(shrink(shrinker, server.trial))
    assert results[0] == results[1]


def test_next_waits_for_feed_and_feed_for_next() -> None:
    server = Simulated(0.5, Random(15))
    shrinker, _, _ = started(server, 15)
    with pytest.raises(RuntimeError, match=r"call next\(\)"):
        shrinker.feed(QUIET)
    first = shrinker.next()
    assert first is not None
    assert shrinker.next() is first
    assert shrinker.phase == "race or logic"
    assert shrinker.trials == 0
    shrinker.feed(QUIET)
    assert shrinker.trials == 1


@pytest.mark.parametrize(
    ("seed", "what"),
    [
        (10_012, "the minimum had shown once in 160 trials when nothing was left to try"),
        (10_101, "it was refused for the offsets at which it was seen, where its calls seldom met"),
    ],
)
def test_a_rare_minimum_is_proved_and_not_refused(seed: int, what: str) -> None:
    run = by_deadheat(0.02, seed)
    assert run.minimal, what
    assert run.clean, what
    assert run.observed
