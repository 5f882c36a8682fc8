"""What a worker has seen and not yet reported: counts, coverage, hits of known findings.

Rules
- Told after every program, and every second or so while a finding is pursued.
- Silence and steering are about the search alone: trials of a program that is being shrunk are
  chosen for what they show.
- How long calls take here is learned for mutations alone, from one share to the next: fresh
  programs are the same after a resume.
- A known divergence in a program that cannot hold its minimum, or in one that is smaller, is
  reported as if it were new; the coordinator decides what it is.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.campaign import protocol
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Origin
from deadheat.generate.machine import OFFSETS_US
from deadheat.model.verdict import Diverged, Divergence, Signature, Undecided, Verdict
from deadheat.run.findings import fresh_artifact
from deadheat.trials.corpus import Corpus, KnownFinding, can_show, race_shape, worth_running
from deadheat.trials.coverage import Coverage, overlaps_of, parse
from deadheat.trials.latencies import Latencies

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from deadheat.drive.executor import Execution
    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Summary
    from deadheat.model.program import Program
    from deadheat.run.engine import Engine

_TELL_EVERY_S = 1.0
# Whole histories of what is known already: one now and then is enough to look at.
_SIGHTING_EVERY_S = 10.0


# Of a summary, what is added up in a campaign under the same name.
_SUMS = (
    *("programs", "trials", "overlaps", "undecided"),
    *("rounds", "missed_rounds", "raced", "unanswered"),
)


@dataclass(slots=True, kw_only=True)
class _KnownHere(KnownFinding):
    """A known finding, with the coordinator's example and the time of the last sighting sent."""

    artifact: Artifact
    signature: Signature
    sighted_s: float = float("-inf")


