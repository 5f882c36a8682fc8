"""Tells a call that hangs from one that is only slow.

Rules
- It hangs if it had waited for the target's whole bound, was still without an answer, and the
  server answered a request on another connection meanwhile, in a small part of that bound: a
  slow machine, and a server that stands still, are slow for that one, too.
- Two calls that hang in one trial are one finding: they mostly wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.grounds import Unanswered
from deadheat.model.history import Info, Unknown, may_change, touched_sessions
from deadheat.model.verdict import Anomaly, Divergence

if TYPE_CHECKING:
    from deadheat.model.history import Control, History, Operation

# The control request must be answered in this part of the bound: then the call has taken at
# least ten times as long as a call takes at that moment.
QUICK = 0.1


def hangs(history: History) -> tuple[Divergence, ...]:
    """The hang of this trial, if there is one. Its witness: the calls without an answer, and what
    changed the sessions that they are about."""
    if not history.controls:
        return ()
    found = [
        (op, control)
        for op in history.operations
        for control in history.controls
        if _hung(op, control)
    ]
    if not found:
        return ()
    hung = tuple(dict.fromkeys(op for op, _ in found))
    last, control = found[-1]
    sessions = tuple(sorted(frozenset().union(*map(touched_sessions, hung))))
    makers = [
        op
        for op in history.operations
        if op not in hung and may_change(op) and not touched_sessions(op).isdisjoint(sessions)
    ]
    witness = sorted((*makers, *hung), key=lambda op: (op.call_ns, op.index))
    return (
        Divergence(
            history=history,
            anomaly=Anomaly.HANG,
            witness=tuple(op.index for op in witness),
            culprit=last.index,
            sessions=sessions,
            reason=Unanswered(history.controls.index(control)),
        ),
    )


def answers_nobody(history: History) -> bool:
    """Did a control request, too, get no answer for as long as it was waited for?"""
    return any(control.return_ns is None for control in history.controls)


def _hung(op: Operation, control: Control) -> bool:
    match op.outcome:
        case Info(Unknown.TIMEOUT, _):
            pass
        case _:
            return False
    if control.return_ns is None or control.call_ns < op.call_ns + control.bound_ns:
        return False
    return control.return_ns - control.call_ns <= QUICK * control.bound_ns
