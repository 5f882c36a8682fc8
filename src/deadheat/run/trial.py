"""Runs a program once and judges it: the one act that everything else is a loop around.

Rules
- ``once`` is the only place where an execution meets the checker. All that run a program ask here,
  so all of them judge alike: by the target's promises, its settle time and its own model.
- ``look`` looks for one divergence: it waits for the target's settle time, should it state one,
  and listens to the event stream only where the finding is about that (``run.replay``).
- ``trials_of`` runs a plan that goes by verdicts, ``prove`` one that goes by evidence
  (``trials.plan``). No other module feeds a plan.
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
from deadheat.trials.evidence import Side, TrialResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from deadheat.drive.executor import Execution
    from deadheat.drive.live import Death, LiveTarget
    from deadheat.files.artifact import Artifact
    from deadheat.model.program import Program
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Signature, Verdict
    from deadheat.trials.plan import EvidencePlan, VerdictPlan


@dataclass(frozen=True, slots=True)
class Trial:
    """One execution and its verdict. ``death``: of the server, during it."""

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

    def shows(self, wanted: Signature | None) -> Divergence | None:
        """The divergence of this signature, if the trial showed it."""
        return matching(self.verdict, wanted)

    def result(self, wanted: Signature | None) -> TrialResult:
        """What it shows to a caller who looks for a divergence of this signature."""
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
    """Runs the artifact's program once, for its divergence. Raises ``TargetError``."""
    return await look_for(live, artifact.program, signature_of(artifact))


async def look_for(live: LiveTarget, program: Program, wanted: Signature | None) -> LookResult:
    """Runs ``program`` once. ``wanted`` None: any divergence is. Raises ``TargetError``."""
    trial = await once(live, program, listen=wanted is None or wanted.heard)
    shown = trial.shows(wanted) or trial.shows(None)
    return LookResult(trial.result(wanted), shown, trial.unraced, trial.took_ns)


async def trials_of(
    plan: VerdictPlan,
    run: Callable[[Program], Awaitable[Trial]],
    more: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Trial]:
    """The trials that ``plan`` asks for, each fed to it, as long as there may be ``more``."""
    while more() and (program := plan.next()) is not None:
        trial = await run(program)
        plan.feed(trial.verdict, trial.unraced)
        yield trial


@dataclass(slots=True)
class ShownInTrials:
    """What trials of a target have shown first: what was looked for, and what else."""

    shown: Divergence | None = None
    other: Divergence | None = None

    def add(self, one: LookResult) -> None:
        """One more trial."""
        if one.result is TrialResult.SHOWN:
            self.shown = self.shown or one.divergence
        elif one.result is TrialResult.OTHER:
            self.other = self.other or one.divergence


async def prove(
    plan: EvidencePlan,
    look_at: Callable[[Side], Awaitable[LookResult]],
    tell: Callable[[], None],
    more: Callable[[], bool] = lambda: True,
) -> ShownInTrials:
    """Trials until they prove something, or there may be no ``more``; what the new target showed.

    ``tell()`` after each.
    """
    seen = ShownInTrials()
    while more() and (side := plan.next()) is not None:
        one = await look_at(side)
        plan.feed(one.result, one.unraced, one.took_ns)
        if side is Side.NEW:
            seen.add(one)
        tell()
    return seen


def matching(verdict: Verdict, wanted: Signature | None) -> Divergence | None:
    """The divergence in ``verdict`` that has the wanted signature; None: the first of all."""
    if isinstance(verdict, Diverged):
        for divergence in verdict.all:
            if wanted is None or divergence.signature == wanted:
                return divergence
    return None
