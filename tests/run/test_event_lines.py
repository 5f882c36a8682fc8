"""Events as NDJSON: each line is one JSON object of plain values, and progress does not flood."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from tests.examples import example, ghost

from deadheat.files.results import Standing
from deadheat.run.event_lines import EventLines, event_line
from deadheat.run.events import (
    Checked,
    Event,
    Found,
    Phase,
    Progress,
    Restarted,
    Saved,
    Shrunk,
    Started,
)

SIGNATURE = ghost()[1].signature
PATH = Path("a/b.json")


def progress(phase: Phase = Phase.SEARCHING) -> Progress:
    return Progress(phase, 1, 2, 3, 4, 5, 6, 7.12345)


@pytest.mark.parametrize(
    "event",
    [
        Started("demo", "none", 7),
        progress(),
        Found(SIGNATURE, 3, 4, PATH),
        Shrunk(SIGNATURE, 4, 20),
        Saved(example(), PATH),
        Restarted(1, "last\nwords"),
        Checked(PATH, "demo", Standing.GONE, 0, 180),
    ],
)
def test_a_line_is_one_object(event: Event) -> None:
    line = event_line(event, 1.23456)
    assert "\n" not in line
    body = json.loads(line)
    assert body["at_s"] == 1.235
    if isinstance(event, Found):
        assert body["signature"]["anomaly"] == "ghost"
        assert body["path"] == "a/b.json"


def test_progress_is_told_once_a_second_and_phase() -> None:
    now = [100.0]
    file = io.StringIO()
    lines = EventLines(file, lambda: now[0])
    for _ in range(50):
        lines.tell(progress())
        now[0] += 0.04
    lines.tell(progress(Phase.SHRINKING))
    lines.tell(Started("demo", "none", 7))
    told = [json.loads(line)["event"] for line in file.getvalue().splitlines()]
    assert told == ["progress", "progress", "progress", "started"]
