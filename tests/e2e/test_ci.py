"""``deadheat ci`` on the bundled demo: regressions, configuration, budget and outputs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from tests.examples import example, on_any_machine
from tests.running import deadheat, gone, machine, start

from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Expectation, RateRecord
from deadheat.model.program import with_offsets

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

pytestmark = pytest.mark.live


# Time for the regressions on a slow machine, of which the search then uses little.
SELDOM_ASKED = ("--max-rps", "25")
UNHURRIED = ("--budget", "40s", *SELDOM_ASKED)
OFTEN = RateRecord(120, 200, 0.5285, 0.6684, 0.95)  # asks for some 30 quiet trials
SELDOM = RateRecord(2, 200, 0.0012, 0.0357, 0.95)  # asks for 30,645: a busy machine may hide it
RARE = RateRecord(1, 20_000, 0.00001, 0.00028, 0.95)  # more than any machine has time for


def commit(folder: Path, rate: RateRecord = OFTEN, *, races: bool = True, **expect: str) -> Path:
    """The demo's ghost as a committed regression, at offsets at which it shows in a third.

    ``races`` False: its calls one after the other, where its silence is what matters.
    """
    artifact = example() if races else on_any_machine(example())
    last = artifact.program.rounds[-1][-1][0]
    program = with_offsets(
        artifact.program, lambda _place, call: 600 if call == last and races else 0
    )
    names = {"demo": "demo", "correct": "demo:correct", "absent": "no-such-target"}
    committed = replace(
        artifact,
        program=program,
        rate=rate,
        expect={names[label]: Expectation(what) for label, what in expect.items()},
    )
    return artifacts.write(committed, folder / "fuzz" / "regressions" / "demo")


def standings(ran: CompletedProcess[str]) -> dict[str, str]:
    return {one["target"]: one["standing"] for one in machine(ran)["regressions"]}


def test_one_that_came_back_is_red_with_its_diagram(tmp_path: Path) -> None:
    commit(tmp_path, SELDOM, demo="clean")
    outputs = ("--junit", "out/junit.xml", "--report", "pages")
    ran = deadheat(tmp_path, "ci", "demo", "--budget", "60s", "-x", *outputs)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert standings(ran) == {"demo": "came-back"}
    assert "came back, in trial" in ran.stdout.splitlines()[-1]
    assert "┌ delete(" in ran.stdout
    assert "✗ " in ran.stdout
    suite = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()[0]
    assert [case.get("name", "").split()[0] for case in suite.iter("testcase")] == [
        "regression",
        "search",
    ]
    assert "┌ delete(" in (next(suite.iter("failure")).text or "")
    (page,) = (tmp_path / "pages").iterdir()
    assert "<svg" in page.read_text()
    assert gone(tmp_path)


def test_one_whose_server_was_fixed_says_so_and_is_green(tmp_path: Path) -> None:
    file = commit(tmp_path, OFTEN, races=False, correct="diverges")
    ran = deadheat(tmp_path, "ci", "demo:correct", "--budget", "40s", "--max-rps", "60")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert standings(ran) == {"demo:correct": "gone"}
    assert "did not show: fixed or lucky? 0 of " in ran.stdout
    where = file.relative_to(tmp_path).as_posix()
    assert f"deadheat fixed {where} --on demo:correct" in ran.stdout
    turned = deadheat(tmp_path, "fixed", where, "--on", "demo:correct")
    assert turned.returncode == 0
    assert artifacts.read(file).expect == {"demo:correct": Expectation.CLEAN}
    again = deadheat(tmp_path, "ci", "demo:correct", "--budget", "40s", "--max-rps", "60")
    assert again.returncode == 0
    assert standings(again) == {"demo:correct": "silent"}


def test_a_known_one_is_not_red_nor_is_the_search_that_finds_it_again(tmp_path: Path) -> None:
    commit(tmp_path, SELDOM, demo="diverges")
    ran = deadheat(tmp_path, "ci", "demo", *UNHURRIED)
    assert standings(ran) == {"demo": "known"}
    found = {one["anomaly"] for one in machine(ran)["divergences"]}
    assert "ghost" not in found  # what else the search may find on the demo is another finding
    assert ran.returncode == (1 if found else 0)


def test_one_for_a_target_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    commit(tmp_path, races=False, correct="clean", absent="clean")
    ran = deadheat(tmp_path, "ci", "demo:correct", *UNHURRIED, "--junit", "junit.xml")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert standings(ran) == {"no-such-target": "unavailable", "demo:correct": "silent"}
    assert ran.stdout.splitlines()[-1].startswith("nothing proven: ")
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().get("errors") == "1"


def test_one_that_found_no_time_is_an_error(tmp_path: Path) -> None:
    commit(tmp_path, RARE, correct="clean")
    ran = deadheat(tmp_path, "ci", "demo:correct", "--budget", "8s", *SELDOM_ASKED)
    assert ran.returncode == 3
    assert standings(ran) == {"demo:correct": "unfinished"}
    assert "--budget" in ran.stdout.splitlines()[-1]


def test_a_known_one_that_found_no_time_is_no_error(tmp_path: Path) -> None:
    commit(tmp_path, RARE, correct="diverges")
    ran = deadheat(tmp_path, "ci", "demo:correct", "--budget", "10s", *SELDOM_ASKED)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert standings(ran) == {"demo:correct": "quiet"}


def test_the_configuration_is_read_and_options_go_before_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.deadheat]\ntarget = "demo:correct"\nbudget = "10s"\nseed = 5\njunit = "j.xml"\n'
    )
    ran = deadheat(tmp_path, "ci", *SELDOM_ASKED)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert machine(ran)["seed"] == 5
    assert (tmp_path / "j.xml").exists()
    other = deadheat(tmp_path, "ci", "--seed", "6", "--budget", "5s", *SELDOM_ASKED)
    assert machine(other)["seed"] == 6


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", ("ci",), "There is no target"),
        ('target = "demo"\nbuget = "5s"\n', ("ci",), "deadheat.toml:2: buget is not a key"),
        ("", ("ci", "--config", "none.toml"), "does not exist"),
        ("", ("ci", "no-such", "--regressions", "absent"), "absent is not there"),
        ("", ("ci", "demo", "--junit", "file/x.xml"), "cannot be written"),
        ("", ("ci", "demo", "--events", "file/x"), "cannot be written"),
        ("", ("accept", "none.json"), "does not exist"),
        ("", ("schema", "nonsense"), "config"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, text: str, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "deadheat.toml").write_text(text)
    (tmp_path / "file").touch()
    ran = deadheat(tmp_path, *words)
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr
    assert len([row for row in ran.stderr.splitlines() if row.startswith("deadheat: ")]) == 1
    assert "Traceback" not in ran.stderr


def test_found_then_accepted_then_fixed(tmp_path: Path) -> None:
    artifact = example()
    found = artifacts.write(artifact, tmp_path / ".deadheat" / "demo")
    ran = deadheat(tmp_path, "accept", str(found))
    there = tmp_path / "fuzz" / "regressions" / "demo" / artifact.filename
    assert ran.stdout == f"fuzz/regressions/demo/{artifact.filename}  demo: diverges\n"
    assert not found.exists()
    assert replace(artifacts.read(there), expect={}) == artifact
    deadheat(tmp_path, "fixed", str(there), "--on", "demo:correct")
    assert artifacts.read(there).expect == {
        "demo": Expectation.DIVERGES,
        "demo:correct": Expectation.CLEAN,
    }
    # The same finding, found again, keeps what was known of it.
    again = artifacts.write(artifact, tmp_path / ".deadheat" / "demo")
    deadheat(tmp_path, "fixed", str(again))
    assert artifacts.read(there).expect == {
        "demo": Expectation.CLEAN,
        "demo:correct": Expectation.CLEAN,
    }


def test_github_and_events(tmp_path: Path) -> None:
    commit(tmp_path, SELDOM, demo="clean")
    ran = deadheat(
        *(tmp_path, "ci", "demo", "--budget", "60s", "-x", "--events", "-"),
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
    )
    assert ran.returncode == 1
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["event"] for one in events] == ["checked"]
    assert events[0]["standing"] == "came back"
    commands = [line for line in ran.stderr.splitlines() if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error file=fuzz/regressions/demo/ghost-")
    assert "%0A" in commands[0]
    page = (tmp_path / "summary.md").read_text()
    assert "```text" in page
    assert "┌ delete(" in page


def test_interrupted_it_ends_with_130_and_a_verdict(tmp_path: Path) -> None:
    with start(tmp_path, "ci", "demo:correct", "--budget", "60s") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("searching"):
                break
        process.terminate()
        out, _ = process.communicate()
    assert process.returncode == 130
    assert out.splitlines()[-1].startswith("interrupted")
    assert gone(tmp_path)
