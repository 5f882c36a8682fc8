"""Legal or not: the specialised decision, and the generic search where that knows nothing.

Rules
- Exact on both paths: an order is found if and only if one exists, unless the
  budget of steps ends.
- Promises weaken the history (``weakening``), never the decision: looks are left out or begin
  earlier, or lists fall into one read a session.
- The straight way (``greedy``) first: it ends nearly every legal history, and most others. Of
  long ones what surrounds its dead end is looked at next: it proves most of the rest.
- Who decides says ``fragment``; where a title can be of several makers the specialised path
  raises ``NeedsSearch``, and the search over ``SessionModel`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from deadheat.check.decide.greedy import DeadEnd, sweep
from deadheat.check.decide.life_records import Conflict, NeedsSearch
from deadheat.check.decide.lifetimes import judge_lists, read_lives
from deadheat.check.decide.linearization import order_of
from deadheat.check.decide.list_groups import place_nodes
from deadheat.check.decide.list_nodes import build_nodes
from deadheat.check.decide.list_order import Placed, Unfinished
from deadheat.check.decide.registers import read_values
from deadheat.check.decide.wing_gong import NoOrder, Order, OutOfBudget, find_order
from deadheat.check.fragment import lives_fit
from deadheat.check.weakening import split_lists, weakened
from deadheat.model.history import History, Kind
from deadheat.model.promises import DeletePromise, Promises
from deadheat.model.specification import model_for, with_beginnings

# Of the budget for all operations; they are ten times as many as those around a dead end.
_PART = 10
_LISTING = (Kind.LIST, Kind.CHILDREN)


@dataclass(frozen=True, slots=True)
class Impossible:
    """No legal order exists. ``sessions`` and ``operations``: where the proof was found."""

    sessions: tuple[str, ...] = ()
    operations: tuple[int, ...] = ()
    steps: int = field(default=0, compare=False)


Legality: TypeAlias = Order | Impossible | OutOfBudget


class Allowance:
    """Steps for many questions about parts of one history; one of them gets ``each`` at most."""

    __slots__ = ("each", "left")

    def __init__(self, left: int, each: int) -> None:
        self.left = left
        self.each = each


Budget: TypeAlias = int | Allowance


def legal(history: History, promises: Promises, budget: int) -> Legality:
    """Is there a legal order of ``history`` under ``promises``, within ``budget`` steps?"""
    seen = weakened(history, promises)
    if seen is history:
        return _ordered(history, promises, budget)
    found = _ordered(seen, promises, budget)
    if not isinstance(found, Order):
        return found
    lists = {op.index for op in history.operations if op.kind in _LISTING}
    apart = {op.index for op in seen.operations if op.kind is Kind.GET} & lists
    if not apart:
        return found
    return Order(tuple(index for index in found.order if index not in apart), found.steps)


def _ordered(history: History, promises: Promises, budget: int) -> Legality:
    """The same of a history that is ``weakened``."""
    if not lives_fit(history, promises):
        return searched(history, promises, budget)
    try:
        straight = sweep(
            history.operations,
            history.existing,
            strict_delete=promises.delete is DeletePromise.EXACTLY_ONCE,
            snapshot=promises.snapshot,
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
    """The same, where ``lives_fit`` and the straight way does not lead through."""
    return _fitting(history, promises, budget) or searched(history, promises, budget)


def _fitting(history: History, promises: Promises, budget: int) -> Legality | None:
    """By the specialised decision; None where that does not fit."""
    try:
        return _specialised(history, promises, budget)
    except Conflict as conflict:
        return _impossible(conflict)
    except NeedsSearch:
        return None


def _impossible(conflict: Conflict) -> Impossible:
    return Impossible(conflict.sessions, tuple([i for i in conflict.operations if i >= 0]))


def asked(history: History, promises: Promises, budget: Budget) -> Legality:
    """The same, of what is left of an allowance."""
    if isinstance(budget, int):
        return legal(history, promises, budget)
    if budget.left <= 0:
        return OutOfBudget(0)
    found = legal(history, promises, min(budget.each, budget.left))
    budget.left -= found.steps
    return found


def contradicts(history: History, promises: Promises, budget: Budget) -> bool:
    """Is it certain that no legal order exists?"""
    return isinstance(asked(history, promises, budget), Impossible)


def permits(history: History, promises: Promises, budget: Budget) -> bool:
    """Is it certain that a legal order exists?"""
    return isinstance(asked(history, promises, budget), Order)


def searched(history: History, promises: Promises, budget: int) -> Legality:
    """The second opinion: the generic search over the sequential specification."""
    split = frozenset[int]()
    model = model_for(history, promises)
    if not promises.snapshot:
        split = frozenset(op.index for op in history.operations if op.kind in _LISTING)
        history = split_lists(history)
    found = find_order(with_beginnings(history, promises), model, budget)
    if isinstance(found, NoOrder):
        return Impossible(steps=found.steps)
    if isinstance(found, Order):
        return Order(tuple(i for i in found.order if i >= 0 and i not in split), found.steps)
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
    if not promises.snapshot:
        return Order(order_of(lives, values, None, ()))
    nodes = build_nodes(lives, values)
    found = place_nodes(nodes, budget)
    if isinstance(found, Placed):
        return Order(order_of(lives, values, nodes, found.nodes), found.steps)
    if isinstance(found, Unfinished):
        return OutOfBudget(found.steps)
    lists = [nodes.operation[j] for j in found.nodes]
    return Impossible((), tuple([op.index for op in lists if op is not None]), found.steps)
