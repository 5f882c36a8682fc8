"""How many trials prove what: quiet ones that raced, and no others."""

from __future__ import annotations

import pytest

from deadheat.model.raced import Unraced, UnracedReason
from deadheat.trials.evidence import (
    DRIFT,
    SLOWER,
    AbsentBelow,
    Present,
    TrialResult,
    Unproven,
    UntilProven,
    lowest_rate,
    quiet_needed,
    rate_to_refute,
    shown_needed,
)
from deadheat.trials.tally import Tally

HALF = Tally(200, 100)
WHYS = [Unraced(why, "create", 409) for why in UnracedReason]


def test_the_recorded_rate_says_how_many_trials() -> None:
    tenth = Tally(200, 20)
    low = lowest_rate(20, 200, 0.99)
    assert 0.05 < low < 0.0622  # below the bound at 95 %
    assert rate_to_refute(tenth) == low / DRIFT
    needed = quiet_needed(tenth)
    assert (1 - low / DRIFT) ** needed <= 0.005 < (1 - low / DRIFT) ** (needed - 1)
    assert quiet_needed(HALF) < needed < quiet_needed(Tally(200, 4))
    assert quiet_needed(None) == quiet_needed(Tally(50, 0)) == 459  # 1 %, which only luck can hide
    assert shown_needed() == 17
    assert 0.75**17 <= 0.01 < 0.75**16


def test_few_enough_for_a_job() -> None:
    assert quiet_needed(Tally(200, 46)) <= 160


def test_one_divergence_is_enough_and_quiet_trials_have_to_add_up() -> None:
    until = UntilProven(HALF)
    for _ in range(until.needed - 1):
        assert until.next()
        until.feed(TrialResult.QUIET)
    until.feed(TrialResult.UNDECIDED)
    said = [until.evidence]
    until.feed(TrialResult.OTHER)
    said.append(until.evidence)
    assert not until.next()
    assert (until.other, until.counted) == (1, Tally(until.needed, 0))
    until.feed(TrialResult.SHOWN)
    assert [*said, until.evidence] == [
        Unproven(until.needed - 1, until.needed, until.needed, 1),
        AbsentBelow(until.refutes),
        Present(),
    ]


@pytest.mark.parametrize("why", WHYS, ids=lambda one: one.why.value)
def test_what_did_not_race_is_no_silence(why: Unraced) -> None:
    until = UntilProven(HALF)
    while until.next():
        until.feed(TrialResult.QUIET, why)
    assert until.evidence == Unproven(0, until.needed, until.trials, 0, ((why, until.trials),))
    assert until.counted.trials == 0
    # What the server's answers keep from racing is given up soon: each may cost a time-out.
    assert until.trials == (10 * until.needed if why.why is UnracedReason.OFF_TIME else 20)


def test_what_diverged_diverged_whether_it_raced_or_not() -> None:
    for why in WHYS:
        until = UntilProven(HALF)
        until.feed(TrialResult.SHOWN, why)
        assert until.evidence == Present()
        # Off its offsets it is no part of a rate at these offsets.
        assert until.counted == (Tally() if why.why is UnracedReason.OFF_TIME else Tally(1, 1))


def test_exactly_so_many_prove_as_much_as_they_can() -> None:
    until = UntilProven(HALF, exactly=5)
    while until.next():
        until.feed(TrialResult.QUIET)
    assert until.evidence == Unproven(5, until.needed, 5)
    many = UntilProven(HALF, exactly=2 * until.needed)
    while many.next():
        many.feed(TrialResult.QUIET)
    assert many.evidence == AbsentBelow(many.refutes)
    assert many.trials == 2 * until.needed


def test_a_rate_goes_on_after_the_first_divergence() -> None:
    until = UntilProven(HALF, until_shown=False)
    while until.next():
        until.feed(TrialResult.SHOWN if until.trials % 2 else TrialResult.QUIET)
    assert until.counted.trials == until.needed
    assert until.evidence == Present()


def test_slower_calls_are_another_race() -> None:
    for took_ns, slow in ((SLOWER * 1_000, False), (SLOWER * 1_000 + 1, True)):
        until = UntilProven(HALF, recorded_ns=1_000)
        while until.next():
            until.feed(TrialResult.QUIET, None, took_ns)
        assert isinstance(until.evidence, Unproven) is slow


def test_other_promises_prove_nothing_and_cost_no_trial() -> None:
    until = UntilProven(HALF, other_promises="lists may be stale")
    assert not until.next()
    assert until.evidence == Unproven(needed=until.needed, other_promises="lists may be stale")
