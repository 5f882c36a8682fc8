"""A saved example's calls as requests with blanks, and how its server is started.

Rules
- The wire spells each request with the recorded ids, which it accepts; they are made blanks
  afterwards. So a profile needs nothing of its own to be exported.
- Nothing is downloaded or started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.core.history import Invocation, Kind
from deadheat.core.program import Children, Create, Delete, Fork, Get, List, OwnCall, Rename
from deadheat.errors import CannotExport
from deadheat.report.export.recipe import Request, Start, Step
from deadheat.targets import opencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.artifact import Artifact
    from deadheat.core.history import Operation
    from deadheat.core.program import Call
    from deadheat.drive.target import Wire

_TITLE = "{title}"


def steps_of(artifact: Artifact, wire: Wire) -> tuple[Step, ...]:
    """Every call of the program. Raises ``CannotExport`` when a session's id is not known."""
    ids = artifact.sessions
    return tuple(
        Step(place, call, _request(wire, _invocation(call, ids), ids))
        for place, call in artifact.program.placed()
    )


def reading(artifact: Artifact, wire: Wire) -> tuple[Request, Request, Request]:
    """List, get and delete; the session is the blank ``{a}``. Raises ``CannotExport``."""
    some = next(iter(artifact.sessions.values()), None)
    if some is None:
        raise CannotExport(
            "this example's history has no session with an id. Run it again to record one."
        )
    blank = {"a": some}
    return (
        _request(wire, Invocation(Kind.LIST), blank),
        _request(wire, Invocation(Kind.GET, some), blank),
        _request(wire, Invocation(Kind.DELETE, some), blank),
    )


def sent_of(wire: Wire, op: Operation) -> Request:
    """The request of a recorded operation, without blanks."""
    return _request(wire, op.invocation, {})


def start_of(artifact: Artifact) -> Start | None:
    """How the recorded server is started by somebody without deadheat; None: by its owner."""
    name, version = artifact.target.name, artifact.target.version
    if artifact.target.profile != "opencode" or "@" not in name or version is None:
        return None
    launch = opencode.launch(name, "{program}")
    return Start(
        package="opencode",
        version=version,
        argv=launch.argv,
        env=launch.env,
        git=launch.git,
        ready_line=launch.ready_line or "",
        probe=launch.probe or "/",
    )


def _request(wire: Wire, invocation: Invocation, ids: Mapping[str, str]) -> Request:
    sent = wire.encode(invocation)
    path, body = sent.path, None if sent.body is None else sent.body.decode()
    for name, session in ids.items():
        path = path.replace(session, "{" + name + "}")
        body = body and body.replace(session, "{" + name + "}")
    return Request(sent.method, path, body)


def _invocation(call: Call, ids: Mapping[str, str]) -> Invocation:
    def known(name: str) -> str:
        if name not in ids:
            raise CannotExport(
                f"the id of session {name} was never recorded. Replay the example to see it again."
            )
        return ids[name]

    match call:
        case Create(parent=None):
            return Invocation(Kind.CREATE, title=_TITLE)
        case Create(parent=parent) if parent is not None:
            return Invocation(Kind.CREATE, None, _TITLE, known(parent.name))
        case Fork(source=source):
            return Invocation(Kind.FORK, known(source.name))
        case Rename(var):
            return Invocation(Kind.RENAME, known(var.name), _TITLE)
        case Delete(var):
            return Invocation(Kind.DELETE, known(var.name))
        case Get(var):
            return Invocation(Kind.GET, known(var.name))
        case Children(var):
            return Invocation(Kind.CHILDREN, known(var.name))
        case List():
            return Invocation(Kind.LIST)
        case OwnCall(own, var):
            return Invocation(Kind.OWN, known(var.name), own=own)
        case Create():
            raise AssertionError("a create has a parent or none")
        case _:
            assert_never(call)
