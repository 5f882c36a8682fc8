"""Finds the strongest consistency level that still held, and how stale the reads were.

Rules
- Each level asks less than the one above it, but for *session guarantees*, which no
  level below implies: they are what each client alone may expect.
- Deletes keep the promise that the target made; only lists and reads are weakened.
- Pure and exact, like the checker: the smallest slack is found by binary search, as a
  history that passes with some slack passes with more.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.check.decide.legality import legal
from deadheat.check.decide.wing_gong import Order, OutOfBudget
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    History,
    Info,
    Kind,
    Listed,
    Ok,
    Operation,
    shown_sessions,
)
from deadheat.model.promises import ListPromise, Promises, Shows

if TYPE_CHECKING:
    from collections.abc import Iterator


class Level(StrEnum):
    """The consistency levels, the strongest first."""

    SNAPSHOT = "L1 lists and reads linearizable"
    PER_SESSION = "L2 linearizable, lists per session"
    SESSION = "L3 each client sees its own calls, and never goes back"
    EVENTUAL = "L4 eventual: right at rest, before that a past state"
    QUIESCENT = "L5 right when nothing is in flight"
    NONE = "none of them"


def strongest_held(history: History, promises: Promises, budget: int) -> Level | None:
    """The first level on which ``history`` is known to be legal, in ``budget`` steps for each.

    None: on no level, and for one of them the steps did not do.
    """
    promises = replace(promises, get=Shows.LINEARIZABLE)
    weak = replace(promises, list=ListPromise.PER_SESSION)
    unknown = False
    for level, promised in (
        (Level.SNAPSHOT, replace(promises, list=ListPromise.SNAPSHOT)),
        (Level.PER_SESSION, weak),
        (Level.SESSION, None),
        (Level.EVENTUAL, replace(weak, reads=Shows.EVENTUAL, slack_ns=None)),
        (Level.QUIESCENT, replace(weak, reads=Shows.QUIESCENT)),
    ):
        if promised is None:
            if session_guarantees_hold(history):
                return level
            continue
        answer = legal(history, promised, budget)
        if isinstance(answer, Order):
            return level
        unknown = unknown or isinstance(answer, OutOfBudget)
    return None if unknown else Level.NONE


def smallest_slack_ns(history: History, promises: Promises, budget: int) -> int | None:
    """The smallest staleness of the reads in the race that makes the history legal.

    None: no slack is enough, or ``budget`` steps did not do for one of the questions.
    """

    def passes(slack_ns: int | None) -> bool | None:
        weak = replace(promises, reads=Shows.EVENTUAL, slack_ns=slack_ns)
        answer = legal(history, weak, budget)
        return None if isinstance(answer, OutOfBudget) else isinstance(answer, Order)

    if passes(0):
        return 0
    if not history.operations or not passes(None):
        return None
    calls = [op.call_ns for op in history.operations]
    low, high = 0, max(calls) - min(calls)
    while high - low > 1:
        middle = (low + high) // 2
        enough = passes(middle)
        if enough is None:
            return None
        if enough:
            high = middle
        else:
            low = middle
    return high


def session_guarantees_hold(history: History) -> bool:
    """Do read-your-writes and monotonic reads hold for each client (lane)?

    After a client has seen a session, by creating it or reading it, the session may
    only be missing once somebody had called its delete; once missing after that, or
    deleted by this client, it stays away.
    """
    deletes: dict[str, int] = {}
    for op in history.operations:
        if op.kind is Kind.DELETE and not _refused(op):
            session = op.invocation.session or ""
            deletes[session] = min(deletes.get(session, op.call_ns), op.call_ns)
    seen: set[tuple[int, str]] = set()
    gone: set[tuple[int, str]] = set()
    by_lane: dict[int, set[str]] = {}
    for op in sorted(history.operations, key=lambda op: (op.call_ns, op.index)):
        if not isinstance(op.outcome, Ok) or op.return_ns is None:
            continue
        known = by_lane.setdefault(op.lane, set())
        for session, present in _says(op, known):
            key = (op.lane, session)
            if present:
                if key in gone:
                    return False
                seen.add(key)
                known.add(session)
            elif key in seen:
                if not isinstance(op.outcome.result, Deleted) and (
                    deletes.get(session, op.return_ns + 1) > op.return_ns
                ):
                    return False
                gone.add(key)
            elif isinstance(op.outcome.result, Deleted):
                gone.add(key)
    return True


def _says(op: Operation, known: set[str]) -> Iterator[tuple[str, bool]]:
    """The sessions that the answer shows, or (if the client knew them) fails to show."""
    if not isinstance(op.outcome, Ok):
        return
    match op.outcome.result:
        case Listed() as listed:
            for session in sorted(known | listed.sessions):
                yield session, session in listed.sessions
        case Absent() | Deleted():
            yield op.invocation.session or "", False
        case Created(session):
            yield session, True
        case _:
            for session in shown_sessions(op):
                yield session, True


def _refused(op: Operation) -> bool:
    return isinstance(op.outcome, Ok) and not isinstance(op.outcome.result, Deleted | Info)
