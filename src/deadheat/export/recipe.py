"""The recipe of an export: the artifact, its calls as requests, how its server is started.

Rule: requests name sessions as ``{a}`` and the title to write as ``{title}``; whoever sends
them fills those in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact
    from deadheat.model.history import Place
    from deadheat.model.program import (
        Call,
    )


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """One HTTP request with its blanks; ``body``: JSON text or None."""

    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class ProgramStep:
    """One call of the program."""

    place: Place
    call: Call
    request: RequestTemplate


@dataclass(frozen=True, slots=True)
class Start:
    """How the server is started. ``argv`` and ``env`` hold ``{program}``, ``{port}``, ``{home}``.

    ``package``: the npm package's name without the platform, "" when ``argv`` is whole.
    ``ready_line``: a piece of the line by which it says that it listens.
    """

    package: str
    version: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    git: bool
    ready_line: str
    probe: str


@dataclass(frozen=True, slots=True)
class Reads:
    """How the answers of one kind of call are read.

    ``done`` empty: any 2xx but ``absent`` and ``unknown``. ``id``, ``title`` and ``items``: keys,
    one below the other; None: not told. ``location``: the id is at the end of that header.
    ``answer``: what a success must say, None: anything.
    """

    done: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    id: tuple[str, ...] | None = None
    title: tuple[str, ...] | None = None
    items: tuple[str, ...] = ()
    location: bool = False
    answer: Any = None
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """One version of a table that ``replay --save-table`` wrote."""

    target: str
    trials: int
    diverged: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that an export is made of. ``steps``: in reading order. ``start`` None: it runs already.

    ``trials``: quiet ones after which the recorded rate is refuted. ``table``: rows of
    versions, if they were measured. ``file``: the artifact's, as the user named it.
    ``reads``: by kind of call (``create-child``: below another). ``headers`` and ``basic`` (user
    and password): sent with each request; ``{env:NAME}`` in them is what that environment variable
    holds when the script runs. Never a secret itself.
    """

    artifact: Artifact
    steps: tuple[ProgramStep, ...]
    list_all: RequestTemplate
    get: RequestTemplate
    delete: RequestTemplate
    start: Start | None
    trials: int
    file: str
    table: tuple[TableRow, ...] = ()
    reads: tuple[tuple[str, Reads], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    basic: tuple[str, str] | None = None
