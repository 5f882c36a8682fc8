"""How an artifact's values become the text of its file.

Rules
- Indented, with one operation, one call, one step of a proof a line: people read differences.
- No text holds a secret; the format's own words stay as they are, or it could not be read.
- What no terminal should be shown raw, and what is no UTF-8, stands there as JSON escapes.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from deadheat.files.media import json_escaped
from deadheat.files.redaction import hidden

if TYPE_CHECKING:
    from collections.abc import Set


# A field's name, or a session's: only ``expect`` has other keys, the names of targets.
_FIELD = re.compile(r"[a-z_]+|[a-z][0-9]*'*").fullmatch


def without_secrets(value: Any, ours: Set[str]) -> Any:
    """The same value with secrets hidden in every text but the format's own words."""
    words = ours | {str(word) for kind in StrEnum.__subclasses__() for word in kind}

    def kept(one: Any) -> Any:
        match one:
            case str():
                return one if one in words else hidden(one)
            case dict():
                return {k if _FIELD(k) else hidden(k): kept(inner) for k, inner in one.items()}
            case list() | tuple():
                return [kept(inner) for inner in one]
            case _:
                return one

    return kept(value)


# Keys that only an operation, an announcement, a step of a proof have.
_ON_ONE_LINE = frozenset({"invocation", "arrived_ns", "step"})


def pretty(whole: dict[str, Any]) -> str:
    """Indented JSON with one operation, one call, and one step of a proof a line."""

    def text(value: Any, depth: int) -> str:
        flat = json_escaped(json.dumps(value, ensure_ascii=False))
        if not isinstance(value, dict | list) or len(flat) + 2 * depth <= 100:
            return flat
        if isinstance(value, dict) and not _ON_ONE_LINE.isdisjoint(value):
            return flat
        pad, end = "  " * (depth + 1), "  " * depth
        if isinstance(value, list):
            inner = ",\n".join(pad + text(item, depth + 1) for item in value)
            return f"[\n{inner}\n{end}]"
        inner = ",\n".join(
            f"{pad}{json_escaped(json.dumps(key, ensure_ascii=False))}: {text(item, depth + 1)}"
            for key, item in value.items()
        )
        return f"{{\n{inner}\n{end}}}"

    return text(whole, 0)
