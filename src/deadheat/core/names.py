"""Names: what creates have in common, and whether somebody can live again under one.

Rules
- A name is the id that the client chose, or else the title that its create writes.
- What is decided here is only what the specialised decision, names and proofs may take for
  granted; whether a history is legal the search says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.core.history import (
    FORBIDDEN,
    NAMING,
    Created,
    Exists,
    Fail,
    Info,
    Kind,
    Ok,
    shown_sessions,
)
from deadheat.core.promises import CreatePromise, IdPromise

if TYPE_CHECKING:
    from deadheat.core.history import History, Operation
    from deadheat.core.promises import Promises


def name_of(op: Operation) -> str | None:
    """The name under which it would make a session."""
    return (op.invocation.session or op.invocation.title) if op.kind in NAMING else None


def freed_between(history: History, one: Operation, other: Operation) -> bool:
    """Can a delete, or a rename, have freed the name between two creates that were answered?"""
    first = min(one.call_ns, other.call_ns)
    last = max(one.return_ns or one.call_ns, other.return_ns or other.call_ns)
    made = shown_sessions(one) | shown_sessions(other)
    return any(
        op.kind in (Kind.DELETE, Kind.RENAME)
        and op.invocation.session in made
        and op.call_ns <= last
        and (op.return_ns is None or op.return_ns >= first)
        for op in history.operations
    )


def lives_again(history: History, promises: Promises) -> bool:
    """Can an id have lived more than once here, or have two creates asked for one name?

    The specialised decision knows one life an id, made by one create.
    """
    asked: set[str] = set()
    given: set[str] = set()
    for op in history.operations:
        if op.kind not in NAMING or isinstance(op.outcome, Fail):
            continue
        name = op.invocation.session or op.invocation.title
        unknown = isinstance(op.outcome, Info)
        if promises.create is not CreatePromise.NEW and name is not None:
            told = isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Exists)
            if told or name in asked:
                return True
            asked.add(name)
        if unknown and (op.invocation.session is not None or promises.ids is IdPromise.REUSED):
            return True
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
            if op.outcome.result.session in given:
                return True
            given.add(op.outcome.result.session)
    return False


def has_own(history: History) -> bool:
    """Is there an answer that only own calls explain: one of them, or a refusal by a mark?"""
    return any(
        op.invocation.own is not None or op.outcome == Ok(FORBIDDEN) for op in history.operations
    )
