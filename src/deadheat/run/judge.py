"""From an execution to a verdict: tells the checker what it needs to know of the target.

Rules
- Of a target that may take time to settle, any look sooner than that may show what was, also
  the first reads at rest (``Promises.settling``); those after the settle time may not.
- A server that died during the trial is a divergence of its own, ``crash``, and one that runs
  but answers no client any more is ``unresponsive``; one that was dead before anything reached it
  says nothing about this program.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.check.checker import DEFAULT_BUDGET, check
from deadheat.check.decide.legality import contradicts
from deadheat.model.grounds import Died, Silent
from deadheat.model.history import Fail, History, Info, Ok
from deadheat.model.verdict import Anomaly, Diverged, Divergence, Obstacle, Undecided, Verdict

if TYPE_CHECKING:
    from deadheat.check.custom.calls import CustomCalls
    from deadheat.drive.executor import Execution
    from deadheat.drive.live import Death
    from deadheat.model.promises import Promises


_NS_PER_MS = 1_000_000


def judge(
    execution: Execution,
    death: Death | None,
    promises: Promises,
    settle_ms: int = 0,
    custom: CustomCalls | None = None,
) -> Verdict:
    """The verdict on one trial.

    ``settle_ms``, ``custom``: as ``Target.settle_ms``, ``custom_model``.
    """
    if all(isinstance(op.outcome, Fail) for op in execution.history.operations):
        return Undecided(Obstacle.NOT_SENT)
    if death is not None:
        return Diverged(_crash(execution, death))
    if not any(isinstance(op.outcome, Ok) for op in execution.history.operations):
        return Undecided(Obstacle.NO_ANSWER)
    if not settle_ms:
        return check(execution.history, promises, custom=custom)
    # Of views that show it sometime, deadheat chose how long to wait: that excuses no other.
    settled = promises if promises.sometime else promises.settling(settle_ms * _NS_PER_MS)
    verdict = check(_settling(execution), settled, custom=custom)
    if not isinstance(verdict, Diverged):
        return verdict
    first, *others = (replace(one, history=execution.history) for one in verdict.all)
    return Diverged(first, tuple(others))


def only_late(execution: Execution, promises: Promises) -> bool:
    """Does this trial contradict itself only with the reads after the settle time?"""
    late = execution.settled_from
    if late is None:
        return False
    early = tuple(op for op in execution.history.operations if op.index < late)
    history = replace(execution.history, operations=early)
    return not contradicts(history, promises, DEFAULT_BUDGET)


def _settling(execution: Execution) -> History:
    """The history with only those reads at rest that the settle time lets count."""
    late = execution.settled_from
    operations = tuple(
        replace(op, at_rest=op.at_rest and late is not None and op.index >= late)
        for op in execution.history.operations
    )
    return replace(execution.history, operations=operations)


def _crash(execution: Execution, death: Death) -> Divergence:
    """The divergence of a crash: its witness are the calls that were open when the server died."""
    ops = execution.history.operations
    during = tuple(op for op in ops if not op.at_rest)
    open_calls = tuple(op.index for op in during if isinstance(op.outcome, Info))
    last = open_calls[-1:] or tuple(op.index for op in during[-1:])
    return Divergence(
        history=execution.history,
        anomaly=Anomaly.UNRESPONSIVE if death.silent else Anomaly.CRASH,
        witness=open_calls or last,
        culprit=last[0] if last else 0,
        sessions=(),
        reason=Silent() if death.silent else Died(death.exit_code),
    )
