"""From "no legal order" to a name, the fewest operations and a sentence.

Rules
- Shrinking a history is sound: forgetting an id everywhere, or a read, never
  makes a contradiction that was not there (CHECKER.md).
- The name is found by counterfactual repair: the one edit that makes the
  history of the ids concerned legal again names what went wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from deadheat.core.divergence import Anomaly, Divergence
from deadheat.core.history import (
    CHANGING,
    Absent,
    Created,
    Deleted,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
    Unknown,
    shown_sessions,
    touched_sessions,
)
from deadheat.core.legality import Impossible
from deadheat.core.search import pending

if TYPE_CHECKING:
    from deadheat.core.legality import Legality
    from deadheat.core.promises import Promises


class Legal(Protocol):
    """``checker.legal``; an argument, so that the checker may import this module."""

    def __call__(
        self, history: History, promises: Promises, budget: int
    ) -> Legality: ...


def explain(
    whole: History, history: History, promises: Promises, budget: int, legal: Legal
) -> Divergence:
    """Name and reduce the contradiction in ``history``, which ``legal`` has refused.

    ``whole`` is the history as recorded, which the divergence carries.
    """

    def contradicts(candidate: History) -> bool:
        return isinstance(legal(candidate, promises, budget), Impossible)

    core_ids = _fewest_ids(history, contradicts)
    concerned = only_sessions(history, core_ids)
    witness = _fewest_reads(concerned, contradicts)
    culprit = _first_impossible(witness, contradicts)
    anomaly = _name(concerned, contradicts)
    names = tuple(sorted(core_ids))
    indices = tuple(op.index for op in sorted(witness.operations, key=lambda op: op.call_ns))
    draft = Divergence(whole, anomaly, indices, culprit, names, "")
    return replace(draft, reason=_reason(draft))


def only_sessions(history: History, ids: frozenset[str]) -> History:
    """Forget every other id: its operations, and its entries in lists."""
    kept: list[Operation] = []
    for op in history.operations:
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed):
            entries = tuple(e for e in op.outcome.result.entries if e.session in ids)
            kept.append(replace(op, outcome=Ok(Listed(entries))))
        elif touched_sessions(op) & ids or (
            op.kind is Kind.CREATE and isinstance(op.outcome, Info)
        ):
            kept.append(op)
    return History(tuple(kept), history.existing & ids)


class _Test(Protocol):
    def __call__(self, candidate: History) -> bool: ...


def _fewest_ids(history: History, contradicts: _Test) -> frozenset[str]:
    ids = frozenset[str]().union(history.existing, *map(touched_sessions, history.operations))
    for session in sorted(ids):  # one alone is nearly always enough
        if contradicts(only_sessions(history, frozenset({session}))):
            return frozenset({session})
    for session in sorted(ids):
        if contradicts(only_sessions(history, ids - {session})):
            ids -= {session}
    return ids


def _fewest_reads(history: History, contradicts: _Test) -> History:
    ops = list(history.operations)
    # Reads inside the race first, so that what stays is what anyone can still see at rest.
    for op in sorted(ops, key=lambda op: (op.at_rest, op.kind is Kind.LIST, op.index)):
        rest = [other for other in ops if other is not op]
        is_read = op.kind not in CHANGING or isinstance(op.outcome, Info)
        absent = isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Absent)
        if (is_read or absent) and contradicts(replace(history, operations=tuple(rest))):
            ops = rest
    return replace(history, operations=tuple(ops))


def _first_impossible(history: History, contradicts: _Test) -> int:
    """The first answer up to which the history cannot be explained (prefix test, CHECKER.md)."""
    answered = sorted(
        (op for op in history.operations if op.return_ns is not None),
        key=lambda op: (op.return_ns or 0, op.index),
    )
    for last in answered:
        end = last.return_ns or 0
        cut = [
            op if op.return_ns is not None and op.return_ns <= end else pending(op)
            for op in history.operations
            if op.call_ns <= end
        ]
        if contradicts(replace(history, operations=tuple(op for op in cut if op))):
            return last.index
    return answered[-1].index


def _name(history: History, contradicts: _Test) -> Anomaly:
    ops = history.operations
    shown = frozenset[str]().union(*map(shown_sessions, ops))
    creators = [
        op.outcome.result.session
        for op in ops
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created)
    ]
    if len(set(creators)) < len(creators):
        return Anomaly.DUPLICATE_ID
    if shown - set(creators) - history.existing:
        return Anomaly.PHANTOM

    def repaired(edited: list[Operation]) -> bool:
        return not contradicts(replace(history, operations=tuple(edited)))

    def without(op: Operation) -> list[Operation]:
        return [other for other in ops if other is not op]

    def swapped(op: Operation, new: Operation) -> list[Operation]:
        return [new if other is op else other for other in ops]

    deletes = [op for op in ops if _is(op, Deleted)]
    if _shown_after_delete(ops, deletes):
        return Anomaly.RESURRECTION if _gone_then_back(ops, deletes) else Anomaly.GHOST
    for op in deletes:
        if len(deletes) > 1 and repaired(swapped(op, replace(op, outcome=Ok(Absent())))):
            return Anomaly.DOUBLE_DELETE
    for op in ops:
        if op.kind is Kind.LIST and not op.at_rest and repaired(_split(ops, op, shown)):
            return Anomaly.TORN_LIST
    for op in ops:
        if op.kind in (Kind.GET, Kind.LIST) and not op.at_rest and repaired(without(op)):
            return Anomaly.STALE_READ
    for op in ops:
        unknown = replace(op, outcome=Info(Unknown.TIMEOUT), return_ns=None)
        if _is(op, Renamed) and repaired(swapped(op, unknown)):
            return Anomaly.LOST_UPDATE
        if _is(op, Deleted) and repaired(swapped(op, unknown)):
            return Anomaly.RESURRECTION if _gone_then_back(ops, deletes) else Anomaly.GHOST
    for op in ops:
        if _is(op, Created) and repaired(without(op)):
            return Anomaly.LOST_CREATE
    for session in sorted(shown):
        unasked = Operation(
            -1, -1, Invocation(Kind.DELETE, session), Info(Unknown.TIMEOUT), 0, None
        )
        if repaired([*ops, unasked]):
            return Anomaly.VANISHED
    return Anomaly.RESURRECTION if _gone_then_back(ops, deletes) else Anomaly.STALE_READ


def _is(op: Operation, result: type[Created | Deleted | Renamed | Absent]) -> bool:
    return isinstance(op.outcome, Ok) and isinstance(op.outcome.result, result)


def _shown_after_delete(ops: tuple[Operation, ...], deletes: list[Operation]) -> bool:
    """At rest, does the last word show a session whose delete had succeeded before?"""
    return any(
        op.at_rest and delete.invocation.session in shown_sessions(op)
        for op in ops
        for delete in deletes
    )


def _gone_then_back(ops: tuple[Operation, ...], deletes: list[Operation]) -> bool:
    for delete in deletes:
        session = delete.invocation.session
        for gone in ops:
            missing = (_is(gone, Absent) and gone.invocation.session == session) or (
                gone.kind is Kind.LIST
                and isinstance(gone.outcome, Ok)
                and session not in shown_sessions(gone)
                and gone.call_ns > delete.call_ns
            )
            if not missing or gone.return_ns is None:
                continue
            if any(
                op.call_ns > gone.return_ns and session in shown_sessions(op)
                for op in ops
                if op.kind is not Kind.CREATE
            ):
                return True
    return False


def _split(ops: tuple[Operation, ...], target: Operation, ids: frozenset[str]) -> list[Operation]:
    from deadheat.core.history import Found

    seen = shown_sessions(target)
    reads = [
        replace(
            target,
            invocation=Invocation(Kind.GET, session),
            outcome=Ok(Found() if session in seen else Absent()),
        )
        for session in sorted(ids)
    ]
    return [op for op in ops if op is not target] + reads


def _reason(divergence: Divergence) -> str:
    """One clause for the culprit's line in the diagram; ids stand as ``{0}``, ``{1}``, …."""
    match divergence.anomaly:
        case Anomaly.GHOST:
            return "{0} was deleted with success, and nothing created it again"
        case Anomaly.RESURRECTION:
            return "{0} was deleted and seen to be gone, and nothing created it again"
        case Anomaly.LOST_CREATE:
            return "{0} was created with success, and nothing deleted it"
        case Anomaly.LOST_UPDATE:
            return "{0} was renamed with success, and shows another title"
        case Anomaly.PHANTOM:
            return "nothing created {0}"
        case Anomaly.VANISHED:
            return "{0} was there, and nothing deleted it"
        case Anomaly.STALE_READ:
            return "this answer about {0} was already out of date when the call began"
        case Anomaly.TORN_LIST:
            return "no single moment shows {0} like this"
        case Anomaly.DUPLICATE_ID:
            return "{0} was already given to another create"
        case Anomaly.DOUBLE_DELETE:
            return "{0} had already been deleted by another call that claims it"
        case _:
            return "no order of the calls explains this answer"
