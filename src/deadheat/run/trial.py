"""A program, run once and judged: the one act that everything else is a loop around.

Rules
- ``once`` is the only place where an execution meets the checker. Whoever runs a program asks here,
  so all of them judge alike: by the target's promises, its settle time and its own model.
- ``look`` asks it of a saved example: it waits for the target's settle time, should it state one,
  and listens to the event stream only where the finding is about that (``run.replay``).
- A trial that stayed quiet is silence only if it raced (``model.raced``); one that diverged
  diverged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.files.artifact import signature_of
from deadheat.model.history import makespan_ns
from deadheat.model.verdict import Diverged, Divergence, Undecided
from deadheat.run.judge import judge
from deadheat.trials.evidence import TrialResult

if TYPE_CHECKING:
    from deadheat.drive.executor import Execution
    from deadheat.drive.live import Death, LiveTarget
    from deadheat.files.artifact import Artifact
    from deadheat.model.program import Program
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Signature, Verdict


@dataclass(frozen=True, slots=True)
class Trial:
    """One execution and what was judged of it. ``death``: of the server, during it."""

    execution: Execution
    death: Death | None
    verdict: Verdict

    @property
    def unraced(self) -> Unraced | None:
        """Why it did not race; None: it did (``model.raced``)."""
        return self.execution.unraced

    @property
    def took_ns(self) -> int:
        """How long its calls took, from the first to the last (``history.makespan_ns``)."""
        return makespan_ns(self.execution.history)

    def shows(self, wanted: Signature) -> Divergence | None:
        """The divergence of this signature, if the trial showed it."""
        return matching(self.verdict, wanted)

    def result(self, wanted: Signature) -> TrialResult:
        """What it came to, for somebody who looks for a divergence of this signature."""
        match self.verdict:
            case Undecided():
                return TrialResult.UNDECIDED
            case Diverged():
                return TrialResult.OTHER if self.shows(wanted) is None else TrialResult.SHOWN
            case _:
                return TrialResult.QUIET


@dataclass(frozen=True, slots=True)
class LookResult:
    """``divergence``: the one looked for, or another. ``unraced``, ``took_ns``: see ``Trial``."""

    result: TrialResult
    divergence: Divergence | None
    unraced: Unraced | None
    took_ns: int


async def once(
    live: LiveTarget, program: Program, *, patient: bool = True, listen: bool = True
) -> Trial:
    """Runs ``program`` one time and judges it.

    ``patient``, ``listen``: see ``LiveTarget.execute``. Raises ``TargetError``.
    """
    execution, death = await live.execute(program, patient=patient, listen=listen)
    target = live.target
    verdict = judge(execution, death, live.promises, target.settle_ms, target.custom_model)
    return Trial(execution, death, verdict)


async def look(live: LiveTarget, artifact: Artifact) -> LookResult:
    """Runs the artifact's program once. Raises ``TargetError``."""
    wanted = signature_of(artifact)
    trial = await once(live, artifact.program, listen=wanted.heard)
    shown = trial.shows(wanted)
    if shown is None and isinstance(trial.verdict, Diverged):
        shown = trial.verdict.divergence
    return LookResult(trial.result(wanted), shown, trial.unraced, trial.took_ns)


def matching(verdict: Verdict, wanted: Signature) -> Divergence | None:
    """The divergence in ``verdict`` that has the wanted signature."""
    if isinstance(verdict, Diverged):
        for divergence in verdict.all:
            if divergence.signature == wanted:
                return divergence
    return None
