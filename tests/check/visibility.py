"""Which simulated faults the answers show, by real time and the simulator's records alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.model.history import (
    Absent,
    Created,
    Found,
    History,
    Kind,
    Listed,
    Ok,
    Operation,
    Result,
    shown_sessions,
)
from deadheat.model.verdict import Anomaly

if TYPE_CHECKING:
    from tests.check.simulator import Server


class Fault(StrEnum):
    """What the server does wrong, once."""

    GHOST = "ghost"  # a delete answers success and does nothing
    RESURRECTION = "resurrection"  # a deleted session comes back after a while
    LOST_CREATE = "lost-create"  # a create answers and stores nothing
    STALE_GET = "stale-get"  # a get answers from the past
    STALE_LIST = "stale-list"  # a list answers from the past
    TORN_LIST = "torn-list"  # a list reads its halves at two instants
    DOUBLE_DELETE = "double-delete"  # a delete of an absent session answers success
    DUPLICATE_ID = "duplicate-id"  # a create answers an id that was given before
    PHANTOM = "phantom"  # lists show an id nobody made, from some instant on
    VANISHED = "vanished"  # a session disappears
    LATE_DELETE = "late-delete"  # a delete answers before it takes effect
    LATE_CREATE = "late-create"  # a create answers before it takes effect
    WRONG_STATUS = "wrong-status"  # a delete of a live session answers "absent"
    LOST_UPDATE = "lost-update"  # a rename answers success and does nothing


EXPECTED: dict[Fault, Anomaly] = {
    Fault.GHOST: Anomaly.GHOST,
    Fault.RESURRECTION: Anomaly.RESURRECTION,
    Fault.LOST_CREATE: Anomaly.LOST_CREATE,
    Fault.STALE_GET: Anomaly.STALE_READ,
    Fault.STALE_LIST: Anomaly.STALE_READ,
    Fault.TORN_LIST: Anomaly.TORN_LIST,
    Fault.DOUBLE_DELETE: Anomaly.DOUBLE_DELETE,
    Fault.DUPLICATE_ID: Anomaly.DUPLICATE_ID,
    Fault.PHANTOM: Anomaly.PHANTOM,
    Fault.VANISHED: Anomaly.VANISHED,
    Fault.LATE_DELETE: Anomaly.LATE,
    Fault.LATE_CREATE: Anomaly.LATE,
    Fault.WRONG_STATUS: Anomaly.WRONG_STATUS,
    Fault.LOST_UPDATE: Anomaly.LOST_UPDATE,
}


class _Records:
    """Who did what to one session, in real time."""

    def __init__(self, history: History, session: str) -> None:
        self.session = session
        ops = [op for op in history.operations if op.return_ns is not None]
        self.created = [op for op in ops if _result(op) == Created(session)]
        self.deletes = [
            op
            for op in history.operations
            if op.kind is Kind.DELETE and op.invocation.session == session
            and not isinstance(_result(op), Absent)
        ]  # fmt: skip
        self.seen = [
            op for op in ops if op.kind in (Kind.GET, Kind.LIST) and session in shown_sessions(op)
        ]
        self.missed = [
            op
            for op in ops
            if (op.kind is Kind.LIST and session not in shown_sessions(op))
            or (op.kind is Kind.GET and _result(op) == Absent() and _is_of(op, session))
        ]

    def shown_after_delete(self) -> list[Operation]:
        gone = min((op.return_ns for op in self.deletes if op.return_ns is not None), default=None)
        return [op for op in self.seen if gone is not None and op.call_ns > gone]

    def missed_while_live(self) -> list[Operation]:
        born = min((op.return_ns or 0 for op in self.created), default=None)
        asked = min((op.call_ns for op in self.deletes), default=None)
        return [
            op
            for op in self.missed
            if born is not None
            and op.call_ns > born
            and (asked is None or asked > (op.return_ns or 0))
        ]


def _is_of(op: Operation, session: str) -> bool:
    return op.invocation.session == session


def _result(op: Operation) -> Result | None:
    return op.outcome.result if isinstance(op.outcome, Ok) else None


def is_visible(server: Server, history: History) -> bool:
    records = _Records(history, server.victim)
    struck = server.struck
    match server.fault:
        case Fault.GHOST | Fault.RESURRECTION | Fault.LATE_DELETE:
            if struck is None or struck.return_ns is None:
                return False
            return bool(records.shown_after_delete())
        case Fault.LOST_CREATE | Fault.LATE_CREATE | Fault.VANISHED:
            return bool(records.missed_while_live())
        case Fault.STALE_GET | Fault.STALE_LIST:
            return struck is not None and _outdated(history, struck.index)
        case Fault.TORN_LIST:
            return struck is not None and _mixed(history, struck.index)
        case Fault.DOUBLE_DELETE:
            return len([op for op in records.deletes if op.return_ns is not None]) > 1
        case Fault.DUPLICATE_ID:
            return len(records.created) > 1
        case Fault.PHANTOM:
            answered = [op for op in history.operations if op.return_ns is not None]
            orphan = any(
                op.kind is Kind.CREATE and op.return_ns is None for op in history.operations
            )
            return not orphan and any(server.victim in shown_sessions(op) for op in answered)
        case Fault.WRONG_STATUS:
            if struck is None or struck.return_ns is None:
                return False
            born = min((op.return_ns or 0 for op in records.created), default=None)
            asked = [op for op in records.deletes if op.call_ns <= struck.return_ns]
            return born is not None and born < struck.call_ns and not asked
        case Fault.LOST_UPDATE:
            return _overwritten(server, history)
        case _:
            return False


def _outdated(history: History, index: int) -> bool:
    """Does that read show a session gone before its call, or miss one that lived all along?"""
    read = next(op for op in history.operations if op.index == index)
    sessions = {s for op in history.operations for s in shown_sessions(op)}
    if read.kind is Kind.GET:
        sessions &= {read.invocation.session or ""}
    for session in sessions:
        records = _Records(history, session)
        if read in records.shown_after_delete() or read in records.missed_while_live():
            return True
    return False


def _mixed(history: History, index: int) -> bool:
    """Does that list show two sessions as they never were at one instant?"""
    read = next(op for op in history.operations if op.index == index)
    end = read.return_ns
    if end is None:
        return False
    shown = shown_sessions(read)
    sessions = sorted({s for op in history.operations for s in shown_sessions(op)})
    records = {session: _Records(history, session) for session in sessions}
    for x in sessions:
        for y in shown - {x}:
            made_y = min((op.call_ns for op in records[y].created), default=None)
            if made_y is None:
                continue
            born = min((op.return_ns or 0 for op in records[x].created), default=None)
            asked = min((op.call_ns for op in records[x].deletes), default=None)
            gone = min(
                (op.return_ns for op in records[x].deletes if op.return_ns is not None),
                default=None,
            )
            if x in shown:
                if gone is not None and gone < made_y:
                    return True
                continue
            if born is None:
                continue
            if born < made_y and (asked is None or asked > end):
                return True
            gone_y = min(
                (op.return_ns for op in records[y].deletes if op.return_ns is not None),
                default=None,
            )
            overtaken = asked is not None and gone_y is not None and gone_y < asked
            if born < read.call_ns and overtaken:
                return True
    return False


def _overwritten(server: Server, history: History) -> bool:
    """Does a later read show another title, with no other rename in between?"""
    struck = server.struck
    if struck is None or struck.return_ns is None:
        return False
    others = [
        op
        for op in history.operations
        if op.kind is Kind.RENAME
        and op.invocation.session == server.victim
        and op.index != struck.index
        and (op.return_ns is None or op.return_ns >= struck.call_ns)
    ]
    for op in history.operations:
        if op.return_ns is None or op.call_ns <= struck.return_ns:
            continue
        if any(other.call_ns <= op.return_ns for other in others):
            continue
        title = _title(op, server.victim)
        if title is not None and title != struck.invocation.title:
            return True
    return False


def _title(op: Operation, session: str) -> str | None:
    match op.outcome:
        case Ok(Found(title)) if op.invocation.session == session:
            return title
        case Ok(Listed(entries)):
            return next((e.title for e in entries if e.session == session), None)
        case _:
            return None


def is_typical(server: Server, history: History) -> bool:
    """Can the answers tell this fault from its look-alikes at all?

    A resurrection that nobody saw gone is a ghost; a late effect that one read
    alone contradicts is a stale read; one that another delete forestalled never came;
    a session that no answer ever showed was never created.
    """
    records = _Records(history, server.victim)
    match server.fault:
        case Fault.RESURRECTION:
            shown = records.shown_after_delete()
            return any(
                m.call_ns > d.call_ns and any(s.call_ns > (m.return_ns or 0) for s in shown)
                for m in records.missed
                for d in records.deletes
            )
        case Fault.LATE_DELETE:
            return len(records.shown_after_delete()) > 1 and len(records.deletes) == 1
        case Fault.LATE_CREATE:
            return len(records.missed_while_live()) > 1 and bool(records.seen)
        case Fault.VANISHED | Fault.WRONG_STATUS:
            return bool(records.seen)
        case _:
            return True
