"""Profiles: how to speak to any HTTP collection, declared in TOML or in Python.

    name = "carts"

    [server]                               # leave it out for a server that you start yourself
    command = ["{python}", "-m", "uvicorn", "--app-dir", "{project}", "shop:app",
               "--port", "{port}"]
    probe = "/carts"

    [calls]
    create = { request = "POST /carts", body = { name = "{title}" }, id = "id" }
    get    = { request = "GET /carts/{id}", title = "name" }
    list   = { request = "GET /carts", items = "", id = "id", title = "name" }
    delete = { request = "DELETE /carts/{id}" }
    rename = { request = "PATCH /carts/{id}", body = { name = "{title}" } }

    [events]                               # leave it out where there is no event stream
    request = "GET /carts/events"
    created = "cart.created"
    deleted = "cart.deleted"
    name = "type"
    id = "cart.id"

    [promises]
    delete = "exactly-once"

Rules
- Every key is checked when the file is read, also that the placeholders make sense.
- Paths into answers are dotted (``data.items``); an empty one is the answer itself.
- What is left out is off (``rename``) or has the strongest promise.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)

from deadheat.core.history import Change, Kind
from deadheat.core.promises import DeletePromise, EventPromise, ListPromise, Promises, ReadPromise
from deadheat.drive.server import Launch
from deadheat.drive.target import PLAIN, Target
from deadheat.duration import seconds_of
from deadheat.errors import BadFile
from deadheat.targets.declared_events import DeclaredEvents
from deadheat.targets.profile_wire import Exchange, ProfileWire
from deadheat.toml_file import load

_REQUEST = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)\Z")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

# Durations are written as people write them and kept in seconds.
Seconds = Annotated[
    float,
    BeforeValidator(seconds_of),
    WithJsonSchema({"type": ["string", "number"], "examples": ["60s", "10m"]}),
]


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

    @model_validator(mode="after")
    def _request_is_one(self) -> CallTable:
        if not _REQUEST.match(self.request):
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
        )


class CreateTable(CallTable):
    """POST: the answer tells the id."""

    id: str = Field(default="id", description="Where the answer has the id.", examples=["id"])
    absent: tuple[int, ...] = ()


class GetTable(CallTable):
    """GET of one session."""

    id: str | None = Field(default=None, description="Where the answer repeats the id.")
    title: str | None = Field(default=None, description="Where the answer has the title.")


class ListTable(CallTable):
    """GET of all sessions."""

    items: str = Field(default="", description="Where the array is; empty: the answer itself.")
    id: str = Field(default="id", description="Where an item has its id; empty: it is the id.")
    title: str | None = Field(default=None, description="Where an item has its title.")
    absent: tuple[int, ...] = ()


class Calls(Table):
    """What the API can do."""

    create: CreateTable = Field(examples=[{"request": "POST /carts"}])
    get: GetTable = Field(examples=[{"request": "GET /carts/{id}"}])
    list: ListTable = Field(examples=[{"request": "GET /carts"}])
    delete: CallTable = Field(examples=[{"request": "DELETE /carts/{id}"}])
    rename: CallTable | None = Field(
        default=None, description="Writes another title; left out: the API has no such call."
    )

    @model_validator(mode="after")
    def _placeholders_make_sense(self) -> Calls:
        for name, call, allowed, needed in (
            ("create", self.create, {"title"}, set[str]()),
            ("list", self.list, set[str](), set[str]()),
            ("get", self.get, {"id"}, {"id"}),
            ("delete", self.delete, {"id"}, {"id"}),
            ("rename", self.rename, {"id", "title"}, {"id", "title"}),
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
        return self


class PromisesTable(Table):
    """What the API says about itself. A weaker promise makes fewer alarms, never wrong ones."""

    delete: DeletePromise = Field(
        default=DeletePromise.EXACTLY_ONCE,
        description="exactly-once: one success a session. idempotent: success says, it is gone.",
    )
    list: ListPromise = Field(
        default=ListPromise.SNAPSHOT,
        description="snapshot: all at one instant. per-session: each right for itself.",
    )
    reads: ReadPromise = Field(
        default=ReadPromise.LINEARIZABLE,
        description="linearizable: always right. quiescent: when nothing is in flight. "
        "eventual: at rest.",
    )


class EventsTable(Table):
    """A stream of server-sent events with JSON data, which announces each change once."""

    request: str = Field(description="What to GET.", examples=["GET /carts/events"])
    created: str = Field(description="The event's name for a create.", examples=["cart.created"])
    deleted: str = Field(description="And for a delete.", examples=["cart.deleted"])
    updated: str | None = Field(
        default=None, description="And for another title; left out: it is not announced."
    )
    name: str | None = Field(
        default=None, description="Where the data has the name; default: the event's own field."
    )
    id: str = Field(default="id", description="Where the data has the session's id.")
    title: str | None = Field(default=None, description="Where the data has its title.")

    @model_validator(mode="after")
    def _request_is_a_get(self) -> EventsTable:
        if not (_REQUEST.match(self.request) and self.request.startswith("GET ")):
            raise ValueError(f"has the request {self.request!r}. Write GET and a path.")
        return self

    @property
    def promise(self) -> EventPromise:
        """What is announced of a session."""
        return EventPromise.LIVES if self.updated is None else EventPromise.EXACTLY_ONCE

    def wire(self, base_path: str) -> DeclaredEvents:
        """The same as the listener reads it."""
        named = (
            (self.created, Change.CREATED),
            (self.updated, Change.UPDATED),
            (self.deleted, Change.DELETED),
        )
        return DeclaredEvents(
            path=base_path + self.request.split(" ", 1)[1],
            changes=tuple((name, change) for name, change in named if name is not None),
            id_at=self.id,
            title_at=self.title,
            name_at=self.name,
        )


class ServerTable(Table):
    """How deadheat starts the server; it ends it, too."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="{port}, {home} (a temporary one), {project} (the profile's folder) and "
        "{python} (deadheat's own) are filled in.",
        examples=[["{python}", "-m", "uvicorn", "shop:app", "--port", "{port}"]],
    )
    env: dict[str, str] = Field(
        default_factory=dict, description="Added to PATH, LANG and HOME, which are all it sees."
    )
    ready_line: str | None = Field(
        default=None, description="A piece of the line that says it listens."
    )
    probe: str | None = Field(
        default=None, description="A path to GET until any answer comes.", examples=["/carts"]
    )
    ready_within: Seconds = Field(default=30.0, description="How long the start may take.")


