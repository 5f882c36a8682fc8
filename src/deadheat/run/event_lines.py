"""Events as NDJSON: one JSON object a line, ``{"event": "found", …}``, for other programs.

Rules
- Plain values. The names are written here, once: a class or a field that is given another name
  keeps its own in the lines. An artifact is its file's name.
- Each line is flushed: whoever follows the file sees it at once.
- Progress comes after every trial; one line a second and phase is enough of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, assert_never

from deadheat.files import media
from deadheat.run.events import (
    Checked,
    Found,
    MoreReliable,
    Phase,
    Progress,
    Restarted,
    Saved,
    Shrunk,
    Started,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.model.hiccups import Hiccup
    from deadheat.model.verdict import Signature
    from deadheat.run.events import Event


class EventLines:
    """Writes events to ``file``; ``clock`` in seconds, counted from now on."""

    def __init__(self, file: TextIO, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._began_s = clock()
        self._last: tuple[Phase, int] | None = None

    def tell(self, event: Event) -> None:
        """One line, unless it is progress that says nothing new."""
        at_s = self._clock() - self._began_s
        if isinstance(event, Progress):
            now = (event.phase, int(at_s))
            if now == self._last:
                return
            self._last = now
        print(event_line(event, at_s), file=self._file, flush=True)


def event_line(event: Event, at_s: float) -> str:
    """One line without its end. ``at_s``: seconds since the job began."""
    name, body = _said(event)
    return media.json_text({"event": name, "at_s": round(at_s, 3), **body})


def _said(event: Event) -> tuple[str, dict[str, object]]:
    match event:
        case Progress():
            return "progress", {
                "phase": event.phase.value,
                "programs": event.programs,
                "trials": event.trials,
                "requests": event.requests,
                "overlaps": event.overlaps,
                "divergences": event.divergences,
                "undecided": event.undecided,
                "elapsed_s": round(event.elapsed_s, 3),
                "detail": event.detail,
            }
        case Started():
            return "started", {
                "target": event.target,
                "promises": event.promises,
                "seed": event.seed,
                "via": event.via.value,
                "met": [_hiccup(one) for one in event.met],
            }
        case Found():
            return "found", {
                "signature": _signature(event.signature),
                "program": event.program,
                "calls": event.calls,
                "path": event.path.as_posix(),
            }
        case Shrunk():
            return "shrunk", {
                "signature": _signature(event.signature),
                "calls": event.calls,
                "trials": event.trials,
            }
        case Saved():
            saved = {"artifact": event.artifact.filename, "path": event.path.as_posix()}
            return "saved", {**saved, "kept": event.kept}
        case MoreReliable():
            saved = {"artifact": event.artifact.filename, "path": event.path.as_posix()}
            return "morereliable", {**saved}
        case Restarted():
            return "restarted", {"restarts": event.restarts, "log_tail": event.log_tail}
        case Checked():
            return "checked", {
                "path": event.path.as_posix(),
                "target": event.target,
                "standing": event.standing.value,
                "diverged": event.diverged,
                "trials": event.trials,
            }
        case _:
            assert_never(event)


def _signature(signature: Signature) -> dict[str, object]:
    return {
        "anomaly": signature.anomaly.value,
        "calls": list(signature.calls),
        "transient": signature.transient,
    }


def _hiccup(hiccup: Hiccup) -> dict[str, object]:
    return {"kind": hiccup.kind.value, "status": hiccup.status, "why": hiccup.why}
