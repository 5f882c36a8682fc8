"""The sequential specification of a session collection.

An id is created at most once: its life is absent -> live -> deleted, never back; unless the
promises say that ids are reused, or clients choose them (a *name*): then it may live again.
Below which session it was made stays as it is, whatever becomes of that one.

A cascade takes a session with all that is live below it. A *gradual* one may take
children from the instant at which its delete began (``Begun``); the session itself
goes with what is left, so whatever was below it by then is gone too. A session
made below one that is gone already is nobody's child: it may stay. What is left below
one whose delete is over is *doubtful*, until an answer shows it there or gone: it
may have gone while that delete was under way.

Rules
- ``step`` is pure and total: it answers the set of states that may follow, and
  the empty set when the answer is impossible in that state.
- An ``Info`` outcome asks for the states *after it has taken effect*; that it
  may never do so is the search's business.
- Cascades take a child only when an answer needs it to be gone (or a create needs its
  parent to be): to take it earlier never makes another answer possible.
- A title of None in an answer matches anything (nobody looked). A title of None in
  the state is unknown: any but those that the history writes to
  that session.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from deadheat.model.history import (
    NAMING,
    Absent,
    Begun,
    Created,
    Deleted,
    Exists,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    ancestors,
    parents_of,
    shown_sessions,
    touched_sessions,
)
from deadheat.model.promises import (
    CascadePromise,
    ChildrenPromise,
    CreatePromise,
    DeletePromise,
    ForkPromise,
    IdPromise,
    Promises,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

S = TypeVar("S")


class Model(Protocol[S]):
    """A sequential specification; ``S`` must be hashable."""

    def init(self) -> S:
        """The state before the first operation."""
        ...

    def step(self, state: S, invocation: Invocation, outcome: Outcome) -> frozenset[S]:
        """The states in which this answer can leave ``state``; empty = impossible."""
        ...


@dataclass(frozen=True, slots=True)
class Collection:
    """The state: who lives, under which title, who has died, whose deletes are under way.

    ``cascading``: sorted, one entry for each such delete. ``doubtful``: they are in ``live``,
    and may have gone with a delete that is over.
    """

    live: frozenset[tuple[str, str | None]] = frozenset()
    dead: frozenset[str] = frozenset()
    cascading: tuple[str, ...] = ()
    doubtful: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SessionModel:
    """The session collection under ``promises``.

    ``unclaimed`` maps ids that some answer shows but no create returned to the
    title they carry that no rename gave them: an unanswered create may turn out to
    be one of them. ``written``: the titles that the history writes, by session.
    ``parents``: below which session each was made, where that is known; ``strays``
    are those of which nobody knows it, though they may have a parent.
    """

    promises: Promises = field(default_factory=Promises)
    existing: frozenset[str] = frozenset()
    unclaimed: Mapping[str, str | None] = field(default_factory=dict)
    written: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    strays: frozenset[str] = frozenset()

    def init(self) -> Collection:
        """Only the sessions that existed before, with unknown titles."""
        return Collection(frozenset((session, None) for session in self.existing))

    @property
    def steady(self) -> bool:
        """See ``SessionView``."""
        return self.promises.ids is IdPromise.UNIQUE

    def there(self, state: Collection) -> frozenset[str]:
        """See ``SessionView``."""
        return frozenset([session for session, _ in state.live])

    def lost(self, state: Collection) -> frozenset[str]:
        """See ``SessionView``."""
        return state.dead if self.steady else frozenset()

    def step(
        self, state: Collection, invocation: Invocation, outcome: Outcome
    ) -> frozenset[Collection]:
        """See ``Model.step``."""
        live = dict(state.live)
        session, title = invocation.session, invocation.title
        match outcome:
            case Ok(Begun()):
                under_way = tuple(sorted((*state.cascading, str(session))))
                return frozenset({replace(state, cascading=under_way)})
            case Ok(Created(born)):
                holder = self._holder(live, invocation)
                if holder is not None:
                    same = born == holder and self.promises.create is CreatePromise.IDEMPOTENT
                    return self._kept(state, live, born, title) if same else _IMPOSSIBLE
                chosen = invocation.kind in NAMING and invocation.session is not None
                free = self._is_free(born, state, live, chosen=chosen)
                if not free or not self._may_fork(live, invocation):
                    return _IMPOSSIBLE
                return self._born(state, live, invocation, born, title)
            case Ok(Exists()):
                holder = self._holder(live, invocation)
                return _IMPOSSIBLE if holder is None else frozenset({_certain(state, {holder})})
            case Ok(Deleted()) if session in live:
                return self._deleted(state, live, session)
            case Ok(Deleted()):
                if self.promises.delete is not DeletePromise.IDEMPOTENT:
                    return _IMPOSSIBLE
                return frozenset({self._ended(state, session)})
            case Ok(Absent()):
                about = invocation.parent if invocation.kind is Kind.CREATE else session
                return self._without(state, live, {str(about)})
            case Ok(Found(seen)):
                fits = session in live and self._agree(session, live[session], seen)
                return frozenset({_certain(state, {session})}) if fits else _IMPOSSIBLE
            case Ok(Renamed()):
                if session not in live:
                    return _IMPOSSIBLE
                return _one(_certain(state, {session}), {**live, session: title})
            case Ok(Listed(entries) as listed):
                if not self._shows(live, entries):
                    return _IMPOSSIBLE
                shown = listed.sessions
                state = _certain(state, shown)
                return self._without(state, live, live.keys() - shown, shown)
            case Ok(Offspring(entries) as offspring):
                if not self._shows(live, entries):
                    return _IMPOSSIBLE
                return self._children(state, live, str(session), offspring.sessions)
            case Info():
                return self._effect(state, live, invocation)
            case _:
                return _IMPOSSIBLE

    def _agree(self, session: str, known: str | None, seen: str | None) -> bool:
        if known is None:
            return seen is None or seen not in self.written.get(session, ())
        return seen is None or known == seen

    def _shows(self, live: dict[str, str | None], entries: tuple[Seen, ...]) -> bool:
        """Is every entry there, once, under a title that it may have?"""
        if len({entry.session for entry in entries}) != len(entries):
            return False
        return all(
            e.session in live and self._agree(e.session, live[e.session], e.title) for e in entries
        )

    def _holder(self, live: dict[str, str | None], invocation: Invocation) -> str | None:
        """The session that has the name under which this create would make one."""
        if invocation.kind not in NAMING or self.promises.create is CreatePromise.NEW:
            return None
        if invocation.session is not None:
            return invocation.session if invocation.session in live else None
        title = invocation.title
        return next((one for one, named in live.items() if named == title is not None), None)

    def _is_free(
        self, born: str, state: Collection, live: dict[str, str | None], *, chosen: bool
    ) -> bool:
        again = chosen or self.promises.ids is IdPromise.REUSED
        return born not in live and (again or born not in state.dead)

    def _kept(
        self, state: Collection, live: dict[str, str | None], session: str, title: str | None
    ) -> frozenset[Collection]:
        """A create that met with the session it asks for: it may write its title, or not."""
        state = _certain(state, {session})
        same = frozenset({state})
        return same if live[session] == title else same | _one(state, {**live, session: title})

    def _may_fork(self, live: dict[str, str | None], invocation: Invocation) -> bool:
        if invocation.kind is not Kind.FORK or self.promises.fork is ForkPromise.ANY:
            return True
        return invocation.session in live

    def _born(
        self,
        state: Collection,
        live: dict[str, str | None],
        invocation: Invocation,
        born: str,
        title: str | None,
    ) -> frozenset[Collection]:
        if invocation.kind is Kind.FORK and self.promises.fork is ForkPromise.NEEDS_SOURCE:
            state = _certain(state, {invocation.session})
        after = _one(state, {**live, born: title})
        parent = invocation.parent
        if parent in live and self.promises.children is ChildrenPromise.CASCADE:
            # Or its parent had been taken just before, and it is nobody's child.
            for taken in self._without(state, live, {parent}):
                after |= _one(taken, {**dict(taken.live), born: title})
        return after

    # -- cascades --------------------------------------------------------------------------

    def _deleted(
        self, state: Collection, live: dict[str, str | None], session: str
    ) -> frozenset[Collection]:
        goes = {session}
        if self.promises.children is ChildrenPromise.CASCADE:
            goes = self._with_all_below(live, goes)
        return frozenset({self._ended(_take(state, live, goes), session)})

    def _ended(self, state: Collection, session: str | None) -> Collection:
        """The state after a delete. What is still there may have gone while it was not."""
        under_way = list(state.cascading)
        if session in under_way:
            under_way.remove(str(session))
        state = replace(state, cascading=tuple(under_way))
        match self.promises.children:
            case ChildrenPromise.ORPHAN:
                return state
            case ChildrenPromise.CASCADE if self.promises.cascade is CascadePromise.ATOMIC:
                left = {one for one, _ in state.live if one in self.strays}
            case _:
                left = {
                    one
                    for one, _ in state.live
                    if one in self.strays or session in ancestors(one, self.parents)
                }
        return replace(state, doubtful=state.doubtful | left) if left else state

    def _without(
        self,
        state: Collection,
        live: dict[str, str | None],
        absent: Iterable[str],
        shown: frozenset[str] = frozenset(),
    ) -> frozenset[Collection]:
        """The state without ``absent``, as far as cascades under way can have taken them.

        ``shown`` are there all the same.
        """
        goes = {session for session in absent if session in live}
        if not goes:
            return frozenset({state})
        if not all(self._subject(state, session) for session in goes):
            return _IMPOSSIBLE
        if self.promises.children is not ChildrenPromise.CASCADE:
            return frozenset({_take(state, live, goes)})
        goes = self._with_all_below(live, goes)
        return frozenset({_take(state, live, goes)}) if goes.isdisjoint(shown) else _IMPOSSIBLE

    def _subject(self, state: Collection, session: str) -> bool:
        """May a delete that is under way take it?"""
        if session in state.doubtful:
            return True
        if not state.cascading:
            return False
        if session in self.strays:
            return True
        return not set(state.cascading).isdisjoint(ancestors(session, self.parents))

    def _with_all_below(self, live: dict[str, str | None], goes: set[str]) -> set[str]:
        found = set(goes)
        while more := {
            child
            for child, parent in self.parents.items()
            if parent in found and child in live and child not in found
        }:
            found |= more
        return found

    def _children(
        self, state: Collection, live: dict[str, str | None], parent: str, shown: frozenset[str]
    ) -> frozenset[Collection]:
        there = {child for child in live if self.parents.get(child) == parent}
        if not shown <= there | self.strays:
            return _IMPOSSIBLE
        state = _certain(state, shown)
        after = self._without(state, live, there - shown)
        if shown or not there:
            return after
        # Of a parent that is gone, a server may also show nothing.
        return after | self._without(state, live, {parent})

    def _effect(
        self, state: Collection, live: dict[str, str | None], invocation: Invocation
    ) -> frozenset[Collection]:
        session, title = invocation.session, invocation.title
        match invocation.kind:
            case Kind.CREATE | Kind.RECREATE if session is not None:  # of a name
                if session not in live:
                    return self._born(state, live, invocation, session, title)
                if self.promises.create is CreatePromise.IDEMPOTENT:
                    return self._kept(state, live, session, title)
                return frozenset({state})
            case Kind.CREATE | Kind.RECREATE | Kind.FORK:
                after: frozenset[Collection] = frozenset()
                if self._holder(live, invocation) is not None:
                    return frozenset({state})
                for born, seen in self.unclaimed.items():
                    fits = title == seen or seen is None or title is None
                    if fits and self._is_free(born, state, live, chosen=False):
                        after |= self._born(state, live, invocation, born, title)
                if self.promises.create is not CreatePromise.NEW and title is not None:
                    # Under an id that no call saw; others are told all the same that it exists.
                    after |= self._born(state, live, invocation, f"\0{title}", title)
                return after
            case Kind.DELETE if session in live:
                return self._deleted(state, live, session)
            case Kind.RENAME if session in live:
                return _one(state, {**live, session: title})
            case _:
                return frozenset({state})


def model_for(history: History, promises: Promises) -> SessionModel:
    """The model for this history: what existed before, and which ids may have been made unseen."""
    claimed: set[str] = set()
    renamed: dict[str, set[str]] = {}
    tags: dict[str, str | None] = {}  # of unanswered creates, and below what they would be
    loose = False  # is there a create without an answer below some parent?
    for op in history.operations:
        title = op.invocation.title
        if isinstance(op.result, Created):
            claimed.add(op.result.session)
        elif isinstance(op.outcome, Fail):
            continue
        elif op.kind in NAMING and op.invocation.session is not None:
            claimed.add(op.invocation.session)
        elif op.kind in NAMING:
            loose = loose or op.invocation.parent is not None
            if title is not None:
                tags[title] = op.invocation.parent
        elif op.kind is Kind.RENAME and title is not None:
            renamed.setdefault(op.invocation.session or "", set()).add(title)
    unclaimed: dict[str, str | None] = {}
    for op in history.operations:
        proven = shown_sessions(op)
        if isinstance(op.result, Deleted):
            proven = touched_sessions(op)
        for session in proven - claimed - history.existing:
            unclaimed.setdefault(session, None)
        for session, seen in _titles_of(op):
            if session in unclaimed and seen not in renamed.get(session, ()):
                unclaimed[session] = seen if seen in tags else unclaimed[session] or seen
    if promises.create is not CreatePromise.NEW:  # one that no answer proves may have had a name
        for session in sorted(frozenset().union(*map(touched_sessions, history.operations))):
            if session not in claimed and session not in history.existing:
                unclaimed.setdefault(session, None)
    if promises.ids is IdPromise.REUSED:  # an unanswered create may have made any of them
        unclaimed = dict.fromkeys(sorted(claimed | unclaimed.keys()))
    written = {session: frozenset(titles) for session, titles in renamed.items()}
    parents = parents_of(history.operations)
    strays: set[str] = set()
    for session, carried in unclaimed.items():  # a title that a create writes is that create's
        written[session] = written.get(session, frozenset()) | tags.keys()
        parent = tags.get(carried or "")
        if parent is not None:
            parents[session] = parent
        elif loose and carried not in tags:
            strays.add(session)
    return SessionModel(promises, history.existing, unclaimed, written, parents, frozenset(strays))


def with_beginnings(history: History, promises: Promises) -> History:
    """The history with the instant marked at which each delete of a parent begins to take children.

    Only where the promises let anybody see a cascade in parts; the marks have negative indices.
    """
    atomic = promises.cascade is CascadePromise.ATOMIC
    match promises.children:
        case ChildrenPromise.ORPHAN:
            return history
        case ChildrenPromise.CASCADE if atomic:
            return history
        case ChildrenPromise.CASCADE | ChildrenPromise.NONE:
            pass
    above = {op.invocation.parent for op in history.operations}
    marks = tuple(
        replace(op, index=-1 - op.index, outcome=Ok(Begun()), return_ns=op.call_ns)
        for op in history.operations
        if op.kind is Kind.DELETE
        and op.invocation.session in above
        and (isinstance(op.outcome, Info) or _deleted_it(op))
    )
    return replace(history, operations=(*marks, *history.operations)) if marks else history


def _deleted_it(op: Operation) -> bool:
    return isinstance(op.result, Deleted)


def _titles_of(op: Operation) -> tuple[tuple[str, str], ...]:
    match op.result:
        case Listed(entries) | Offspring(entries):
            return tuple((e.session, e.title) for e in entries if e.title is not None)
        case Found(str() as title):
            return ((op.invocation.session or "", title),)
        case _:
            return ()


_IMPOSSIBLE: frozenset[Collection] = frozenset()


def _one(state: Collection, live: dict[str, str | None]) -> frozenset[Collection]:
    return frozenset({replace(state, live=frozenset(live.items()))})


def _take(state: Collection, live: dict[str, str | None], goes: set[str]) -> Collection:
    rest = frozenset((key, title) for key, title in live.items() if key not in goes)
    return replace(state, live=rest, dead=state.dead | goes, doubtful=state.doubtful - goes)


def _certain(state: Collection, shown: Iterable[str | None]) -> Collection:
    """The state in which the sessions in ``shown`` are known to exist."""
    if not state.doubtful:
        return state
    return replace(state, doubtful=state.doubtful.difference(shown))
