"""Collections in an OpenAPI 3 document: what can be created, read, listed and deleted.

Rules
- A collection is a path with GET and POST, beside one below it, of one parameter, with GET and
  DELETE: ``/carts`` and ``/carts/{id}``. Anything else is left to the person.
- A document is read, never trusted: what it says of ids and titles is a guess that probes correct.
- JSON and YAML, by their library; references, by theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jsonref  # type: ignore[import-untyped]
import yaml

from deadheat.errors import BadFile

_PARAMETER = re.compile(r"\{[^{}]+\}")
# What people call the text that a session carries, the likeliest first.
_TITLES = ("title", "name", "label", "summary", "description", "text")
_DEPTH = 6  # of a sample: a schema may contain itself


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the document: ``body`` a sample of what is sent, ``answer`` the schema of it."""

    method: str
    path: str
    body: Any = None
    answer: Any = None
    done: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """``item`` is the path of one, with its parameter spelt ``{id}``. ``title``: "" where none."""

    path: str
    item: str
    create: Operation
    get: Operation
    list: Operation
    delete: Operation
    rename: Operation | None
    title: str
    id: str
    items: str

    @property
    def name(self) -> str:
        """A short name: the last word of its path."""
        words = [word for word in self.path.split("/") if word and "{" not in word]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", words[-1]).strip("-._") or "api" if words else "api"


def read_document(text: str, shown: str) -> dict[str, Any]:
    """The document, its references followed. Raises ``BadFile``."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        at = "" if mark is None else f":{mark.line + 1}"
        raise BadFile(f"{shown}{at} is neither JSON nor YAML. Name another one.") from None
    except RecursionError:
        raise BadFile(f"{shown} is too deep to be read. Name another one.") from None
    if not isinstance(found, dict) or not str(found.get("openapi", "")).startswith("3."):
        raise BadFile(f"{shown} is no OpenAPI 3 document. Name one, or the URL of a server.")
    resolved = jsonref.replace_refs(found, lazy_load=True, proxies=True)
    assert isinstance(resolved, dict)
    return resolved


def base_path(document: dict[str, Any]) -> str:
    """What comes before every path, if the document names a server with one."""
    servers = document.get("servers") or ()
    first = servers[0] if servers and isinstance(servers[0], dict) else {}
    path = urlsplit(str(first.get("url", ""))).path.rstrip("/")
    return path if re.fullmatch(r"(/[^\s?#{}]+)*", path) else ""


def collections(document: dict[str, Any]) -> tuple[Collection, ...]:
    """Every collection, the likeliest first: of the fewest path parts, with a title to rename."""
    paths = {path: item for path, item in (document.get("paths") or {}).items() if _is_map(item)}
    found = []
    for path, whole in paths.items():
        if not {"get", "post"} <= whole.keys() or "{" in path:
            continue
        for below, one in paths.items():
            rest = below.removeprefix(path.rstrip("/"))
            if rest == below or not re.fullmatch(r"/\{[^{}]+\}/?", rest):
                continue
            if {"get", "delete"} <= one.keys():
                found.append(_collection(path, below, whole, one))
    return tuple(sorted(found, key=lambda one: (one.path.count("/"), not one.title, one.path)))


def _collection(path: str, below: str, whole: dict[str, Any], one: dict[str, Any]) -> Collection:
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
            Operation(method.upper(), item, _renaming(one[method], title, body), None, ())
            for method in ("patch", "put")
            if title and method in one and title in _properties(_body_schema(one[method]))
        ),
        None,
    )
    return Collection(
        path,
        item,
        Operation("POST", path, body, create.answer, create.done),
        got,
        listed,
        _operation("DELETE", item, one["delete"]),
        rename,
        title,
        _id(_properties(create.answer) or shown, parameter[0].strip("{}") if parameter else "id"),
        items,
    )


def _operation(method: str, path: str, said: Any) -> Operation:
    responses = said.get("responses") if _is_map(said) else None
    done, answer = [], None
    for status, response in (responses or {}).items():
        if re.fullmatch(r"2\d\d", str(status)):
            done.append(int(status))
            answer = answer or _schema(response)
    schema = _body_schema(said)
    body = None if schema is None or method in ("GET", "DELETE") else _sample(schema, _DEPTH)
    return Operation(method, path, body, answer, tuple(sorted(done)))


def _renaming(said: Any, title: str, created: Any) -> Any:
    """PATCH sends the title alone, unless more is required; then as the create does."""
    schema = _body_schema(said)
    required = set(schema.get("required", ())) if _is_map(schema) else set()
    if required <= {title}:
        return {title: "{title}"}
    sample = _sample(schema, _DEPTH)
    known = created if isinstance(created, dict) else {}
    return {**(sample if isinstance(sample, dict) else {}), **known, title: "{title}"}


def _body_schema(said: Any) -> Any:
    body = said.get("requestBody") if _is_map(said) else None
    return _schema(body)


def _schema(holder: Any) -> Any:
    content = holder.get("content") if _is_map(holder) else None
    if not isinstance(content, dict):
        return None
    media = next((content[kind] for kind in content if "json" in str(kind)), None)
    return media.get("schema") if isinstance(media, dict) else None


def _properties(schema: Any, depth: int = _DEPTH) -> dict[str, Any]:
    if not _is_map(schema) or depth == 0:
        return {}
    found: dict[str, Any] = {}
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found.update(_properties(part, depth - 1))
    properties = schema.get("properties")
    found.update(properties if _is_map(properties) else {})
    return found


def _items(schema: Any) -> tuple[str, Any]:
    """Where a list's array is, and the schema of one of it."""
    if not _is_map(schema) or schema.get("type") == "array":
        return "", schema["items"] if _is_map(schema) and "items" in schema else None
    for name, inner in _properties(schema).items():
        if _is_map(inner) and inner.get("type") == "array":
            return name, inner.get("items")
    return "", None


