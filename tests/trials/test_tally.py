"""The ledger counts by program and never forgets; a tally adds and subtracts."""

from __future__ import annotations

from deadheat.model.grounds import ByAnswer
from deadheat.model.history import History, Invocation, Kind, Ok, Operation, Undeclared
from deadheat.model.program import Create, Delete, Program, Var
from deadheat.model.verdict import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Obstacle,
    Signature,
    Undecided,
)
from deadheat.trials.tally import Ledger, Tally

A, B = Var(0), Var(1)
QUIET = Linearizable(())


def racing(gap_us: int) -> Program:
    return Program((((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B, gap_us),))))


def divergence(status: int = 418) -> Divergence:
    answer = Operation(
        0, 0, Invocation(Kind.DELETE, "s1"), Ok(Undeclared(status)), 0, 1, status=status
    )
    return Divergence(History((answer,)), Anomaly.WRONG_STATUS, (0,), 0, ("s1",), ByAnswer())


TEAPOT = divergence().signature
GHOST = Signature(Anomaly.GHOST, ())


def test_what_a_program_has_shown_stays() -> None:
    ledger = Ledger(TEAPOT)
    assert ledger.tally(racing(0)) == Tally()
    ledger.record(racing(0), Diverged(divergence()))
    for _ in range(100):
        ledger.record(racing(0), QUIET)
    assert ledger.tally(racing(0)) == Tally(101, 1, 0)


def test_programs_are_known_in_their_canonical_spelling() -> None:
    ledger = Ledger(TEAPOT)
    swapped = Program((((Create(B),),), ((Create(A),),), ((Delete(A, 300),), (Delete(B, 1_000),))))
    ledger.record(swapped, Diverged(divergence()))
    same = Program((((Create(A),),), ((Create(B),),), ((Delete(A, 700),), (Delete(B),))))
    assert ledger.tally(same) == Tally(1, 1, 0)
    assert len(ledger.tallies) == 1


def test_the_same_calls_at_other_offsets_are_another_program() -> None:
    ledger = Ledger(TEAPOT)
    ledger.record(racing(0), QUIET)
    ledger.record(racing(700), Diverged(divergence()))
    assert ledger.tally(racing(0)) == Tally(1, 0, 0)
    assert ledger.tally(racing(700)) == Tally(1, 1, 0)


def test_undecided_is_neither_quiet_nor_diverged() -> None:
    ledger = Ledger(TEAPOT)
    ledger.record(racing(0), Undecided(Obstacle.STEPS))
    tally = ledger.tally(racing(0))
    assert (tally.trials, tally.quiet, tally.decided, tally.undecided) == (1, 0, 0, 1)


def test_only_its_signature_counts_also_beside_another() -> None:
    one, other = divergence(418), divergence(302)
    for signature, shown in ((one.signature, 1), (other.signature, 2), (GHOST, 0)):
        ledger = Ledger(signature)
        ledger.record(racing(0), Diverged(one, (other,)))
        ledger.record(racing(0), Diverged(other))
        assert ledger.tally(racing(0)) == Tally(2, shown, 0)


def test_tallies_add_and_subtract() -> None:
    assert Tally(5, 2, 1) + Tally(1, 1, 0) == Tally(6, 3, 1)
    assert Tally(6, 3, 1) - Tally(5, 2, 1) == Tally(1, 1, 0)
