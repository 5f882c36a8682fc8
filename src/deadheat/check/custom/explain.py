"""Reduces histories that no order of their custom calls explains, and says why, step by step.

Rules
- Everything said is about the witness alone.
- Left out are other sessions, what only looks, and what came after the first impossible answer:
  none of that ever makes a contradiction that was not there.
- The proof goes through the places that the culprit could have among the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.check.custom.calls import (
    CustomCalls,
    CustomModel,
    Marked,
    only_looks,
    reachable,
    searched,
)
from deadheat.check.decide.wing_gong import NoOrder
from deadheat.check.explain.minimal_core import cut_after, first_impossible, indices, preferred
from deadheat.check.explain.placements import tried
from deadheat.check.projections import only_sessions
from deadheat.model.grounds import ByAnomaly, Gave, MorePlaces, NoPlace, WithoutIt, WouldAnswer
from deadheat.model.history import History, Kind, Operation
from deadheat.model.specification import model_for
from deadheat.model.verdict import Anomaly, Divergence, operations_by_index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deadheat.check.custom.calls import Together
    from deadheat.model.grounds import Step
    from deadheat.model.promises import Promises

# Places told: of five calls at once there are too many to read.
_MOST_PLACES = 8


def explain_custom(
    whole: History, found: Together, promises: Promises, custom: CustomCalls, budget: int
) -> Divergence:
    """The divergence that ``decide`` found. ``whole``: the history as recorded."""

    left = 2 * budget

    def impossible(part: History) -> bool:
        nonlocal left
        answer = searched(part, promises, custom, min(left, budget))
        left -= answer.steps
        return isinstance(answer, NoOrder)

    def without_others(ids: Sequence[str]) -> History:
        return only_sessions(found.history, frozenset(ids))

    sessions = tuple(sorted(found.sessions))
    if len(sessions) > 1:
        sessions = tuple(sorted(preferred(sessions, lambda ids: impossible(without_others(ids)))))
    core = _without_looks(without_others(sessions), custom, impossible)
    culprit = first_impossible(core, impossible)
    core = cut_after(core, culprit)
    first = first_impossible(found.history, impossible) if core is not found.history else culprit
    return Divergence(
        history=whole,
        anomaly=Anomaly.IMPOSSIBLE,
        witness=indices(core.operations),
        culprit=culprit,
        sessions=sessions,
        reason=ByAnomaly(),
        proof=_proof(core, culprit, sessions, promises, custom),
        first_impossible=first,
    )


def _without_looks(
    history: History, custom: CustomCalls, impossible: Callable[[History], bool]
) -> History:
    """The history with all calls that change something, and the fewest that only look."""
    marks = reachable(history, custom)
    looks = [op for op in history.operations if only_looks(op, custom, marks)]
    looks.sort(key=lambda op: (op.at_rest, op.kind is Kind.LIST, op.index), reverse=True)
    acts = {op.index for op in history.operations} - {op.index for op in looks}

    def only(indices: set[int]) -> History:
        kept = tuple(op for op in history.operations if op.index in indices)
        return replace(history, operations=kept)

    chosen = preferred(looks, lambda some: impossible(only(acts | {op.index for op in some})))
    return only(acts | {op.index for op in chosen})


def _proof(
    core: History,
    culprit: int,
    sessions: tuple[str, ...],
    promises: Promises,
    custom: CustomCalls,
) -> tuple[Step, ...]:
    ops = operations_by_index(core)
    it = ops[culprit]
    model = CustomModel(model_for(core, promises), custom)

    def would(states: set[Marked]) -> WouldAnswer:
        return _would(model, states, it, sessions)

    others = replace(core, operations=tuple(op for op in core.operations if op is not it))
    told = tried(others, it, model, would)
    if not told.rejected:
        return Gave(culprit), WithoutIt(culprit)
    shown = tuple(NoPlace(culprit, one) for one in told.rejected[:_MOST_PLACES])
    more = len(told.rejected) - len(shown)
    return (Gave(culprit), *shown, *([MorePlaces(more)] if more else []))


def _would(
    model: CustomModel, states: set[Marked], it: Operation, about: tuple[str, ...]
) -> WouldAnswer:
    """The answer that the culprit would have given, where that is certain."""
    if it.invocation.custom is not None:
        words = {word for state in states for word in model.words(state, it.invocation)}
        return WouldAnswer(None, words.pop() if len(words) == 1 else "")
    if states and all(model.refused(state, it.invocation) for state in states):
        return WouldAnswer(None, "refused")
    if len(states) != 1:
        return WouldAnswer(None)
    (state,) = states
    live = {session for session, _ in state.sessions.live}
    if it.kind is Kind.LIST:
        shown = (s for s in about if s in live and not model.custom.hides(state.mark_of(s)))
        return WouldAnswer(tuple(shown))
    asked = it.invocation.session
    return WouldAnswer((asked,) if asked is not None and asked in live else ())
