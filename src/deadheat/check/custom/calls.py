"""Custom calls: their meaning, and the search that decides histories with them.

    class Archive:                       # archive(x) works once on a session that is there
        def step(self, own, there, mark):
            if not there:
                return [("absent", mark)]
            return [("refused", mark)] if mark == "archived" else [("archived", "archived")]

        def refuses(self, kind, mark):   # and then it can be read, but not renamed
            return kind == "rename" and mark == "archived"

        def hides(self, mark):
            return False

    check(history, promises, own=Archive())

Rules
- A session carries a *mark* (any hashable value; None at first) beside what the session model
  knows of it. Custom calls read and write the mark of the one session that they are about; they
  neither make nor remove sessions. So each session can be judged for itself, but for what lists
  show at one instant.
- A mark may forbid other calls (``refuses``: they answer ``FORBIDDEN`` and do nothing) and keep
  the session out of lists (``hides``).
- What the sessions do by themselves is judged, named and explained as ever: custom calls and
  refused ones can only be left out there, lists too where something may be hidden.
- For the rest the generic search decides, within a budget of steps: exact, or undecided.
- Beside parents, children and forks custom calls are not judged: undecided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from deadheat.check.decide.legality import Impossible, legal
from deadheat.check.decide.wing_gong import NoOrder, Order, OutOfBudget, find_order
from deadheat.check.fragment import Decider, decider_of
from deadheat.check.projections import only_sessions
from deadheat.check.weakening import split_lists, weakened
from deadheat.model.history import (
    FORBIDDEN,
    MAKING,
    Absent,
    Answered,
    Created,
    Custom,
    History,
    Info,
    Invocation,
    Kind,
    Ok,
    Operation,
    Outcome,
    only_reads,
    touched_sessions,
)
from deadheat.model.specification import Collection, SessionModel, model_for

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from deadheat.model.promises import Promises

Mark: TypeAlias = "Hashable"

# Marks that a history's custom calls can make of each other; of a kind with more (a counter)
# nothing is concluded from them.
_MOST_MARKS = 64


class CustomCalls(Protocol):
    """The sequential meaning of custom calls; pure, like every model."""

    def step(self, custom: Custom, there: bool, mark: Mark) -> Iterable[tuple[str, Mark]]:
        """The words that the call may answer, each with the session's mark after it.

        ``there``: is the session in the collection? ``mark``: its own before the call.
        """
        ...

    def refuses(self, kind: Kind, mark: Mark) -> bool:
        """Must a get, delete or rename of an existing session with this mark be refused?"""
        ...

    def hides(self, mark: Mark) -> bool:
        """Do lists leave out a session with this mark?"""
        ...


@dataclass(frozen=True, slots=True)
class Marked:
    """The state: the collection, and the marks that are not None."""

    sessions: Collection
    marks: frozenset[tuple[str, Mark]] = frozenset()

    def mark_of(self, session: str | None) -> Mark:
        """The session's mark; None: it has none."""
        return next((mark for one, mark in self.marks if one == session), None)

    def marked(self, session: str, mark: Mark) -> Marked:
        """The state with another mark for this session."""
        rest = frozenset(one for one in self.marks if one[0] != session)
        return replace(self, marks=rest if mark is None else rest | {(session, mark)})


@dataclass(frozen=True, slots=True)
class CustomModel:
    """A ``Model``: the session collection, and custom calls that mark its sessions."""

    sessions: SessionModel
    custom: CustomCalls
    hides: bool = True  # may lists leave out who is there?

    @property
    def steady(self) -> bool:
        """See ``SessionView``."""
        return self.sessions.steady and not self.hides

    def there(self, state: Marked) -> frozenset[str]:
        """See ``SessionView``."""
        hidden = self._hidden(state)
        return frozenset([one for one, _ in state.sessions.live if one not in hidden])

    def lost(self, state: Marked) -> frozenset[str]:
        """See ``SessionView``."""
        return self.sessions.lost(state.sessions)

    def _hidden(self, state: Marked) -> set[str]:
        return {session for session, mark in state.marks if self.custom.hides(mark)}

    def init(self) -> Marked:
        """See ``Model.init``."""
        return Marked(self.sessions.init())

    def step(self, state: Marked, invocation: Invocation, outcome: Outcome) -> frozenset[Marked]:
        """See ``Model.step``."""
        session = invocation.session
        if invocation.custom is not None:
            return self._custom(state, invocation.custom, str(session), outcome)
        if invocation.kind is Kind.LIST:
            return self._listed(state, invocation, outcome)
        refused = self.refused(state, invocation)
        if outcome == Ok(FORBIDDEN) or refused:
            fits = refused and (outcome == Ok(FORBIDDEN) or isinstance(outcome, Info))
            return frozenset({state}) if fits else frozenset()
        after = self._plain(state, invocation, outcome)
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            return frozenset(one.marked(outcome.result.session, None) for one in after)
        return after

    def refused(self, state: Marked, invocation: Invocation) -> bool:
        """Does a mark forbid this call now?"""
        session = invocation.session
        if session is None or invocation.kind in MAKING or not _there(state, session):
            return False
        return self.custom.refuses(invocation.kind, state.mark_of(session))

    def words(self, state: Marked, invocation: Invocation) -> frozenset[str]:
        """The words that a custom call may answer in this state."""
        custom, session = invocation.custom, str(invocation.session)
        if custom is None:
            return frozenset()
        said = self.custom.step(custom, _there(state, session), state.mark_of(session))
        return frozenset(word for word, _ in said)

    def _custom(
        self, state: Marked, custom: Custom, session: str, outcome: Outcome
    ) -> frozenset[Marked]:
        match outcome:
            case Ok(Answered(word)):
                wanted: str | None = word
            case Info():
                wanted = None
            case _:
                return frozenset()
        said = self.custom.step(custom, _there(state, session), state.mark_of(session))
        return frozenset(
            state.marked(session, mark) for word, mark in said if wanted in (None, word)
        )

    def _listed(self, state: Marked, invocation: Invocation, outcome: Outcome) -> frozenset[Marked]:
        """The states after a list, or after what it shows of one session (``_split``)."""
        hidden = self._hidden(state)
        live = frozenset(one for one in state.sessions.live if one[0] not in hidden)
        seen = replace(state, sessions=replace(state.sessions, live=live))
        fits = self._plain(seen, invocation, outcome)
        return frozenset({state}) if fits else frozenset()

    def _plain(self, state: Marked, invocation: Invocation, outcome: Outcome) -> frozenset[Marked]:
        after = self.sessions.step(state.sessions, invocation, outcome)
        return frozenset(replace(state, sessions=one) for one in after)


