"""The one entry: does some legal order explain this history?

Rules
- The verdict is about the history alone, under the promises given.
- Undeclared statuses and server errors are divergences of their own; for the
  rest of the judgement such an answer is unknown (its call may have happened).
- Deterministic: a budget of steps, never a clock.
"""

from __future__ import annotations

from dataclasses import replace

from deadheat.core.divergence import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Undecided,
    Verdict,
)
from deadheat.core.explain import explain
from deadheat.core.history import (
    Absent,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Undeclared,
    Unknown,
    touched_sessions,
)
from deadheat.core.promises import ListPromise, Promises, ReadPromise
from deadheat.core.search import NoOrder, Order, OutOfBudget, find_order
from deadheat.core.sessions import model_for

# A history of 30 overlapping operations needs some thousands of steps; 200,000
# is about a second, past which another trial is worth more than an answer.
DEFAULT_BUDGET = 200_000


def check(history: History, promises: Promises, budget: int = DEFAULT_BUDGET) -> Verdict:
    """Judge ``history`` under ``promises``, in at most ``budget`` steps for each search."""
    found = list(_declared(history))
    quiet = silenced(history)
    verdict = legal(quiet, promises, budget)
    if isinstance(verdict, NoOrder):
        found.insert(0, explain(history, quiet, promises, budget, legal))
    if found:
        return Diverged(found[0], tuple(found[1:]))
    match verdict:
        case Order(order):
            return Linearizable(order)
        case OutOfBudget(steps):
            return Undecided(f"no answer within {steps:,} steps")
        case _:
            raise AssertionError(verdict)


def legal(history: History, promises: Promises, budget: int) -> Order | NoOrder | OutOfBudget:
    """Is there an order? Lists are split or kept as ``promises.list`` says."""
    if promises.reads is ReadPromise.QUIESCENT:
        history = _only_quiet_reads(history)
    if promises.list is ListPromise.SNAPSHOT:
        return find_order(history, model_for(history, promises), budget)
    order: tuple[int, ...] = ()
    for part in by_session(history):  # sessions are independent (locality, Herlihy & Wing 1990)
        verdict = find_order(part, model_for(part, promises), budget)
        if not isinstance(verdict, Order):
            return verdict
        order += tuple(i for i in verdict.order if i not in order)
    return Order(order)


def silenced(history: History) -> History:
    """The history with every undeclared answer turned into an unknown one."""
    return replace(
        history,
        operations=tuple(
            replace(op, outcome=Info(Unknown.GARBLED, "undeclared"), return_ns=None)
            if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Undeclared)
            else op
            for op in history.operations
        ),
    )


def by_session(history: History) -> tuple[History, ...]:
    """One history for each id: its own operations, and every list as a read of that id."""
    ids: dict[str, None] = dict.fromkeys(sorted(history.existing))
    for op in history.operations:
        ids.update(dict.fromkeys(sorted(touched_sessions(op))))
    return tuple(_project(history, session) for session in ids)


def _project(history: History, session: str) -> History:
    kept: list[Operation] = []
    for op in history.operations:
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed):
            kept.append(_membership(op, op.outcome.result, session))
        elif session in touched_sessions(op) or (
            op.kind is Kind.CREATE and isinstance(op.outcome, Info)
        ):
            kept.append(op)
    return History(tuple(kept), history.existing & {session})


def _membership(op: Operation, listed: Listed, session: str) -> Operation:
    titles = [entry.title for entry in listed.entries if entry.session == session]
    result = Found(titles[0]) if titles else Absent()
    return replace(op, invocation=Invocation(Kind.GET, session), outcome=Ok(result))


def _only_quiet_reads(history: History) -> History:
    """Without the reads that overlap a call that changes something."""
    writes = [op for op in history.operations if op.kind not in (Kind.GET, Kind.LIST)]
    return replace(
        history,
        operations=tuple(
            op
            for op in history.operations
            if op.kind not in (Kind.GET, Kind.LIST) or not any(_overlap(op, w) for w in writes)
        ),
    )


def _overlap(one: Operation, other: Operation) -> bool:
    return (other.return_ns is None or one.call_ns <= other.return_ns) and (
        one.return_ns is None or other.call_ns <= one.return_ns
    )


def _declared(history: History) -> tuple[Divergence, ...]:
    found: dict[object, Divergence] = {}
    for op in history.operations:
        match op.outcome:
            case Ok(Undeclared(status, detail)):
                anomaly, text = Anomaly.WRONG_STATUS, f"{op.kind} answered {status} {detail}"
            case Info(Unknown.SERVER_ERROR, detail):
                anomaly, text = Anomaly.SERVER_ERROR, f"{op.kind} answered {op.status} {detail}"
            case _:
                continue
        sessions = tuple(sorted(touched_sessions(op)))
        one = Divergence(history, anomaly, (op.index,), op.index, sessions, text.strip())
        found.setdefault(one.signature, one)
    return tuple(found.values())
