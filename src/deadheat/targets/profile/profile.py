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

    [auth]                                 # and [headers]; secrets are named, never written down
    token = "{env:CARTS_TOKEN}"

    [promises]
    delete = "exactly-once"

Lists in pages, statuses that refuse, JSONPaths, parents, forks: ``deadheat schema profile`` has
every key, ``tests/servers/depot.toml`` uses most.

Rules
- Every key is checked when the file is read, also that the placeholders make sense.
- Places in answers are as in ``places``; an empty one is the answer itself.
- What is left out is off (``rename``), or has the strongest promise (but see
  ``promises``).
- A secret's value is in a target's headers and its server's environment, and nowhere else: what is
  read from the environment here is hidden (``hiding``) from all that is written or printed.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from deadheat.drive.masking import Mask
from deadheat.drive.server.process import GRACE_S, Launch
from deadheat.drive.target import Target
from deadheat.drive.wire.api import WireRequest
from deadheat.errors import BadFile
from deadheat.files.duration import seconds_of
from deadheat.files.hiding import COMMONPLACE, hide
from deadheat.files.toml_file import load
from deadheat.model.history import Change, Kind
from deadheat.model.promises import SOMETIME_MS, CreatePromise, EventPromise, IdPromise, Shows
from deadheat.targets.profile.calls import REQUEST, Calls
from deadheat.targets.profile.events import DeclaredEvents
from deadheat.targets.profile.promises import PromisesTable
from deadheat.targets.profile.table import Table
from deadheat.targets.profile.wire import ProfileWire

# A secret is named, never written down.
_FROM_ENV = r"^\{env:[A-Za-z_][A-Za-z0-9_]*\}$"
# What the client itself says of each request.
_NOT_OURS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding"}
)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ENV = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")

# Durations are written as people write them and kept in seconds.
Seconds = Annotated[
    float,
    BeforeValidator(seconds_of),
    WithJsonSchema({"type": ["string", "number"], "examples": ["60s", "10m"]}),
]


