"""What an export is made of: the artifact, its calls as requests, how its server is started.

Rule: requests name sessions as ``{a}`` and the title to write as ``{title}``; whoever sends
them fills those in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deadheat.artifact import Artifact
    from deadheat.core.program import Call, Place


# Among headers, and no header has this name: user and password, before they are made one.
BASIC = "basic auth"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request with its blanks; ``body``: JSON text or None."""

    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the program."""

    place: Place
    call: Call
    request: Request


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
class TableRow:
    """One version of a table that ``replay --save-table`` wrote."""

    target: str
    trials: int
    diverged: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """``steps``: in reading order. ``start`` None: the server is somebody's own.

    ``trials``: quiet ones after which the recorded rate is refuted. ``table``: rows of
    versions, if they were measured. ``headers``: what every request carries, with
    ``{env:NAME}`` where a secret belongs. ``file``: the artifact's, as the user named it.
    """

    artifact: Artifact
    steps: tuple[Step, ...]
    list_all: Request
    get: Request
    delete: Request
    start: Start | None
    trials: int
    file: str
    headers: tuple[tuple[str, str], ...] = ()
    table: tuple[TableRow, ...] = ()
