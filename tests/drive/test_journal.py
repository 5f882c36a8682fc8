"""What a stranger's notes may hold: each mistake is one line that names the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deadheat.drive.journal import left_behind
from deadheat.errors import BadFile

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '{"run": "ab12cd", "target": "http://127.0.0.1:1", "profile": null}\n'


def noted(store: Path, text: str) -> Path:
    path = store / "made" / "ab12cd.jsonl"
    path.parent.mkdir()
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        '{"run": 5}\n',
        HEAD.replace('"http://127.0.0.1:1"', '["x"]'),
        HEAD.replace("null", "5"),
        HEAD.replace('"ab12cd"', "{}"),
        HEAD.replace("ab12cd", "x"),
        HEAD + "[]\n",
        HEAD + '{"came": "x"}\n',
    ],
)
def test_what_is_no_note_is_told(tmp_path: Path, text: str) -> None:
    path = noted(tmp_path, text)
    with pytest.raises(BadFile, match="Delete the file") as raised:
        left_behind(tmp_path)
    assert str(path) in str(raised.value)


def test_so_is_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "made" / "ab12cd.jsonl").mkdir(parents=True)
    with pytest.raises(BadFile, match="cannot be read"):
        left_behind(tmp_path)


def test_what_was_killed_in_the_middle_of_a_line_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    noted(tmp_path, HEAD + '{"made": "a"}\n{"made": "b"}\n{"gone": "a"}\n{"go')
    ((left,), running) = left_behind(tmp_path)
    assert (left.sessions, running) == (("b",), 0)
