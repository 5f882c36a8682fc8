"""Finds collections in an OpenAPI 3 document: what can be created, read, listed and deleted.

Rules
- A collection is a path with GET and POST, beside one below it, of one parameter, with GET and
  DELETE: ``/carts`` and ``/carts/{id}``. Anything else is left to the person.
- A document is read, never trusted: what it says of ids and titles is a guess that probes correct,
  and nothing that it names is fetched or opened (``references``).
- Its objects are shared and may contain themselves, so every walk is bounded: by its depth, and all
  walks together by ``_MOST_STEPS``. A value of another type than the standard's counts as missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deadheat.errors import BadFile
from deadheat.targets.openapi.references import read_linked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PARAMETER = re.compile(r"\{[^{}]+\}")
_BELOW = re.compile(r"((?:/[!-~]*)?)/\{[^{}]+\}/?")  # what a request line can hold
# What people call the text that a session carries, the likeliest first.
_TITLES = ("title", "name", "label", "summary", "description", "text")
_DEPTH = 6  # of a sample: a schema may contain itself
# Values of one sample, and parts of one schema; the largest bodies in use have some dozens.
_MOST_VALUES = 1_000
_LONGEST_TEXT = 1_000  # of a sample, whatever a schema's minLength says
_MOST_COLLECTIONS = 1_000
_LARGEST = 1e15  # numbers that JSON keeps exactly
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One call of the document: ``body`` a sample of what is sent, ``answer`` the schema of it."""

    method: str
    path: str
    body: Any = None
    answer: Any = None
    done: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiCollection:
    """``item`` is the path of one, with its parameter spelt ``{id}``. ``title``: or ""."""

    path: str
    item: str
    create: ApiOperation
    get: ApiOperation
    list: ApiOperation
    delete: ApiOperation
    rename: ApiOperation | None
    title: str
    id: str
    items: str

    @property
    def name(self) -> str:
        """A short name: the last word of its path."""
        words = [word for word in self.path.split("/") if word and "{" not in word]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", words[-1]).strip("-._") or "api" if words else "api"


def read_document(
    text: str, shown: str, tell: Callable[[str], None] = lambda _line: None
) -> dict[str, Any]:
    """The document with its references followed; ``tell`` gets those that lead outside.

    Raises ``BadFile``.
    """
    linked = read_linked(text, shown)
    found = linked.whole
    if not isinstance(found, dict) or not str(found.get("openapi", "")).startswith("3."):
        raise BadFile(f"{shown} is not an OpenAPI 3 document. Name one, or the URL of a server.")
    for reference in linked.outside[:_MOST_TOLD]:
        tell(
            f"{shown} refers to {reference}, which is outside of it and is not read. "
            "If it matters, bundle all into one document first."
        )
    if len(linked.outside) > _MOST_TOLD:
        tell(f"and to {len(linked.outside) - _MOST_TOLD} more.")
    return found


def base_path(document: dict[str, Any]) -> str:
    """The path before every other, if the document names a server with one."""
    first: dict[str, Any] = next(
        (one for one in _array(document.get("servers")) if _is_map(one)), {}
    )
    try:
        path = urlsplit(str(first.get("url", ""))).path.rstrip("/")
    except ValueError:  # http://[
        return ""
    return path if re.fullmatch(r"(/[^\s?#{}]+)*", path) else ""


def collections(document: dict[str, Any]) -> tuple[ApiCollection, ...]:
    """Every collection, the likeliest first: the fewest path parts, with a title to rename."""
    paths = {path: item for path, item in _map(document.get("paths")).items() if _is_map(item)}
    found = []
    for below, one in paths.items():
        match = _BELOW.fullmatch(str(below))
        if match is None or not {"get", "delete"} <= one.keys():
            continue
        for path in (match[1], f"{match[1]}/"):
            whole = paths.get(path, {})
            if {"get", "post"} <= whole.keys() and "{" not in path:
                found.append(_collection(path, below, whole, one))
        if len(found) >= _MOST_COLLECTIONS:
            break
    return tuple(sorted(found, key=lambda one: (one.path.count("/"), not one.title, one.path)))


def _collection(path: str, below: str, whole: dict[str, Any], one: dict[str, Any]) -> ApiCollection:
    item = _PARAMETER.sub("{id}", below)
    parameter = _PARAMETER.search(below)
    create, got = _operation("POST", path, whole["post"]), _operation("GET", item, one["get"])
    listed = _operation("GET", path, whole["get"])
    items, entry = _items(listed.answer)
    shown = _properties(got.answer) or _properties(entry)
    sent = _properties(_body_schema(whole["post"]))
    title = next(
        (word for word in _TITLES if _is_text(sent.get(word)) and (word in shown or not shown)),
        "",
    )
    body = create.body
    if title:
        body = {**(body if isinstance(body, dict) else {}), title: "{title}"}
    rename = next(
        (
            ApiOperation(method.upper(), item, _renaming(one[method], title, body), None, ())
            for method in ("patch", "put")
            if title and method in one and title in _properties(_body_schema(one[method]))
        ),
        None,
    )
    return ApiCollection(
        path,
        item,
        ApiOperation("POST", path, body, create.answer, create.done),
        got,
        listed,
        _operation("DELETE", item, one["delete"]),
        rename,
        title,
        _id(_properties(create.answer) or shown, parameter[0].strip("{}") if parameter else "id"),
        items,
    )


