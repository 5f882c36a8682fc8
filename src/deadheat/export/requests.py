"""A saved example's calls as requests with blanks, and how its server is started.

Rules
- The wire spells each request with ids that stand for blanks, and are made blanks afterwards;
  where it wants ids of another form, with the recorded ones.
- Nothing is downloaded or started.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from deadheat.errors import CannotExport
from deadheat.export.recipe import ProgramStep, Reads, RequestTemplate, Start
from deadheat.model.history import Invocation, Kind
from deadheat.model.program import Recreate, invocation_of, needs
from deadheat.targets.opencode import releases as opencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.drive.wire.api import Wire
    from deadheat.files.artifact import Artifact
    from deadheat.model.history import Operation
    from deadheat.model.program import Call
    from deadheat.targets.profile.profile import Profile

_TITLE = "{title}"
_PLAIN_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)+")


def steps_of(artifact: Artifact, wire: Wire) -> tuple[ProgramStep, ...]:
    """Every call of the program. Raises ``CannotExport`` when a session's id is not known."""
    ids = _blanks(artifact, wire)
    return tuple(
        ProgramStep(place, call, _request(wire, _invocation(call, ids), ids))
        for place, call in artifact.program.placed()
    )


def reading(
    artifact: Artifact, wire: Wire
) -> tuple[RequestTemplate, RequestTemplate, RequestTemplate]:
    """The requests for list, get and delete, with a blank ``{a}``. Raises ``CannotExport``."""
    some = next(iter(_blanks(artifact, wire).values()), None)
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


def sent_of(wire: Wire, op: Operation) -> RequestTemplate:
    """The request that a recorded operation sent, without blanks."""
    return _request(wire, op.invocation, {})


def start_of(artifact: Artifact) -> Start | None:
    """How anyone can start the recorded server without deadheat; None: only its owner can."""
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


def reads_of(profile: Profile) -> tuple[tuple[str, Reads], ...]:
    """How a script reads the answers. Raises ``CannotExport``."""
    if profile.calls.paged:
        raise CannotExport("a script does not read lists in pages. Use --as curl or --as markdown.")
    if profile.calls.chosen:
        raise CannotExport("a script does not choose ids. Use --as curl or --as markdown.")
    return tuple(
        (
            f"{one.kind}-child" if one.below else one.kind.value,
            Reads(
                tuple(sorted(one.done)),
                tuple(sorted(one.absent)),
                tuple(sorted(one.unknown)),
                None if one.id_at is None else _keys(one.id_at),
                None if one.title_at is None else _keys(one.title_at),
                _keys(one.items_at or ""),
                one.id_in_location,
                one.answer,
                tuple(sorted(one.refused)),
            ),
        )
        for one in profile.calls.exchanges()
    )


def _keys(place: str) -> tuple[str, ...]:
    if place.startswith("$"):
        if not _PLAIN_PATH.fullmatch(place):
            raise CannotExport(
                f"a script does not read the JSONPath {place}. Use --as curl or --as markdown."
            )
        place = place[2:]
    return tuple(place.split(".")) if place else ()


def _blanks(artifact: Artifact, wire: Wire) -> dict[str, str]:
    """The placeholder of each session while requests are written: part of no other text."""
    blanks = {name: f"blank-{name}-of-deadheat" for name in artifact.sessions}
    try:
        for session in blanks.values():
            wire.encode(Invocation(Kind.GET, session))
    except ValueError:
        return dict(artifact.sessions)
    return blanks


def _request(wire: Wire, invocation: Invocation, ids: Mapping[str, str]) -> RequestTemplate:
    try:
        sent = wire.encode(invocation)
    except ValueError as exc:  # an id that its create has to choose
        raise CannotExport(
            f"only deadheat chooses ids, so far ({exc}). Use `deadheat replay`."
        ) from None
    path, body = sent.path, None if sent.body is None else sent.body.decode()
    path = path.replace(quote(_TITLE, safe=""), _TITLE)
    for name, session in ids.items():
        blank = "{" + name + "}"
        spelt = quote(session, safe="", errors="replace")  # one that no address holds is in none
        path = path.replace(spelt, blank).replace(session, blank)
        body = body and body.replace(session, blank)
    return RequestTemplate(sent.method, path, body)


def _invocation(call: Call, ids: Mapping[str, str]) -> Invocation:
    if isinstance(call, Recreate):
        raise CannotExport(
            "only deadheat creates under one name twice, so far. Use `deadheat replay`."
        )
    needed = needs(call)
    known = {} if needed is None or needed.name not in ids else {needed: ids[needed.name]}
    asked = invocation_of(call, known, _TITLE)
    if asked is None:
        raise CannotExport(
            f"the id of session {needed and needed.name} was never recorded. "
            "Replay the example to see it again."
        )
    return asked
