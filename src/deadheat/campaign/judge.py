"""From an execution to a verdict: what the checker needs to be told about this target.

Rules
- A target that may take time to settle is judged on its last reads at rest. A
  divergence that was there before and is gone by then is reported as transient.
- A server that died during the trial is a divergence of its own, ``crash``; one that was
  dead before anything reached it says nothing about this program.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.core.checker import check
from deadheat.core.divergence import (
    Anomaly,
    Diverged,
    Divergence,
    Linearizable,
    Undecided,
    Verdict,
)
from deadheat.core.history import Fail, History, Info, Ok

if TYPE_CHECKING:
    from deadheat.core.promises import Promises
    from deadheat.drive.executor import Execution
    from deadheat.drive.live import Death


def judge(execution: Execution, death: Death | None, promises: Promises) -> Verdict:
    """The verdict on one trial."""
    if all(isinstance(op.outcome, Fail) for op in execution.history.operations):
        return Undecided("nothing reached the server")
    if death is not None:
        return Diverged(_crash(execution, death))
    if not any(isinstance(op.outcome, Ok) for op in execution.history.operations):
        return Undecided("nothing was answered")
    early = check(execution.history, promises)
    if execution.settled_from is None or not isinstance(early, Diverged):
        return early
    late = check(_without_early_reads(execution), promises)
    if not isinstance(late, Linearizable):
        return late
    return Diverged(
        replace(early.divergence, transient=True),
        tuple(replace(other, transient=True) for other in early.also),
    )


def _without_early_reads(execution: Execution) -> History:
    settled_from = execution.settled_from or 0
    return replace(
        execution.history,
        operations=tuple(
            op for op in execution.history.operations if not op.at_rest or op.index >= settled_from
        ),
    )


def _crash(execution: Execution, death: Death) -> Divergence:
    """The calls that were open when the server died are the witness."""
    ops = execution.history.operations
    during = tuple(op for op in ops if not op.at_rest)
    open_calls = tuple(op.index for op in during if isinstance(op.outcome, Info))
    last = open_calls[-1:] or tuple(op.index for op in during[-1:])
    ended = "" if death.exit_code is None else f" with exit code {death.exit_code}"
    return Divergence(
        history=execution.history,
        anomaly=Anomaly.CRASH,
        witness=open_calls or last,
        culprit=last[0] if last else 0,
        sessions=(),
        reason=f"the server died{ended}",
    )
