"""Long lines wrapped for a narrow terminal, between words.

Rules
- Nothing is lost, added or joined: without its line feeds and indents the text is the same.
- What is to be copied stays whole: a path, what stands between backticks, and the lines that
  name a file or a command to run.
- A line goes on two columns further in than it began, so a list and a picture stay readable.
"""

from __future__ import annotations

import re
import textwrap

# Lines that are a command, or a path: the terminal breaks them, and a copy has no break in it.
_WHOLE = re.compile(r"\s*(?:saved|replay) {2,}|\s*deadheat \w+ |deadheat-result: ")
_CODE = re.compile(r"`[^`\n]*`")
# Stands for a space that must not be broken at; private use, so no text of ours has it.
_KEPT = "\ue0a0"
# Narrower than this nothing is readable, folded or not.
_NARROWEST = 40


def wrapped(text: str, width: int) -> str:
    """``text`` with no line longer than ``width``, where words allow it."""
    if width < _NARROWEST:
        return text
    return "\n".join(_line(line, width) for line in text.split("\n"))


def _line(line: str, width: int) -> str:
    if len(line) <= width or _WHOLE.match(line) or _KEPT in line:
        return line
    indent = " " * min(len(line) - len(line.lstrip(" ")) + 2, width // 2)
    rows = textwrap.wrap(
        _CODE.sub(lambda code: code[0].replace(" ", _KEPT), line),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )
    return "\n".join(rows).replace(_KEPT, " ")
