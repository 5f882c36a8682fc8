"""What users have on disk, in scripts and in their fingers must not change by accident.

Each is compared with a gold file in ``pins/``; ``pinned.py`` says how to write one anew, and when.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from dataclasses import replace
from importlib.metadata import distribution, version
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from tests.campaign.crewed import FakeCrew, coordinator, works
from tests.examples import example
from tests.pinned import (
    FILES,
    GOLD,
    PINS,
    PROGRAMS,
    ROOT,
    text_of,
)

from deadheat import pytest_plugin
from deadheat.campaign import protocol, rows
from deadheat.campaign.store import DATABASE, OpenShare, Store, read_record
from deadheat.cli.main import main
from deadheat.drive.server import keeper
from deadheat.errors import BadStore
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import FORMAT_VERSION, divergence_of, from_json, to_json
from deadheat.files.artifact_tags import TAGS, WORDS
from deadheat.files.results import CampaignFinding, Sample
from deadheat.generate.source import ProgramSource
from deadheat.report.html import example_page
from deadheat.targets.demo import server as demo_server

DRAWN = "programs.txt"
REGRESSIONS = tuple(sorted(ROOT.glob("fuzz/regressions/*/*.json")))
PACKAGE = Path(keeper.__file__).parents[2]


@pytest.mark.parametrize("name", sorted(set(PINS) - {DRAWN}))
def test_it_is_as_it_was(name: str) -> None:
    assert text_of(name) == GOLD.joinpath(name).read_text(encoding="utf-8")


def test_every_gold_file_is_compared() -> None:
    assert {path.name for path in GOLD.iterdir() if path.is_file()} == set(PINS)


# --- seeds and programs -------------------------------------------------------------------------


def test_a_seed_draws_the_programs_that_it_drew() -> None:
    now, then = text_of(DRAWN), GOLD.joinpath(DRAWN).read_text(encoding="utf-8")
    by, _, _ = then.partition("\n")
    if (
        by != f"hypothesis {version('hypothesis')}"
        and now.partition("\n")[2] != then[len(by) + 1 :]
    ):
        pytest.skip(f"the pinned programs were drawn by {by}: write {DRAWN} anew with this one")
    assert now.partition("\n")[2] == then[len(by) + 1 :]


def test_what_else_is_loaded_draws_no_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypothesis takes numbers from the sources of loaded modules, of a user's too."""
    before = [tuple(ProgramSource(seed).batch()) for seed in range(4)]
    path = tmp_path / "numbers_of_a_user.py"
    path.write_text(f"NUMBERS = {list(range(101, 255))}\n")
    module = ModuleType("numbers_of_a_user")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert [tuple(ProgramSource(seed).batch()) for seed in range(4)] == before


# --- artifacts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", TAGS)
def test_each_class_has_a_word_of_its_own(key: str) -> None:
    union, words = TAGS[key]
    assert set(words) == set(get_args(union))
    assert len(set(words.values())) == len(words)


def test_the_words_are_those_of_the_files_that_are_there() -> None:
    assert {key: sorted(words.values()) for key, (_, words) in TAGS.items()} == {
        "call": [
            *("children", "create", "delete", "fork", "get", "list", "owncall", "recreate"),
            "rename",
        ],
        "result": [
            *("absent", "answered", "begun", "created", "deleted", "exists", "found", "listed"),
            *("offspring", "renamed", "undeclared"),
        ],
        "outcome": ["fail", "info", "ok"],
        "because": [
            *("changed", "had-removed", "had-taken", "lacks-title", "left-alone", "missed"),
            *("real-time", "removed", "showed", "shows-title", "taken-along"),
        ],
        "cause": ["breaks", "too-early", "too-late", "would-answer"],
        "step": [
            *("absurd", "announced-twice", "before-its-call", "belied", "follows", "gave"),
            *("made-twice", "more-places", "never-announced", "never-gone", "no-maker"),
            *("no-place", "not-done", "ruled-out", "same-id", "shows-twice", "suppose", "told"),
            *("unknown-title", "without-it"),
        ],
        "edit": ["edit", "told"],
        "reason": ["by-anomaly", "by-answer", "died", "silent", "told", "unanswered"],
    }
    assert {word for _, words in TAGS.values() for word in words.values()} == WORDS


@pytest.mark.parametrize("name", [name for name in PROGRAMS if PROGRAMS[name].calls()])
def test_a_program_is_written_and_read_by_these_words(name: str) -> None:
    text = to_json(replace(example(), program=PROGRAMS[name]))
    assert from_json(text, "example").program == PROGRAMS[name]
    words = TAGS["call"][1]
    for call in PROGRAMS[name].calls():
        assert f'"call": "{words[type(call)]}"' in text


def test_a_file_of_today_is_written_as_it_was_byte_for_byte() -> None:
    version_of_today = f'"format_version": {FORMAT_VERSION},'
    every = (*FILES, *REGRESSIONS)
    today = [path for path in every if version_of_today in path.read_text(encoding="utf-8")]
    assert today
    for path in today:
        assert to_json(artifacts.read(path)).encode() == path.read_bytes(), path


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_committed_regression_keeps_its_name(path: Path) -> None:
    """So ``accept`` and ``run`` know it again, whatever its format: they look by this name."""
    assert artifacts.read(path).filename == path.name


# --- stores -------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A campaign that commit 3a4aa5b has begun, and has gone on with once."""
    shutil.copytree(GOLD / "store-3a4aa5b" / "found", tmp_path / "found")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        database.executescript(GOLD.joinpath("store-3a4aa5b", "campaign.sql").read_text())
    return tmp_path


