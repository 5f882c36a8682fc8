"""Why a divergence is one, in sentences. Their wording is pinned: ``tests/pins/sentences.txt``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from tests.report.sentences import BARE, EDITS, NAMES, REASONS, STEPS

from deadheat.model import grounds
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import (
    Follows,
    NoPlace,
    RuledOut,
    Told,
    announcements_named,
    calls_named,
)
from deadheat.report.reasons import Reasons


def test_each_value_has_a_pinned_sentence() -> None:
    def all_of(union: Any) -> set[type]:
        return set(get_args(union))

    constraints = [step.constraint for step in STEPS if isinstance(step, Follows)]
    assert {type(step) for step in STEPS} == all_of(grounds.Step)
    assert {type(one.because) for one in constraints} == all_of(grounds.Because)
    rejected = [step.rejected for step in STEPS if isinstance(step, NoPlace)]
    assert {type(one.cause) for one in rejected} == all_of(grounds.Cause)
    assert {edit.how for edit in EDITS if isinstance(edit, Edit)} == set(How)
    reasons = {type(reason) for reason, _ in REASONS} | {type(BARE.reason)}
    assert reasons == all_of(grounds.Reason)


def test_a_line_names_the_calls_of_its_step_and_no_others() -> None:
    known = {op.index for op in BARE.history.operations}
    assert BARE.history.stream is not None
    heard = range(len(BARE.history.stream.announcements))
    for step in STEPS:
        calls = calls_named(step)
        assert known.issuperset(calls)
        assert all(n in heard for n in announcements_named(step))
        assert all(
            line.calls in (calls, ()) for line in Reasons(replace(BARE, proof=(step,)), NAMES).proof
        )
    ruled = next(step for step in STEPS if isinstance(step, RuledOut))
    assert calls_named(ruled) == (5, 3, 0, 6)


def test_what_an_old_file_tells_is_told_as_it_stands() -> None:
    old = replace(BARE, proof=(Told("{1} is not {0}."), Told("Contradiction.")))
    assert [line.text for line in Reasons(old, NAMES).proof] == ["b is not a.", "Contradiction."]
    assert Reasons(BARE, NAMES).proof == ()
    assert Reasons(BARE, NAMES).legal_if == ""


def test_what_no_terminal_should_be_shown_is_escaped() -> None:
    nasty = replace(BARE, reason=Told("\x1b[2J {0}"))
    assert "\x1b" not in Reasons(nasty, {"ses_a": "\x1b]0;"}).reason
