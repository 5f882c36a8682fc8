"""What a campaign's coordinator and its workers say to each other: one JSON object a line.

Rules
- Plain values only (numbers, texts, lists of them): a line means the same on every machine.
- A ``WorkerOrder`` goes to a worker, a ``Message`` comes from it. Programs and failing examples
  travel in the text form that they have on disk.
- ``PROTOCOL`` grows with every change here; both sides must have the same one.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, TypeAlias

PROTOCOL = 1


def versions() -> dict[str, str]:
    """The versions that must be the same on all machines, so that seeds mean the same programs."""
    return {
        "deadheat": version("deadheat"),
        "protocol": str(PROTOCOL),
        "hypothesis": version("hypothesis"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


# --- to a worker --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Open the target that ``word`` names, and search. The first order of all.

    ``recycle_programs`` and ``recycle_bytes``: when the server gets a fresh home (0: never).
    ``max_rps``: this worker's part of the limit. ``store``: the campaign's folder.
    ``learned``: offsets in microseconds at which divergences have shown; drawn more often.
    """

    word: str
    profile: str | None
    allow_remote: bool
    seed: int
    recycle_programs: int
    recycle_bytes: int
    learned: tuple[int, ...] = ()
    http2: bool = False
    max_rps: float | None = None
    store: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Run ``programs`` programs of the stream with this number, after leaving ``skip`` out."""

    number: int
    programs: int
    skip: int


@dataclass(frozen=True, slots=True)
class CountFinding:
    """A known finding: count it, do not report it. ``hits`` of ``programs`` showed it."""

    key: str
    artifact: str
    settled: bool
    programs: int
    hits: int


@dataclass(frozen=True, slots=True)
class ForgetFinding:
    """This finding has turned out to be the same as another one."""

    key: str


@dataclass(frozen=True, slots=True)
class SeenElsewhere:
    """Overlaps that other workers have seen: no longer new."""

    overlaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pursue:
    """Shrink, tune and measure this example before the search goes on; at most so long."""

    key: str
    artifact: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the server and end."""


WorkerOrder: TypeAlias = (
    Begin | Share | CountFinding | ForgetFinding | SeenElsewhere | Pursue | Stop
)


# --- from a worker ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """The worker is there; nothing has been started yet."""

    versions: dict[str, str]
    pid: int
    host: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The server is up."""

    promises: str
    kinds: tuple[str, ...]
    families: bool


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What has been done since the last such message.

    ``share`` and ``position``: how many programs of it were run; ``drawn_here``: how many of the
    stream were drawn for that. ``counts``: sums by name; ``seen``: overlaps; ``silence``: by
    pairing, judged trials and diverged ones; ``hits``: by finding, programs that could show it,
    and those that did.
    """

    share: int
    position: int
    drawn_here: int
    counts: dict[str, int]
    drawn: dict[str, int]
    answered: dict[str, int]
    seen: dict[str, int] = field(default_factory=dict)
    silence: dict[str, tuple[int, int]] = field(default_factory=dict)
    hits: dict[str, tuple[int, int]] = field(default_factory=dict)
    server_bytes: int = 0
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NewDivergence:
    """A divergence that this worker does not know, or knows only with another shape."""

    artifact: str
    minimum: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A whole history that shows a known divergence again."""

    key: str
    artifact: str


@dataclass(frozen=True, slots=True)
class BetterExample:
    """A smaller, or a measured, example of a finding that is being pursued.

    ``picture``: offset in microseconds, diverged, decided trials; only when ``finished``.
    """

    key: str
    artifact: str
    finished: bool
    measured: bool = False
    picture: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """What the worker is doing."""

    phase: str
    detail: str


@dataclass(frozen=True, slots=True)
class ServerRestarted:
    """The server was started again; ``died``: not by us."""

    died: bool
    log_tail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker ends here. ``exit_code`` and ``message`` as on the command line."""

    error: str
    message: str
    exit_code: int
    log_tail: str


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """The server is stopped, and the worker ends as it was told to."""


Message: TypeAlias = (
    Hello
    | Ready
    | WorkDone
    | NewDivergence
    | Sighting
    | BetterExample
    | Activity
    | ServerRestarted
    | Failed
    | WorkerEnded
)


def refusal(hello: Hello) -> str:
    """Why this worker cannot take part, and the fix; empty when it can."""
    ours = versions()
    differ = [name for name in ours if hello.versions.get(name) != ours[name]]
    if not differ:
        return ""
    theirs = ", ".join(f"{name} {hello.versions.get(name, '?')}" for name in differ)
    wanted = ", ".join(f"{name} {ours[name]}" for name in differ)
    return (
        f"the worker on {hello.host} has {theirs}, and this machine has {wanted}. Install the same "
        f"there: pip install 'deadheat[cluster]=={ours['deadheat']}' "
        f"'hypothesis=={ours['hypothesis']}' with Python {ours['python']}."
    )


_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(Begin, Share, CountFinding, ForgetFinding, SeenElsewhere, Pursue, Stop),
        *(
            Hello,
            Ready,
            WorkDone,
            NewDivergence,
            Sighting,
            BetterExample,
            Activity,
            ServerRestarted,
            Failed,
            WorkerEnded,
        ),
    )
}


def to_line(said: WorkerOrder | Message) -> str:
    """One line, without its end."""
    body = {"say": type(said).__name__, **asdict(said)}
    return json.dumps(body, separators=(",", ":"))  # ASCII: lone surrogates, too


def from_line(line: str) -> Any:
    """The order or message of a line. Raises ``ValueError`` for any other line."""
    try:
        body = json.loads(line)
        kind = _KINDS[body.pop("say")]
        return kind(**{name: _frozen(value) for name, value in body.items()})
    except (TypeError, KeyError, AttributeError, ValueError) as exc:
        raise ValueError(f"no line of protocol {PROTOCOL}: {line[:80]!r}") from exc


def _frozen(value: Any) -> Any:
    """The value with lists turned back into tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
