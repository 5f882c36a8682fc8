"""Texts that command whatever shows them, and what each medium must never hold."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

from hypothesis import strategies as st

from deadheat.cli.main import main

# Each is dangerous somewhere: terminals, CI systems, Markdown, HTML, XML, Python, shells, formats.
PIECES = (
    "\x1b]0;pwned\x07",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "\x85",
    "\x7f",
    "\x00",
    "\b\t\v\f",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\ud83d",
    "\udc00",
    "\U000e0041",
    "\r\n::error::x",
    "\n  ::stop-commands::x",
    "\n##[error]x",
    "\n##vso[task.setvariable variable=x]y",
    "\r::set-output name=x::y",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!-- ",
    "]]>",
    "```\n# heading\n|a|",
    "~~~",
    "[x](javascript:alert(1))",
    '"; rm -rf / #',
    "'; touch PWNED; '",
    "$(touch PWNED)`touch PWNED`",
    '\'"""\nimport os; os.abort()\n"""\'',
    "\\",
    '"""',
    "{0.__class__} {a} {9} %s %(x)s {{",
    "[bold red]x[/]",
    "é漢字🎉",
    "a" * 700,
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("x".join)

_NEVER_ON_A_TERMINAL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_COMMANDS = re.compile(r"^\s*::|##\[|##[A-Za-z]+\[", re.MULTILINE)
_TAG = re.compile(r"<[A-Za-z/!?]")


def deadheat(*words: str) -> tuple[int, str, str]:
    """The command line in this process: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as exc:
            code = exc.code
    return int(code or 0), out.getvalue(), err.getvalue()


def assert_shown(text: str) -> None:
    """What a terminal, or the log of a CI job, may be sent."""
    found = _NEVER_ON_A_TERMINAL.search(text)
    assert found is None, (found, text[max(0, found.start() - 40) : found.end() + 40])
    command = _COMMANDS.search(text)
    assert command is None, text[max(0, command.start() - 40) : command.end() + 40]


def assert_markdown(text: str, *ours: str) -> None:
    """No control character, and no tag but ``ours``."""
    found = _NEVER_ON_A_TERMINAL.search(text)
    assert found is None, (found, text[max(0, found.start() - 40) : found.end() + 40])
    for tag in ours:
        text = text.replace(tag, "")
    tagged = _TAG.search(text)
    assert tagged is None, text[max(0, tagged.start() - 40) : tagged.end() + 40]


def with_texts(whole: Any, text: str, places: tuple[tuple[Any, ...], ...]) -> None:
    """Put the text at each of these places of a JSON value."""
    for *way, last in places:
        holder = whole
        for step in way:
            holder = holder[step]
        holder[last] = text


def text_places(whole: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value has texts."""
    match whole:
        case str():
            return [way]
        case dict():
            return [p for key, inner in whole.items() for p in text_places(inner, (*way, key))]
        case list():
            return [p for n, inner in enumerate(whole) for p in text_places(inner, (*way, n))]
        case _:
            return []