def _there(state: Marked, session: str) -> bool:
    return any(one == session for one, _ in state.sessions.live)


@dataclass(frozen=True, slots=True)
class Alone:
    """The sessions contradict each other even without custom calls: ``history`` is without them."""

    history: History
    found: Impossible


@dataclass(frozen=True, slots=True)
class Together:
    """No order of ``history``, which is about these sessions only, explains its custom calls."""

    history: History
    sessions: frozenset[str]


def decide(
    history: History, promises: Promises, custom: CustomCalls, budget: int
) -> Order | OutOfBudget | Alone | Together:
    """Look for a legal order, within ``budget`` steps for all that custom calls need."""
    for plain in _without_custom(history, custom):
        found = legal(plain, promises, budget)
        if isinstance(found, Impossible):
            return Alone(plain, found)
    history = weakened(history, promises, apart=Kind.LIST)
    sessions = sorted(history.existing.union(*map(touched_sessions, history.operations)))
    left, undecided = budget, False
    for session in sessions:
        part = only_sessions(history, frozenset({session}))
        if decider_of(part, promises) is not Decider.CUSTOM and len(sessions) > 1:
            continue
        alone = searched(part, promises, custom, left // 2)  # a hard one leaves some for the others
        left -= alone.steps
        if isinstance(alone, NoOrder):
            return Together(part, frozenset({session}))
        undecided = undecided or isinstance(alone, OutOfBudget)
    if undecided:
        return OutOfBudget(budget - left)
    match searched(history, promises, custom, left):
        case NoOrder():
            return Together(history, frozenset(sessions))
        case OutOfBudget() if not promises.snapshot:
            return Order(())  # each session has an order, and nothing couples them
        case Order() | OutOfBudget() as whole:
            return whole


def searched(
    history: History, promises: Promises, custom: CustomCalls, budget: int
) -> Order | NoOrder | OutOfBudget:
    """The generic search over the sessions and their marks; ``history`` is ``weakened``."""
    model = CustomModel(model_for(history, promises), custom, _may_hide(history, custom))
    split = frozenset[int]()
    if not promises.snapshot:
        split = frozenset(op.index for op in history.operations if op.kind is Kind.LIST)
        history = replace(history, operations=tuple(_split(history, split)))
    found = find_order(history, model, budget)
    if isinstance(found, Order):
        return Order(tuple(index for index in found.order if index not in split))
    return found


def _split(history: History, lists: frozenset[int]) -> Iterator[Operation]:
    """Each list as one read for each session; not as a get, which a mark may refuse."""
    for op in split_lists(history).operations:
        if op.index in lists:
            yield replace(op, invocation=Invocation(Kind.LIST, op.invocation.session))
        else:
            yield op


def _without_custom(history: History, custom: CustomCalls) -> Iterator[History]:
    """The parts that the sessions must explain without custom calls.

    Where something may be hidden: all without lists, and what no custom call is about with them.
    """
    hides = _may_hide(history, custom)
    plain = tuple(
        op
        for op in history.operations
        if op.invocation.custom is None and op.outcome != Ok(FORBIDDEN)
    )
    if not hides:
        yield replace(history, operations=plain)
        return
    yield replace(history, operations=tuple(op for op in plain if op.kind is not Kind.LIST))
    about = {op.invocation.session for op in history.operations if op.invocation.custom is not None}
    others = frozenset().union(history.existing, *map(touched_sessions, plain)) - about
    if not custom.hides(None):
        yield only_sessions(replace(history, operations=plain), others)


def _may_hide(history: History, custom: CustomCalls) -> bool:
    marks = reachable(history, custom)
    return marks is None or any(custom.hides(mark) for mark in marks)


def reachable(history: History, custom: CustomCalls) -> frozenset[Mark] | None:
    """Every mark that these custom calls can produce, from None; None: too many."""
    calls = {op.invocation.custom for op in history.operations} - {None}
    found: set[Mark] = {None}
    waiting: list[Mark] = [None]
    while waiting:
        mark = waiting.pop()
        for call in calls:
            for there in (True, False):
                for _, after in custom.step(call, there, mark) if call is not None else ():
                    if after not in found:
                        found.add(after)
                        waiting.append(after)
        if len(found) > _MOST_MARKS:
            return None
    return frozenset(found)


def only_looks(op: Operation, custom: CustomCalls, marks: frozenset[Mark] | None) -> bool:
    """Can the call be left out, as with this answer it changes nothing in any state?"""
    if only_reads(op) or op.outcome == Ok(FORBIDDEN):
        return True
    match op.outcome:
        case Ok(Absent()):
            return True
        case Ok(Answered(word)) if marks is not None and op.invocation.custom is not None:
            return all(
                after == mark
                for mark in marks
                for there in (True, False)
                for said, after in custom.step(op.invocation.custom, there, mark)
                if said == word
            )
        case _:
            return False
