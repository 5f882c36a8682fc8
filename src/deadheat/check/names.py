"""The name under which a create makes a session, and whether it was free again between two.

Rule: a name is the id that the client chose, or else the title that its create writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.history import NAMING, Kind, shown_sessions

if TYPE_CHECKING:
    from deadheat.model.history import History, Operation


def name_of(op: Operation) -> str | None:
    """The name under which the create makes a session."""
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
