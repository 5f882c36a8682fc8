"""The calls of a profile: each request's template, and how its answer is read.

Rules
- A placeholder that the call could never fill, or would need and has not, is told when the file
  is read.
- What is left out the API does not have; create, get, list and delete it must have.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from deadheat.core.history import Kind
from deadheat.targets.profile_wire import Exchange

REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)\Z")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Table(BaseModel):
    """A table of a TOML file: keys with dashes, nothing unknown, nothing changed later."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        alias_generator=AliasGenerator(alias=lambda name: name.replace("_", "-")),
    )


class CallTable(Table):
    """One call: its request and how its answer is read."""

    request: str = Field(
        description="Method and path. {id} is the session's id.", examples=["GET /carts/{id}"]
    )
    body: JsonValue = Field(
        default=None, description="JSON to send; {title} and {id} are filled in its strings."
    )
    done: tuple[int, ...] = Field(
        default=(), description="Statuses that mean success; default: any 2xx.", examples=[[200]]
    )
    absent: tuple[int, ...] = Field(
        default=(404, 410),
        description="Statuses that mean: there is no such session.",
        examples=[[404]],
    )
    answer: JsonValue = Field(
        default=None, description="What a success must answer; left out: anything.", examples=[True]
    )

    @model_validator(mode="after")
    def _request_is_one(self) -> CallTable:
        if not REQUEST.match(self.request):
            raise ValueError(
                f"has the request {self.request!r}. Write a method and a path, as GET /carts"
            )
        return self

    def exchange(self, kind: Kind) -> Exchange:
        """The same as the wire reads it."""
        method, path = self.request.split(" ", 1)
        return Exchange(
            kind,
            method,
            path,
            self.body,
            frozenset(self.done),
            frozenset(self.absent),
            id_at=getattr(self, "id", None),
            title_at=getattr(self, "title", None),
            items_at=getattr(self, "items", None),
            id_in_location=getattr(self, "id_in_location", False),
            answer=self.answer,
        )


class CreateTable(CallTable):
    """POST: the answer tells the id."""

    id: str = Field(default="id", description="Where the answer has the id.", examples=["id"])
    id_in_location: bool = Field(
        default=False, description="The id is the last part of the Location header instead."
    )
    absent: tuple[int, ...] = ()


class ChildTable(CreateTable):
    """POST of a session below another one, {parent}."""

    absent: tuple[int, ...] = (404, 410)


class ForkTable(CreateTable):
    """POST that copies a session."""

    absent: tuple[int, ...] = (404, 410)


class RenameTable(CallTable):
    """Writes another title."""

    id: str | None = Field(default=None, description="Where the answer repeats the id.")


class GetTable(RenameTable):
    """GET of one session."""

    title: str | None = Field(default=None, description="Where the answer has the title.")


class ListTable(CallTable):
    """GET of all sessions."""

    items: str = Field(default="", description="Where the array is; empty: the answer itself.")
    id: str = Field(default="id", description="Where an item has its id; empty: it is the id.")
    title: str | None = Field(default=None, description="Where an item has its title.")
    absent: tuple[int, ...] = ()


class ChildrenTable(ListTable):
    """GET of the sessions directly below one."""

    absent: tuple[int, ...] = (404, 410)


class Calls(Table):
    """What the API can do."""

    create: CreateTable = Field(examples=[{"request": "POST /carts"}])
    get: GetTable = Field(examples=[{"request": "GET /carts/{id}"}])
    list: ListTable = Field(examples=[{"request": "GET /carts"}])
    delete: CallTable = Field(examples=[{"request": "DELETE /carts/{id}"}])
    rename: RenameTable | None = Field(
        default=None, description="Writes another title; left out: the API has no such call."
    )
    create_child: ChildTable | None = Field(
        default=None, description="Makes a session below {parent}; left out: there are no parents."
    )
    children: ChildrenTable | None = Field(
        default=None, description="Lists those directly below {id}; left out: no such call."
    )
    fork: ForkTable | None = Field(
        default=None, description="Copies {id}; left out: the API has no such call."
    )

    @model_validator(mode="after")
    def _placeholders_make_sense(self) -> Calls:
        for name, call, allowed, needed in (
            ("create", self.create, {"title"}, set[str]()),
            ("list", self.list, set[str](), set[str]()),
            ("get", self.get, {"id"}, {"id"}),
            ("delete", self.delete, {"id"}, {"id"}),
            ("rename", self.rename, {"id", "title"}, {"id", "title"}),
            ("create-child", self.create_child, {"title", "parent"}, {"parent"}),
            ("children", self.children, {"id"}, {"id"}),
            ("fork", self.fork, {"id"}, {"id"}),
        ):
            if call is None:
                continue
            used = {*_PLACEHOLDER.findall(call.request), *_in_body(call.body)}
            if used - allowed:
                word = min(used - allowed)
                may = ", ".join(f"{{{one}}}" for one in sorted(allowed)) or "none"
                raise ValueError(f"has {{{word}}} in {name}, which it cannot fill. Use: {may}.")
            if needed - used:
                raise ValueError(f"needs {{{min(needed - used)}}} in {name}.")
        if self.rename is not None and "title" not in _in_body(self.create.body):
            raise ValueError("has rename, so create needs a body with {title} in it.")
        if self.children is not None and self.create_child is None:
            raise ValueError("has children, so it needs create-child.")
        return self

    def exchanges(self) -> tuple[Exchange, ...]:
        """The same as the wire reads them."""
        calls: tuple[tuple[Kind, CallTable | None], ...] = (
            (Kind.CREATE, self.create),
            (Kind.GET, self.get),
            (Kind.LIST, self.list),
            (Kind.DELETE, self.delete),
            (Kind.RENAME, self.rename),
            (Kind.CHILDREN, self.children),
            (Kind.FORK, self.fork),
        )
        found = [call.exchange(kind) for kind, call in calls if call is not None]
        if self.create_child is not None:
            below = self.create_child.exchange(Kind.CREATE)
            found.append(replace(below, below=True))
        return tuple(found)

    def kinds(self) -> frozenset[Kind]:
        """What the API has."""
        return frozenset(one.kind for one in self.exchanges())


def _in_body(body: Any) -> set[str]:
    match body:
        case str():
            return set(_PLACEHOLDER.findall(body))
        case dict():
            return {name for value in body.values() for name in _in_body(value)}
        case list():
            return {name for value in body for name in _in_body(value)}
        case _:
            return set()
