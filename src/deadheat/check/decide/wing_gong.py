"""Wing-Gong search for a legal order, generic in the model.

Rules
- Exact: an order is found if and only if one exists, unless the budget ends.
- Budget in steps of the model, never a clock, so the answer is deterministic.
- A pure read that fits the state at hand is placed at once: it changes nothing,
  so placing it earlier than another order would never hurts (Lowe 2017). So is a
  mark of what only makes more answers possible (``Begun``).
- Where the model says who is there (``SessionView``): the writes that lead to the nearest list are
  tried first; and what ends a session for good waits for every answer that still shows it. Of what
  is there and still to be shown no two lists may each lack something that the other shows.
- Memo on (operations placed, state): Wing & Gong 1993 as improved by Lowe 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from deadheat.model.history import (
    FORBIDDEN,
    NAMING,
    Absent,
    Begun,
    Created,
    Exists,
    Fail,
    History,
    Info,
    Listed,
    Ok,
    Operation,
    Unknown,
    only_reads,
    shown_sessions,
    touched_sessions,
)

if TYPE_CHECKING:
    from deadheat.model.specification import Model

S = TypeVar("S")
T = TypeVar("T", contravariant=True)

_NEVER = float("inf")
# Lists compared with what is there for the price of one step of the model (2 and 8 µs).
LOOKS = 4


@dataclass(frozen=True, slots=True)
class Order:
    """A legal order exists: the indices of the operations that take effect, in that order."""

    order: tuple[int, ...]
    steps: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NoOrder:
    """No legal order exists; ``longest`` is a longest legal prefix that was reached."""

    longest: tuple[int, ...]
    steps: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class OutOfBudget:
    """The budget ended before the search."""

    steps: int


@runtime_checkable
class SessionView(Protocol[T]):
    """What a model of sessions can tell of a state, besides its steps."""

    @property
    def steady(self) -> bool:
        """Does a session that was missing from a list stay away for good?"""
        ...

    def there(self, state: T) -> frozenset[str]:
        """The sessions that a list would show."""
        ...

    def lost(self, state: T) -> frozenset[str]:
        """The ids that will not live again, unless a client chooses them."""
        ...


def find_order(history: History, model: Model[S], budget: int) -> Order | NoOrder | OutOfBudget:
    """Search for an order of ``history`` that ``model`` accepts, in at most ``budget`` steps."""
    return _OrderSearch(history, model, budget).run()


def may_be_dropped(op: Operation) -> bool:
    """Does the operation say nothing? Unknown reads and calls that never happened do not."""
    if isinstance(op.outcome, Fail):
        return True
    return isinstance(op.outcome, Info) and only_reads(op)


class _OrderSearch(Generic[S]):
    def __init__(self, history: History, model: Model[S], budget: int) -> None:
        kept = [op for op in history.operations if not may_be_dropped(op)]
        self.ops = sorted(kept, key=lambda op: (op.call_ns, op.index))
        self.model = model
        self.budget = budget
        self.steps = 0
        self.seen: set[tuple[int, S]] = set()
        self.longest: tuple[int, ...] = ()
        self.standing: SessionView[S] | None = model if isinstance(model, SessionView) else None
        self.lists: list[tuple[int, frozenset[str]]] = []  # by bit: what they show
        self.shows: dict[str, int] = {}  # by session: the answers that show it, as bits
        if self.standing is not None:
            self._read_answers()
        # An operation without an answer may also never take effect.
        self.must = sum(1 << i for i, op in enumerate(self.ops) if _definite(op))

    def run(self) -> Order | NoOrder | OutOfBudget:
        # Explicit stack: (placed bits, state, order so far); depth first, first come first tried.
        stack: list[tuple[int, S, tuple[int, ...]]] = [(0, self.model.init(), ())]
        while stack:
            placed, state, order = stack.pop()
            if (placed, state) in self.seen:
                continue
            self.seen.add((placed, state))
            if len(order) > len(self.longest):
                self.longest = order
            if placed & self.must == self.must:
                return Order(order, self.steps)
            branches: list[tuple[int, S, tuple[int, ...]]] = []
            chosen = self._candidates(placed)
            lost: frozenset[str] = frozenset()
            if self.standing is not None:
                self.steps += 1 + len(self.lists) // LOOKS
                there, lost = self.standing.there(state), self.standing.lost(state)
                if self.standing.steady and self._is_torn(there, placed):
                    continue
                chosen = self._nearest_first(chosen, there)
            for i in chosen:
                op = self.ops[i]
                self.steps += 1
                if self.steps > self.budget:
                    return OutOfBudget(self.steps - 1)
                after = self.model.step(state, op.invocation, op.outcome)
                here = [
                    (placed | 1 << i, nxt, (*order, op.index))
                    for nxt in after
                    if not self._ends_too_soon(lost, nxt, placed | 1 << i)
                ]
                if _is_mark(op) or (after == {state} and _is_read(op)):
                    branches = here
                    break
                branches.extend(here)
            stack.extend(reversed(branches))
        return NoOrder(self.longest, self.steps)

    def _read_answers(self) -> None:
        for i, op in enumerate(self.ops):
            if not _definite(op) or not isinstance(op.outcome, Ok):
                continue
            result = op.result
            if isinstance(result, Listed) and op.invocation.session is None:
                self.lists.append((1 << i, result.sessions))
            if not isinstance(result, Created):
                for session in shown_sessions(op):
                    self.shows[session] = self.shows.get(session, 0) | 1 << i
        for op in self.ops:  # a session with a chosen name may live again
            if op.kind in NAMING and op.invocation.session is not None:
                self.shows.pop(op.invocation.session, None)

    def _ends_too_soon(self, lost: frozenset[str], after: S, placed: int) -> bool:
        """Is a session gone for good that a later answer must still show?"""
        if self.standing is None:
            return False
        gone = self.standing.lost(after) - lost
        return any(self.shows.get(session, 0) & ~placed for session in gone)

    def _is_torn(self, live: frozenset[str], placed: int) -> bool:
        """Does each of two pending lists lack something that the other must show?"""
        needed = {one for one in live if self.shows.get(one, 0) & ~placed}
        if len(needed) < 2:
            return False
        parts = {shown & needed for bit, shown in self.lists if not placed & bit}
        before: frozenset[str] | set[str] = needed
        for part in sorted(parts, key=len, reverse=True):
            if not part <= before:
                return True
            before = part
        return False

    def _nearest_first(self, chosen: list[int], there: frozenset[str]) -> list[int]:
        near: frozenset[str] = frozenset()
        least = _NEVER
        for i in chosen:
            op = self.ops[i]
            whole = op.invocation.session is None
            if whole and isinstance(op.result, Listed):
                differing = op.result.sessions ^ there
                if len(differing) < least:
                    least, near = len(differing), differing
        if not near:
            return chosen
        return sorted(chosen, key=lambda i: near.isdisjoint(touched_sessions(self.ops[i])))

    def _candidates(self, placed: int) -> list[int]:
        """Operations that may come next: called before any unplaced one returned."""
        deadline = _NEVER
        for i, op in enumerate(self.ops):
            if not placed >> i & 1 and _definite(op) and op.return_ns is not None:
                deadline = min(deadline, op.return_ns)
        return [
            i for i, op in enumerate(self.ops) if not placed >> i & 1 and op.call_ns <= deadline
        ]


def _definite(op: Operation) -> bool:
    return op.return_ns is not None and not isinstance(op.outcome, Info)


def _is_read(op: Operation) -> bool:
    """Does the operation change nothing in any state in which its answer is possible?"""
    if op.return_ns is None or not isinstance(op.outcome, Ok):
        return False
    if only_reads(op):
        return True
    result = op.result
    return isinstance(result, Absent | Exists) or result == FORBIDDEN


def _is_mark(op: Operation) -> bool:
    return isinstance(op.result, Begun)


def pending(op: Operation) -> Operation | None:
    """``op`` as before its answer: open, its effect possible but not certain.

    None for a read, which then says nothing. A create keeps the id that it is
    going to return.
    """
    if only_reads(op) or isinstance(op.outcome, Fail):
        return None
    if isinstance(op.result, Created):
        return replace(op, return_ns=None)
    return replace(op, return_ns=None, outcome=Info(Unknown.TIMEOUT, "cut"))
