"""Long lines on a narrow terminal: folded between words, and what is copied stays whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadheat.cli.wrapping import wrapped

PICTURE = "    list()            [b]           ✗ b was deleted with success, and nothing more came"
COMMAND = f"replay  deadheat replay .deadheat/{'x' * 40}/ghost-c83fe2b0.json --against demo:correct"


def test_a_line_goes_on_two_columns_further_in() -> None:
    assert wrapped(PICTURE, 80).split("\n") == [
        "    list()            [b]           ✗ b was deleted with success, and nothing",
        "      more came",
    ]


@pytest.mark.parametrize("whole", [COMMAND, COMMAND.partition("  ")[2], "x" * 200, "short enough"])
def test_what_is_copied_stays_whole(whole: str) -> None:
    assert wrapped(whole, 80) == whole


def test_a_command_in_a_sentence_stays_whole() -> None:
    text = "look for offsets at which it shows more often: `deadheat tune FILE --for 10m --trust`"
    assert wrapped(text, 60).split("\n")[1].strip() == "`deadheat tune FILE --for 10m --trust`"


@given(st.text(alphabet="ab` ✗é.-", max_size=200), st.integers(40, 100))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int) -> None:
    rows = wrapped(text, width).split("\n")
    assert "".join("".join(rows).split()) == "".join(text.split())
    for row in rows:  # only what may not be broken is longer
        assert len(row) <= width or "`" in row or " " not in row.strip()
