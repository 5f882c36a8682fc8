"""The lane diagram, and the finding as a terminal shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.check.histories import Build
from tests.examples import example
from tests.programs import A, B

from deadheat.check.checker import check
from deadheat.files.artifact import explanation_of, sessions_of
from deadheat.model.grounds import ByAnomaly
from deadheat.model.history import (
    Absent,
    Announcement,
    Change,
    Created,
    Deleted,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    Stream,
    Undeclared,
    Unknown,
)
from deadheat.model.program import Create, Delete, List, Program
from deadheat.model.promises import Promises
from deadheat.model.verdict import Anomaly, Diverged
from deadheat.report.calls import answer_text, call_text
from deadheat.report.diagram import diagram_of, program_lines, text
from deadheat.report.explanation import explanation_text
from deadheat.report.finding import clean_text, finding_text


def test_two_creates_of_one_id_keep_the_names_of_the_program() -> None:
    """One id has one name where it is spoken of; the creates are those that the program made."""
    both = Build().create("x", 0, 2).create("x", 1, 3).list(4, 5, "x", rest=True).history
    creates = Program((((Create(A),), (Create(B),)),))
    placed = tuple(
        replace(op, place=(0, op.index, 0) if op.index < 2 else None) for op in both.operations
    )
    history = replace(both, operations=placed)
    verdict = check(history, Promises())
    assert isinstance(verdict, Diverged)
    found = verdict.divergence
    artifact = replace(
        example(),
        anomaly=found.anomaly,
        reason=found.reason,
        explanation=explanation_of(found),
        program=creates,
        witness=found.witness,
        culprit=found.culprit,
        about=found.sessions,
        sessions=sessions_of(creates, history),
        history=history,
        rate=None,
    )
    assert artifact.names == {"x": "a"}
    assert found.culprit == 1
    told = explanation_text(artifact)
    first, second = text(diagram_of(artifact)).splitlines()[:2]
    assert "a = create()" in first
    assert "✗" not in first
    assert "b = create()" in second
    assert "✗" in second
    assert "what no order can place: b = create()" in told
    assert "create() #1 and create() #2 answered the same id, a," in told


GHOST = """\
    a = create()             200 created
    b = create()             200 created
    ┌ delete(a)              200 deleted
    └ delete(b)    +700 µs   200 deleted
    list()                   [b]           ✗ b was deleted with success"""


def test_the_ghost_as_the_readme_shows_it() -> None:
    shown = text(diagram_of(example()))
    assert shown.startswith(GHOST)
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_lanes_of_several_calls_share_one_bracket() -> None:
    program = Program((((Create(A),),), ((Delete(A), List()), (List(), List(50)))))
    assert text(program_lines(program), "").splitlines() == [
        "a = create()",
        "┌ delete(a)",
        "│   list()",
        "├ list()",
        "└   list()     +50 µs",
    ]


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (Ok(Created("ses_x")), "200 created"),
        (Ok(Deleted()), "200 deleted"),
        (Ok(Renamed()), "200 renamed"),
        (Ok(Found("t")), "200 found"),
        (Ok(Absent()), "200 absent"),
        (Ok(Listed((Seen("ses_y"), Seen("ses_x")))), "[a, ses_y]"),
        (Ok(Undeclared(418, "Teapot")), "418 Teapot"),
        (Fail("refused"), "200 refused"),
        (Info(Unknown.UNCLEAR, "Busy"), "200 unclear Busy"),
        (Info(Unknown.TIMEOUT), "no answer (timeout)"),
        (Info(Unknown.SERVER_ERROR, "Boom"), "200 Boom"),
    ],
)
def test_every_outcome_has_its_words(outcome: Outcome, shown: str) -> None:
    op = Operation(0, 0, Invocation(Kind.GET, "ses_x"), outcome, 0, 1, status=200)
    assert answer_text(op, {"ses_x": "a"}) == shown
    assert call_text(op, {"ses_x": "a"}) == "get(a)"
    assert call_text(op, {}) == "get(ses_x)"


def test_a_finding_whole() -> None:
    whole = example()
    shown = finding_text(whole, Path("x.json"))
    first, second, *_ = shown.splitlines()
    assert first == "ghost  a session deleted with success is still there"
    assert second.startswith("smallest failing program (4 calls, 2 at once), diverges in 11.5 %")
    assert shown.endswith("replay  deadheat replay x.json")
    assert "went away" not in shown
    assert "went away" in finding_text(replace(whole, transient=True), None)
    assert "not measured" in finding_text(replace(whole, rate=None), None)
    often = replace(whole, most_reliable=whole.program, most_reliable_rate=whole.rate)
    assert "shows more often" in finding_text(often, None)


def test_silence_says_what_it_proves() -> None:
    assert "0 of 4,602 programs" in clean_text(4_602, 9)
    assert "showing in 0.1 % of these" in clean_text(4_602, 9)
    assert clean_text(0, 0) == "clean: nothing raced"


def test_what_was_announced_has_its_line_and_the_wrong_one_the_reason() -> None:
    said = tuple(Announcement(Change.DELETED, "ses_a", at_ns) for at_ns in (2_200_000, 2_340_000))
    whole = example()
    told = replace(
        whole,
        anomaly=Anomaly.DUPLICATE_EVENT,
        reason=ByAnomaly("ses_a"),
        about=("ses_a",),
        history=replace(whole.history, stream=Stream(said, 5_000_000)),
        explanation=replace(whole.explanation, heard=(0, 1)),
    )
    rows = text(diagram_of(told)).splitlines()
    announced = [row.split() for row in rows if "announced:" in row]
    assert announced == [
        ["announced:", "a", "deleted", "at", "2.2", "ms"],
        [
            "announced:",
            "a",
            "deleted",
            "at",
            "2.3",
            "ms",
            *["✗", "announced", "once", "more,", "of", "a"],
        ],
    ]
    assert sum("✗" in row for row in rows) == 1


def test_what_never_left_was_not_sent() -> None:
    op = Operation(0, 0, Invocation(Kind.GET, "ses_x"), Fail("ConnectError"), 0, None)
    assert answer_text(op, {}) == "not sent (ConnectError)"
