"""Events as NDJSON: one JSON object a line, ``{"v": 2, "event": "found", …}``, for other programs.

Rules
- One dialect for ``ci`` and ``campaign``; ``v`` grows when a name goes or means something else.
- Plain values. The names are the table here: a class that is given another name keeps its own in
  the lines. An artifact is its file's name.
- Each line is flushed: a reader of the file sees it at once.
- Progress comes after every trial; one line a second and phase is enough of it, and of a whole
  campaign one line in 15 seconds.
"""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TextIO

from deadheat.errors import CannotSave
from deadheat.files import media
from deadheat.files.artifact import Artifact
from deadheat.model.hiccups import Hiccup
from deadheat.model.verdict import Signature
from deadheat.run import events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION = 2
_PROGRESS_EVERY_S = 1.0
_SNAPSHOT_EVERY_S = 15.0
_COUNTS = "phase programs trials requests overlaps divergences undecided elapsed_s"
_OF_A_CAMPAIGN = (
    "target seconds budget skipped programs_per_s requests_per_s pairings_seen pairings plateau "
    "restarts recycled lost_workers findings workers"
)

# What an event is called, and its fields in their order.
_EVENTS: Mapping[type, tuple[str, str]] = {
    events.Progress: ("progress", f"{_COUNTS} detail"),
    events.Snapshot: ("progress", f"{_COUNTS} {_OF_A_CAMPAIGN}"),
    events.Started: ("started", "target promises seed via met"),
    events.DivergenceFound: ("found", "key signature program calls path"),
    events.Shrunk: ("shrunk", "key signature calls trials"),
    events.Saved: ("saved", "key artifact path kept calls diverged trials"),
    events.MoreReliable: ("more-reliable", "key artifact path"),
    events.TargetRestarted: ("restarted", "restarts log_tail worker"),
    events.Checked: ("checked", "path target standing diverged trials"),
    events.Opened: ("opened", "target seed folder"),
    events.GivenUp: ("given-up", "key"),
    events.Known: ("known", "key"),
    events.Recycled: ("recycled", "worker"),
    events.WorkerStarted: ("worker-started", "worker promises"),
    events.WorkerLost: ("worker-lost", "worker why"),
    events.Workers: ("workers", "workers why"),
    events.Plateau: ("plateau", "since overlaps"),
    events.Ended: ("ended", "why"),
}
_PARTS: Mapping[type, str] = {
    Signature: "anomaly calls transient",
    Hiccup: "kind status why",
    events.FindingState: "key calls state rate sightings first_s last_s",
    events.WorkerState: "name doing programs server_bytes",
}


class EventLines:
    """Writes events to ``file``; None: to no file."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._last: tuple[events.Phase, int] | None = None

    def tell(self, event: events.Event, at_s: float) -> None:
        """Write a line, unless it is progress with nothing new. ``at_s``: since the start."""
        if self._file is None:
            return
        if isinstance(event, events.Progress | events.Snapshot):
            every_s = _SNAPSHOT_EVERY_S if isinstance(event, events.Snapshot) else _PROGRESS_EVERY_S
            now = (event.phase, math.floor(at_s / every_s))
            if now == self._last:
                return
            self._last = now
        print(event_line(event, at_s), file=self._file, flush=True)


@contextmanager
def lines_to(where: str | None, *, append: bool = False) -> Iterator[EventLines]:
    """The writer for the file of that name; ``-`` is stdout. Raises ``CannotSave``."""
    if where is None or where == "-":
        yield EventLines(None if where is None else sys.stdout)
        return
    try:
        file = Path(where).open("a" if append else "w", encoding="utf-8")  # noqa: SIM115
    except OSError as exc:
        raise CannotSave(f"{where} cannot be written ({exc.strerror}). Name another file.") from exc
    with file:
        yield EventLines(file)


def event_name(event: events.Event) -> str:
    """The name of an event in its line."""
    return _EVENTS[type(event)][0]


def event_line(event: events.Event, at_s: float) -> str:
    """One line without its end."""
    name, body = event_name(event), _body(event)
    if isinstance(event, events.Ended):
        body |= _body(event.snapshot)
    return media.json_text({"v": VERSION, "event": name, "at_s": round(at_s, 3), **body})


def _body(event: events.Event) -> dict[str, object]:
    return _fields(event, _EVENTS[type(event)][1])


def _fields(one: object, names: str) -> dict[str, object]:
    return {name: _plain(getattr(one, name)) for name in names.split()}


def _plain(value: object) -> object:
    match value:
        case float():
            return round(value, 3)
        case PurePath():
            return value.as_posix()
        case Enum():
            return value.value
        case Artifact():
            return value.filename
        case tuple():
            return [_plain(one) for one in value]
        case _:
            parts = _PARTS.get(type(value))
            return value if parts is None else _fields(value, parts)