def _operation(method: str, path: str, said: Any) -> ApiOperation:
    done, answer = [], None
    for status, response in _map(_map(said).get("responses")).items():
        if re.fullmatch(r"2\d\d", str(status), re.ASCII):
            done.append(int(status))
            answer = answer or _schema(response)
    schema = _body_schema(said)
    body = None if schema is None or method in ("GET", "DELETE") else _sample(schema)
    return ApiOperation(method, path, body, answer, tuple(sorted(done)))


def _renaming(said: Any, title: str, created: Any) -> Any:
    """PATCH sends the title alone, unless more is required; then as the create does."""
    schema = _body_schema(said)
    if set(_names(_map(schema).get("required"))) <= {title}:
        return {title: "{title}"}
    return {**_map(_sample(schema)), **_map(created), title: "{title}"}


def _body_schema(said: Any) -> Any:
    return _schema(_map(said).get("requestBody"))


def _schema(holder: Any) -> Any:
    content = _map(_map(holder).get("content"))
    media = next((content[kind] for kind in content if "json" in str(kind)), None)
    return _map(media).get("schema")


def _parts(schema: Any, *words: str) -> Iterator[dict[str, Any]]:
    """The schema and what these words of it name, and of those: each once, the outermost first."""
    waiting, seen = [schema], {id(schema)}
    for one in waiting:
        if not _is_map(one):
            continue
        yield one
        for word in words:
            for part in _array(one.get(word)):
                if id(part) not in seen and len(seen) < _MOST_VALUES:
                    seen.add(id(part))
                    waiting.append(part)


def _properties(schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts(schema, "allOf", "anyOf", "oneOf"):
        found = {**_named(part.get("properties")), **found}
    return found


def _items(schema: Any) -> tuple[str, Any]:
    """The place of a list's array, and the schema of an item."""
    if not _is_map(schema) or schema.get("type") == "array":
        return "", _map(schema).get("items")
    for name, inner in _properties(schema).items():
        if _is_map(inner) and inner.get("type") == "array":
            return name, inner.get("items")
    return "", None


def _id(properties: dict[str, Any], parameter: str) -> str:
    for name in ("id", parameter, "uuid", "_id", "key"):
        if name in properties:
            return name
    return next((name for name in properties if name.lower().endswith("id")), "id")


def _sample(schema: Any) -> Any:
    """A value that the schema allows, as plain as may be; required properties only."""
    return _Sampler().of(schema, _DEPTH)


class _Sampler:
    """Makes one sample of limited size; what does not fit is null."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def of(self, schema: Any, depth: int) -> Any:
        """A value of this schema."""
        self._left -= 1
        if not _is_map(schema) or depth == 0 or self._left < 0:
            return None
        for word in ("const", "default", "example"):
            if word in schema:
                return self._plain(schema[word], depth)
        for word in ("examples", "enum"):
            if isinstance(schema.get(word), list) and schema[word]:
                return self._plain(schema[word][0], depth)
        for one in (*_array(schema.get("oneOf")), *_array(schema.get("anyOf"))):
            return self.of(one, depth - 1)
        kind = schema.get("type")
        match kind[0] if isinstance(kind, list) and kind else kind:
            case "string":
                return _text(schema)
            case "integer" | "number":
                return max(_number(schema.get("minimum")), 0) or 1
            case "boolean":
                return False
            case "array":
                few = min(int(_number(schema.get("minItems"))), 3)
                return [self.of(schema.get("items"), depth - 1) for _ in range(few)]
            case "null":
                return None
            case _:
                known = _properties(schema)
                return {
                    name: self.of(known.get(name), depth - 1)
                    for name in _required(schema)
                    if self._left > 0
                }

    def _plain(self, value: Any, depth: int) -> Any:
        """What goes into a file: an example may contain itself."""
        self._left -= 1
        deeper = depth > 0 and self._left > 0
        match value:
            case dict():
                return {str(k): self._plain(v, depth - 1) for k, v in value.items() if deeper}
            case list():
                return [self._plain(inner, depth - 1) for inner in value if deeper]
            case str():
                return value[:_LONGEST_TEXT]
            case bool() | int() | float():
                return value
            case None:
                return None
            case _:  # YAML has dates and bytes, too
                return str(value)[:_LONGEST_TEXT]


def _required(schema: Any) -> tuple[str, ...]:
    parts = _parts(schema, "allOf")
    return tuple(dict.fromkeys(name for part in parts for name in _names(part.get("required"))))


def _text(schema: Any) -> str:
    match schema.get("format"):
        case "date-time":
            return "2026-01-01T00:00:00Z"
        case "date":
            return "2026-01-01"
        case "email":
            return "deadheat@example.com"
        case "uuid":
            return "00000000-0000-4000-8000-000000000000"
        case "uri" | "url":
            return "http://example.com/"
        case _:
            return "x" * int(min(max(_number(schema.get("minLength")), 1), _LONGEST_TEXT))


def _is_text(schema: Any) -> bool:
    if not _is_map(schema):
        return False
    kinds = [one.get("type") for one in (schema, *filter(_is_map, _array(schema.get("anyOf"))))]
    return any(kind == "string" or (isinstance(kind, list) and "string" in kind) for kind in kinds)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(value: Any) -> dict[str, Any]:
    return {str(name): inner for name, inner in _map(value).items()}


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: Any) -> list[str]:
    return [str(name) for name in _array(value)[:_MOST_VALUES]]


def _number(value: Any) -> int | float:
    """The value if it is a number of moderate size, else 0."""
    known = type(value) in (int, float) and -_LARGEST <= value <= _LARGEST
    number: int | float = value if known else 0
    return number
