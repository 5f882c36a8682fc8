"""The findings of a run: one for each signature, each on disk from its first sight on.

Rules
- A finding has one file at a time. A smaller or measured example is written first, then the file
  that it replaces is removed, if this run has written it.
- A file of an earlier run is never replaced by a worse example, and never removed: the finding
  then goes by that file (``Finding.kept``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.errors import BadArtifact
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Artifact, Environment, Origin, RateRecord, TargetRecord
from deadheat.files.results import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.drive.target import Target
    from deadheat.model.program import Program
    from deadheat.model.promises import Promises
    from deadheat.model.verdict import Divergence, Signature
    from deadheat.run.plan import Plan
    from deadheat.trials.shrunk import ShrinkResult
    from deadheat.trials.stats import Rate


@dataclass(frozen=True, slots=True)
class Measured:
    """A program with the rate that fresh trials gave it; None: there were too few.

    ``divergence`` was observed of exactly this program.
    """

    program: Program
    divergence: Divergence
    rate: Rate | None


class RunFindings:
    """All findings of one run."""

    def __init__(self, target: Target, promises: Promises, plan: Plan) -> None:
        self._target = target
        self._promises = promises
        self._plan = plan
        self._findings: dict[Signature, Finding] = {}
        self._environment = artifacts.environment()
        self._written: set[Path] = set()

    def findings(self) -> tuple[Finding, ...]:
        """All of them, in the order in which they were first seen."""
        return tuple(self._findings.values())

    def waiting(self) -> tuple[Signature, ...]:
        """The findings whose turn has not come yet."""
        return tuple(one for one, found in self._findings.items() if not found.pursued)

    def take(self, wanted: Signature | None = None) -> Finding | None:
        """The next finding, or the ``wanted`` one; from now on it counts as pursued."""
        signature = next(iter(self.waiting()), None) if wanted is None else wanted
        if signature is None:
            return None
        self._findings[signature] = replace(self._findings[signature], pursued=True)
        return self._findings[signature]

    def put_back(self, signature: Signature) -> None:
        """Let the finding wait again, as small as it has become."""
        found = self._findings[signature]
        self._findings[signature] = replace(found, pursued=False)

    def seen(self) -> dict[Signature, int]:
        """How many trials have shown each finding so far."""
        return {signature: found.seen for signature, found in self._findings.items()}

    def note(self, program: Program, divergence: Divergence, programs: int) -> Finding | None:
        """Count one more sighting; returns the finding if it is new, after writing it to disk."""
        signature = divergence.signature
        known = self._findings.get(signature)
        if known is not None:
            self._findings[signature] = replace(known, seen=known.seen + 1)
            return None
        artifact = self._artifact(program, divergence, Origin(self._plan.seed, programs, 0))
        path, kept = self._save(artifact)
        self._findings[signature] = Finding(artifact, path, 1, finished=False, kept=kept)
        return self._findings[signature]

    def recall(self, artifact: Artifact, path: Path) -> Finding:
        """Add a finding of an earlier run. Its file is the user's, and stays as it is."""
        finding = Finding(artifact, path, 1, finished=False, pursued=True)
        self._findings[finding.signature] = finding
        return finding

    def shrunk(self, signature: Signature, shrunk: ShrinkResult) -> Finding:
        """Take a smaller example of a known finding."""
        finding = self._findings[signature]
        differs = shrunk.most_reliable != shrunk.smallest
        artifact = replace(
            self._artifact(
                shrunk.smallest,
                shrunk.smallest_divergence,
                Origin(self._plan.seed, finding.artifact.origin.programs, shrunk.trials),
            ),
            proven_minimal=shrunk.proven_minimal,
            needs_race=not shrunk.sequential,
            most_reliable=shrunk.most_reliable if differs else None,
        )
        return self._replace(signature, artifact)

    def measured(
        self, signature: Signature, measured: Measured, reliable: Measured | None
    ) -> Finding:
        """Take the final example with its rate; ``reliable`` only where it shows more often."""
        finding = self._findings[signature]
        better = reliable is not None and _shows_more(reliable.rate, measured.rate)
        artifact = replace(
            self._artifact(measured.program, measured.divergence, finding.artifact.origin),
            proven_minimal=finding.artifact.proven_minimal,
            needs_race=finding.artifact.needs_race,
            rate=_record(measured.rate),
            most_reliable=reliable.program if reliable is not None and better else None,
            most_reliable_rate=_record(reliable.rate) if reliable is not None and better else None,
        )
        updated = self._replace(signature, artifact)
        self._findings[signature] = replace(updated, finished=measured.rate is not None)
        return self._findings[signature]

    def _replace(self, signature: Signature, artifact: Artifact) -> Finding:
        before = self._findings[signature]
        path, kept = self._save(artifact)
        if path != before.path and before.path in self._written:
            before.path.unlink(missing_ok=True)
        self._findings[signature] = replace(before, artifact=artifact, path=path, kept=kept)
        return self._findings[signature]

    def _save(self, artifact: Artifact) -> tuple[Path, bool]:
        """The path on disk, and whether that file holds an earlier run's better example."""
        path = self._plan.folder / artifact.filename
        if path not in self._written and path.exists():
            try:
                before = artifacts.read(path)
            except BadArtifact:  # no example any more
                before = None
            if before is not None and not artifacts.is_better(artifact, before):
                return path, True
        self._written.add(artifacts.write(artifact, self._plan.folder))
        return path, False

    def _artifact(self, program: Program, divergence: Divergence, origin: Origin) -> Artifact:
        return fresh_artifact(
            self._target, self._promises, program, divergence, origin, self._environment
        )


def fresh_artifact(
    target: Target,
    promises: Promises,
    program: Program,
    divergence: Divergence,
    origin: Origin,
    environment: Environment,
) -> Artifact:
    """The example as it was observed: not shrunk and not measured."""
    return Artifact(
        anomaly=divergence.anomaly,
        signature=divergence.signature.calls,
        reason=divergence.reason,
        target=TargetRecord(
            target.name,
            target.wire.name,
            target.version,
            promises,
            target.settle_ms,
            target.timeout_s,
            target.via,
        ),
        program=program,
        rate=None,
        proven_minimal=False,
        needs_race=True,
        most_reliable=None,
        most_reliable_rate=None,
        transient=divergence.transient,
        explanation=artifacts.explanation_of(divergence),
        witness=divergence.witness,
        culprit=divergence.culprit,
        about=divergence.sessions,
        sessions=artifacts.sessions_of(program, divergence.history),
        history=divergence.history,
        origin=origin,
        environment=environment,
    )


def _record(rate: Rate | None) -> RateRecord | None:
    if rate is None:
        return None
    return RateRecord(rate.diverged, rate.trials, rate.low, rate.high, rate.confidence)


def _shows_more(one: Rate | None, other: Rate | None) -> bool:
    """Does it show clearly more often? The intervals do not overlap."""
    return one is not None and other is not None and one.low > other.high
