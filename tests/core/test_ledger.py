"""The ledger never forgets a divergence, and counts by program and by structure."""

from __future__ import annotations

from dataclasses import replace

from deadheat.core.divergence import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Signature,
    Undecided,
)
from deadheat.core.history import History, Invocation, Kind, Ok, Operation, Undeclared
from deadheat.core.ledger import Ledger, Tally
from deadheat.core.program import Create, Delete, Program, Var, with_offsets

A, B = Var(0), Var(1)
QUIET = Linearizable(())


def racing(gap_us: int) -> Program:
    return Program((((Create(A),),), ((Create(B),),), ((Delete(A),), (Delete(B, gap_us),))))


def divergence(status: int = 418) -> Divergence:
    answer = Operation(
        0, 0, Invocation(Kind.DELETE, "s1"), Ok(Undeclared(status)), 0, 1, status=status
    )
    return Divergence(History((answer,)), Anomaly.WRONG_STATUS, (0,), 0, ("s1",), "why")


def test_a_divergence_is_a_fact_for_ever() -> None:
    ledger = Ledger()
    assert ledger.diverged(racing(0)) is None
    ledger.record(racing(0), Diverged(divergence()))
    for _ in range(100):
        ledger.record(racing(0), QUIET)
    seen = ledger.diverged(racing(0))
    assert seen is not None
    assert seen.divergence == divergence()
    assert ledger.tally(racing(0)) == Tally(101, 1, 0)


def test_programs_are_known_in_their_canonical_spelling() -> None:
    ledger = Ledger()
    swapped = Program((((Create(B),),), ((Create(A),),), ((Delete(A, 300),), (Delete(B, 1_000),))))
    ledger.record(swapped, Diverged(divergence()))
    same = Program((((Create(A),),), ((Create(B),),), ((Delete(A, 700),), (Delete(B),))))
    assert ledger.diverged(same) is not None
    assert len(ledger) == 1
    seen = ledger.diverged(same)
    assert seen is not None
    assert seen.program == swapped  # as it was run: the history's places lead into it


def test_the_structure_counts_all_offsets() -> None:
    ledger = Ledger()
    ledger.record(racing(0), QUIET)
    ledger.record(racing(700), Diverged(divergence()))
    assert ledger.tally(racing(0)) == Tally(1, 0, 0)
    assert ledger.structure_tally(racing(40)) == Tally(2, 1, 0)
    assert ledger.diverged(racing(0)) is None
    assert ledger.structure_diverged(racing(0)) is not None
    assert with_offsets(racing(9), lambda _p, _c: 0) == racing(0)


def test_undecided_is_neither_quiet_nor_diverged() -> None:
    ledger = Ledger()
    ledger.record(racing(0), Undecided("budget"))
    tally = ledger.tally(racing(0))
    assert (tally.trials, tally.quiet, tally.decided, tally.undecided) == (1, 0, 0, 1)


def test_signatures_are_counted_apart() -> None:
    ledger = Ledger()
    one, other = divergence(418), divergence(302)
    ledger.record(racing(0), Diverged(one, (other,)))
    ledger.record(racing(0), Diverged(other))
    assert ledger.tally(racing(0), one.signature).diverged == 1
    assert ledger.tally(racing(0), other.signature).diverged == 2
    assert ledger.tally(racing(0)).diverged == 2
    assert ledger.diverged(racing(0), Signature(Anomaly.GHOST, ())) is None
    found = ledger.diverged(racing(0), other.signature)
    assert found is not None
    assert found.divergence == other


def test_the_first_evidence_stays() -> None:
    ledger = Ledger()
    ledger.record(racing(0), Diverged(divergence()))
    ledger.record(racing(0), Diverged(replace(divergence(), reason="later")))
    seen = ledger.diverged(racing(0))
    assert seen is not None
    assert seen.divergence.reason == "why"


def test_tallies_add_and_subtract() -> None:
    assert Tally(5, 2, 1) + Tally(1, 1, 0) == Tally(6, 3, 1)
    assert Tally(6, 3, 1) - Tally(5, 2, 1) == Tally(1, 1, 0)
