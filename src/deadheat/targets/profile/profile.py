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
- Places in answers are as in ``value_path``; an empty one is the answer itself.
- What is left out is off (``rename``), or has the strongest promise (but see
  ``promises``).
- A secret's value is in a target's headers and its server's environment, and nowhere else: what is
  read from the environment here is hidden (``redaction``) from all that is written or printed.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from deadheat.drive.masking import Mask
from deadheat.drive.server.process import Launch
from deadheat.drive.target import Target
from deadheat.drive.wire.api import WireRequest
from deadheat.errors import BadFile
from deadheat.files.redaction import COMMONPLACE
from deadheat.files.toml_file import load
from deadheat.model.history import Kind
from deadheat.model.promises import SOMETIME_MS, CreatePromise, EventPromise, IdPromise, Shows
from deadheat.targets.profile.calls import Calls
from deadheat.targets.profile.promises import PromisesTable
from deadheat.targets.profile.sections import (
    ENV,
    AuthTable,
    EventsTable,
    Seconds,
    ServerTable,
    from_environment,
)
from deadheat.targets.profile.table import Table
from deadheat.targets.profile.wire import ProfileWire

if TYPE_CHECKING:
    from deadheat.targets.profile.events import DeclaredEvents

# What the client itself says of each request.
_NOT_OURS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding"}
)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Profile(Table):
    """A whole profile. In Python: ``Profile.model_validate({...})``, with the same keys."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Short; also the name of the folder of its regressions.",
        examples=["carts"],
    )
    server: ServerTable | None = Field(
        default=None, description="How to start it; left out: you start it and name its URL."
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
        description="A regular expression that a whole id matches; anything else is not an id, "
        "and is never sent.",
        examples=["ses_[A-Za-z0-9]+"],
    )
    error: str | None = Field(
        default=None, description="Where an answer that refuses has the error's name."
    )
    calls: Calls = Field(examples=[{}])
    events: EventsTable | None = Field(
        default=None, description="Its event stream; left out: deadheat does not listen."
    )
    promises: PromisesTable = PromisesTable()
    settle: Seconds | None = Field(
        default=None,
        description="The longest time from a change's answer until all reads show it; "
        "see promises.reads.",
        examples=["50ms"],
    )
    timeout: Seconds = Field(
        default=10.0, description="A call without an answer for this long hangs."
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
        """The wire of this API: makes requests of calls, and outcomes of answers."""
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
            raise ValueError(
                'promises reads = "settled" without a time. Write settle = "250ms", too.'
            )
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
            wrong = f"has an id-pattern that is not a regular expression ({exc})."
            raise ValueError(wrong) from None
        return self

    def _headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of every request, secrets included. Raises ``BadFile``."""
        headers = [(name.lower(), from_environment(text)) for name, text in self.headers.items()]
        if self.auth is not None:
            headers.append(self.auth.header())
        return tuple(headers)

    def bearer(self) -> tuple[tuple[str, str], ...]:
        """The header of a token, with the token still a name; empty: there is none."""
        token = None if self.auth is None else self.auth.token
        return () if token is None else (("authorization", f"Bearer {token}"),)

    def basic(self) -> tuple[str, str] | None:
        """User and password, still names; None: not used."""
        auth = self.auth
        if auth is None or auth.user is None or auth.password is None:
            return None
        return auth.user, auth.password

    def _mask(self) -> Mask:
        """A mask for the secrets that the profile takes from the environment, in each form."""
        said = [*self.headers.values()]
        if self.server is not None:
            said += self.server.env.values()
        if self.auth is not None:
            said += [self.auth.password or "", self.auth.token or ""]
        secrets = [
            from_environment(f"{{env:{name}}}")
            for text in said
            for name in ENV.findall(text)
            if name not in COMMONPLACE
        ]
        if self.auth is not None:
            secrets.append(self.auth.header()[1].partition(" ")[2])
        return Mask.of(secrets)

    def events_wire(self) -> DeclaredEvents | None:
        """The wire of its event stream; None: it has none."""
        return None if self.events is None else self.events.wire(self.base_path)

    def launch(self, name: str, project: Path | None, program: str) -> Launch:
        """The launch of its server; there must be a ``server`` table."""
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


def read_profile(path: Path) -> Profile:
    """The profile in a file. Raises ``BadFile``."""
    found = load(path, Profile)
    assert found is not None  # the whole file, not a table of it
    return found
