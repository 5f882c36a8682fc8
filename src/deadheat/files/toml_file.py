"""A TOML file checked by a pydantic model; a mistake is one line: file, line, key, what to write.

Rules
- ``tomllib`` forgets where a key stood, so the line is looked up again in the text: that of the
  longest part of the key's path that can be found.
- Of several mistakes the first one is told, and how many more there are.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic

from deadheat.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=pydantic.BaseModel)
Where = tuple[int | str, ...]

_KEY = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_KEYS})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNED = re.compile(rf"\s*({_KEYS})\s*=")
# tomllib's own messages end so.
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """The file's text and what it says. Raises ``BadFile``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadFile(f"{path} does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise BadFile(f"{path} cannot be read ({type(exc).__name__}). Check the file.") from exc
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        at = _AT_LINE.search(str(exc))
        line = f":{at[1]}" if at else ""
        raise BadFile(
            f"{path}{line}: {_AT_LINE.sub('', str(exc))}. Correct the TOML there."
        ) from exc


def load(path: Path, model: type[M], table: tuple[str, ...] = ()) -> M | None:
    """The table of the file as a ``model``; None when the file has no such table.

    Raises ``BadFile``.
    """
    text, body = read_toml(path)
    found: Any = body
    for key in table:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return checked(path, text, model, found, table)


def checked(path: Path, text: str, model: type[M], body: Any, table: tuple[str, ...] = ()) -> M:
    """``body``, which stands under ``table`` of ``text``, as a ``model``. Raises ``BadFile``."""
    try:
        return model.model_validate(body)
    except pydantic.ValidationError as exc:
        raise BadFile(_mistake(path, text, model, table, exc.errors())) from exc


def _mistake(
    path: Path,
    text: str,
    model: type[pydantic.BaseModel],
    table: tuple[str, ...],
    errors: list[ErrorDetails],
) -> str:
    first = errors[0]
    where: Where = (*table, *first["loc"])
    line = line_of(text, where)
    key = ".".join(str(part) for part in where if isinstance(part, str)) or "the file"
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    at = f":{line}" if line else ""
    return f"{path}{at}: {key} {_said(model, first)}{more}"


def _said(model: type[pydantic.BaseModel], error: ErrorDetails) -> str:
    """What is wrong with the key, and what to write instead."""
    *above, last = error["loc"] or ("",)
    holder = _model_at(model, tuple(above))
    known = _keys(holder) if holder is not None else {}
    match error["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(str(last), known, n=1)
            wanted = f"Did you mean {near[0]}?" if near else f"Write one of: {', '.join(known)}."
            return f"is not a key here. {wanted}"
        case "missing":
            return f"is missing. {_example(str(last), known.get(str(last)))}"
        case "enum" | "literal_error":
            expected = error.get("ctx", {}).get("expected", "")
            return f"is {error['input']!r}. Write one of: {expected}."
        case "value_error":
            return f"{error['msg'].removeprefix('Value error, ')}".strip()
        case _:
            wrong = error["msg"][:1].lower() + error["msg"][1:]
            return f"is wrong: {wrong}. {_example(str(last), known.get(str(last)))}".strip()


def _example(key: str, field: pydantic.fields.FieldInfo | None) -> str:
    examples = field.examples if field is not None else None
    return f"Write {key} = {toml_value(examples[0])}" if examples else "Correct it."


def _keys(model: type[pydantic.BaseModel]) -> Mapping[str, pydantic.fields.FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(
    model: type[pydantic.BaseModel], path: tuple[int | str, ...]
) -> type[pydantic.BaseModel] | None:
    """The model that holds the key under ``path``; None when the key is unknown."""
    here: type[pydantic.BaseModel] | None = model
    for key in path:
        if here is None or not isinstance(key, str):
            return None
        field = _keys(here).get(key)
        here = None if field is None else _model_in(field.annotation)
    return here


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            return kind
    return None


def toml_value(value: object) -> str:
    """A value as it is written in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case dict():
            return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
        case _:
            return str(value)


def line_of(text: str, where: Where) -> int | None:
    """The line (from 1) on which the key at ``where`` is written, or the nearest above it."""
    wanted = tuple(part for part in where if isinstance(part, str))
    best: tuple[int, int] | None = None  # how much of the path, the line
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if (header := _HEADER.match(line)) is not None:
            here = table = _parts(header[1])
        elif (assigned := _ASSIGNED.match(line)) is not None:
            here = (*table, *_parts(assigned[1]))
        else:
            continue
        if here == wanted[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return None if best is None else best[1]


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))