class TrialCounter:
    """Counts every trial of a worker."""

    def __init__(
        self,
        live: LiveTarget,
        say: Callable[[protocol.Message], None],
        seed: int,
        learned: Sequence[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._say = say
        self._seed = seed
        self._clock = clock
        self._environment = artifacts.environment()
        self._coverage = Coverage()
        self._offsets_us = (*OFFSETS_US, *learned)
        self._latencies = Latencies()
        self._corpus = Corpus(self._offsets_us)
        self._findings: dict[str, _KnownHere] = {}
        self._share = self.position = self._drawn_here = 0
        self._seen: Counter[str] = Counter()
        self._silence: dict[str, tuple[int, int]] = {}
        self._hits: dict[str, tuple[int, int]] = {}
        self._before: Summary | None = None
        self._pursuit: tuple[str, Engine] | None = None
        self._pursuit_before: Summary | None = None
        self._requests_before = 0
        self._told_s = clock()
        self._busy_s = 0.0
        self._skipped = 0
        self.server_bytes = 0
        self.since_start = 0  # programs since the server was started

    # --- what is known ----------------------------------------------------------------------

    def know(self, order: protocol.CountFinding, artifact: Artifact) -> None:
        """Take a finding as the coordinator has it."""
        self._findings[order.key] = _KnownHere(
            artifact=artifact,
            signature=artifacts.signature_of(artifact),
            minimum=race_shape(artifact.program),
            settled=order.settled,
            programs=order.programs,
            hits=order.hits,
        )

    def forget(self, key: str) -> None:
        """Drop a finding that has turned out to be another one."""
        self._findings.pop(key, None)

    def no_news(self, overlaps: Sequence[str]) -> None:
        """Take overlaps that other workers have seen."""
        self._coverage.merge(Counter({parse(text): 1 for text in overlaps}), {})

    def artifacts(self) -> tuple[Artifact, ...]:
        """The examples of all known findings."""
        return tuple(finding.artifact for finding in self._findings.values())

    def worth_running(self, program: Program, rng: random.Random) -> bool:
        """See ``trials.corpus.worth_running``; what is left out is counted."""
        worth = worth_running(program, self._findings.values(), rng)
        self._skipped += not worth
        return worth

    def next(self, rng: random.Random) -> Program | None:
        """A repeat or mutation to run; None: draw a fresh program."""
        return self._corpus.next(rng)

    # --- the search -------------------------------------------------------------------------

    def begin_share(self, share: protocol.Share) -> None:
        """Count programs for this share from now on."""
        self._share, self.position, self._drawn_here = share.number, 0, share.skip
        longer = self._latencies.offsets_us(max(OFFSETS_US))
        self._corpus.offsets_us = (*self._offsets_us, *longer)

    def drew(self) -> None:
        """Count one more program drawn from the share's stream."""
        self._drawn_here += 1

    def searched(self, summary: Summary, busy_s: float) -> None:
        """Note that one program has been run, and report everything."""
        self.position += 1
        self.since_start += 1
        self._busy_s += busy_s
        self._tell(summary)

    def watch(self, program: Program, execution: Execution, verdict: Verdict) -> None:
        """Take one trial, of the search or of a pursuit."""
        overlaps = overlaps_of(execution.history, verdict)
        self._seen.update({str(overlap): count for overlap, count in overlaps.items()})
        if self._pursuit is not None:
            self._coverage.add(overlaps, judged=False, diverged=False)
            if self._clock() - self._told_s >= _TELL_EVERY_S:
                self._tell_pursuit()
            return
        self._latencies.add(execution.history)
        judged, diverged = not isinstance(verdict, Undecided), isinstance(verdict, Diverged)
        if self._coverage.add(overlaps, judged=judged, diverged=diverged):
            self._corpus.earned(program)
        if judged:
            for pairing in {str(overlap.pairing) for overlap in overlaps}:
                trials, bad = self._silence.get(pairing, (0, 0))
                self._silence[pairing] = (trials + 1, bad + diverged)
        self._count_hits(program, verdict, raced=bool(overlaps))

    def _count_hits(self, program: Program, verdict: Verdict, *, raced: bool) -> None:
        shown = verdict.all if isinstance(verdict, Diverged) else ()
        for key, finding in self._findings.items():
            # One in which nothing raced is not quiet; without a race in it, nothing has to.
            able = can_show(program, finding.minimum) and (raced or not finding.minimum)
            hit = next((d for d in shown if d.signature == finding.signature), None)
            counted = hit is not None and (able or not finding.settled)
            if able or counted:
                programs, hits = self._hits.get(key, (0, 0))
                self._hits[key] = (programs + 1, hits + counted)
                finding.programs, finding.hits = finding.programs + 1, finding.hits + counted
            if hit is not None and counted:
                self._sighted(key, finding, program, hit)
        for divergence in shown:
            self._look_at_shape(program, divergence)

    def _sighted(
        self, key: str, finding: _KnownHere, program: Program, divergence: Divergence
    ) -> None:
        smaller = len(program.calls()) < len(finding.artifact.program.calls())
        if finding.settled and smaller:
            self.found(self._artifact(program, divergence))
        elif self._clock() - finding.sighted_s >= _SIGHTING_EVERY_S:
            finding.sighted_s = self._clock()
            whole = artifacts.to_json(self._artifact(program, divergence))
            self._say(protocol.Sighting(key, whole))

    def _look_at_shape(self, program: Program, divergence: Divergence) -> None:
        same = [f for f in self._findings.values() if f.signature == divergence.signature]
        if same and not any(not f.settled or can_show(program, f.minimum) for f in same):
            self.found(self._artifact(program, divergence))

    def _artifact(self, program: Program, divergence: Divergence) -> Artifact:
        origin = Origin(self._seed, self.position, 0)
        return fresh_artifact(
            self._live.target, self._live.promises, program, divergence, origin, self._environment
        )

    def found(self, artifact: Artifact) -> None:
        """Report a divergence that the coordinator should look at."""
        whole = artifacts.to_json(artifact)
        self._say(protocol.NewDivergence(whole, race_shape(artifact.program)))

    # --- a pursuit --------------------------------------------------------------------------

    @contextmanager
    def pursuing(self, key: str, engine: Engine) -> Iterator[None]:
        """Count trials in this block for this finding."""
        self._pursuit, self._pursuit_before = (key, engine), None
        try:
            yield
            self._tell_pursuit()
        finally:
            self._pursuit = None

    def shrunk(self, signature: Signature) -> None:
        """Report that the finding has become smaller."""
        if self._pursuit is None:
            return
        key, engine = self._pursuit
        self._better(key, engine, signature, finished=False)

    def pursued(self, key: str, engine: Engine, signature: Signature) -> None:
        """Report that the finding is as small, and as well measured, as time allowed."""
        self._better(key, engine, signature, finished=True)

    def _better(self, key: str, engine: Engine, signature: Signature, *, finished: bool) -> None:
        for example in engine.summary().findings:
            if artifacts.signature_of(example.artifact) == signature:
                whole = artifacts.to_json(example.artifact)
                picture = tuple((us, t.diverged, t.decided) for us, t in engine.picture)
                self._say(
                    protocol.BetterExample(
                        key, whole, finished, example.finished, picture if finished else ()
                    )
                )

    # --- telling ----------------------------------------------------------------------------

    def _tell_pursuit(self) -> None:
        if self._pursuit is not None:
            now = self._pursuit[1].summary()
            self._send(now, self._pursuit_before)
            self._pursuit_before = now

    def _tell(self, now: Summary) -> None:
        self._send(now, self._before)
        self._before = now

    def _send(self, now: Summary, before: Summary | None) -> None:
        counts = _counts(now)
        if before is not None:
            counts = {name: value - _counts(before)[name] for name, value in counts.items()}
        requests = self._live.requests
        counts["requests"] = requests - self._requests_before
        counts["skipped"] = self._skipped
        self._requests_before, self._skipped = requests, 0
        self._say(
            protocol.WorkDone(
                self._share,
                self.position,
                self._drawn_here,
                counts,
                _more(now.drawn, {} if before is None else before.drawn),
                _more(now.answered, {} if before is None else before.answered),
                dict(self._seen),
                dict(self._silence),
                dict(self._hits),
                self.server_bytes,
                self._busy_s,
            )
        )
        self._seen.clear()
        self._silence.clear()
        self._hits.clear()
        self._busy_s = 0.0
        self._told_s = self._clock()


def _counts(summary: Summary) -> dict[str, int]:
    return {name: getattr(summary, name) for name in _SUMS}


def _more(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {
        name: value - before.get(name, 0)
        for name, value in now.items()
        if value > before.get(name, 0)
    }
