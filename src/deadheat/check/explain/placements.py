"""Finds every place that an answer could have in an order of the others, and why it fits in none.

Rules
- About the witness alone: some 3 to 8 calls, so every legal order of the others is tried.
- Real time is looked at first: a place that it forbids needs no further reason. Then what the
  model would have answered there; then whom it would make impossible.
- Complete for the orders that are tried: when they are too many, fewer are told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from deadheat.check.decide.wing_gong import NoOrder, find_order, may_be_dropped
from deadheat.check.fragment import Fragment, fragment_of
from deadheat.model.grounds import Breaks, Rejected, TooEarly, TooLate, WouldAnswer
from deadheat.model.history import (
    History,
    Kind,
    Listed,
    Ok,
    Operation,
)
from deadheat.model.specification import model_for, with_beginnings
from deadheat.model.verdict import operations_by_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deadheat.model.grounds import Cause
    from deadheat.model.promises import Promises
    from deadheat.model.specification import Collection, Model
    from deadheat.model.verdict import Divergence

S = TypeVar("S")

# Orders of the others that are tried, and steps of the model for finding them: a witness of
# seven calls of which three overlap has six orders.
_MOST_ORDERS = 40
_BUDGET = 20_000


@dataclass(frozen=True, slots=True)
class Alternatives:
    """``longest``: an order of as many calls of the witness as possible, without the culprit."""

    culprit: int
    longest: tuple[int, ...]
    rejected: tuple[Rejected, ...]


def alternatives(divergence: Divergence, promises: Promises) -> Alternatives:
    """The places of the culprit among the other calls of the witness, and why it fits in none.

    Nothing is said where the fragment has no ``places``.
    """
    core = _core(divergence)
    fragment = fragment_of(core, promises)
    if not (isinstance(fragment, Fragment) and fragment.places):
        return Alternatives(divergence.culprit, (), ())
    culprit = operations_by_index(core)[divergence.culprit]
    others = replace(core, operations=tuple(op for op in core.operations if op is not culprit))

    def would(states: set[Collection]) -> WouldAnswer:
        return WouldAnswer(_would_show(states, culprit, divergence.sessions))

    return tried(with_beginnings(others, promises), culprit, model_for(core, promises), would)


def tried(
    marked: History, culprit: Operation, model: Model[S], would: Callable[[set[S]], WouldAnswer]
) -> Alternatives:
    """The same for any model. ``would``: the answer that the culprit would give in these states."""
    rejected: dict[Rejected, None] = {}
    longest: tuple[int, ...] = ()
    for order in _orders(marked, model):
        told = tuple(op.index for op in order if op.index >= 0)
        longest = longest or told
        for place in _rejections(order, culprit, model, would):
            rejected[place] = None
    if not longest:
        found = find_order(marked, model, _BUDGET)
        longest = found.longest if isinstance(found, NoOrder) else ()
    return Alternatives(
        culprit.index, tuple(i for i in longest if i >= 0), _nearest_first(tuple(rejected))
    )


def _nearest_first(rejected: tuple[Rejected, ...]) -> tuple[Rejected, ...]:
    """One place for each cause and neighbour; what the model forbids comes first."""
    told: dict[tuple[int | None, Cause], Rejected] = {}
    for one in rejected:
        key = one.after if isinstance(one.cause, WouldAnswer | Breaks) else None
        told.setdefault((key, one.cause), one)
    return tuple(sorted(told.values(), key=lambda one: isinstance(one.cause, TooEarly | TooLate)))


def _core(divergence: Divergence) -> History:
    """The witness, with what its lists show of the sessions that it is about."""
    by_index = operations_by_index(divergence.history)
    about = frozenset(divergence.sessions)
    operations: list[Operation] = []
    for index in divergence.witness:
        op = by_index[index]
        if index != divergence.culprit and may_be_dropped(op):
            continue
        match op.outcome:
            case Ok(Listed(entries)):
                kept = tuple(entry for entry in entries if entry.session in about)
                op = replace(op, outcome=Ok(Listed(kept)))
            case _:
                pass
        operations.append(op)
    return History(tuple(operations), divergence.history.existing & about)


def _orders(history: History, model: Model[S]) -> Iterator[tuple[Operation, ...]]:
    """Legal orders of all calls that were answered (unanswered ones are left out)."""
    ops = [op for op in history.operations if isinstance(op.outcome, Ok)]
    steps = found = 0
    stack: list[tuple[tuple[Operation, ...], S]] = [((), model.init())]
    while stack and found < _MOST_ORDERS:
        order, state = stack.pop()
        left = [op for op in ops if op not in order]
        if not left:
            found += 1
            yield order
            continue
        for op in reversed(left):
            if any(o.return_ns is not None and o.return_ns < op.call_ns for o in left):
                continue
            steps += 1
            if steps > _BUDGET:
                return
            stack.extend(((*order, op), after) for after in _step(model, state, op))


def _step(model: Model[S], state: S, op: Operation) -> frozenset[S]:
    return model.step(state, op.invocation, op.outcome)


def _rejections(
    order: tuple[Operation, ...],
    culprit: Operation,
    model: Model[S],
    would: Callable[[set[S]], WouldAnswer],
) -> Iterator[Rejected]:
    told = [op for op in order if op.index >= 0]
    states: set[S] = {model.init()}
    place = 0
    for n in range(len(order) + 1):
        if n and order[n - 1].index >= 0:
            place += 1
        if n:
            states = {after for state in states for after in _step(model, state, order[n - 1])}
        if n < len(order) and order[n].index < 0:
            continue  # between a mark and its call: the same place to a reader
        cause = _real_time(told[:place], told[place:], culprit) or _by_the_model(
            order[n:], states, culprit, model, would
        )
        if cause is not None:
            before = told[place].index if place < len(told) else None
            yield Rejected(told[place - 1].index if place else None, before, cause)


def _real_time(
    earlier: list[Operation], later: list[Operation], culprit: Operation
) -> TooEarly | TooLate | None:
    for op in later:
        if op.return_ns is not None and op.return_ns < culprit.call_ns:
            return TooEarly(op.index)
    for op in reversed(earlier):
        if culprit.return_ns is not None and culprit.return_ns < op.call_ns:
            return TooLate(op.index)
    return None


def _by_the_model(
    rest: tuple[Operation, ...],
    states: set[S],
    culprit: Operation,
    model: Model[S],
    would: Callable[[set[S]], WouldAnswer],
) -> WouldAnswer | Breaks | None:
    after = {new for state in states for new in _step(model, state, culprit)}
    if not after:
        return would(states)
    for op in rest:
        after = {new for state in after for new in _step(model, state, op)}
        if not after:
            return Breaks(op.index) if op.index >= 0 else None
    return None


def _would_show(
    states: set[Collection], culprit: Operation, about: tuple[str, ...]
) -> tuple[str, ...] | None:
    """What the call would have shown, where that is certain."""
    if len(states) != 1:
        return None
    (state,) = states
    if state.cascading or state.doubtful:
        return None
    live = {session for session, _ in state.live}
    if culprit.kind is Kind.LIST:
        return tuple(session for session in about if session in live)
    asked = culprit.invocation.parent or culprit.invocation.session
    return (asked,) if asked is not None and asked in live else ()
