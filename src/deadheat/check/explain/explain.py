"""From "no legal order" to a name, a minimal core, and a proof that a person can check.

Rules
- Everything said is about the witness alone and made of its operations, but for the
  name, the first impossible answer and the promise that held, which look at the whole.
- No sentence is made here: the reasons are values (``grounds``).
- What costs time in proportion to the history is left out of long ones (``WHOLE``).
- All questions share one allowance of steps; once it is spent the witness may be larger than the
  smallest, and an edit that is not known to be legal names nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deadheat.check.decide.legality import Allowance, contradicts
from deadheat.check.decide.life_records import Conflict, Life, NeedsSearch
from deadheat.check.decide.lifetimes import read_lives
from deadheat.check.decide.wing_gong import NoOrder, find_order
from deadheat.check.explain.classify import name
from deadheat.check.explain.levels import Level, smallest_slack_ns, strongest_held
from deadheat.check.explain.minimal_core import around, find_witness, first_impossible, indices
from deadheat.check.explain.refutation import prove
from deadheat.check.explain.repairs import is_result
from deadheat.check.fragment import Decider, decider_of
from deadheat.model.grounds import ByAnomaly
from deadheat.model.history import (
    Created,
    Fail,
    History,
    Kind,
    Listed,
    Ok,
    Operation,
    ancestors,
    may_change,
    parents_of,
    touched_sessions,
)
from deadheat.model.promises import DeletePromise
from deadheat.model.verdict import Anomaly, Divergence, ListDiff

if TYPE_CHECKING:
    from deadheat.check.decide.legality import Impossible
    from deadheat.check.explain.minimal_core import Witness
    from deadheat.check.explain.repairs import Repair
    from deadheat.model.promises import Promises
    from deadheat.model.specification import Model

S = TypeVar("S")

# Up to here the whole history is judged again for the levels that still held and for its
# first impossible answer: some tens of checks of about 5 µs for each operation.
WHOLE = 400
# Up to here the slack of its reads is looked for: some twenty checks more, of a history in which
# each list is as many reads as there are sessions (0.6 s at 300 operations; trials have some 40).
SLACK = 150
# Steps for each of the ladder's twenty to thirty questions: none of them is worth a trial. With
# the whole budget the slack of one history of a family (60 operations) took 23 s.
ASIDE = 2_000
# Of the budget of the decision: what one of the questions about its reason may take. All of them
# together have as much as the decision had, and of a long history some steps for each call: there
# each question takes one or two for each list.
_ONE = 4
_EACH = 50


def explain(
    whole: History, history: History, promises: Promises, budget: int, hint: Impossible
) -> Divergence:
    """The divergence in ``history``, which is impossible as ``hint`` says: named, reduced, proved.

    ``whole`` is the history as recorded, which the divergence carries.
    """
    left = Allowance(budget + _EACH * len(history.operations), budget // _ONE)
    witness = find_witness(history, promises, left, hint)
    witness, repairs = name(history, witness, promises, left, _custom_changes(whole))
    if repairs[0].anomaly is Anomaly.WRONG_STATUS:  # the wrong answer itself is the thing to see
        witness = around(witness, repairs[0].index, promises, left)
    first: int | None = None
    held, slack = "", None
    if len(history.operations) <= WHOLE:
        first = first_impossible(history, lambda part: contradicts(part, promises, left))
        level = strongest_held(history, promises, min(budget, ASIDE))
        held = "" if level is None else level.value
        if level in (Level.SESSION, Level.EVENTUAL) and len(history.operations) <= SLACK:
            slack = smallest_slack_ns(history, promises, min(budget, ASIDE))
    return Divergence(
        history=whole,
        anomaly=repairs[0].anomaly,
        witness=indices(witness.core.operations),
        culprit=_culprit(witness, repairs[0].anomaly),
        sessions=witness.sessions,
        reason=ByAnomaly(_about(history, repairs[0], witness.sessions)),
        proof=prove(witness.core, witness.sessions, promises),
        counterfactual=repairs[0].edit,
        also_fits=tuple(repair.anomaly for repair in repairs[1:]),
        first_impossible=first,
        strongest_promise_held=held,
        slack_ns=slack,
        lists=_list_diffs(history, witness.core, promises),
    )


def explain_generic(history: History, model: Model[S], budget: int) -> Divergence:
    """The shortest impossible prefix of a history that a user's own ``model`` refuses.

    Nothing is known of what its calls mean, so nothing is forgotten but the future.
    """

    left = 2 * budget

    def impossible(part: History) -> bool:
        nonlocal left
        found = find_order(part, model, min(left, budget))
        left -= found.steps
        return isinstance(found, NoOrder)

    first = first_impossible(history, impossible)
    ends = {op.index: op.return_ns for op in history.operations}
    now = ends.get(first)
    core = [op for op in history.operations if now is None or op.call_ns <= now]
    sessions = frozenset[str]().union(*map(touched_sessions, core)) if core else frozenset[str]()
    return Divergence(
        history=history,
        anomaly=Anomaly.IMPOSSIBLE,
        witness=indices(core),
        culprit=first,
        sessions=tuple(sorted(sessions)),
        reason=ByAnomaly(),
        first_impossible=first,
    )


def _list_diffs(history: History, core: History, promises: Promises) -> tuple[ListDiff, ...]:
    """What each list of the witness showed wrongly, by the other calls."""
    if decider_of(core, promises) is not Decider.LIVES:
        return ()  # a session below another, or one that lives again, has no such life
    found: list[ListDiff] = []
    recorded = {op.index: op for op in history.operations}
    parents = parents_of(history.operations)
    struck = {op.invocation.session for op in history.operations if op.kind is Kind.DELETE}
    for op in core.operations:
        shown = recorded[op.index]
        if not isinstance(shown.outcome, Ok) or not isinstance(shown.outcome.result, Listed):
            continue
        others = tuple(o for o in core.operations if o.index != op.index)
        ids = {s for o in (*others, op) for s in touched_sessions(o)} | core.existing
        try:
            lives = read_lives(
                others, core.existing, strict_delete=promises.delete is DeletePromise.EXACTLY_ONCE
            ).by_id
        except (Conflict, NeedsSearch):
            continue
        call, end = op.call_ns, op.return_ns or 0
        must = {
            s
            for s in ids
            if _there_throughout(lives.get(s), call, end)
            and struck.isdisjoint(ancestors(s, parents))  # a cascade may have taken it
        }
        must_not = {s for s in ids if not _can_be_there(lives.get(s), call, end)}
        entries = shown.outcome.result.sessions
        found.append(
            ListDiff(
                op.index,
                missing=tuple(sorted(must - entries)),
                extra=tuple(sorted(must_not & entries)),
            )
        )
    return tuple(found)


def _there_throughout(life: Life | None, call_ns: int, return_ns: int) -> bool:
    return life is not None and life.early < call_ns and return_ns < life.late


def _can_be_there(life: Life | None, call_ns: int, return_ns: int) -> bool:
    if life is None:
        return False
    return life.made <= return_ns and life.gone >= call_ns


def _custom_changes(history: History) -> tuple[Operation, ...]:
    """The custom calls that may have changed something."""
    return tuple(
        op
        for op in history.operations
        if op.invocation.custom is not None and may_change(op) and not isinstance(op.outcome, Fail)
    )


def _culprit(witness: Witness, anomaly: Anomaly) -> int:
    """The answer to point at; of an id given twice, the second."""
    if anomaly is not Anomaly.DUPLICATE_ID:
        return witness.culprit
    given = [op for op in witness.core.operations if is_result(op, Created)]
    return max(given, key=lambda op: (op.return_ns or 0, op.index)).index


def _about(history: History, repair: Repair, sessions: tuple[str, ...]) -> str:
    """The session that the reason is about."""
    if repair.anomaly is Anomaly.WRONG_STATUS:
        for op in history.operations:
            if op.index == repair.index and op.invocation.session in sessions:
                return op.invocation.session
    if repair.anomaly is Anomaly.PARTIAL_CASCADE:
        return sessions[1]
    return sessions[0] if sessions else ""
