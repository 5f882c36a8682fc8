"""The pytest plugin ``deadheat``: an option, a marker, a fixture, and how a race is shown.

Rules
- Nothing of deadheat is imported before a test asks for it.
- ``-p no:deadheat`` leaves nothing behind; tests made by ``race_test`` need only pytest.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from deadheat.testing import Races


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--deadheat-budget``: short on a laptop, long at night."""
    parser.getgroup("deadheat").addoption(
        "--deadheat-budget",
        metavar="DURATION",
        default=None,
        help="budget of every race test, instead of its own (for example 5m)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker: ``-m deadheat`` selects the race tests."""
    config.addinivalue_line("markers", "deadheat: searches for races (made by race_test)")
    budget = config.getoption("--deadheat-budget")
    if budget is not None:
        from deadheat.files.duration import seconds_of

        try:
            seconds_of(budget)
        except ValueError as exc:
            raise pytest.UsageError(f"--deadheat-budget: {exc}") from None


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the race tests."""
    for item in items:
        if getattr(getattr(item, "function", None), "is_race_test", False):
            item.add_marker("deadheat")


@pytest.fixture
def deadheat(request: pytest.FixtureRequest) -> Races:
    """Search a target that your own fixtures start: ``deadheat(url, profile=…, budget="20s")``."""
    from deadheat.testing import Races

    return Races(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 - the hook's own name
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a race by its text alone: the traceback into deadheat says nothing."""
    report = yield
    testing = sys.modules.get("deadheat.testing")
    if testing is not None and call.excinfo is not None:
        from deadheat.errors import DeadheatError

        if isinstance(call.excinfo.value, testing.RaceFound | DeadheatError):
            from deadheat.files import media

            report.longrepr = media.lines(str(call.excinfo.getrepr(style="value")))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the silence of the race tests proves; not with -q."""
    said = [
        f"{report.nodeid}: {value}"
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "deadheat"
    ]
    if said and terminalreporter.verbosity >= 0:
        terminalreporter.section("deadheat", sep="-")
        from deadheat.files import media

        for line in said:
            terminalreporter.write_line(media.line(line))
