"""Numbers and names as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import example
from tests.programs import TWO_DELETES, A, one

from deadheat.export.markdown import EXPECTED
from deadheat.files.artifact import RateRecord
from deadheat.model.program import Create, List
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.model.verdict import Anomaly
from deadheat.report.reasons import MEANING
from deadheat.report.words import (
    duration_text,
    fixed_text,
    percent,
    rate_text,
    size_text,
    standing_text,
    unproven_text,
)
from deadheat.trials.evidence import Unproven


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.115, "11.5 %"),
        (0.5, "50 %"),
        (0.0123, "1.2 %"),
        (0.001, "0.1 %"),
    ],
)
def test_percent(fraction: float, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.9, "9.9 s"), (42, "42 s"), (59.7, "1 min"), (200, "3 min 20 s"),
     (3600, "1 h"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_rates_sizes_and_standing() -> None:
    assert rate_text(RateRecord(23, 200, 0.08, 0.16, 0.95)) == (
        "diverges in 11.5 % of trials (95 % Clopper–Pearson: 8–16 %, 200 trials)"
    )
    assert fixed_text(RateRecord(46, 200, 0.1736, 0.295, 0.95)) == (
        "to call it fixed: 98 trials in a row that raced and did not show it "
        "(99 % sure, should its rate fall to 1/3 by itself)"
    )
    assert "tune" in str(fixed_text(RateRecord(1, 189, 0.0, 0.56, 0.95)))  # a low of 0, too
    assert fixed_text(RateRecord(0, 25, 0, 0.137, 0.95)) is None
    assert "not again in 25 fresh trials" in rate_text(RateRecord(0, 25, 0, 0.137, 0.95))
    assert rate_text(RateRecord(0, 0, 0, 1, 0.95)) == "not measured"
    assert size_text(TWO_DELETES) == "4 calls, 2 at once"
    assert size_text(one(Create(A))) == "1 call, none at once"
    assert size_text(one(List(), List())) == "2 calls, none at once"
    whole = example()
    assert standing_text(whole) == "smallest failing program"
    assert "not proven" in standing_text(replace(whole, proven_minimal=False))
    assert "logic" in standing_text(replace(whole, needs_race=False))


def test_a_late_server_is_told_of_settle_where_none_is_declared() -> None:
    whole = replace(example(), needs_race=False)
    settles = replace(whole, target=replace(whole.target, settle_ms=100))
    twice = replace(whole, anomaly=Anomaly.DUPLICATE_ID)
    told = ["settle" in standing_text(one) for one in (whole, settles, twice)]
    assert told == [True, False, False]


def test_a_bug_report_has_a_sentence_for_each_name() -> None:
    assert set(EXPECTED) == set(Anomaly) == set(MEANING)


@pytest.mark.parametrize(
    ("call", "status", "advised"),
    [
        ("create", 409, "`exists`"),
        ("recreate", 409, "`exists`"),
        ("delete", 409, "`absent`"),
        ("pay", 409, "`absent`"),
        ("get", 409, "--max-rps"),
        ("list", 503, "--max-rps"),
        ("children", 503, "--max-rps"),
        ("list", 401, "[auth]"),
        ("delete", 429, "--max-rps"),
    ],
)
def test_what_was_refused_is_advised_by_what_it_can_mean(
    call: str, status: int, advised: str
) -> None:
    refused = Unraced(UnracedReason.REFUSED, call, status)
    said = unproven_text(Unproven(0, 98, 40, unraced=((refused, 40),)))
    assert [word for word in ("`exists`", "`absent`", "--max-rps", "[auth]") if word in said] == [
        advised
    ]