class Profile(Table):
    """A whole profile. In Python: ``Profile.model_validate({...})``, with the same keys."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Short; the folder of its regressions is called so.",
        examples=["carts"],
    )
    server: ServerTable | None = Field(
        default=None, description="How to start it; left out: you do, and name its URL."
    )
    base_path: str = Field(
        default="", pattern=r"^(/[^\s?#]*[^\s?#/])?$", description="Before every path: /api/v1"
    )
    calls: Calls = Field(examples=[{}])
    events: EventsTable | None = Field(
        default=None, description="Its event stream; left out: nobody listens."
    )
    promises: PromisesTable = PromisesTable()
    settle: Seconds | None = Field(
        default=None, description="How long a change may take to show.", examples=["50ms"]
    )
    timeout: Seconds = Field(
        default=10.0, description="Without an answer for so long, a call hangs."
    )

    def target(
        self,
        name: str,
        *,
        base_url: str | None = None,
        project: Path | None = None,
        exclusive: bool = False,
        http2: bool = False,
    ) -> Target:
        """A target of this API: at ``base_url``, else the one that ``server`` starts.

        ``exclusive``: see ``Target``; a server that deadheat starts is. Raises ``BadFile``.
        """
        if base_url is None and self.server is None:
            raise BadFile(
                f"{name} does not say how to start a server. Add [server] with a command to it, "
                "or name the URL of one and give the file with --profile."
            )
        settle_s = self.settle or 0.0
        return Target(
            name=name,
            wire=self.wire(),
            launch=None if base_url is not None else self._launch(name, project or Path.cwd()),
            base_url=base_url,
            promises=Promises(
                delete=self.promises.delete,
                list=self.promises.list,
                reads=self.promises.reads,
                events=EventPromise.NONE if self.events is None else self.events.promise,
            ),
            events=None if self.events is None else self.events.wire(self.base_path),
            exclusive=exclusive or base_url is None,
            kinds=PLAIN | ({Kind.RENAME} if self.calls.rename is not None else set()),
            settle_ms=round(settle_s * 1_000),
            timeout_s=self.timeout,
            http2=http2,
        )

    def wire(self) -> ProfileWire:
        """How calls become requests, and answers outcomes."""
        calls: dict[Kind, CallTable | None] = {
            Kind.CREATE: self.calls.create,
            Kind.GET: self.calls.get,
            Kind.LIST: self.calls.list,
            Kind.DELETE: self.calls.delete,
            Kind.RENAME: self.calls.rename,
        }
        exchanges = tuple(c.exchange(kind) for kind, c in calls.items() if c is not None)
        return ProfileWire(self.name, self.base_path, exchanges)

    def _launch(self, name: str, project: Path) -> Launch:
        assert self.server is not None
        known = {"{python}": sys.executable, "{project}": str(project.absolute())}

        def filled(text: str) -> str:
            for word, value in known.items():
                text = text.replace(word, value)
            return text

        return Launch(
            name=name,
            argv=tuple(filled(word) for word in self.server.command),
            env=tuple((key, filled(value)) for key, value in self.server.env.items()),
            ready_line=self.server.ready_line,
            ready_within_s=self.server.ready_within,
            probe=self.server.probe,
        )


def read_profile(path: Path) -> Profile:
    """The profile in a file. Raises ``BadFile``."""
    found = load(path, Profile)
    assert found is not None  # the whole file, not a table of it
    return found


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