def _id(properties: dict[str, Any], parameter: str) -> str:
    for name in ("id", parameter, "uuid", "_id", "key"):
        if name in properties:
            return name
    return next((name for name in properties if name.lower().endswith("id")), "id")


def _sample(schema: Any, depth: int) -> Any:
    """A value that the schema allows, as plain as may be; required properties only."""
    if not _is_map(schema) or depth == 0:
        return None
    for word in ("const", "default", "example"):
        if word in schema:
            return _plain(schema[word])
    for word in ("examples", "enum"):
        if isinstance(schema.get(word), list) and schema[word]:
            return _plain(schema[word][0])
    for one in (*(schema.get("oneOf") or ()), *(schema.get("anyOf") or ())):
        return _sample(one, depth - 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    match kind:
        case "string":
            return _text(schema)
        case "integer" | "number":
            return max(schema.get("minimum", 0), 0) or 1
        case "boolean":
            return False
        case "array":
            few = schema.get("minItems", 0)
            return [_sample(schema.get("items"), depth - 1) for _ in range(min(few, 3))]
        case "null":
            return None
        case _:
            known, wanted = _properties(schema), _required(schema)
            return {name: _sample(known.get(name), depth - 1) for name in wanted}


def _required(schema: Any) -> tuple[str, ...]:
    found = list(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        found += _required(part) if _is_map(part) else ()
    return tuple(dict.fromkeys(map(str, found)))


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
            return "x" * max(int(schema.get("minLength", 1)), 1)


def _plain(value: Any) -> Any:
    """Without references: it goes into a file."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _is_text(schema: Any) -> bool:
    if not _is_map(schema):
        return False
    kinds = [schema.get("type"), *(s.get("type") for s in schema.get("anyOf", ()) if _is_map(s))]
    return any(kind == "string" or (isinstance(kind, list) and "string" in kind) for kind in kinds)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)
