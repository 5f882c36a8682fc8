r"""Makes texts safe for what they are shown on: one function for each medium, applied last of all.

Rules
- A text may hold anything that a server, or the writer of a file, put into it. None of it commands
  what it is shown on: no control or direction character reaches a terminal, no line begins a
  command of a CI system, no tag, link or fence begins in Markdown, no word ends early in a shell.
- What cannot be shown is written as Python would: ``\x1b``, ``\u202e``, ``\ud83d``.
- Files keep what they were given: JSON escapes it, and reading gives it back.
- Each function hides what ``redaction`` knows.
"""

from __future__ import annotations

import json
import re
from shlex import quote
from typing import Any

from deadheat.files.redaction import hidden

# What GitHub, Azure and TeamCity obey in a job's output: at the beginning of a line ``::word``,
# and anywhere in it ``##[word]``, ``##vso[`` and ``##teamcity[``.
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#[A-Za-z]*\[)")
_INNER_COMMAND = re.compile(r"#(?=#[A-Za-z]*\[)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINE_ENDS = re.compile(r"\r\n|\n")


def line(text: str) -> str:
    """A text for one line of a terminal: line breaks show like any other control character."""
    return _harmless(_visible(hidden(text)))


def lines(text: str) -> str:
    """A text for a terminal, line by line: our own line feeds stay."""
    return "\n".join(map(line, hidden(text).split("\n")))


def github_command(text: str) -> str:
    """The message of a GitHub workflow command."""
    shown = "\n".join(map(_visible, hidden(text).split("\n")))
    return shown.replace("%", "%25").replace("\n", "%0A")


def github_property(text: str) -> str:
    """A property of a GitHub workflow command."""
    return github_command(text).replace(":", "%3A").replace(",", "%2C")


def markdown_line(text: str) -> str:
    """A text for a line or a cell of Markdown, with no markup in it."""
    shown = " ".join(_visible(" ".join(hidden(text).split(" "))).split())
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", shown)


def markdown_block(text: str, language: str = "text", *, code: bool = False) -> str:
    """A fenced block that nothing inside can end. ``code``: ours, meant to be copied."""
    inside = hidden(text)
    if not code:
        inside = without_tags("\n".join(map(line, inside.split("\n"))))
    longest = max((len(run) for run in re.findall("`+", inside)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{inside}\n{fence}"


def markdown_code(text: str) -> str:
    """A code span for a line of Markdown."""
    shown = without_tags(line(text)).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`"


def without_tags(text: str) -> str:
    """A text for a block or comment in Markdown, in which no tag begins."""
    return _TAG.sub(r"\\x3c", text)


def python_literal(value: object) -> str:
    """Texts, numbers and containers as Python literals, without tags or commands."""
    return _INNER_COMMAND.sub(r"\\x23", without_tags(repr(value)))


def page(value: object) -> object:
    """A value for an HTML page, before Jinja escapes it; a value that is not a plain text stays."""
    return _shown_lines(value) if type(value) is str else value


def xml(text: str) -> str:
    """A text for XML 1.0, before the library escapes it."""
    return _shown_lines(text)


def shell_word(text: str) -> str:
    """One word of bash, whatever is in it."""
    text = hidden(text)
    if text.isprintable() and not _INNER_COMMAND.search(text):
        return quote(text)
    told = "".join(
        {"\\": "\\\\", "'": "\\'"}.get(c, c) if c.isprintable() else _bytes_of(c) for c in text
    )
    told = _INNER_COMMAND.sub(r"\\x23", told)
    return f"$'{told}'"


def shell_line(*words: str) -> str:
    """A command line that is safe to copy."""
    return " ".join(map(shell_word, words))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON in plain ASCII but for printable text; reading it gives the value back.

    All but what is secret, in texts and in keys. A line of it may stand in a job's log.
    """
    whole = json_escaped(json.dumps(_hidden_in(value), ensure_ascii=False, indent=indent))
    return _INNER_COMMAND.sub(r"\\u0023", whole)


def json_escaped(text: str) -> str:
    """JSON in which characters that cannot be shown are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text)


def file_text(text: str) -> str:
    """The content of a text file that we have made: UTF-8, without a secret."""
    return hidden(text).encode(errors="backslashreplace").decode()


def _shown_lines(text: str) -> str:
    return "\n".join(map(_visible, _LINE_ENDS.split(hidden(text))))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(c: str) -> str:
    return c.encode("unicode_escape").decode()


def _harmless(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", text)


def _bytes_of(c: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in c.encode(errors="surrogatepass"))


def _json_escape(c: str) -> str:
    units = c.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))


def _hidden_in(value: Any) -> Any:
    match value:
        case str():
            return hidden(value)
        case dict():
            return {_hidden_in(key): _hidden_in(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_hidden_in(inner) for inner in value]
        case _:
            return value
