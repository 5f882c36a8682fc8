"""Reads a stranger's document into plain values: JSON or YAML, references followed inside it.

Rules
- A reference becomes the very object that it names, so nothing is copied and a cycle is a cycle:
  the walk over the document is bounded. One that names nothing, or only itself, is ``{}``.
- Nothing is fetched or opened. What lies outside is left out and told.
- What stands for data (an example, a default) is no reference, whatever its keys are.
- YAML's aliases are shared objects, too; its merge keys are copies, and so are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import yaml

from deadheat.errors import BadFile

# Of a document of 3 MB (GitHub's whole API) some 400,000 values are parts of maps and lists.
_MOST_VALUES = 2_000_000
# A merge key copies; this many entries would be a document of some megabytes written out.
_MOST_MERGED = 100_000
# References that name references; no document has more than two or three.
_LONGEST_CHAIN = 50
_DATA = frozenset({"example", "examples", "default", "enum", "const"})
# The children of these are names that people chose, ``default`` as well as any.
_OF_NAMES = frozenset(
    {"properties", "patternProperties", "paths", "schemas", "parameters", "responses", "headers",
     "requestBodies", "definitions", "$defs", "content"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Linked:
    """``whole``: the document. ``outside``: references that were not followed."""

    whole: Any
    outside: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """YAML's safe types; merge keys are bounded."""

    merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """See PyYAML: what ``<<`` names becomes part of the map."""
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > _MOST_MERGED:
            raise RecursionError


def read_linked(text: str, shown: str) -> Linked:
    """The document with its references followed. Raises ``BadFile``."""
    try:
        whole = yaml.load(text, _Loader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        at = "" if mark is None else f":{mark.line + 1}"
        raise BadFile(f"{shown}{at} is neither JSON nor YAML. Name another one.") from None
    except (RecursionError, ValueError, TypeError):  # a date that is none, a key that is a list
        raise BadFile(f"{shown} is too deep or too odd to be read. Name another one.") from None
    linker = _Linker(whole)
    return Linked(linker.linked(shown), tuple(linker.outside))


class _Linker:
    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self.outside: dict[str, None] = {}  # a set in the order in which they were met

    def linked(self, shown: str) -> Any:
        # Each object once, however many aliases name it. ``names``: its keys are people's words.
        if type(self._whole) not in (dict, list):
            return self._whole
        seen = {id(self._whole)}
        waiting: list[tuple[Any, bool]] = [(self._whole, False)]
        values = 0
        while waiting:
            holder, names = waiting.pop()
            pairs = list(holder.items() if type(holder) is dict else enumerate(holder))
            values += len(pairs)
            if values > _MOST_VALUES:
                raise BadFile(f"{shown} is too large to be read. Name a smaller one.")
            for key, value in pairs:
                if key in _DATA and not names and type(holder) is dict:
                    continue
                found = holder[key] = self._followed(value)
                if type(found) in (dict, list) and id(found) not in seen:
                    seen.add(id(found))
                    waiting.append((found, key in _OF_NAMES and not names))
        return self._whole

    def _followed(self, value: Any) -> Any:
        for _ in range(_LONGEST_CHAIN):
            if type(value) is not dict or type(value.get("$ref")) is not str:
                return value
            reference: str = value["$ref"]
            if not reference.startswith("#"):
                self.outside[reference] = None
                return {}
            value = self._named(reference[1:])
        return {}

    def _named(self, pointer: str) -> Any:
        """The value that a JSON pointer (RFC 6901) names; ``{}``: none."""
        value = self._whole
        if pointer and not pointer.startswith("/"):
            return {}
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if type(value) is list and key.isdecimal() and len(key) < 10 and int(key) < len(value):
                value = value[int(key)]
            elif type(value) is dict and key in value:
                value = value[key]
            elif type(value) is dict and key.isdecimal() and int(key[:9]) in value:
                value = value[int(key[:9])]  # YAML reads a status as a number
            else:
                return {}
        return value
