"""What users have on disk, in scripts and in their fingers must not change by accident.

Each is compared with a gold file in ``pins/``; ``pinned.py`` says how to write one anew, and when.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, get_args

import pytest
from tests.pinned import (
    FILES,
    GOLD,
    PINS,
    PROGRAMS,
    REGRESSIONS,
    text_of,
)

from deadheat import artifact as artifacts
from deadheat.artifact import FORMAT_VERSION, program_of, program_text, to_json
from deadheat.artifact_tags import TAGS, WORDS
from deadheat.generate.source import ProgramSource

if TYPE_CHECKING:
    from pathlib import Path

DRAWN = "programs.txt"


@pytest.mark.parametrize("name", sorted(set(PINS) - {DRAWN}))
def test_it_is_as_it_was(name: str) -> None:
    assert text_of(name) == GOLD.joinpath(name).read_text(encoding="utf-8")


def test_every_gold_file_is_compared() -> None:
    assert {path.name for path in GOLD.iterdir()} == set(PINS)


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
    }
    assert sum(len(words) for _, words in TAGS.values()) == len(WORDS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_written_and_read_by_these_words(name: str) -> None:
    text = program_text(PROGRAMS[name])
    assert program_of(text) == PROGRAMS[name]
    words = TAGS["call"][1]
    for call in PROGRAMS[name].calls():
        assert f'"call":"{words[type(call)]}"' in text


def test_a_file_of_today_is_written_as_it_was_byte_for_byte() -> None:
    today = [path for path in FILES if f'"format_version": {FORMAT_VERSION},' in path.read_text()]
    assert len(today) >= 5
    for path in today:
        assert to_json(artifacts.read(path)).encode() == path.read_bytes(), path


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_committed_regression_keeps_its_name(path: Path) -> None:
    """So ``accept`` and ``run`` know it again, whatever its format: they look by this name."""
    assert artifacts.read(path).filename == path.name
