"""Calls that deadheat does not know: a user says what they mean, the generic search judges.

    @dataclass(frozen=True)
    class Archive:                       # archive(x) works once on a session that is there
        def init(self): return frozenset()
        def step(self, archived, live, invocation, outcome):
            x, = invocation.own.arguments
            fits = outcome == Ok(Answered("archived")) and x in live and x not in archived
            return frozenset({archived | {x}}) if fits else frozenset()

    check(history, promises, model=with_own(history, promises, Archive()))

Rules
- What the sessions do is the session model's business alone; own calls see which are
  there, and have a state beside. Who needs more writes a whole ``Model``.
- A history without such a call is judged by the specialised decision.
- Own calls see a session as there or not. Where a cascade leaves that open nobody could
  be right, so ``check`` does not decide a history that has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from deadheat.core.history import Invocation, Kind, Outcome
from deadheat.core.sessions import Collection, SessionModel, model_for

if TYPE_CHECKING:
    from deadheat.core.history import History
    from deadheat.core.promises import Promises

T = TypeVar("T")


class OwnCalls(Protocol[T]):
    """The sequential meaning of one's own calls; ``T`` must be hashable."""

    def init(self) -> T:
        """The state beside the sessions, before the first operation."""
        ...

    def step(
        self, state: T, live: frozenset[str], invocation: Invocation, outcome: Outcome
    ) -> frozenset[T]:
        """The states in which this answer can leave ``state`` while ``live`` are there.

        Empty: impossible. ``Info`` asks for the states after it has taken effect.
        """
        ...


@dataclass(frozen=True, slots=True)
class WithOwn(Generic[T]):
    """A ``Model``: the session collection, and one's own calls beside."""

    sessions: SessionModel
    own: OwnCalls[T]

    def init(self) -> tuple[Collection, T]:
        """See ``Model.init``."""
        return self.sessions.init(), self.own.init()

    def step(
        self, state: tuple[Collection, T], invocation: Invocation, outcome: Outcome
    ) -> frozenset[tuple[Collection, T]]:
        """See ``Model.step``."""
        collection, beside = state
        if invocation.kind is not Kind.OWN:
            after = self.sessions.step(collection, invocation, outcome)
            return frozenset((one, beside) for one in after)
        live = frozenset(session for session, _ in collection.live)
        return frozenset(
            (collection, one) for one in self.own.step(beside, live, invocation, outcome)
        )


def with_own(history: History, promises: Promises, own: OwnCalls[T]) -> WithOwn[T]:
    """The model of this history that knows ``own`` as well, for ``check(…, model=…)``."""
    return WithOwn(model_for(history, promises), own)


def has_own(history: History) -> bool:
    """Is there a call that only a model of one's own knows?"""
    return any(op.invocation.own is not None for op in history.operations)