def rows_of(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return database.execute(query).fetchall()


def test_each_row_of_before_is_written_as_it_was(store: Path) -> None:
    settings = "SELECT name, value FROM settings WHERE name NOT LIKE 'fact %'"
    values = {name: json.loads(value) for name, value in rows_of(store, settings)}
    assert list(rows.settings_values(rows.settings_of(values)).items()) == list(values.items())
    samples = rows_of(store, "SELECT body FROM samples")
    assert len(samples) == 14
    assert [(rows.sample_text(rows.sample_of(body)),) for (body,) in samples] == samples
    ((key, file, body),) = rows_of(store, "SELECT key, file, body FROM findings")
    path = store / "found" / file
    finding = rows.finding_of(key, artifacts.read(path), path, body)
    assert rows.finding_text(finding) == body
    assert str(divergence_of(finding.artifact).signature) == key


def test_a_campaign_of_before_is_read_and_gone_on_with(store: Path) -> None:
    record = read_record(store)
    assert (record.target, record.seed, record.ended) == ("demo", 7, "time")
    assert record.totals["programs"] == 385
    assert {str(overlap): n for overlap, n in record.seen.items()} == dict(
        rows_of(store, "SELECT overlap, seen FROM overlaps")
    )
    assert {str(pairing): silence.trials for pairing, silence in record.silence.items()} == dict(
        rows_of(store, "SELECT pairing, trials FROM silence")
    )
    crew = FakeCrew(works)
    with Store(store, None) as opened:
        opened.change(seconds=None, programs=1_000)
        assert opened.settings.recycle_bytes == 2 * 2**30
        assert opened.shares()[0] == OpenShare(0, 306, 132)
        assert coordinator(opened, crew, []).run() is None
        assert opened.totals()["programs"] == 1_000
        assert opened.findings()[0].path.name == "ghost-6a356f56.json"
        assert (opened.fact("learned"), opened.fact("ended")) == ([2145], "programs")
    assert crew.of(protocol.Share) == [protocol.Share(0, 306, 132), protocol.Share(1, 309, 0)]


def test_a_value_that_nobody_knows_is_refused(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as database:
        database.execute("INSERT INTO settings VALUES ('max_lanes', '3')")
        database.commit()
    with pytest.raises(BadStore, match="max_lanes"):
        read_record(store)


def test_each_field_has_a_place_in_the_store() -> None:
    settings = rows.Settings("w", "p", True, 1, 2.0, 3, 4, 5, 6, "b", True, 7.0, 8)
    sample = Sample(1.0, 2, 3, 4, 5, 6, 7, 8, 9)
    finding = CampaignFinding(
        "k", example(), Path("f"), True, True, 1, 2, 3, 4.0, 5.0, 6, 7, ((1, 2, 3),)
    )
    assert rows.settings_of(rows.settings_values(settings)) == settings
    assert rows.sample_of(rows.sample_text(sample)) == sample
    written = rows.finding_text(finding)
    assert rows.finding_of("k", finding.artifact, finding.path, written) == finding


# --- what is called by its name -----------------------------------------------------------------


def run(*words: str, given: str = "") -> tuple[int, str]:
    """Its exit code and what it prints, from a folder without the sources."""
    done = subprocess.run(
        [sys.executable, *words], input=given, capture_output=True, text=True, cwd="/", check=False
    )
    return done.returncode, done.stdout


def test_the_package_and_its_workers_run_by_name() -> None:
    assert run("-m", "deadheat", "--version") == (0, f"deadheat, version {version('deadheat')}\n")
    code, said = run("-m", "deadheat.campaign.worker")  # no order: it says hello, and ends
    assert code == 0
    assert isinstance(protocol.from_line(said), protocol.Hello)


def test_the_demo_server_runs_by_name_and_by_path() -> None:
    assert run("-m", "deadheat.targets.demo.server", "--help")[0] == 0
    assert run("-P", demo_server.__file__, "--help")[0] == 0


def test_the_keeper_runs_by_path_with_nothing_but_the_standard_library(tmp_path: Path) -> None:
    words = (keeper.__file__, str(tmp_path), "1", "15")
    code, said = run("-I", "-S", *words)  # no order: a home, and the pipe ends
    home, *_, gone = map(json.loads, said.splitlines())
    assert code == 0
    assert Path(home["home"]).parent == tmp_path
    assert gone == {"gone": True}
    assert not list(tmp_path.iterdir())


def test_entry_points() -> None:
    ours = {(point.group, point.name): point for point in distribution("deadheat").entry_points}
    assert ours["console_scripts", "deadheat"].load() is main
    assert ours["pytest11", "deadheat"].load() is pytest_plugin


def test_what_is_no_code_is_in_the_package() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert {name for name in found if "/templates/" not in name} == {
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "LICENSE",
        "py.typed",
        "schemas/config.schema.json",
        "schemas/profile.schema.json",
        "targets/opencode/profiles/opencode-1.0.toml",
        "targets/opencode/profiles/opencode-1.2.toml",
    }
    for name in found:
        assert files("deadheat").joinpath(name).is_file()
    assert example_page(example(), Path("x.json")).startswith("<!")  # it is made of a template


def test_the_licence_goes_with_the_wheel() -> None:
    said = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert said["license-files"] == ["src/deadheat/LICENSE"]
    text = ROOT.joinpath("src/deadheat/LICENSE").read_text(encoding="utf-8")
    assert text.startswith(f"{said['license']} License\n")
