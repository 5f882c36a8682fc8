"""When a run that found nothing may be called clean: its calls were answered, and some raced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.report.test_run import CLEAN, FOUND

from deadheat.run.exercised import nothing_exercised, of_run

if TYPE_CHECKING:
    from deadheat.files.results import Summary


def test_a_run_whose_calls_were_answered_and_raced_is_clean() -> None:
    assert nothing_exercised(of_run(CLEAN)) is None
    some = replace(CLEAN, raced=40, unanswered=50, unanswered_s=CLEAN.elapsed_s / 2)
    assert nothing_exercised(of_run(some)) is None
    assert nothing_exercised(of_run(replace(FOUND, restarts=3))) is None  # a death is a finding


@pytest.mark.parametrize(
    ("summary", "word"),
    [
        (replace(CLEAN, programs=0), "no program was run"),
        (replace(CLEAN, overlaps=0), "ever overlapped"),
        (replace(CLEAN, raced=0), "ever overlapped"),
        (replace(CLEAN, unanswered=51), "in 51 of 100 programs"),
        (replace(CLEAN, unanswered_s=6.1), "6.1 s of 12 s"),
        (replace(CLEAN, restarts=2), "started again 2 times"),
        (replace(CLEAN, answered={}), "no delete ever succeeded"),
    ],
)
def test_one_whose_calls_were_mostly_not_answered_proves_nothing(
    summary: Summary, word: str
) -> None:
    error = nothing_exercised(of_run(summary))
    assert error is not None
    assert word in str(error)
    assert error.exit_code == 3
