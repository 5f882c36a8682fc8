"""Random histories for the checker's tests: mostly legal, then bent.

A run of the sequential model is drawn, every call gets an interval around its
instant of effect, and some answers, outcomes and intervals are then changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Result,
    Seen,
    Unknown,
)

if TYPE_CHECKING:
    from random import Random


MS = 1_000_000  # ns


class Build:
    """A history written down call by call, instants in ms."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(
        self, invocation: Invocation, result: Result | Outcome, call: float, end: float | None,
        *, rest: bool = False, lane: int | None = None, status: int | None = None,
    ) -> Build:  # fmt: skip
        outcome = result if isinstance(result, Ok | Info) else Ok(result)  # type: ignore[arg-type]
        index = len(self.operations)
        self.operations.append(
            Operation(
                index, index if lane is None else lane, invocation, outcome, int(call * MS),
                None if end is None else int(end * MS), rest, status=status,
            )
        )  # fmt: skip
        return self

    def create(self, session: str, call: float, end: float, title: str | None = None) -> Build:
        return self.add(Invocation(Kind.CREATE, title=title), Created(session), call, end)

    def delete(self, session: str, call: float, end: float, result: Result | None = None) -> Build:
        return self.add(Invocation(Kind.DELETE, session), result or Deleted(), call, end)

    def get(self, session: str, call: float, end: float, result: Result, **how: bool) -> Build:
        return self.add(Invocation(Kind.GET, session), result, call, end, **how)

    def list(self, call: float, end: float, *sessions: str, rest: bool = False) -> Build:
        entries = tuple(Seen(session) for session in sessions)
        return self.add(Invocation(Kind.LIST), Listed(entries), call, end, rest=rest)

    @property
    def history(self) -> History:
        return History(tuple(self.operations))


def random_history(
    rng: Random,
    size: int,
    *,
    info: float = 0.2,
    bend: float = 0.25,
    titles: str = "none",
    width: int = 6,
    existing: bool = False,
    renames: bool = False,
    idempotent: bool = False,
    drawn_from: tuple[Kind, ...] = (
        Kind.CREATE,
        Kind.GET,
        Kind.LIST,
        Kind.DELETE,
        Kind.LIST,
    ),
) -> History:
    """``size`` operations. ``titles``: ``none``, ``all`` or ``mixed`` (looked at or not).

    ``bend``: how often an answer is changed; ``width``: how far intervals reach.
    """
    live: dict[str, str | None] = {}
    before = frozenset({"p"}) if existing and rng.random() < 0.3 else frozenset()
    if before:
        live["p"] = None
    known = sorted(before)
    dead: list[str] = []
    operations: list[Operation] = []
    tag = 0

    def title() -> str | None:
        nonlocal tag
        tag += 1
        if titles == "none" or (titles == "mixed" and rng.random() < 0.3):
            return None
        return f"t{tag}"

    def look(value: str | None) -> str | None:
        if titles == "none" or (titles == "mixed" and rng.random() < 0.4):
            return None
        return value

    for n in range(size):
        instant = 4 * n + rng.randrange(4)
        kinds = list(drawn_from)
        if renames:
            kinds.append(Kind.RENAME)
        kind = rng.choice(kinds)
        if kind not in (Kind.CREATE, Kind.LIST) and not known:
            kind = Kind.CREATE
        lost = rng.random() < info
        happens = not lost or rng.random() < 0.6
        target = rng.choice(known) if known else ""
        result: Result
        match kind:
            case Kind.CREATE:
                session, value = f"s{len(known) + n}", title()
                invocation, result = Invocation(kind, title=value), Created(session)
                if happens:
                    live[session] = value
                    known.append(session)
                    if lost and rng.random() < 0.3:
                        known.remove(session)
            case Kind.LIST:
                invocation = Invocation(kind)
                result = Listed(tuple(Seen(s, look(v)) for s, v in sorted(live.items())))
            case Kind.DELETE:
                invocation = Invocation(kind, target)
                result = Deleted() if target in live or idempotent else Absent()
                if happens and target in live:
                    del live[target]
                    dead.append(target)
            case Kind.GET:
                invocation = Invocation(kind, target)
                result = Found(look(live[target])) if target in live else Absent()
            case Kind.RENAME:
                value = title()
                invocation = Invocation(kind, target, value)
                result = Renamed() if target in live else Absent()
                if happens and target in live:
                    live[target] = value
        call = instant - rng.randrange(width)
        end: int | None = instant + rng.randrange(width)
        outcome = Info(Unknown.TIMEOUT) if lost else Ok(result)
        operations.append(Operation(n, n, invocation, outcome, call, None if lost else end))
    bent = [bend_one(rng, op, known) if rng.random() < bend else op for op in operations]
    rng.shuffle(bent)
    return History(tuple(bent), before)


def bend_one(rng: Random, op: Operation, known: list[str]) -> Operation:
    """The operation with a changed answer or a moved interval."""
    if rng.random() < 0.4:
        shift = rng.randrange(-8, 9)
        end = None if op.return_ns is None else op.return_ns + shift
        return replace(op, call_ns=op.call_ns + shift, return_ns=end)
    if not isinstance(op.outcome, Ok) or not known:
        return op
    result: Result
    match op.outcome.result:
        case Absent():
            opposite: dict[Kind, Result] = {Kind.GET: Found(), Kind.DELETE: Deleted()}
            result = opposite.get(op.kind, Renamed())
        case Found(title) if title is not None and rng.random() < 0.5:
            result = Found(f"t{rng.randrange(1, 8)}")
        case Found() | Deleted() | Renamed():
            result = Absent()
        case Listed(entries):
            chosen = rng.choice(known)
            shown = [entry for entry in entries if entry.session != chosen]
            if len(shown) == len(entries):
                shown.append(Seen(chosen))
            result = Listed(tuple(shown))
        case Created() as created:
            result = Created(rng.choice(known)) if rng.random() < 0.3 else created
        case other:
            result = other
    return replace(op, outcome=Ok(result))
