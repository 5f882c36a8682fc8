"""Legal or not: the specialised decision, and the generic search where that knows nothing.

Rules
- Exact on both paths: an order is found if and only if one exists, unless the
  budget of steps ends.
- Promises weaken the history, never the decision: reads in the race are left out
  (quiescent), begin earlier (eventual), or lists fall into one read a session.
- The straight way (``sweep``) first: it ends nearly every legal history, and most others. Of
  long ones what surrounds its dead end is looked at next: it proves most of the rest.
- The specialised path raises ``Unfit`` where a title or an id can be of several
  makers; then the search over ``SessionModel`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from deadheat.core.history import (
    READING,
    Absent,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Seen,
    Undeclared,
    Unknown,
    only_reads,
    overlap,
    parents_of,
    touched_sessions,
)
from deadheat.core.lifetimes import Conflict, Unfit, judge_lists, read_lives
from deadheat.core.names import lives_again
from deadheat.core.nodes import build_nodes
from deadheat.core.ordering import Placed, Spent, place_nodes
from deadheat.core.placing import order_of
from deadheat.core.promises import (
    AbsentPromise,
    DeletePromise,
    GetPromise,
    ListPromise,
    Promises,
    ReadPromise,
    UpdatePromise,
)
from deadheat.core.search import NoOrder, Order, OutOfBudget, find_order
from deadheat.core.sessions import model_for, with_beginnings
from deadheat.core.sweep import DeadEnd, sweep
from deadheat.core.values import read_values

if TYPE_CHECKING:
    from collections.abc import Iterable

# Of the budget for all operations; they are ten times as many as those around a dead end.
_PART = 10
_LISTING = (Kind.LIST, Kind.CHILDREN)


@dataclass(frozen=True, slots=True)
class Impossible:
    """No legal order exists. ``sessions`` and ``operations``: where the proof was found."""

    sessions: tuple[str, ...] = ()
    operations: tuple[int, ...] = ()


Legality: TypeAlias = Order | Impossible | OutOfBudget


def legal(history: History, promises: Promises, budget: int) -> Legality:
    """Is there a legal order of ``history`` under ``promises``, within ``budget`` steps?"""
    history = weakened(history, promises)
    if not promises.one_life and lives_again(history, promises):
        return searched(history, promises, budget)
    try:
        straight = sweep(
            history.operations,
            history.existing,
            strict_delete=promises.delete is DeletePromise.EXACTLY_ONCE,
            snapshot=promises.list is ListPromise.SNAPSHOT,
        )
    except Conflict as conflict:
        return _impossible(conflict)
    if not isinstance(straight, DeadEnd):
        return Order(straight)
    found = surroundings(straight, promises, budget // _PART) if straight.around else None
    return found or decided(history, promises, budget)


def surroundings(end: DeadEnd, promises: Promises, budget: int) -> Impossible | None:
    """Is what surrounds a dead end impossible by itself? Then all is."""
    found = _fitting(History(end.around, end.existing), promises, budget)
    return found if isinstance(found, Impossible) else None


def decided(history: History, promises: Promises, budget: int) -> Legality:
    """The same of a history that is ``weakened``, where the straight way does not lead through."""
    if not promises.one_life and lives_again(history, promises):
        return searched(history, promises, budget)
    return _fitting(history, promises, budget) or searched(history, promises, budget)


def _fitting(history: History, promises: Promises, budget: int) -> Legality | None:
    """By the specialised decision; None where that does not fit."""
    try:
        return _specialised(history, promises, budget)
    except Conflict as conflict:
        return _impossible(conflict)
    except Unfit:
        return None


def _impossible(conflict: Conflict) -> Impossible:
    return Impossible(conflict.sessions, tuple([i for i in conflict.operations if i >= 0]))


def has_families(history: History) -> bool:
    """Is there a call whose meaning depends on who is below whom, or on a source?"""
    for op in history.operations:
        asked = op.invocation
        if asked.parent is not None or asked.kind is Kind.CHILDREN or asked.kind is Kind.FORK:
            return True
    return False


def contradicts(history: History, promises: Promises, budget: int) -> bool:
    """Is it certain that no legal order exists?"""
    return isinstance(legal(history, promises, budget), Impossible)


def searched(history: History, promises: Promises, budget: int) -> Legality:
    """The second opinion: the generic search over the sequential specification."""
    split = frozenset[int]()
    model = model_for(history, promises)
    if promises.list is not ListPromise.SNAPSHOT:
        split = frozenset(op.index for op in history.operations if op.kind in _LISTING)
        history = split_lists(history)
    found = find_order(with_beginnings(history, promises), model, budget)
    if isinstance(found, NoOrder):
        return Impossible()
    if isinstance(found, Order):
        return Order(tuple(index for index in found.order if index >= 0 and index not in split))
    return found


def _specialised(history: History, promises: Promises, budget: int) -> Legality:
    lives = read_lives(
        history.operations,
        history.existing,
        strict_delete=promises.delete is DeletePromise.EXACTLY_ONCE,
    )
    values = read_values(lives)
    if lives.lists:
        judge_lists(lives)
    if promises.list is not ListPromise.SNAPSHOT:
        return Order(order_of(lives, values, None, ()))
    nodes = build_nodes(lives, values)
    found = place_nodes(nodes, budget)
    if isinstance(found, Placed):
        return Order(order_of(lives, values, nodes, found.nodes))
    if isinstance(found, Spent):
        return OutOfBudget(found.steps)
    lists = [nodes.operation[j] for j in found.nodes]
    return Impossible((), tuple([op.index for op in lists if op is not None]))


def weakened(history: History, promises: Promises) -> History:
    """The history as the promises about reads, titles and absence let it be seen."""
    if not promises.by_real_time:
        history = _loosened(history, promises)
    match promises.reads:
        case ReadPromise.LINEARIZABLE:
            return history
        case ReadPromise.QUIESCENT:
            return quiet_reads_only(backdated(history, promises.slack_ns or 0))
        case ReadPromise.EVENTUAL:
            return backdated(history, promises.slack_ns)


def _loosened(history: History, promises: Promises) -> History:
    """Without what the promises say nothing about."""
    past = frozenset(_LISTING) if promises.list is ListPromise.EVENTUAL else frozenset[Kind]()
    if promises.get is GetPromise.EVENTUAL:
        past |= {Kind.GET}
    if past:
        history = backdated(history, None, past)
    operations: Iterable[Operation] = history.operations
    if promises.update is UpdatePromise.NONE:
        operations = map(_untitled, operations)
    if promises.status_on_absent is AbsentPromise.ANY:
        operations = (_unsaid(op) for op in operations)
    return replace(history, operations=tuple(operations))


def _untitled(op: Operation) -> Operation:
    """The same, and nobody looked at a title."""
    if not isinstance(op.outcome, Ok):
        return op
    match op.outcome.result:
        case Found():
            return replace(op, outcome=Ok(Found()))
        case Listed(entries):
            return replace(op, outcome=Ok(Listed(tuple(Seen(e.session) for e in entries))))
        case Offspring(entries):
            return replace(op, outcome=Ok(Offspring(tuple(Seen(e.session) for e in entries))))
        case _:
            return op


def _unsaid(op: Operation) -> Operation:
    """The same, but a status that may mean absence says nothing."""
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Absent | Undeclared):
        return replace(op, outcome=Info(Unknown.UNCLEAR), return_ns=None)
    return op


def backdated(history: History, slack_ns: int | None, kinds: frozenset[Kind] = READING) -> History:
    """Reads in the race may show any instant since ``slack_ns`` before their call.

    None: since before everything. ``kinds``: which of them. Reads at rest stay as they are.
    """
    if slack_ns == 0 or not history.operations:
        return history
    start = min(op.call_ns for op in history.operations)
    return replace(
        history,
        operations=tuple(
            replace(op, call_ns=start if slack_ns is None else max(start, op.call_ns - slack_ns))
            if (op.kind in kinds or (kinds == READING and only_reads(op))) and not op.at_rest
            else op
            for op in history.operations
        ),
    )


def quiet_reads_only(history: History) -> History:
    """Without the reads that overlap a call that may change something."""
    writes = [op for op in history.operations if not only_reads(op)]
    return replace(
        history,
        operations=tuple(
            op
            for op in history.operations
            if not only_reads(op) or not any(overlap(op, w) for w in writes)
        ),
    )


def split_lists(history: History, index: int | None = None) -> History:
    """Every list (or only that one) as one read for each session, and for each entry repeated.

    What ``children`` shows too; where that is nothing it is left out, as it may be that
    the parent was gone.
    """
    sessions: dict[str, None] = dict.fromkeys(sorted(history.existing))
    for op in history.operations:
        sessions.update(dict.fromkeys(sorted(touched_sessions(op))))
    parents = parents_of(history.operations)
    operations: list[Operation] = []
    for op in history.operations:
        if not isinstance(op.outcome, Ok) or index not in (None, op.index):
            operations.append(op)
            continue
        match op.outcome.result:
            case Listed(entries):
                operations.extend(_reads_of(op, entries, sessions))
            case Offspring(entries):
                below = [s for s in sessions if parents.get(s) == op.invocation.session]
                operations.extend(_reads_of(op, entries, below if entries else ()))
            case _:
                operations.append(op)
    return replace(history, operations=tuple(operations))


def _reads_of(op: Operation, entries: tuple[Seen, ...], sessions: Iterable[str]) -> list[Operation]:
    reads = [
        replace(op, invocation=Invocation(Kind.GET, entry.session), outcome=Ok(Found(entry.title)))
        for entry in entries
    ]
    shown = {entry.session for entry in entries}
    reads.extend(
        replace(op, invocation=Invocation(Kind.GET, session), outcome=Ok(Absent()))
        for session in sessions
        if session not in shown
    )
    return reads


def declared(operation: Operation) -> bool:
    """Is the answer one that the profile declares?"""
    outcome = operation.outcome
    return not (isinstance(outcome, Ok) and isinstance(outcome.result, Undeclared))
