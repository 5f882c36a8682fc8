"""The sequential specification of a session collection.

An id is created at most once: its life is absent -> live -> deleted, never back.

Rules
- ``step`` is pure and total: it answers the set of states that may follow, and
  the empty set when the answer is impossible in that state.
- An ``Info`` outcome asks for the states *after it has taken effect*; that it
  may never do so is the search's business.
- A title of None in an answer matches anything (nobody looked). A title of None in
  the state is one that nobody knows: any but those that the history writes to
  that session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    shown_sessions,
    touched_sessions,
)
from deadheat.core.promises import DeletePromise, Promises

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """The state: who lives, under which title, and who has died."""

    live: frozenset[tuple[str, str | None]] = frozenset()
    dead: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SessionModel:
    """The session collection under ``promises``.

    ``unclaimed`` maps ids that some answer shows but no create returned to the
    title they carry that no rename gave them: an unanswered create may turn out to
    be one of them. ``written``: the titles that the history writes, by session.
    """

    promises: Promises = field(default_factory=Promises)
    existing: frozenset[str] = frozenset()
    unclaimed: Mapping[str, str | None] = field(default_factory=dict)
    written: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def init(self) -> Collection:
        """Only the sessions that were there before, under titles nobody knows."""
        return Collection(frozenset((session, None) for session in self.existing))

    def step(
        self, state: Collection, invocation: Invocation, outcome: Outcome
    ) -> frozenset[Collection]:
        """See ``Model.step``."""
        live = dict(state.live)
        session, title = invocation.session, invocation.title
        match outcome:
            case Ok(Created(born)):
                if born in live or born in state.dead:
                    return _IMPOSSIBLE
                return _one({**live, born: title}, state.dead)
            case Ok(Deleted()) if session in live:
                return _without(live, session, state.dead)
            case Ok(Deleted()):
                idempotent = self.promises.delete is DeletePromise.IDEMPOTENT
                return frozenset({state}) if idempotent else _IMPOSSIBLE
            case Ok(Absent()):
                return _IMPOSSIBLE if session in live else frozenset({state})
            case Ok(Found(seen)):
                fits = session in live and self._agree(session, live[session], seen)
                return frozenset({state}) if fits else _IMPOSSIBLE
            case Ok(Renamed()):
                if session not in live:
                    return _IMPOSSIBLE
                return _one({**live, session: title}, state.dead)
            case Ok(Listed(entries)):
                return frozenset({state}) if self._shows(live, entries) else _IMPOSSIBLE
            case Info():
                return self._effect(state, live, invocation)
            case _:
                return _IMPOSSIBLE

    def _agree(self, session: str, known: str | None, seen: str | None) -> bool:
        if known is None:
            return seen is None or seen not in self.written.get(session, ())
        return seen is None or known == seen

    def _shows(self, live: dict[str, str | None], entries: tuple[Seen, ...]) -> bool:
        if len(entries) != len(live):  # also catches an entry shown twice
            return False
        return all(
            e.session in live and self._agree(e.session, live[e.session], e.title) for e in entries
        )

    def _effect(
        self, state: Collection, live: dict[str, str | None], invocation: Invocation
    ) -> frozenset[Collection]:
        session, title = invocation.session, invocation.title
        match invocation.kind:
            case Kind.CREATE:
                return frozenset(
                    Collection(state.live | {(born, title)}, state.dead)
                    for born, seen in self.unclaimed.items()
                    if born not in live
                    and born not in state.dead
                    and (title == seen or seen is None or title is None)
                )
            case Kind.DELETE if session in live:
                return _without(live, session, state.dead)
            case Kind.RENAME if session in live:
                return _one({**live, session: title}, state.dead)
            case _:
                return frozenset({state})


def model_for(history: History, promises: Promises) -> SessionModel:
    """The model of this history: what existed, and which ids nobody is known to have made."""
    claimed: set[str] = set()
    renamed: dict[str, set[str]] = {}
    tags: set[str] = set()
    for op in history.operations:
        title = op.invocation.title
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
            claimed.add(op.outcome.result.session)
        elif op.kind is Kind.CREATE and title is not None and not isinstance(op.outcome, Fail):
            tags.add(title)
        elif op.kind is Kind.RENAME and title is not None and not isinstance(op.outcome, Fail):
            renamed.setdefault(op.invocation.session or "", set()).add(title)
    unclaimed: dict[str, str | None] = {}
    for op in history.operations:
        proven = shown_sessions(op)
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Deleted):
            proven = touched_sessions(op)
        for session in proven - claimed - history.existing:
            unclaimed.setdefault(session, None)
        for session, seen in _titles_of(op):
            if session in unclaimed and seen not in renamed.get(session, ()):
                unclaimed[session] = seen if seen in tags else unclaimed[session] or seen
    written = {session: frozenset(titles) for session, titles in renamed.items()}
    for session in unclaimed:  # a title that a create writes is that create's
        written[session] = written.get(session, frozenset()) | tags
    return SessionModel(promises, history.existing, unclaimed, written)


def _titles_of(op: Operation) -> tuple[tuple[str, str], ...]:
    if not isinstance(op.outcome, Ok):
        return ()
    match op.outcome.result:
        case Listed(entries):
            return tuple((e.session, e.title) for e in entries if e.title is not None)
        case Found(str() as title):
            return ((op.invocation.session or "", title),)
        case _:
            return ()


_IMPOSSIBLE: frozenset[Collection] = frozenset()


def _one(live: dict[str, str | None], dead: frozenset[str]) -> frozenset[Collection]:
    return frozenset({Collection(frozenset(live.items()), dead)})


def _without(
    live: dict[str, str | None], session: str | None, dead: frozenset[str]
) -> frozenset[Collection]:
    rest = {key: title for key, title in live.items() if key != session}
    return _one(rest, dead | {str(session)})
