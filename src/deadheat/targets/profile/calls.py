"""The calls of a profile: each request's template, and how its answer is read.

Rules
- A placeholder that the call could never fill, or would need and has not, is told when the file
  is read.
- What is left out the API does not have; create, get, list and delete it must have.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    Field,
    JsonValue,
    model_validator,
)

from deadheat.model.history import MAKING, Kind
from deadheat.targets.profile.pages import DeclaredPages, PagesTable
from deadheat.targets.profile.table import Table
from deadheat.targets.profile.value_path import place
from deadheat.targets.profile.wire import CallFormat

Status = Annotated[int, Field(ge=200, le=599)]
REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)\Z")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class CallTable(Table):
    """One call: its request and how its answer is read."""

    request: str = Field(
        description="Method and path. {id} is the session's id.", examples=["GET /carts/{id}"]
    )
    body: JsonValue = Field(
        default=None, description="JSON to send; {title} and {id} are filled in its strings."
    )
    done: tuple[Status, ...] = Field(
        default=(), description="Statuses that mean success; default: any 2xx.", examples=[[200]]
    )
    absent: tuple[Status, ...] = Field(
        default=(404, 410),
        description="Statuses that mean: there is no such session.",
        examples=[[404]],
    )
    refused: tuple[Status, ...] = Field(
        default=(),
        description="Statuses that mean: not now, and nothing was done.",
        examples=[[409, 429]],
    )
    unknown: tuple[Status, ...] = Field(
        default=(),
        description="Statuses that leave open whether it was done. Any other status of "
        "500 and more is one, too, and is reported as a server-error.",
        examples=[[503, 504]],
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

    @model_validator(mode="after")
    def _statuses_mean_one_thing(self) -> CallTable:
        said: dict[int, str] = {}
        for word in {"done", "absent", "exists", "refused", "unknown"} & self.model_fields_set:
            for status in getattr(self, word):
                if said.setdefault(status, word) != word:
                    raise ValueError(
                        f"has the status {status} in {said[status]} and in {word}. Leave one out."
                    )
        return self

    @model_validator(mode="after")
    def _places_can_be_read(self) -> CallTable:
        for word in ("id", "title", "items"):
            place(getattr(self, word, None) or "")
        return self

    def exchange(self, kind: Kind) -> CallFormat:
        """The call in the form that the wire reads."""
        method, path = self.request.split(" ", 1)
        exists = frozenset(getattr(self, "exists", ()))
        return CallFormat(
            kind,
            method,
            path,
            self.body,
            frozenset(self.done),
            frozenset(self.absent) - {*self.done, *self.refused, *self.unknown, *exists},
            frozenset(self.refused),
            frozenset(self.unknown),
            id_at=getattr(self, "id", None),
            title_at=getattr(self, "title", None),
            items_at=getattr(self, "items", None),
            id_in_location=getattr(self, "id_in_location", False),
            answer=self.answer,
            exists=exists,
        )


class CreateTable(CallTable):
    """POST whose answer tells the id; or a request with {id}, which deadheat then chooses."""

    id: str | None = Field(
        default=None,
        description="Where the answer has the id. Left out: at id, or, where the request says it "
        "with {id}, nowhere.",
        examples=["id"],
    )
    exists: tuple[Status, ...] = Field(
        default=(),
        description="Statuses that mean: nothing was made, as there is one of that name.",
        examples=[[409, 412]],
    )
    id_in_location: bool = Field(
        default=False, description="The id is the last part of the Location header instead."
    )
    absent: tuple[Status, ...] = ()


class ChildTable(CreateTable):
    """POST of a session below another one, {parent}."""

    absent: tuple[Status, ...] = (404, 410)


class ForkTable(CreateTable):
    """POST that copies a session."""

    absent: tuple[Status, ...] = (404, 410)


class RenameTable(CallTable):
    """A call that writes another title."""

    id: str | None = Field(default=None, description="Where the answer repeats the id.")


class GetTable(RenameTable):
    """GET of one session."""

    title: str | None = Field(default=None, description="Where the answer has the title.")


class ListTable(CallTable):
    """GET of all sessions."""

    items: str = Field(default="", description="Where the array is; empty: the answer itself.")
    id: str = Field(default="id", description="Where an item has its id; empty: it is the id.")
    title: str | None = Field(default=None, description="Where an item has its title.")
    pages: PagesTable | None = Field(
        default=None, description="How the next page is asked for; left out: there is one page."
    )
    absent: tuple[Status, ...] = ()


class ChildrenTable(ListTable):
    """GET of the sessions directly below one."""

    absent: tuple[Status, ...] = (404, 410)


class Calls(Table):
    """The calls that the API has."""

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
            ("create", self.create, {"title", "id"}, set[str]()),
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
            used = _placeholders(call)
            if used - allowed:
                word = min(used - allowed)
                may = ", ".join(f"{{{one}}}" for one in sorted(allowed)) or "none"
                raise ValueError(f"has {{{word}}} in {name}, which it cannot fill. Use: {may}.")
            if needed - used:
                raise ValueError(f"needs {{{min(needed - used)}}} in {name}.")
        read = self.get.title is not None or self.list.title is not None
        if self.rename is not None and read and "title" not in _placeholders(self.create):
            raise ValueError("has rename, so create needs a body with {title} in it.")
        if self.children is not None and self.create_child is None:
            raise ValueError("has children, so it needs create-child.")
        return self

    @property
    def chosen(self) -> bool:
        """Does a create say which id the session gets?"""
        return "id" in _placeholders(self.create)

    @property
    def named(self) -> bool:
        """Does a create send at least a title, by which the session can be known?"""
        return bool({"id", "title"} & _placeholders(self.create))

    def exchanges(self) -> tuple[CallFormat, ...]:
        """All calls in the form that the wire reads."""
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
        for n, one in enumerate(found):
            told = one.id_at is not None or (one.kind is Kind.CREATE and self.chosen)
            if one.kind in MAKING and not told:
                found[n] = replace(one, id_at="id")
        if self.named:
            found.append(replace(found[0], kind=Kind.RECREATE))
        if self.create_child is not None:
            below = self.create_child.exchange(Kind.CREATE)
            found.append(replace(below, below=True, id_at=below.id_at or "id"))
        return tuple(found)

    @property
    def paged(self) -> bool:
        """Does a list come in pages?"""
        return self.pages() is not None

    def pages(self) -> DeclaredPages | None:
        """The pages of its lists; None: lists come whole."""
        lists = {Kind.LIST: self.list, Kind.CHILDREN: self.children}
        found = {
            kind: call.pages
            for kind, call in lists.items()
            if call is not None and call.pages is not None
        }
        return DeclaredPages(found) if found else None

    def kinds(self) -> frozenset[Kind]:
        """The kinds of call that the API has, without ``RECREATE``, which is a create."""
        return frozenset(one.kind for one in self.exchanges()) - {Kind.RECREATE}


def _placeholders(call: CallTable) -> set[str]:
    return {*_PLACEHOLDER.findall(call.request), *_in_body(call.body)}


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
