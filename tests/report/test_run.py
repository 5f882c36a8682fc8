"""The last words of a run: for a person, and one line for a machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.examples import example, ghost

from deadheat.errors import ExitCode
from deadheat.files.results import Finding, Replayed, Summary
from deadheat.model.release import Release, Via
from deadheat.report.finding import finding_text
from deadheat.report.run import machine_line, replay_text, run_text
from deadheat.trials.evidence import AbsentBelow, Present, Unproven
from deadheat.trials.stats import rate

CLEAN = Summary(
    *("demo", "p", 1, 100, 100, 900, 50, 0, 0, 0, 12.0, "time", {"delete": 9}, {"delete": 9}, ()),
    raced=100,
)
FOUND = replace(CLEAN, findings=(Finding(example(), Path("x/y.json"), 3, True),))


def machine(summary: Summary | None, code: int) -> dict[str, object]:
    line = machine_line(summary, code)
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line.removeprefix("deadheat-result: "))
    return parsed


def test_the_machines_line_never_calls_clean_what_proves_nothing() -> None:
    assert machine(CLEAN, ExitCode.CLEAN)["verdict"] == "clean"
    assert machine(CLEAN, ExitCode.TARGET)["verdict"] == "nothing proven"
    assert machine(CLEAN, ExitCode.TARGET)["would_have_seen"] is None
    assert machine(CLEAN, ExitCode.INTERRUPTED)["verdict"] == "interrupted"
    assert machine(FOUND, ExitCode.INTERRUPTED)["verdict"] == "diverged"
    assert machine(None, 3) == {"exit": 3, "verdict": "nothing run"}
    assert machine(FOUND, 1)["divergences"] == [
        {
            "anomaly": "ghost",
            "calls": list(example().signature),
            "file": "x/y.json",
            "finished": True,
        }
    ]


def test_programs_that_did_not_race_are_no_part_of_what_silence_proves() -> None:
    doubtful = replace(CLEAN, undecided=40, raced=60)
    assert "0 of 60 programs" in run_text(doubtful, interrupted=False)
    assert "40 trials undecided" in run_text(doubtful, interrupted=False)
    assert machine(doubtful, 0)["would_have_seen"] == round(1 - 0.01 ** (1 / 60), 6)


def test_a_run_that_ended_in_an_error_is_not_called_clean() -> None:
    assert "clean" in run_text(CLEAN, interrupted=False)
    assert "clean" not in run_text(CLEAN, interrupted=False, proves=False)
    assert "interrupted before" in run_text(None, interrupted=True)
    assert "until then" in run_text(FOUND, interrupted=True)


def test_every_distinct_divergence_is_listed() -> None:
    two = replace(FOUND, findings=FOUND.findings * 2)
    assert "2 distinct divergences" in run_text(two, interrupted=False)
    assert run_text(two, interrupted=False).count("replay  deadheat replay x/y.json") == 2


def test_replays() -> None:
    _, divergence = ghost()
    path = Path("x.json")
    again = Replayed(divergence, None, rate(1, 3), Present(), 3, until_first=True)
    shown = replay_text(example(), path, again, "demo")
    assert "diverges again on demo" in shown
    assert "trial 3" in shown
    assert "recorded on demo: diverges in 11.5 %" in shown
    quiet = Replayed(None, None, rate(0, 60), AbsentBelow(0.1), 62, until_first=False)
    shown = replay_text(example(), path, quiet, "other")
    assert "did not show on other in 62 trials" in shown
    assert "60 of them raced: its rate there is below 7.4 % (99 %)" in shown
    assert "proves nothing" not in shown
    nothing = replace(quiet, evidence=Unproven(60, 98, 62))
    assert "proves nothing" in replay_text(example(), path, nothing, "other")
    other = replace(quiet, other=divergence)
    assert "another divergence showed instead: ghost" in replay_text(example(), path, other, "o")


def test_rounds_that_missed_their_offsets_are_counted_where_there_are_any() -> None:
    assert "missed" not in run_text(CLEAN, interrupted=False)
    busy = replace(CLEAN, rounds=1_200, missed_rounds=3)
    assert "3 of 1,200 concurrent rounds missed their offsets by more than 50 µs" in run_text(
        busy, interrupted=False
    )
    assert machine(busy, 0)["rounds"] == 1_200
    assert machine(busy, 0)["missed_rounds"] == 3


def test_a_trial_that_missed_its_offsets_is_shown_as_it_was() -> None:
    def shown(achieved_ns: int) -> str:
        releases = (Release(1, 0, 9_000), Release(0, 400_000, achieved_ns))
        history = replace(example().history, releases=(releases,))
        return finding_text(replace(example(), history=history), None)

    assert "released at" not in shown(420_000)
    assert "its lanes were released at 1,200, 0 µs, not at 400, 0 µs" in shown(1_209_000)


def test_what_the_requests_went_over_is_said_where_it_is_not_plain_tcp() -> None:
    assert machine(CLEAN, 0)["via"] == "tcp"
    plain = run_text(CLEAN, interrupted=False)
    for via in Via:
        told = run_text(replace(CLEAN, via=via), interrupted=False)
        assert machine(replace(CLEAN, via=via), 0)["via"] == via.value
        assert (told == plain) is (via is Via.TCP)
    assert "TLS" in run_text(replace(CLEAN, via=Via.TLS), interrupted=False)