class AuthTable(Table):
    """Who we are: ``user`` and ``password`` (HTTP basic), or ``token`` (bearer)."""

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
        """The header that says it. Raises ``BadFile``."""
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
        default_factory=dict,
        description="Added to PATH, LANG and HOME, all it sees; {env:NAME} as in headers.",
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
        default=GRACE_S, description="What is left of it after so long is killed."
    )

    @model_validator(mode="after")
    def _reset_is_a_request(self) -> ServerTable:
        if self.reset is not None and not REQUEST.match(self.reset):
            raise ValueError(f"has the reset {self.reset!r}. Write a method and a path.")
        return self


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
    url: str | None = Field(
        default=None,
        description="Where it runs already, instead of server.",
        examples=["http://127.0.0.1:8000"],
    )
    exclusive: bool = Field(
        default=False,
        description="Nobody else uses the server at the url: a session that this run did not make "
        "is then a phantom, and ids may come back.",
    )
    base_path: str = Field(
        default="", pattern=r"^(/[^\s?#]*[^\s?#/])?$", description="Before every path: /api/v1"
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="Sent with every request; {env:NAME} is what the environment variable holds.",
        examples=[{"x-api-key": "{env:SHOP_KEY}"}],
    )
    auth: AuthTable | None = Field(default=None, description="Sent with every request.")
    id_pattern: str | None = Field(
        default=None,
        description="A regular expression that a whole id matches; anything else is no id, and is "
        "never sent.",
        examples=["ses_[A-Za-z0-9]+"],
    )
    error: str | None = Field(
        default=None, description="Where an answer that refuses has the error's name."
    )
    calls: Calls = Field(examples=[{}])
    events: EventsTable | None = Field(
        default=None, description="Its event stream; left out: nobody listens."
    )
    promises: PromisesTable = PromisesTable()
    settle: Seconds | None = Field(
        default=None,
        description="A change shows at the latest so long after its answer, in all reads; "
        "see promises.reads.",
        examples=["50ms"],
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
        program: str = "{program}",
    ) -> Target:
        """A target of this API: at ``base_url``, else the one that ``server`` starts.

        ``exclusive``: see ``Target``; a server that deadheat starts is. ``program``: what {program}
        in its command is. Raises ``BadFile``.
        """
        if base_url is None and self.server is None:
            raise BadFile(
                f"{name} does not say how to start a server. Add [server] with a command to it, "
                "or the url of one that runs, or name the URL and give the file with --profile."
            )
        settle_ms = self._settle_ms()
        return Target(
            name=name,
            wire=self.wire(),
            launch=None if base_url is not None else self.launch(name, project, program),
            base_url=base_url,
            promises=self.promises.of(
                self.calls,
                EventPromise.NONE if self.events is None else self.events.promise,
                round((self.settle or 0) * 1_000),
            ),
            events=self.events_wire(),
            exclusive=exclusive or self.exclusive or base_url is None,
            unique_ids=self.promises.ids is IdPromise.UNIQUE,
            kinds=self._kinds(),
            reset=None if base_url is not None else self._reset(),
            families=self.calls.create_child is not None,
            pages=self.calls.pages(),
            chosen_ids=self.calls.chosen,
            headers=self._headers(),
            mask=self._mask(),
            settle_ms=settle_ms,
            timeout_s=self.timeout,
            http2=http2,
        )

    def _settle_ms(self) -> int:
        if self.settle is None:
            return SOMETIME_MS if self.promises.sometime else 0
        return round(self.settle * 1_000)

    def _reset(self) -> WireRequest | None:
        said = None if self.server is None else self.server.reset
        if said is None:
            return None
        method, path = said.split(" ", 1)
        return WireRequest(method, self.base_path + path)

    def _kinds(self) -> frozenset[Kind]:
        named = self.promises.create_of(self.calls) is not CreatePromise.NEW
        return self.calls.kinds() | ({Kind.RECREATE} if named else set())

    def wire(self) -> ProfileWire:
        """How calls become requests, and answers outcomes."""
        pattern = None if self.id_pattern is None else re.compile(self.id_pattern)
        return ProfileWire(self.name, self.base_path, self.calls.exchanges(), pattern, self.error)

    @model_validator(mode="after")
    def _one_server(self) -> Profile:
        if self.url is not None and self.server is not None:
            raise ValueError("has both server and url. Leave one out.")
        if self.url is not None and "@" in self.url:
            raise ValueError("has a user in its url. Write [auth].")
        return self

    @model_validator(mode="after")
    def _shows_by_then(self) -> Profile:
        if self.promises.reads is Shows.SETTLED and not self.settle:
            raise ValueError('promises reads = "settled" of no time. Write settle = "250ms", too.')
        if self.promises.reads is Shows.LINEARIZABLE and self.settle:
            raise ValueError(
                'has settle, so a change may take time to show, and promises reads = "linearizable"'
                ", so it may not. Leave one out."
            )
        return self

    @model_validator(mode="after")
    def _names_are_sent(self) -> Profile:
        promised = self.promises.create
        if promised not in (None, CreatePromise.NEW) and not self.calls.named:
            raise ValueError(
                f"promises create = {promised.value!r}, so calls.create needs {{id}} or {{title}}."
            )
        return self

    @model_validator(mode="after")
    def _headers_are_ours_to_set(self) -> Profile:
        for name, text in self.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _NOT_OURS:
                raise ValueError(f"has the header {name!r}, which cannot be set. Leave it out.")
            if not (text.isprintable() and text.isascii()):
                raise ValueError(f"has a header {name} of more than plain letters. Correct it.")
        return self

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Profile:
        try:
            re.compile(self.id_pattern or "")
        except re.error as exc:
            raise ValueError(f"has an id-pattern that is no regular expression ({exc}).") from None
        return self

    def _headers(self) -> tuple[tuple[str, str], ...]:
        """What every request carries, secrets included. Raises ``BadFile``."""
        headers = [(name.lower(), from_environment(text)) for name, text in self.headers.items()]
        if self.auth is not None:
            headers.append(self.auth.header())
        return tuple(headers)

    def bearer(self) -> tuple[tuple[str, str], ...]:
        """The header of a token, which is still named and not filled in; none: there is none."""
        token = None if self.auth is None else self.auth.token
        return () if token is None else (("authorization", f"Bearer {token}"),)

    def basic(self) -> tuple[str, str] | None:
        """User and password, which is named and not filled in; None: not asked for."""
        auth = self.auth
        if auth is None or auth.user is None or auth.password is None:
            return None
        return auth.user, auth.password

    def _mask(self) -> Mask:
        """Hides what is taken from the environment, by headers, auth or server, and made of it."""
        said = [*self.headers.values()]
        if self.server is not None:
            said += self.server.env.values()
        if self.auth is not None:
            said += [self.auth.password or "", self.auth.token or ""]
        secrets = [
            from_environment(f"{{env:{name}}}")
            for text in said
            for name in _ENV.findall(text)
            if name not in COMMONPLACE
        ]
        if self.auth is not None:
            secrets.append(self.auth.header()[1].partition(" ")[2])
        return Mask.of(secrets)

    def events_wire(self) -> DeclaredEvents | None:
        """How its event stream is read; None: it has none."""
        return None if self.events is None else self.events.wire(self.base_path)

    def launch(self, name: str, project: Path | None, program: str) -> Launch:
        """How the server is started; there must be a ``server``."""
        assert self.server is not None
        known = {
            "{python}": sys.executable,
            "{project}": str((project or Path.cwd()).absolute()),
            "{program}": program,
        }

        def filled(text: str) -> str:
            for word, value in known.items():
                text = text.replace(word, value)
            return text

        return Launch(
            name=name,
            argv=tuple(filled(word) for word in self.server.command),
            env=tuple(
                (key, from_environment(filled(value))) for key, value in self.server.env.items()
            ),
            ready_line=self.server.ready_line,
            ready_within_s=self.server.ready_within,
            probe=self.server.probe,
            git=self.server.git,
            stop=signal.Signals[self.server.stop],
            stop_within_s=self.server.stop_within,
            mask=self._mask(),
        )


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

    return _ENV.sub(value, text)


def read_profile(path: Path) -> Profile:
    """The profile in a file. Raises ``BadFile``."""
    found = load(path, Profile)
    assert found is not None  # the whole file, not a table of it
    return found
