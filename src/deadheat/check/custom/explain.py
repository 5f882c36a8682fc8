"""From "no order explains these own calls" to the fewest operations, and why, in lines.

Rules
- Everything said is about the witness alone; ids stand as ``{0}``, ``{1}`` …, calls as in
  ``check.explain.constraints``.
- Left out are other sessions, what only looks, and what came after the first impossible answer:
  none of that ever makes a contradiction that was not there.
- The proof goes through the places that the culprit could have among the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from deadheat.check.custom.calls import Marked, OwnCalls, OwnModel, only_looks, reachable, searched
from deadheat.check.decide.wing_gong import NoOrder
from deadheat.check.explain.constraints import spell
from deadheat.check.explain.minimal_core import cut_after, first_impossible, indices, preferred
from deadheat.check.explain.placements import Breaks, TooEarly, TooLate, WouldAnswer, tried
from deadheat.check.projections import only_sessions
from deadheat.model.history import (
    Absent,
    Answered,
    Found,
    History,
    Info,
    Kind,
    Listed,
    Ok,
    Operation,
)
from deadheat.model.said import word_of
from deadheat.model.specification import model_for
from deadheat.model.verdict import Anomaly, Divergence, operations_by_index

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deadheat.check.custom.calls import Together
    from deadheat.check.explain.placements import Alternatives, Rejected
    from deadheat.model.promises import Promises

# Places told: of five calls at once there are more than anybody reads.
_MOST_LINES = 8


def explain_own(
    whole: History, found: Together, promises: Promises, own: OwnCalls, budget: int
) -> Divergence:
    """Reduce and prove what ``decide`` found. ``whole``: the history as recorded."""

    left = 2 * budget

    def impossible(part: History) -> bool:
        nonlocal left
        answer = searched(part, promises, own, min(left, budget))
        left -= answer.steps
        return isinstance(answer, NoOrder)

    def without_others(ids: Sequence[str]) -> History:
        return only_sessions(found.history, frozenset(ids))

    sessions = tuple(sorted(found.sessions))
    if len(sessions) > 1:
        sessions = tuple(sorted(preferred(sessions, lambda ids: impossible(without_others(ids)))))
    core = _without_looks(without_others(sessions), own, impossible)
    culprit = first_impossible(core, impossible)
    core = cut_after(core, culprit)
    first = first_impossible(found.history, impossible) if core is not found.history else culprit
    return Divergence(
        history=whole,
        anomaly=Anomaly.IMPOSSIBLE,
        witness=indices(core.operations),
        culprit=culprit,
        sessions=sessions,
        reason="no order of the calls explains this answer",
        proof=_proof(core, culprit, sessions, promises, own),
        first_impossible=first,
    )


def _without_looks(
    history: History, own: OwnCalls, impossible: Callable[[History], bool]
) -> History:
    """Only the calls that change something, and the fewest that look."""
    marks = reachable(history, own)
    looks = [op for op in history.operations if only_looks(op, own, marks)]
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
    own: OwnCalls,
) -> tuple[str, ...]:
    ops = operations_by_index(core)
    it = ops[culprit]
    model = OwnModel(model_for(core, promises), own)

    def would(states: set[Marked]) -> WouldAnswer:
        return _would(model, states, it, sessions)

    others = replace(core, operations=tuple(op for op in core.operations if op is not it))
    told = tried(others, it, model, would)
    in_order = sorted(core.operations, key=lambda op: (op.call_ns, op.index))
    names = {session: f"{{{n}}}" for n, session in enumerate(sessions)}
    spelt = dict(zip((op.index for op in in_order), spell(tuple(in_order), names), strict=True))
    start_ns = in_order[0].call_ns
    lines = [f"{spelt[culprit]} answered {answer(it, names)}."]
    shown = told.rejected[:_MOST_LINES]
    lines += [_line(one, told, ops, spelt, names, start_ns) for one in shown]
    if len(told.rejected) > _MOST_LINES:
        lines.append(f"And so for {len(told.rejected) - _MOST_LINES} more places.")
    lines.append(
        "No other place is left."
        if told.rejected
        else "The other calls contradict each other, whatever its place."
    )
    return tuple(lines)


def _would(
    model: OwnModel, states: set[Marked], it: Operation, about: tuple[str, ...]
) -> WouldAnswer:
    """What the culprit would have answered, where that is certain."""
    if it.invocation.own is not None:
        words = {word for state in states for word in model.words(state, it.invocation)}
        return WouldAnswer(None, words.pop() if len(words) == 1 else "")
    if states and all(model.refused(state, it.invocation) for state in states):
        return WouldAnswer(None, "refused")
    if len(states) != 1:
        return WouldAnswer(None)
    (state,) = states
    live = {session for session, _ in state.sessions.live}
    if it.kind is Kind.LIST:
        shown = (s for s in about if s in live and not model.own.hides(state.mark_of(s)))
        return WouldAnswer(tuple(shown))
    asked = it.invocation.session
    return WouldAnswer((asked,) if asked is not None and asked in live else ())


def _line(
    one: Rejected,
    told: Alternatives,
    ops: Mapping[int, Operation],
    spelt: Mapping[int, str],
    names: Mapping[str, str],
    start_ns: int,
) -> str:
    it = ops[told.culprit]

    def at(instant_ns: int | None) -> str:
        return "…" if instant_ns is None else f"{(instant_ns - start_ns) / 1e6:.1f} ms"

    place = "First of all" if one.after is None else f"Right after {spelt[one.after]}"
    match one.cause:
        case TooEarly(other):
            return (
                f"Not before {spelt[other]}: that had been answered ({at(ops[other].return_ns)}) "
                f"before it was called ({at(it.call_ns)})."
            )
        case TooLate(other):
            return (
                f"Not after {spelt[other]}: that was called ({at(ops[other].call_ns)}) after it "
                f"had been answered ({at(it.return_ns)})."
            )
        case WouldAnswer(sessions, word):
            said = f"answer {word}" if word else _shown(it, sessions, names)
            return f"{place} it would {said}."
        case Breaks(other):
            said = answer(ops[other], names)
            return f"{place} it fits, but then {spelt[other]} would not answer {said}."
        case _:
            assert_never(one.cause)


def _shown(it: Operation, sessions: tuple[str, ...] | None, names: Mapping[str, str]) -> str:
    if sessions is None:
        return "answer something else"
    if it.kind is Kind.LIST:
        return f"show [{', '.join(names[session] for session in sessions)}]"
    return "find it there" if sessions else "answer that it is not there"


def answer(op: Operation, names: Mapping[str, str]) -> str:
    """What came back, as the proof says it."""
    match op.outcome:
        case Ok(Answered(word)):
            return word
        case Ok(Listed(entries)):
            shown = (names[e.session] for e in entries if e.session in names)
            return f"[{', '.join(sorted(shown))}]"
        case Ok(Absent()):
            return "that it is not there"
        case Ok(Found()):
            return "that it is there"
        case Ok(result):
            return word_of(result)
        case Info(reason):
            return f"nothing ({reason})"
        case _:
            return "nothing"
