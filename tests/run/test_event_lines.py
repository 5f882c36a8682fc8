"""Events as NDJSON: each line is one JSON object of plain values, and progress does not flood."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, get_args

import pytest
from tests.pinned_doors import EVENTS, SNAPSHOT

from deadheat.errors import CannotSave
from deadheat.run import events
from deadheat.run.event_lines import VERSION, EventLines, event_line, lines_to

if TYPE_CHECKING:
    from pathlib import Path


def progress(phase: events.Phase = events.Phase.SEARCHING) -> events.Progress:
    return events.Progress(phase, 1, 2, 3, 4, 5, 6, 7.12345)


def test_each_event_is_one_of_those_that_are_pinned() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(events.Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_line_is_one_object_and_says_its_version(event: events.Event) -> None:
    line = event_line(event, 1.23456)
    assert "\n" not in line
    body = json.loads(line)
    assert (body["v"], body["at_s"]) == (VERSION, 1.235)


def test_a_campaigns_progress_has_what_a_runs_has() -> None:
    ours, whole = (json.loads(event_line(one, 1.0)) for one in (progress(), SNAPSHOT))
    assert set(ours) - {"detail"} <= set(whole)
    assert ours["event"] == whole["event"] == "progress"


def told(file: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in file.getvalue().splitlines()]


def test_progress_is_told_once_a_second_and_phase() -> None:
    file = io.StringIO()
    lines = EventLines(file)
    for step in range(50):
        lines.tell(progress(), step * 0.04)
    lines.tell(progress(events.Phase.SHRINKING), 2.0)
    lines.tell(EVENTS[0], 2.0)
    assert told(file) == ["progress", "progress", "progress", "started"]


def test_a_campaigns_progress_is_told_now_and_then() -> None:
    file = io.StringIO()
    lines = EventLines(file)
    for second in range(40):
        lines.tell(SNAPSHOT, float(second))
    assert told(file) == ["progress"] * 3


def test_a_file_is_begun_anew_or_gone_on_with(tmp_path: Path) -> None:
    where = tmp_path / "e"
    for append in (False, True, False):
        with lines_to(str(where), append=append) as lines:
            lines.tell(EVENTS[0], 1.0)
    assert len(where.read_text().splitlines()) == 1
    with lines_to(str(where), append=True) as lines:
        lines.tell(EVENTS[0], 2.0)
    assert len(where.read_text().splitlines()) == 2
    with pytest.raises(CannotSave), lines_to(str(tmp_path)):
        pass
    with lines_to(None) as lines:
        lines.tell(EVENTS[0], 1.0)
