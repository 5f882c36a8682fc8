"""The sequential specification of a session collection.

An id is created at most once: its life is absent -> live -> deleted, never back.

Rules
- ``step`` is pure and total: it answers the set of states that may follow, and
  the empty set when the answer is impossible in that state.
- An ``Info`` outcome asks for the states *after it has taken effect*; that it
  may never do so is the search's business.
- A title of None (state or answer) matches anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Outcome,
    Renamed,
    Seen,
    shown_sessions,
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
    title they carry: an unanswered create may turn out to be one of them.
    """

    promises: Promises = field(default_factory=Promises)
    existing: frozenset[str] = frozenset()
    unclaimed: Mapping[str, str | None] = field(default_factory=dict)

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
                fits = session in live and _agree(live[session], seen)
                return frozenset({state}) if fits else _IMPOSSIBLE
            case Ok(Renamed()):
                if session not in live:
                    return _IMPOSSIBLE
                return _one({**live, session: title}, state.dead)
            case Ok(Listed(entries)):
                return frozenset({state}) if _shows(live, entries) else _IMPOSSIBLE
            case Info():
                return self._effect(state, live, invocation)
            case _:
                return _IMPOSSIBLE

    def _effect(
        self, state: Collection, live: dict[str, str | None], invocation: Invocation
    ) -> frozenset[Collection]:
        session, title = invocation.session, invocation.title
        match invocation.kind:
            case Kind.CREATE:
                return frozenset(
                    Collection(state.live | {(born, title)}, state.dead)
                    for born, seen in self.unclaimed.items()
                    if born not in live and born not in state.dead and _agree(title, seen)
                )
            case Kind.DELETE if session in live:
                return _without(live, session, state.dead)
            case Kind.RENAME if session in live:
                return _one({**live, session: title}, state.dead)
            case _:
                return frozenset({state})


def model_for(history: History, promises: Promises) -> SessionModel:
    """The model of this history: what existed, and which ids nobody is known to have made."""
    claimed = {
        op.outcome.result.session
        for op in history.operations
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created)
    }
    unclaimed: dict[str, str | None] = {}
    for op in history.operations:
        for session in shown_sessions(op) - claimed - history.existing:
            unclaimed[session] = unclaimed.get(session)
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed):
            for entry in op.outcome.result.entries:
                if entry.session in unclaimed and unclaimed[entry.session] is None:
                    unclaimed[entry.session] = entry.title
    return SessionModel(promises, history.existing, unclaimed)


_IMPOSSIBLE: frozenset[Collection] = frozenset()


def _one(live: dict[str, str | None], dead: frozenset[str]) -> frozenset[Collection]:
    return frozenset({Collection(frozenset(live.items()), dead)})


def _without(
    live: dict[str, str | None], session: str | None, dead: frozenset[str]
) -> frozenset[Collection]:
    rest = {key: title for key, title in live.items() if key != session}
    return _one(rest, dead | {str(session)})


def _agree(known: str | None, seen: str | None) -> bool:
    return known is None or seen is None or known == seen


def _shows(live: dict[str, str | None], entries: tuple[Seen, ...]) -> bool:
    if len(entries) != len(live):  # also catches an entry shown twice
        return False
    return all(e.session in live and _agree(live[e.session], e.title) for e in entries)
