"""Parts of a history: what it says about some sessions alone.

Rule: forgetting an id everywhere never makes a contradiction that was not there. Of a session
that is kept those above it are kept too: their deletes may be what took it.
"""

from __future__ import annotations

from dataclasses import replace

from deadheat.model.history import (
    MAKING,
    READING,
    Absent,
    Created,
    Exists,
    Fail,
    Found,
    History,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    ancestors,
    parents_of,
    touched_sessions,
)


def only_sessions(history: History, sessions: frozenset[str]) -> History:
    """The history of these sessions and of those above: operations and entries in lists."""
    sessions = with_all_above(history, sessions)
    kept: list[Operation] = []
    alike = _under_one_title(history)
    for op in history.operations:
        outcome = op.outcome
        if isinstance(outcome, Fail):
            continue
        if isinstance(outcome, Ok) and isinstance(outcome.result, Listed | Offspring):
            if op.kind is Kind.CHILDREN and op.invocation.session not in sessions:
                continue
            shown = outcome.result
            entries = tuple(e for e in shown.entries if e.session in sessions)
            fewer = len(entries) < len(shown.entries)
            kept.append(replace(op, outcome=Ok(replace(shown, entries=entries))) if fewer else op)
        elif op.kind is Kind.FORK and _made(op) not in (None, *sessions):
            continue  # whether or not its source stays: what it read is no change
        elif op.invocation.session is None and _is_exists(op):
            # It is about any session of that title: without one of them it would be wrong.
            if alike.get(op.invocation.title, frozenset()) <= sessions:
                kept.append(op)
        elif (op.kind in MAKING and isinstance(outcome, Info)) or not sessions.isdisjoint(
            _concerned(op)
        ):
            kept.append(op)
    return History(tuple(kept), history.existing & sessions)


def _under_one_title(history: History) -> dict[str | None, frozenset[str]]:
    """The sessions that are known to have been made, or shown, under each title."""
    found: dict[str | None, set[str]] = {}
    for op in history.operations:
        if (made := _made(op)) is not None:
            found.setdefault(op.invocation.title, set()).add(made)
        elif isinstance(op.result, Listed | Offspring):
            for entry in op.result.entries:
                found.setdefault(entry.title, set()).add(entry.session)
        elif isinstance(op.result, Found | Renamed):
            title = op.invocation.title
            if isinstance(op.result, Found):
                title = op.result.title
            found.setdefault(title, set()).add(str(op.invocation.session))
    return {title: frozenset(sessions) for title, sessions in found.items()}


def with_all_above(history: History, sessions: frozenset[str]) -> frozenset[str]:
    """These and what may have taken them: sessions above whose delete was not refused, with all
    in between. Also the source of a fork that is among them."""
    parents = parents_of(history.operations)
    struck = {
        op.invocation.session
        for op in history.operations
        if op.kind is Kind.DELETE and not isinstance(op.outcome, Fail) and not forgettable(op)
    }
    sources = {
        _made(op): op.invocation.session for op in history.operations if op.kind is Kind.FORK
    }
    # A create without an answer may have made any of them, below its parent.
    unknown = {
        op.invocation.parent
        for op in history.operations
        if op.invocation.parent is not None and isinstance(op.outcome, Info)
    }
    found = {*sessions, *unknown}
    waiting = list(found)
    while waiting:
        session = waiting.pop()
        above = ancestors(session, parents)
        highest = max((n for n, one in enumerate(above) if one in struck), default=-1)
        for needed in (*above[: highest + 1], sources.get(session)):
            if needed is not None and needed not in found:
                found.add(needed)
                waiting.append(needed)
    return frozenset(found)


def _is_exists(op: Operation) -> bool:
    return isinstance(op.result, Exists)


def _concerned(op: Operation) -> frozenset[str]:
    """The ids that an answer says something about: of a refused create, its parent."""
    parent = op.invocation.parent
    if parent is not None and forgettable(op):
        return frozenset({parent})
    return touched_sessions(op)


def _made(op: Operation) -> str | None:
    return op.result.session if isinstance(op.result, Created) else None


def forgettable(op: Operation) -> bool:
    """Can the operation be left out without making anything else impossible?"""
    if op.kind in READING:
        return True
    return isinstance(op.result, Absent | Exists)
