"""Runs again, on a live target, a program that Hypothesis's database has kept.

Rules
- Whatever diverges is an artifact on disk before Hypothesis hears of it.
- A saved program is run as many times as the rate in its artifact asks for (``replay``);
  without an artifact, as a race at the shrinker's floor would need.
- Each question opens the target and closes it again; nothing is sent in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.errors import BadArtifact, NothingExercised
from deadheat.files import artifact as artifacts
from deadheat.generate.database import FoundProgram
from deadheat.model.program import Program, canonical
from deadheat.report.finding import finding_text
from deadheat.report.words import unproven_text
from deadheat.run.findings import RunFindings
from deadheat.run.limits import with_target
from deadheat.run.plan import Plan
from deadheat.run.replay import replay
from deadheat.run.trial import look_for, prove
from deadheat.trials.evidence import Unproven, UntilProven

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact


class SavedProgram:
    """A program that Hypothesis has kept, run again on one target.

    ``folder``: where examples are saved. ``out_of_time`` ends a replay, as ``NothingExercised``:
    what has not been silent for long enough is not forgotten. Raises ``DeadheatError``, and
    ``KeyboardInterrupt`` when a signal came; what had been found by then is in ``folder``.
    """

    def __init__(
        self,
        target: Target,
        folder: Path,
        *,
        seed: int,
        out_of_time: Callable[[], bool] = lambda: False,
    ) -> None:
        self.trials = 0
        self._target = target
        self._folder = folder
        self._seed = seed
        self._out_of_time = out_of_time

    def replay(self, program: Program) -> FoundProgram | None:
        """Run it until it diverges, or for as many trials as its rate asks for."""
        found: list[FoundProgram] = []

        async def work(live: LiveTarget) -> None:
            known = self._saved(program)
            evidence = (
                await self._again(live, *known) if known else await self._unknown(live, program)
            )
            if evidence is not None:
                found.append(evidence)

        with_target(self._target, work).raise_if_early()
        return found[0] if found else None

    def _saved(self, program: Program) -> tuple[Artifact, Path] | None:
        """Its artifact, if that is still there and readable."""
        wanted = canonical(program)
        for path in sorted(self._folder.glob("*.json")):
            try:
                artifact = artifacts.read(path)
            except BadArtifact:
                continue  # another file, or one of another version
            if artifact.target.name == self._target.name and canonical(artifact.program) == wanted:
                return artifact, path
        return None

    async def _again(self, live: LiveTarget, artifact: Artifact, path: Path) -> FoundProgram | None:
        replayed = await replay(live, artifact, None, lambda *_: None, self._out_of_time)
        self.trials += replayed.trials
        if replayed.divergence is None:
            if isinstance(replayed.evidence, Unproven):
                raise _not_silent(replayed.evidence)
            return None
        return FoundProgram(artifact.program, finding_text(artifact, path))

    async def _unknown(self, live: LiveTarget, program: Program) -> FoundProgram | None:
        findings = RunFindings(self._target, live.promises, Plan(self._seed, self._folder))
        until = UntilProven(None)

        def tell() -> None:
            self.trials += 1

        seen = await prove(
            until, lambda _: look_for(live, program, None), tell, lambda: not self._out_of_time()
        )
        if seen.shown is not None:
            findings.note(program, seen.shown, 0)
            (example,) = findings.findings()
            return FoundProgram(program, finding_text(example.artifact, example.path))
        if isinstance(until.evidence, Unproven):
            raise _not_silent(until.evidence)
        return None


def _not_silent(missing: Unproven) -> NothingExercised:
    return NothingExercised(
        f"what diverged last time has not been silent for long enough: {unproven_text(missing)}. "
        "Give it a larger budget."
    )
