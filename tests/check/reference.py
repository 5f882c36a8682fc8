"""Second opinions: every order tried by hand, and an order replayed on the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.decide.wing_gong import may_be_dropped
from deadheat.check.weakening import split_lists
from deadheat.model.history import Kind, Ok
from deadheat.model.promises import ListPromise
from deadheat.model.specification import Collection, model_for

if TYPE_CHECKING:
    from deadheat.model.history import History, Operation
    from deadheat.model.promises import Promises


def some_order_is_legal(
    history: History, promises: Promises, pair: tuple[int, int] | None = None
) -> bool:
    """Try every order that real time allows; only what failed before is not tried twice.

    With a ``pair`` (of indices) only those orders in which its first comes before its second.
    """
    if promises.list is ListPromise.PER_SESSION:
        history = split_lists(history)
    model = model_for(history, promises)

    failed: set[tuple[tuple[int, ...], Collection]] = set()

    def legal(left: tuple[tuple[int, Operation], ...], state: Collection) -> bool:
        if not any(_answered(op) for _, op in left):
            return True
        key = (tuple(n for n, _ in left), state)
        if key in failed:
            return False
        first_end = min(op.return_ns or 0 for _, op in left if _answered(op))
        for at, (_, op) in enumerate(left):
            if op.call_ns > first_end:
                continue
            if pair and op.index == pair[1] and any(o.index == pair[0] for _, o in left):
                continue
            rest = left[:at] + left[at + 1 :]
            for after in model.step(state, op.invocation, op.outcome):
                if legal(rest, after):
                    return True
        failed.add(key)
        return False

    kept = [op for op in history.operations if not may_be_dropped(op)]
    return legal(tuple(enumerate(kept)), model.init())


def _answered(op: Operation) -> bool:
    return isinstance(op.outcome, Ok) and op.return_ns is not None


def flaw_of(order: tuple[int, ...], history: History, promises: Promises) -> str:
    """What is wrong with a claimed legal order; empty when nothing is."""
    ops = {op.index: op for op in history.operations}
    if len(set(order)) < len(order):
        return "an operation twice"
    per_session = promises.list is ListPromise.PER_SESSION
    for op in history.operations:
        placed = op.index in order or (per_session and op.kind is Kind.LIST)
        if _answered(op) and not placed:
            return f"{op.index} left out"
    model = model_for(history, promises)
    states = {model.init()}
    latest_call: int | None = None
    for index in order:
        op = ops[index]
        if latest_call is not None and op.return_ns is not None and op.return_ns < latest_call:
            return f"{index} too late for real time"
        latest_call = op.call_ns if latest_call is None else max(latest_call, op.call_ns)
        states = {
            after for state in states for after in model.step(state, op.invocation, op.outcome)
        }
        if not states:
            return f"{index} impossible there"
    return ""
