"""The tables of a profile for its server, its log-in and its events.

Rules
- A secret is named, never written down; it is read here, and hidden (``files.redaction``) from all
  that is written or printed.
"""

from __future__ import annotations

import base64
import os
import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from deadheat.drive.server.process import GRACE_S
from deadheat.errors import BadFile
from deadheat.files.duration import seconds_of
from deadheat.files.redaction import COMMONPLACE, hide
from deadheat.model.history import Change
from deadheat.model.promises import EventPromise
from deadheat.targets.profile.calls import REQUEST
from deadheat.targets.profile.events import DeclaredEvents
from deadheat.targets.profile.table import Table

# A secret is named, never written down.
_FROM_ENV = r"^\{env:[A-Za-z_][A-Za-z0-9_]*\}$"
# What a text takes from the environment.
ENV = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")

# Durations are written as people write them and kept in seconds.
Seconds = Annotated[
    float,
    BeforeValidator(seconds_of),
    WithJsonSchema({"type": ["string", "number"], "examples": ["60s", "10m"]}),
]


class AuthTable(Table):
    """The log-in: ``user`` and ``password`` (HTTP basic), or ``token`` (bearer)."""

    user: str | None = Field(default=None, description="The user's name.", examples=["admin"])
    password: str | None = Field(
        default=None,
        pattern=_FROM_ENV,
        description="Where it is.",
        examples=["{env:SHOP_KEY}"],
    )
    token: str | None = Field(
        default=None, pattern=_FROM_ENV, description="Where it is.", examples=["{env:SHOP_TOKEN}"]
    )

    @model_validator(mode="after")
    def _one_way(self) -> AuthTable:
        basic = self.user is not None and self.password is not None
        if basic is (self.token is not None) or (self.user is None) is not (self.password is None):
            raise ValueError("needs user and password, or a token; not both.")
        return self

    def header(self) -> tuple[str, str]:
        """The header for this log-in. Raises ``BadFile``."""
        if self.token is not None:
            return "authorization", f"Bearer {from_environment(self.token)}"
        known = f"{self.user}:{from_environment(self.password or '')}"
        told = base64.b64encode(known.encode()).decode()
        hide(told)
        return "authorization", f"Basic {told}"


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
        if not (REQUEST.match(self.request) and self.request.startswith("GET ")):
            raise ValueError(f"has the request {self.request!r}. Write GET and a path.")
        return self

    @property
    def promise(self) -> EventPromise:
        """What is announced about a session."""
        return EventPromise.LIVES if self.updated is None else EventPromise.EXACTLY_ONCE

    def wire(self, base_path: str) -> DeclaredEvents:
        """The stream in the form that the listener reads."""
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
    """How deadheat starts (and ends) the server."""

    command: tuple[str, ...] = Field(
        min_length=1,
        description="{port}, {home} (a temporary one), {project} (the profile's folder) and "
        "{python} (deadheat's own) are filled in.",
        examples=[["{python}", "-m", "uvicorn", "shop:app", "--port", "{port}"]],
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        description="All that the server sees beside PATH, LANG and HOME; {env:NAME} as in "
        "headers.",
    )
    ready_line: str | None = Field(
        default=None, description="A piece of the line that says it listens."
    )
    probe: str | None = Field(
        default=None, description="A path to GET until any answer comes.", examples=["/carts"]
    )
    reset: str | None = Field(
        default=None,
        description="A request that empties it, sent when what a trial made cannot be deleted.",
        examples=["POST /reset"],
    )
    ready_within: Seconds = Field(default=30.0, description="How long the start may take.")
    git: bool = Field(
        default=False, description="It is started in a git repository of one empty commit."
    )
    stop: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] = Field(
        default="SIGTERM", description="The signal that ends it."
    )
    stop_within: Seconds = Field(
        default=GRACE_S, description="How long it may take to end; what is left then is killed."
    )

    @model_validator(mode="after")
    def _reset_is_a_request(self) -> ServerTable:
        if self.reset is not None and not REQUEST.match(self.reset):
            raise ValueError(f"has the reset {self.reset!r}. Write a method and a path.")
        return self


def from_environment(text: str) -> str:
    """``text`` with each ``{env:NAME}`` filled in. Raises ``BadFile`` for one that is not set."""

    def value(found: re.Match[str]) -> str:
        said = os.environ.get(found[1])
        if not said:
            raise BadFile(
                f"the environment variable {found[1]} is not set, which the profile sends to the "
                "server. Set it first."
            )
        if not said.isprintable() or not said.isascii():
            raise BadFile(
                f"the environment variable {found[1]} holds what no header can: a line break, or "
                "letters beyond ASCII. Set it again."
            )
        if found[1] not in COMMONPLACE:
            hide(said)
        return said

    return ENV.sub(value, text)
