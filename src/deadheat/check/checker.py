"""The one entry to the checker: does some legal order explain this history?

Rules
- The verdict is about the history alone, under the promises given.
- Undeclared statuses and server errors are divergences of their own; for the
  rest of the judgement such an answer is unknown (its call may have happened).
- What the event stream said is judged beside the answers (``event_stream``), and so is a call
  that never got one (``hangs``): these need no order, so an undecided one hides none of them.
- Deterministic: a budget of steps, never a clock.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, assert_never

from deadheat.check.custom.calls import Alone, CustomCalls, Together, decide
from deadheat.check.custom.explain import explain_custom
from deadheat.check.decide.legality import Impossible, Legality, legal
from deadheat.check.decide.wing_gong import NoOrder, Order, OutOfBudget, find_order
from deadheat.check.event_stream import misannounced
from deadheat.check.explain.explain import explain, explain_generic
from deadheat.check.fragment import Decider, Unsupported, fragment_of
from deadheat.model.grounds import ByAnswer
from deadheat.model.hangs import hangs
from deadheat.model.history import History, Info, Ok, Undeclared, Unknown, touched_sessions
from deadheat.model.promises import AbsentPromise
from deadheat.model.verdict import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Obstacle,
    Undecided,
    Verdict,
)

if TYPE_CHECKING:
    from deadheat.model.promises import Promises
    from deadheat.model.specification import Model

S = TypeVar("S")

# A history of 30 overlapping operations needs some thousands of steps; 200,000
# is about a second, past which another trial is worth more than an answer.
DEFAULT_BUDGET = 200_000


def check(
    history: History,
    promises: Promises,
    budget: int = DEFAULT_BUDGET,
    *,
    custom: CustomCalls | None = None,
    model: Model[S] | None = None,
) -> Verdict:
    """Judge ``history`` under ``promises``, in at most ``budget`` steps for each search.

    ``custom``: what custom calls mean; without it a history that has some is
    undecided. With a whole ``model`` instead the generic search decides, by that model alone
    (undeclared statuses are then its business).
    """
    if model is not None:
        return _check_generic(history, model, budget)
    declared = _declared(history, promises)
    quiet = silenced(history) if declared else history
    fragment = fragment_of(quiet, promises, meant=custom is not None)
    if isinstance(fragment, Unsupported):
        return Undecided(fragment.why)
    loud = (*hangs(history), *declared)
    if history.stream is not None and fragment.events:
        told = misannounced(quiet, promises, budget)
        loud = (*loud, *(replace(one, history=history) for one in told))
    if fragment.decider is Decider.CUSTOM and custom is not None:
        verdict: Legality | Alone | Together = decide(quiet, promises, custom, budget)
    else:
        verdict = legal(quiet, promises, budget)
    match verdict:
        case Impossible():
            return Diverged(explain(history, quiet, promises, budget, verdict), loud)
        case Alone(plain, found):
            return Diverged(explain(history, plain, promises, budget, found), loud)
        case Together() if custom is not None:
            return Diverged(explain_custom(history, verdict, promises, custom, budget), loud)
        case _ if loud:
            return Diverged(loud[0], loud[1:])
        case Order(order):
            return Linearizable(order)
        case OutOfBudget():
            return Undecided(Obstacle.STEPS)
        case Together():
            raise AssertionError("custom calls were judged without their meaning")
        case _:
            assert_never(verdict)


def _check_generic(history: History, model: Model[S], budget: int) -> Verdict:
    found = find_order(history, model, budget)
    match found:
        case Order(order):
            return Linearizable(order)
        case OutOfBudget():
            return Undecided(Obstacle.STEPS)
        case NoOrder():
            return Diverged(explain_generic(history, model, budget))
        case _:
            assert_never(found)


def silenced(history: History) -> History:
    """The history with every undeclared answer taken as unknown."""
    return replace(
        history,
        operations=tuple(
            replace(op, outcome=Info(Unknown.GARBLED, "undeclared"), return_ns=None)
            if isinstance(op.result, Undeclared)
            else op
            for op in history.operations
        ),
    )


def _declared(history: History, promises: Promises) -> tuple[Divergence, ...]:
    strict = promises.status_on_absent is AbsentPromise.DECLARED
    found: dict[object, Divergence] = {}
    for op in history.operations:
        outcome = op.outcome  # looked at by type first: this runs on every trial
        if type(outcome) is Ok and type(outcome.result) is not Undeclared:
            continue
        match outcome:
            case Ok(Undeclared()) if strict:
                anomaly = Anomaly.WRONG_STATUS
            case Info(Unknown.SERVER_ERROR):
                anomaly = Anomaly.SERVER_ERROR
            case _:
                continue
        sessions = tuple(sorted(touched_sessions(op)))
        one = Divergence(history, anomaly, (op.index,), op.index, sessions, ByAnswer())
        found.setdefault(one.signature, one)
    return tuple(found.values())
