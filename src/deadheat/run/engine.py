"""The engine: search, then shrink, tune and measure what was found, then search on.

Rules
- The engine alone turns the cycle candidate -> trials -> tally.
- From the moment a divergence is observed it is on disk; every smaller program
  replaces it there.
- Time is one budget for everything. ``clock`` is an argument; the core sees none.
- A divergence of a known signature is counted, not shrunk again. One that turns
  up while another is being shrunk waits for its turn, unless it shows so much more
  often that it is the better way to spend the time: then the rarer one waits.
- Cancelling the task at any point leaves ``summary()`` true.
- The search listens to the target's event stream; whatever is done for one finding does so only
  if the finding is about it (``run.replay`` says why).
- ``watch`` sees every trial whole, after what was new in it is on disk.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from deadheat.files.results import Finding, Summary
from deadheat.model.program import Program, canonical, kind_of, structure
from deadheat.model.verdict import Diverged, Divergence, Signature, Undecided, Verdict
from deadheat.run import events
from deadheat.run.counts import Counts
from deadheat.run.findings import Measured, RunFindings
from deadheat.run.judge import only_late
from deadheat.run.trial import Trial, once, trials_of
from deadheat.trials.amplify import Amplifier
from deadheat.trials.evidence import TrialResult, counts_for_rate
from deadheat.trials.shrinker import Shrinker
from deadheat.trials.stats import rate
from deadheat.trials.tuning import Tuner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from pathlib import Path

    from deadheat.drive.executor import Execution
    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact
    from deadheat.run.plan import Plan
    from deadheat.trials.shrunk import ShrinkResult
    from deadheat.trials.tally import Tally

# Of what is left of the budget when shrinking begins, this part is kept for the measuring:
# a smaller example without a rate is worth less than a larger one with it.
_KEPT_FOR_MEASURING = 0.25
# While others wait, one finding may take this part of what is left.
_PART_FOR_ONE = 0.5
# Enough for the tuner's sweep of two lanes to see 10 % at each of its offsets.
_TUNING_TRIALS = 240
_FEWEST_TRIALS_FOR_A_RATE = 20
_MEASURED_AT_MOST = 3  # trials for each that is to count: a busy machine misses offsets
# Seen once and then never in so many trials: below 0.5 % (95 %). It is kept as it is, and the
# search goes on.
_SEEN_ONCE = 600
# A replay of a race that shows in 2 % of trials takes about 230 of them at 99 %: some seconds.
_REPLAYABLE = 0.02
# Of a target that may take time to settle: the search waits for that in so many trials that
# it takes half as long again. What a late write undoes shows in those alone.
_PART_FOR_WAITING = 1 / 3
# About fifteen programs compete: four trials each, and twice as many for the best.
_WIDENING_TRIALS = 180
_PART_FOR_WIDENING = 1 / 3  # of what ``tune`` is given
# What shows in half of the trials is reliable enough.
_RELIABLE = 0.5
# Another finding that shows so many times as often, and so often, in the trials of a shrink is
# likely to be a plainer sign of the same fault: it goes first. Once for each finding.
_COMMONER, _OFTEN = 5, 10
# The most reliable program is large and slow, and its rate is high: a wide interval will do.
_PART_FOR_MOST_RELIABLE = 0.25


class Engine:
    """One run against one live target."""

    def __init__(
        self,
        live: LiveTarget,
        plan: Plan,
        programs: Iterable[Program],
        clock: Callable[[], float],
        tell: Callable[[events.Event], None],
        watch: Callable[[Program, Execution, Verdict], None] = lambda *_: None,
    ) -> None:
        self._live = live
        self._watch = watch
        self._plan = plan
        self._programs = programs
        self._clock = clock
        self._tell = tell
        self._began_s = clock()
        self._counts = Counts()
        self._phase = events.Phase.SEARCHING
        self._detail = ""
        self._ended = "interrupted"
        self.picture: tuple[tuple[int, Tally], ...] = ()  # rate against offset, after tuning
        self._turn_ends_s = float("inf")
        self._sent_s: float | None = None
        self._searched_s = self._waited_s = 0.0  # by the search; of that for the settle time
        self._only_late: set[Signature] = set()  # first seen only by reads after the settle time
        self._patient = False
        self._listen = True
        self._put_back: set[Signature] = set()  # findings that have waited for a commoner one
        self._commoner: Signature | None = None  # which that is
        self._last_words = ""  # of a server that has died and is not up again
        self._findings = RunFindings(live.target, live.promises, plan)
        self._requests_before = live.requests  # a job's regressions went through the same target

    # -- what anyone may ask at any moment -------------------------------------------------

    def summary(self) -> Summary:
        """What has been done so far."""
        counts = self._counts
        return Summary(
            target=self._live.target.name,
            promises=str(self._live.promises),
            seed=self._plan.seed,
            programs=counts.programs,
            trials=counts.trials,
            requests=self._live.requests - self._requests_before,
            overlaps=counts.overlaps,
            undecided=counts.undecided,
            restarts=self._live.restarts,
            left_behind=len(self._live.left_behind),
            elapsed_s=self._elapsed_s(),
            ended=self._ended,
            drawn=dict(counts.drawn),
            answered=dict(counts.answered),
            findings=self._findings.findings(),
            rounds=counts.rounds,
            missed_rounds=counts.missed_rounds,
            via=self._live.target.via,
            known=counts.known,
            again=self._live.target.again,
            raced=counts.raced,
            unanswered=counts.unanswered,
            unanswered_s=counts.unanswered_s + self._in_flight_s(),
        )

    def _in_flight_s(self) -> float:
        """How long the search's current trial, or the one that was cut off, has been running."""
        return 0.0 if self._sent_s is None else self._clock() - self._sent_s

    def _elapsed_s(self) -> float:
        return self._clock() - self._began_s

    def _left_s(self) -> float:
        """Seconds left of the whole run."""
        if self._plan.seconds is None:
            return float("inf")
        return self._plan.seconds - self._elapsed_s()

    def _turn_left_s(self) -> float:
        """Seconds left for the current finding: all of them, unless another finding waits."""
        if not self._findings.waiting() or self._plan.exit_first:
            return self._left_s()
        return min(self._turn_ends_s - self._elapsed_s(), self._left_s())

    def _more(self, until_s: float) -> Callable[[], bool]:
        """Is more than so much left of the turn? A run without an end never waits."""
        return lambda: self._turn_left_s() > until_s or self._plan.seconds is None

    # -- the cycle ---------------------------------------------------------------------------

    async def run(self) -> Summary:
        """Search until the plan ends; shrink and measure each new divergence on the way."""
        programs: Iterator[Program] = iter(self._programs)
        while True:
            if self._left_s() > 0 and (finding := self._findings.take()) is not None:
                await self._pursue(finding)
                if self._plan.exit_first:
                    self._ended = "first divergence"
                    break
                continue
            if self._left_s() <= 0:
                self._ended = "time"
                break
            if self._plan.programs is not None and self._counts.programs >= self._plan.programs:
                self._ended = "programs"
                break
            program = next(programs, None)
            if program is None:
                self._ended = "programs"
                break
            await self.search(program)
        return self.summary()

    async def shrink_again(self, artifact: Artifact, path: Path) -> Summary:
        """Go on shrinking the example saved at ``path``, then tune and measure it."""
        finding = self._findings.recall(artifact, path)
        self._only_late.add(finding.signature)  # it may be, and that cannot be known any more
        self._put_back.add(finding.signature)  # it is the one that was asked for
        await self._pursue(finding)
        self._ended = "shrunk"
        return self.summary()

    async def tune_again(self, artifact: Artifact, path: Path, trials: int) -> Summary:
        """Look for the offsets at which it shows most; measure the winner in fresh trials."""
        finding = self._findings.recall(artifact, path)
        self._patient = True  # as it may be needed
        self._listen = finding.signature.heard
        for_widening = round(trials * _PART_FOR_WIDENING)
        tuned = await self._tune(
            finding.artifact.program, finding.divergence, trials - for_widening
        )
        program, divergence = tuned or (finding.artifact.program, finding.divergence)
        measured = await self._measure(program, divergence, finding.signature)
        saved = self._findings.measured(finding.signature, measured, None)
        self._tell(events.Saved(str(finding.signature), saved.artifact, saved.path, saved.kept))
        also = (artifact.most_reliable,) if artifact.most_reliable is not None else ()
        await self._widen(measured, finding.signature, also, for_widening)
        self._ended = "tuned"
        return self.summary()

    def know(self, artifact: Artifact, path: Path) -> None:
        """From now on count a divergence of this signature, and do not pursue it."""
        self._findings.recall(artifact, path)

    async def search(self, program: Program) -> None:
        """Run one trial of one program; a new divergence is reported, and waits for its turn."""
        self._enter(events.Phase.SEARCHING)
        self._counts.programs += 1
        self._counts.drawn.update(kind_of(call) for call in program.calls())
        settle_s = self._live.target.settle_ms / 1_000
        self._patient = self._waited_s <= _PART_FOR_WAITING * self._searched_s
        self._listen = True
        began_s = self._sent_s = self._clock()
        trial = await self._trial(program)
        took_s, self._sent_s = self._clock() - began_s, None
        self._searched_s += took_s
        self._counts.searched(trial.execution, trial.verdict, took_s)
        self._waited_s += settle_s if self._patient else 0.0

    async def _trial(self, program: Program) -> Trial:
        """Run a program once, judge it, record what is new."""
        restarts = self._live.restarts
        trial = await once(self._live, program, patient=self._patient, listen=self._listen)
        if self._live.restarts > restarts:
            self._tell(events.TargetRestarted(self._live.restarts, self._last_words))
        self._last_words = "" if trial.death is None else trial.death.log_tail
        execution, verdict = trial.execution, trial.verdict
        self._counts.ran(execution, verdict)
        if isinstance(verdict, Diverged):
            for divergence in verdict.all:
                self._note(program, divergence, execution)
        self._watch(program, execution, verdict)
        self._report()
        return trial

    def _note(self, program: Program, divergence: Divergence, execution: Execution) -> None:
        if divergence.signature in self._plan.known:
            self._counts.known += 1
            return
        new = self._findings.note(program, divergence, self._counts.programs)
        if new is not None:
            if only_late(execution, self._live.promises):
                self._only_late.add(divergence.signature)
            self._tell(
                events.DivergenceFound(
                    str(divergence.signature),
                    divergence.signature,
                    self._counts.programs,
                    len(program.calls()),
                    new.path,
                )
            )

    async def _pursue(self, finding: Finding) -> None:
        """Shrink, tune and measure one finding, as far as its share of the time allows."""
        self._patient = finding.signature in self._only_late
        self._listen = finding.signature.heard
        self._turn_ends_s = self._elapsed_s() + self._left_s() * _PART_FOR_ONE
        shrunk = await self._shrink(finding)
        self._findings.shrunk(finding.signature, shrunk)
        commoner, self._commoner = self._commoner, None
        if commoner is not None:
            self._findings.put_back(finding.signature)
            plainer = self._findings.take(commoner)
            if plainer is not None:
                await self._pursue(plainer)
            return
        program, divergence = shrunk.smallest, shrunk.smallest_divergence
        tuned = await self._tune(program, divergence) if program.concurrency > 1 else None
        if tuned is not None:
            program, divergence = tuned
        measured = await self._measure(program, divergence, finding.signature)
        saved = self._findings.measured(finding.signature, measured, None)
        self._tell(events.Saved(str(finding.signature), saved.artifact, saved.path, saved.kept))
        also = (shrunk.most_reliable,) if _differs(shrunk.most_reliable, shrunk.smallest) else ()
        await self._widen(measured, finding.signature, also)

    async def _shrink(self, finding: Finding) -> ShrinkResult:
        self._enter(events.Phase.SHRINKING)
        shrinker = Shrinker(
            finding.artifact.program,
            finding.divergence,
            rng=random.Random(f"{self._plan.seed} {finding.signature}"),
            budget=self._plan.shrink_trials,
            replayable=_REPLAYABLE,
            round_offsets=False,  # the tuner looks at round ones only, and it comes next
        )
        until_s = self._turn_left_s() * _KEPT_FOR_MEASURING
        best, shown = shrinker.best, False
        before = self._findings.seen()

        def run(program: Program) -> Awaitable[Trial]:
            self._detail = f"{len(shrinker.best.calls())} calls, {shrinker.phase}"
            return self._trial(program)

        async for trial in trials_of(shrinker, run, self._more(until_s)):
            shown = shown or trial.shows(finding.signature) is not None
            if not shown and shrinker.trials >= _SEEN_ONCE:
                break
            self._commoner = self._commoner_than(finding.signature, before)
            if self._commoner is not None:
                self._put_back.add(finding.signature)
                break
            if shrinker.best != best:
                fewer = len(shrinker.best.calls()) < len(best.calls())
                best = shrinker.best
                self._findings.shrunk(finding.signature, shrinker.result())
                if fewer:
                    self._tell(
                        events.Shrunk(
                            str(finding.signature),
                            finding.signature,
                            len(best.calls()),
                            shrinker.trials,
                        )
                    )
        return shrinker.result()

    def _commoner_than(self, mine: Signature, before: dict[Signature, int]) -> Signature | None:
        """A waiting finding that has shown much more often since then; None without one."""
        if mine in self._put_back or not self._findings.waiting():
            return None
        since = {one: seen - before.get(one, 0) for one, seen in self._findings.seen().items()}
        waits = self._findings.waiting()
        enough = max(_OFTEN, _COMMONER * since[mine])
        often = [one for one in since if one in waits and since[one] >= enough]
        return max(often, key=lambda one: since[one], default=None)

    async def _tune(
        self, program: Program, divergence: Divergence, trials: int = _TUNING_TRIALS
    ) -> tuple[Program, Divergence] | None:
        """The offsets at which it shows more often, with a divergence observed at them."""
        self._enter(events.Phase.TUNING)
        wanted = divergence.signature
        tuner = Tuner(
            program,
            wanted,
            rng=random.Random(f"{self._plan.seed} tune {wanted}"),
            trials=trials,
        )
        best = await self._best_of(tuner, wanted, trials)
        self.picture = tuner.picture
        return best

    async def _widen(
        self,
        measured: Measured,
        wanted: Signature,
        also: tuple[Program, ...],
        trials: int = _WIDENING_TRIALS,
    ) -> None:
        """Look for a program that shows clearly more often, whatever its size, and keep it too."""
        low = 0.0 if measured.rate is None else measured.rate.low
        if measured.program.concurrency < 2 or measured.rate is None or low > _RELIABLE:
            return
        self._enter(events.Phase.WIDENING)
        widener = Amplifier(
            measured.program,
            wanted,
            rng=random.Random(f"{self._plan.seed} widen {wanted}"),
            also=also,
            trials=trials,
        )
        best = await self._best_of(widener, wanted, trials)
        if best is None or best[0] == measured.program:
            return
        reliable = await self._measure(*best, wanted, _PART_FOR_MOST_RELIABLE)
        saved = self._findings.measured(wanted, measured, reliable)
        if saved.artifact.most_reliable is not None:
            self._tell(events.MoreReliable(str(wanted), saved.artifact, saved.path))

    async def _best_of(
        self, contest: Tuner | Amplifier, wanted: Signature, trials: int
    ) -> tuple[Program, Divergence] | None:
        """Run a contest of programs in half of the time left; returns the winner if it diverged."""
        observed: dict[Program, Divergence] = {}
        async for trial in trials_of(contest, self._trial, self._more(self._turn_left_s() / 2)):
            found = trial.shows(wanted)
            if found is not None and counts_for_rate(TrialResult.SHOWN, trial.unraced):
                observed[canonical(trial.execution.program)] = found
            self._detail = f"{contest.trials} of {trials} trials"
        best = canonical(contest.best)
        return (best, observed[best]) if best in observed else None

    async def _measure(
        self, program: Program, divergence: Divergence, wanted: Signature, part: float = 1.0
    ) -> Measured:
        """Run fresh trials of one program, and nothing else between; those that raced count.

        At most ``_MEASURED_AT_MOST`` times as many: where fewer race, the interval is wider.
        """
        self._enter(events.Phase.MEASURING)
        diverged = trials = run = 0
        enough = self._plan.measure_trials * part
        while trials < enough and run < _MEASURED_AT_MOST * enough and self._turn_left_s() > 0:
            self._detail = f"{diverged} of {trials} fresh trials"
            trial = await self._trial(program)
            run += 1
            found = trial.shows(wanted)
            divergence = found or divergence
            came = TrialResult.QUIET if found is None else TrialResult.SHOWN
            if isinstance(trial.verdict, Undecided) or not counts_for_rate(came, trial.unraced):
                continue
            trials += 1
            diverged += found is not None
        enough = trials >= _FEWEST_TRIALS_FOR_A_RATE
        return Measured(program, divergence, rate(diverged, trials) if enough else None)

    # -- telling -----------------------------------------------------------------------------

    def _enter(self, phase: events.Phase) -> None:
        self._phase, self._detail = phase, ""
        self._report()

    def _report(self) -> None:
        counts = self._counts
        self._tell(
            events.Progress(
                phase=self._phase,
                programs=counts.programs,
                trials=counts.trials,
                requests=self._live.requests - self._requests_before,
                overlaps=counts.overlaps,
                divergences=len(self._findings.findings()),
                undecided=counts.undecided,
                elapsed_s=self._elapsed_s(),
                detail=self._detail,
            )
        )


def _differs(one: Program, other: Program) -> bool:
    """Do the programs differ by more than their offsets, which the tuner handles?"""
    return structure(one) != structure(other)
