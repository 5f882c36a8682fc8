"""From an execution to a verdict: settling, deaths, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.check.histories import Build
from tests.programs import TWO_DELETES
from tests.run.simulated import simulate

from deadheat.drive.live import Death
from deadheat.model.grounds import Died
from deadheat.model.history import Fail, Found, Info, Ok, Outcome, Undeclared, Unknown
from deadheat.model.promises import Promises, Shows
from deadheat.model.verdict import Anomaly, Diverged, Linearizable, Signature, Undecided
from deadheat.run.judge import judge, only_late
from deadheat.run.trial import matching

if TYPE_CHECKING:
    from deadheat.drive.executor import Execution

GOOD = simulate(TWO_DELETES, lost_delete=False)
GHOST = simulate(TWO_DELETES, lost_delete=True)
SETTLE_MS = 1  # longer than a simulated trial


def all_ended(execution: Execution, outcome: Outcome) -> Execution:
    ops = tuple(replace(op, outcome=outcome, return_ns=None) for op in execution.history.operations)
    return replace(execution, history=replace(execution.history, operations=ops))


def test_a_plain_trial_is_judged_as_it_is() -> None:
    assert isinstance(judge(GOOD, None, Promises()), Linearizable)
    verdict = judge(GHOST, None, Promises())
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.GHOST
    assert not verdict.divergence.transient


def settled(early: Execution, late: Execution) -> Execution:
    """The first reads of ``early``, then those of ``late``."""
    ops = early.history.operations
    again = [op for op in late.history.operations if op.at_rest]
    more = tuple(
        replace(
            op,
            index=len(ops) + n,
            call_ns=op.call_ns + SETTLE_MS * 1_000_000,
            return_ns=op.call_ns + SETTLE_MS * 1_000_000 + 50,
        )
        for n, op in enumerate(again)
    )
    return replace(
        early, history=replace(early.history, operations=(*ops, *more)), settled_from=len(ops)
    )


def test_what_goes_away_within_the_settle_time_is_right() -> None:
    assert isinstance(judge(settled(GHOST, GOOD), None, Promises(), SETTLE_MS), Linearizable)
    assert isinstance(judge(settled(GHOST, GOOD), None, Promises()), Diverged)


@pytest.mark.parametrize("reads", list(Shows))
def test_whatever_is_promised_what_stays_is_found_and_the_history_is_as_recorded(
    reads: Shows,
) -> None:
    verdict = judge(settled(GHOST, GHOST), None, Promises(reads=reads), SETTLE_MS)
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.GHOST
    assert not any(divergence.transient for divergence in verdict.all)
    assert verdict.divergence.history == settled(GHOST, GHOST).history


def test_of_what_shows_sometime_the_reads_before_anybody_waited_prove_nothing() -> None:
    sometime = Promises(reads=Shows.EVENTUAL)
    assert isinstance(judge(GHOST, None, sometime, SETTLE_MS), Linearizable)
    assert isinstance(judge(GHOST, None, sometime), Diverged)  # nobody has to wait


def written(build: Build, settled_from: int | None = None) -> Execution:
    return replace(GOOD, history=build.history, settled_from=settled_from)


def test_a_read_of_the_program_is_excused_within_the_settle_time_and_not_after() -> None:
    def read_at(ms: float) -> Execution:
        began = Build().create("x", 0, 1).delete("x", 2, 3).get("x", ms, ms + 1, Found())
        return written(began.list(ms + 2, ms + 3, rest=True))

    assert isinstance(judge(read_at(4), None, Promises(), 50), Linearizable)
    late = judge(read_at(60), None, Promises(), 50)
    assert isinstance(late, Diverged)
    assert not late.divergence.transient


def test_the_settle_time_excuses_the_past_and_not_what_never_was() -> None:
    phantom = Build().create("x", 0, 1).list(2, 3, "x", "y").list(60, 61, "x", rest=True)
    verdict = judge(written(phantom, settled_from=2), None, Promises(), 50)
    assert isinstance(verdict, Diverged)
    assert (verdict.divergence.anomaly, verdict.divergence.transient) == (Anomaly.PHANTOM, False)


def test_an_undeclared_answer_stays_one_beside_what_the_settle_time_excuses() -> None:
    build = Build().create("x", 0, 1).delete("x", 2, 3).get("x", 4, 5, Found())
    build.get("x", 6, 7, Undeclared(418, "")).list(8, 9, rest=True)
    verdict = judge(written(build), None, Promises(), 50)
    assert isinstance(verdict, Diverged)
    assert [one.anomaly for one in verdict.all] == [Anomaly.WRONG_STATUS]


def test_only_late_is_what_the_reads_after_the_settle_time_prove() -> None:
    build = Build().create("x", 0, 1).delete("x", 2, 3).list(4, 5, rest=True)
    back = written(build.list(60, 61, "x", rest=True), settled_from=3)
    assert only_late(back, Promises())
    verdict = judge(back, None, Promises(), 50)
    assert isinstance(verdict, Diverged)
    named = (verdict.divergence.anomaly, verdict.divergence.transient)
    assert named == (Anomaly.RESURRECTION, False)
    assert not only_late(settled(GHOST, GHOST), Promises())
    assert not only_late(GHOST, Promises())


def test_what_stays_is_not_transient_and_is_proved_by_the_late_reads() -> None:
    execution = settled(GHOST, GHOST)
    verdict = judge(execution, None, Promises(), SETTLE_MS)
    assert isinstance(verdict, Diverged)
    assert not verdict.divergence.transient
    assert execution.settled_from is not None
    assert verdict.divergence.culprit >= execution.settled_from


def test_a_death_is_a_crash_whose_witness_are_the_open_calls() -> None:
    ops = tuple(
        replace(op, outcome=Info(Unknown.RESET), return_ns=None) if op.place == (2, 1, 0) else op
        for op in GOOD.history.operations
    )
    execution = replace(GOOD, history=replace(GOOD.history, operations=ops))
    verdict = judge(execution, Death(-9, ""), Promises())
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.CRASH
    (index,) = verdict.divergence.witness
    assert ops[index].place == (2, 1, 0)
    assert verdict.divergence.signature == Signature(Anomaly.CRASH, ())
    assert verdict.divergence.reason == Died(-9)


def test_dead_before_anything_reached_it_blames_nobody() -> None:
    execution = all_ended(GOOD, Fail("ConnectError"))
    assert isinstance(judge(execution, Death(1, ""), Promises()), Undecided)
    assert isinstance(judge(execution, None, Promises()), Undecided)


def test_no_answer_at_all_is_undecided_and_no_pass() -> None:
    execution = all_ended(GOOD, Info(Unknown.TIMEOUT))
    assert isinstance(judge(execution, None, Promises()), Undecided)
    assert not any(isinstance(op.outcome, Ok) for op in execution.history.operations)


def test_matching_finds_the_wanted_signature_only() -> None:
    verdict = judge(GHOST, None, Promises())
    assert isinstance(verdict, Diverged)
    wanted = verdict.divergence.signature
    assert matching(verdict, wanted) == verdict.divergence
    assert matching(verdict, replace(wanted, anomaly=Anomaly.CRASH)) is None
    assert matching(judge(GOOD, None, Promises()), wanted) is None
