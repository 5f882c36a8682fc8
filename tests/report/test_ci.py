"""A job as text, JUnit, annotations and Markdown: the same cases and words, nothing broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import example, ghost

from deadheat.errors import NothingExercised
from deadheat.files.artifact import Expectation
from deadheat.files.results import (
    Finding,
    JobResult,
    Regression,
    RegressionStatus,
    Replayed,
    Summary,
)
from deadheat.model.grounds import Told
from deadheat.report import github
from deadheat.report.cases import CaseStatus, cases_of, last_line, one_of, power_text
from deadheat.report.ci import job_text
from deadheat.report.junit import junit_xml
from deadheat.trials.evidence import AbsentBelow, Present
from deadheat.trials.stats import rarest_seen, rate, rate_until_first

XSD = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))
PATH = Path("fuzz/regressions/demo/ghost-1.json")


def summary(*findings: Finding, programs: int = 1_204, undecided: int = 0) -> Summary:
    return Summary(
        *(
            "demo",
            "delete exactly-once",
            0,
            programs,
            programs,
            9_000,
            3_980,
            undecided,
            0,
            0,
            55.0,
        ),
        *("time", {"delete": 9}, {"delete": 9}, findings),
        raced=programs - undecided,
    )


def regression(standing: RegressionStatus, why: str = "") -> Regression:
    _, divergence = ghost()
    shown = standing in (RegressionStatus.CAME_BACK, RegressionStatus.KNOWN)
    replayed = Replayed(
        divergence if shown else None,
        divergence if standing is RegressionStatus.OTHER else None,
        rate_until_first(4) if shown else rate(0, 183),
        Present() if shown else AbsentBelow(0.02),
        183,
        until_first=shown,
        promises="delete exactly-once",
    )
    known = standing in (RegressionStatus.KNOWN, RegressionStatus.GONE, RegressionStatus.QUIET)
    return Regression(
        PATH,
        example(),
        "demo",
        "demo",
        Expectation.DIVERGES if known else Expectation.CLEAN,
        standing,
        None if why else replayed,
        1.5,
        why,
    )


def result(*regressions: Regression, of: Summary | None = None, error: bool = False) -> JobResult:
    failed = NothingExercised("no two calls ever overlapped.") if error else None
    return JobResult("demo", 0, regressions, of or summary(), failed, False, 0, 57.0)


EVERY = result(
    *(
        regression(standing, "no network" if "avail" in standing else "")
        for standing in RegressionStatus
    ),
    of=summary(Finding(example(), Path("x.json"), 3, finished=False)),
)


# -x: a red regression, and no search.
FIRST = replace(result(regression(RegressionStatus.CAME_BACK)), summary=None)


def test_each_regression_and_the_search_is_a_case() -> None:
    cases = cases_of(EVERY)
    assert [case.ended for case in cases] == [
        CaseStatus.PASSED,  # silent
        CaseStatus.FAILED,  # came back
        CaseStatus.FAILED,  # another one
        CaseStatus.PASSED,  # known
        CaseStatus.PASSED,  # gone
        CaseStatus.PASSED,  # quiet
        CaseStatus.ERROR,  # not comparable
        CaseStatus.ERROR,  # unfinished
        CaseStatus.ERROR,  # unavailable
        CaseStatus.FAILED,  # the search
    ]
    for case in cases:
        assert "\n" not in case.message
        assert ("┌ delete(" in case.details) == (case.ended is CaseStatus.FAILED)
    assert "server's timing is not" in cases[-1].details
    assert "unfinished" in cases[-1].details
    assert "fixed or lucky? 0 of 183 trials that raced" in cases[4].message
    assert f"deadheat fixed {PATH} --on demo" in cases[4].message


@pytest.mark.parametrize(
    "job", [EVERY, result(), result(regression(RegressionStatus.SILENT)), result(error=True), FIRST]
)
def test_the_junit_file_is_one_that_jenkins_and_gitlab_read(job: JobResult) -> None:
    text = junit_xml(job)
    XSD.validate(text)
    suite = ElementTree.fromstring(text)[0]
    assert int(suite.get("tests", "")) == len(cases_of(job))
    failed = [case for case in cases_of(job) if case.ended is CaseStatus.FAILED]
    assert [failure.text for failure in suite.iter("failure")] == [c.details for c in failed]


def test_a_search_that_a_red_regression_made_needless_is_skipped() -> None:
    assert [case.ended for case in cases_of(FIRST)] == [CaseStatus.FAILED, CaseStatus.SKIPPED]
    assert len(github.workflow_commands(FIRST).split("\n")) == 1
    assert "search" not in last_line(FIRST)


def test_the_schema_bites() -> None:
    broken = (
        junit_xml(EVERY).replace("<failure ", "<failed ", 1).replace("</failure>", "</failed>", 1)
    )
    assert not XSD.is_valid(broken)
    assert not XSD.is_valid(junit_xml(EVERY).replace(' errors="3"', "", 1))


@given(st.text(max_size=30))
def test_whatever_a_message_holds_the_outputs_stay_whole(said: str) -> None:
    job = result(regression(RegressionStatus.UNAVAILABLE, said or "x"))
    XSD.validate(junit_xml(job))
    commands = github.workflow_commands(job).split("\n")
    assert len(commands) == 1
    assert commands[0].startswith("::error file=fuzz/")
    table = [row for row in github.summary_markdown(job).split("\n") if row.startswith("| ")]
    assert len(table) == 3


def test_the_page_shows_the_diagram_in_a_block_that_holds() -> None:
    page = github.summary_markdown(EVERY)
    assert page.count("```text") == 3
    assert "┌ delete(" in page
    odd = replace(example(), reason=Told("```\n# no heading"))
    page = github.summary_markdown(result(of=summary(Finding(odd, Path("x"), 1, finished=True))))
    assert "````text" in page


def test_the_last_line_is_the_verdict() -> None:
    assert last_line(result()) == (
        "clean: 1,204 programs raced, 3,980 overlapping pairs; a race showing in 1 of 260 programs "
        "would have been seen (99 %)"
    )
    assert last_line(EVERY).startswith("diverged: ")
    assert last_line(result(error=True)) == (
        "nothing proven: search demo: no two calls ever overlapped."
    )
    assert last_line(replace(result(), interrupted=True)).startswith("interrupted")
    assert power_text(summary(programs=3, undecided=3)).startswith("nothing raced")
    mostly = replace(summary(), programs=101, raced=40)
    assert power_text(mostly).startswith("clean: 40 programs raced")


@given(st.integers(1, 10**6))
def test_no_more_power_is_claimed_than_there_is(programs: int) -> None:
    claimed = one_of(programs)
    assert 1 / claimed >= rarest_seen(programs, 0.99) - 1e-12
    assert claimed > 0.9 / rarest_seen(programs, 0.99) - 1


def test_the_text_has_it_all() -> None:
    text = job_text(EVERY)
    assert text.count("\nregression ") + text.startswith("regression ") == 9
    assert "deadheat accept FILE" in text
