"""One divergence told whole: as plain values for machines, as text for people.

Rules
- ``as_dict`` holds only str, int, bool, None, lists and dicts, so that any JSON
  writer takes it; instants are ns since the first call of the witness.
- In texts sessions are called a, b, …, in the order of ``Divergence.sessions``; the
  ids stand under ``sessions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from deadheat.core.divergence import MEANING, operations_by_index
from deadheat.core.history import (
    MAKING,
    Answered,
    Created,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
)
from deadheat.core.program import Var

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deadheat.core.divergence import Divergence
    from deadheat.core.history import Operation
    from deadheat.core.promises import Promises

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"


def as_dict(divergence: Divergence, promises: Promises) -> dict[str, Plain]:
    """Everything that the explanation says. ``promises``: those it was judged under."""
    names = short_names(divergence.sessions)
    ops = operations_by_index(divergence.history)
    witness = [ops[index] for index in divergence.witness]
    start = min((op.call_ns for op in witness), default=0)
    return {
        "anomaly": divergence.anomaly.value,
        "meaning": MEANING[divergence.anomaly],
        "signature": str(divergence.signature),
        "promises": str(promises),
        "sessions": {name: session for session, name in names.items()},
        "reason": _filled(divergence.reason, divergence.sessions),
        "legal_if": _filled(divergence.counterfactual, divergence.sessions),
        "also_fits": [anomaly.value for anomaly in divergence.also_fits],
        "witness": [_operation(op, start) for op in witness],
        "culprit": divergence.culprit,
        "first_impossible": divergence.first_impossible,
        "proof": [_filled(line, divergence.sessions) for line in divergence.proof],
        "lists": [
            {"index": diff.index, "missing": list(diff.missing), "extra": list(diff.extra)}
            for diff in divergence.lists
        ],
        "strongest_promise_held": divergence.strongest_promise_held or None,
        "slack_ns": divergence.slack_ns,
        "transient": divergence.transient,
    }


def as_text(divergence: Divergence, promises: Promises) -> str:
    """The explanation as lines of text."""
    names = short_names(divergence.sessions)
    ops = operations_by_index(divergence.history)
    witness = [ops[index] for index in divergence.witness]
    start = min((op.call_ns for op in witness), default=0)
    lines = [f"{divergence.anomaly}: {MEANING[divergence.anomaly]}"]
    lines += [f"  {name} = {session}" for session, name in names.items()]
    lines.append(f"  promises: {promises}")
    for op in witness:
        end = "…" if op.return_ns is None else f"{(op.return_ns - start) / 1e6:.1f}"
        mark = " <- cannot be" if op.index == divergence.culprit else ""
        when = f"{(op.call_ns - start) / 1e6:7.1f} – {end:>7} ms"
        lines.append(f"  #{op.index:<4} {when}  {_spelt(op, names)}{mark}")
    for n, line in enumerate(divergence.proof, 1):
        lines.append(f"  {n}. {_filled(line, divergence.sessions)}")
    for diff in divergence.lists:
        said = [
            f"{word} {', '.join(names.get(s, s) for s in ids)}"
            for word, ids in (("should show", diff.missing), ("should not show", diff.extra))
            if ids
        ]
        if not said and len(divergence.sessions) > 1:
            said = ["each entry alone is possible, no one moment has them all"]
        if said:
            lines.append(f"  list #{diff.index}: {'; '.join(said)}")
    if divergence.counterfactual:
        lines.append(f"  legal if {_filled(divergence.counterfactual, divergence.sessions)}")
    if divergence.also_fits:
        lines.append(f"  other single edits that fit: {', '.join(divergence.also_fits)}")
    if divergence.first_impossible is not None:
        lines.append(f"  the first impossible answer of the whole: #{divergence.first_impossible}")
    if divergence.strongest_promise_held:
        slack = ""
        if divergence.slack_ns is not None:
            slack = f" (smallest slack {divergence.slack_ns / 1e6:.2f} ms)"
        lines.append(f"  what still held: {divergence.strongest_promise_held}{slack}")
    return "\n".join(lines)


def short_names(sessions: Sequence[str]) -> dict[str, str]:
    """``a``, ``b``, … for the ids."""
    return {session: Var(n).name for n, session in enumerate(sessions)}


def _filled(text: str, sessions: tuple[str, ...]) -> str:
    for n, _ in enumerate(sessions):
        text = text.replace(f"{{{n}}}", Var(n).name)
    return text


def _operation(op: Operation, start_ns: int) -> dict[str, Plain]:
    outcome = op.outcome
    shown: Plain = None
    if isinstance(outcome, Ok) and isinstance(outcome.result, Listed | Offspring):
        shown = [{"session": e.session, "title": e.title} for e in outcome.result.entries]
    elif isinstance(outcome, Ok) and isinstance(outcome.result, Found):
        shown = outcome.result.title
    return {
        "index": op.index,
        "lane": op.lane,
        "kind": op.kind.value,
        "session": _session(op),
        "title": op.invocation.title,
        **({} if op.invocation.parent is None else {"parent": op.invocation.parent}),
        **({} if op.invocation.own is None else {"own": op.invocation.own.name}),
        "answer": _answer(op),
        "shown": shown,
        "call_ns": op.call_ns - start_ns,
        "return_ns": None if op.return_ns is None else op.return_ns - start_ns,
        "at_rest": op.at_rest,
    }


def _session(op: Operation) -> str | None:
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
        return op.outcome.result.session
    return op.invocation.session


def _answer(op: Operation) -> str:
    match op.outcome:
        case Ok(Answered(value)):
            return value
        case Ok(result):
            return type(result).__name__.lower()
        case Info(reason):
            return reason.value
        case Fail():
            return "not sent"


def _spelt(op: Operation, names: dict[str, str]) -> str:
    session = _session(op)
    name = "?" if session is None else names.get(session, session)
    rest = " at rest" if op.at_rest else ""
    title = "" if op.invocation.title is None else f", {op.invocation.title!r}"
    match op.outcome:
        case Ok(Listed(entries) | Offspring(entries)):
            shown = [
                names.get(e.session, e.session) + ("" if e.title is None else f":{e.title!r}")
                for e in entries
            ]
            few = shown if len(shown) <= 8 else [*shown[:8], f"… {len(shown)} in all"]
            asked = "list()" if op.kind is Kind.LIST else f"children({name})"
            return f"{asked}{rest} -> {{{', '.join(few)}}}"
        case Ok(Found(str() as seen)):
            answer = f"found {seen!r}"
        case _:
            answer = _answer(op)
    own = op.invocation.own
    if own is not None:
        words = f"{name}, {own.argument}" if own.argument else name
        return f"{own.name}({words}){rest} -> {answer}"
    if op.kind in MAKING:
        above = op.invocation.parent if op.kind is Kind.CREATE else op.invocation.session
        given = [] if above is None else [names.get(above, above)]
        if above is not None and op.kind is Kind.CREATE:
            given = [f"parent={given[0]}"]
        given += [] if op.invocation.title is None else [repr(op.invocation.title)]
        made = f"{name} = " if op.kind is Kind.CREATE or name != given[0] else ""
        return f"{made}{op.kind}({', '.join(given)}) -> {answer}"
    return f"{op.kind}({name}{title}){rest} -> {answer}"
