"""The place of a value in a JSON answer: a dotted path, or a JSONPath (RFC 9535).

Rules
- ``data.items`` and ``items.0.id`` are dotted: keys, and numbers into arrays. Empty: the answer
  itself. What begins with ``$`` is a JSONPath, read by a library.
- What is not there is a ``LookupError``, and what is there twice, too: which one is meant nobody
  knows. Of another type than the path needs: ``TypeError``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import jsonpath

if TYPE_CHECKING:
    from collections.abc import Callable


class NoJson(ValueError):
    """The body is not JSON, or nested too deep to be read."""


def parsed(body: bytes) -> Any:
    """The body as JSON. Raises ``NoJson``."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NoJson from None


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A path, parsed once. ``place`` makes it.

    ``of`` finds what stands there, ``array`` an array: the one that stands there, or all that a
    JSONPath finds. Both raise ``LookupError`` or ``TypeError``.
    """

    of: Callable[[Any], Any]
    array: Callable[[Any], list[Any]]


@cache
def place(path: str) -> ValuePath:
    """The place that a path names. Raises ``ValueError`` for what is not a JSONPath."""
    if not path.startswith("$"):
        dotted = _dotted(tuple(path.split(".")) if path else ())
        return ValuePath(dotted, lambda answer: _array(dotted(answer)))
    try:
        query = jsonpath.compile(path)
    except (jsonpath.JSONPathError, RecursionError) as exc:
        raise ValueError(f"{path!r} is not a JSONPath ({str(exc).splitlines()[0]}).") from None
    if not isinstance(query, jsonpath.JSONPath):
        raise ValueError(f"{path!r} is two JSONPaths. Write one.")

    def of(answer: Any) -> Any:
        return _only(query, answer)

    if query.singular_query():
        return ValuePath(of, lambda answer: _array(of(answer)))
    return ValuePath(of, lambda answer: _all(query, answer))


def _dotted(keys: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(keys) == 1 and not keys[0].isdecimal():
        return itemgetter(keys[0])  # nearly every place, and the fastest way there

    def of(answer: Any) -> Any:
        for key in keys:
            answer = answer[int(key) if type(answer) is list and key.isdecimal() else key]
        return answer

    return of


def _array(found: Any) -> list[Any]:
    if type(found) is not list:
        raise TypeError("a list was expected")
    return found


def _only(query: jsonpath.JSONPath, answer: Any) -> Any:
    found = _all(query, answer)
    if len(found) != 1:
        raise LookupError(f"{len(found)} values at a JSONPath")
    return found[0]


def _all(query: jsonpath.JSONPath, answer: Any) -> list[Any]:
    try:
        return query.findall(answer)
    except (jsonpath.JSONPathError, RecursionError) as exc:
        raise LookupError(str(exc)[:60]) from None
