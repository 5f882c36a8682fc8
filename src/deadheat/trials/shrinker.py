"""The smallest program that still shows a race which shows only sometimes.

One trial at a time: ``next()`` says which program to run, ``feed(verdict)``
says what came of it. Nothing is run here, and nothing is drawn but from ``rng``.

Rules
- A smaller program is accepted on an **observed** divergence with the wanted
  signature, and on nothing else; its history is kept.
- It is rejected once so many quiet trials have gone by, over all offsets tried,
  that a race at the wanted rate would have shown (``stats.trials_to_see``). The
  wanted rate follows the best program's own rate, down to a floor, and is
  looked up afresh each time: a candidate rejected at a high wanted rate comes
  back when the best program has become rarer.
- Several candidates take turns, the smallest first, so that a few unlucky ones
  do not hold up the rest.
- Race or logic? The calls with no concurrency at all are tried from the first
  trial on; their quiet trials are the evidence that a race is needed, which
  stands for every smaller program without concurrency (a part of quiet
  sequential calls is taken to be quiet too).
- A change without an answer races with every call after it, whatever the program
  says. A trial that diverged with one is evidence for nothing where the calls are
  sent one at a time, nor anywhere once the finding has shown with all answered.
- A trial in which a call was refused, not sent or not answered (``model.raced``) is quiet for
  nothing. Where nearly all trials of a candidate are so, it is left, and nothing is proven minimal.
  One that missed its offsets is a trial of the same calls at others, which are tried anyway.
- A program that does not show again within what the floor would have shown is
  refused, and its predecessor takes its place. One that shows rarely is tried at other
  offsets, too; where nothing is left to try it is asked again before it counts as too rare.
- Offsets become rounder last, and only where ``stats.keeps_rate`` finds the
  rate kept, in interleaved trials; one that missed its offsets is no such trial.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.model.program import (
    Program,
    canonical,
    sort_key,
    structure,
    with_offsets,
)
from deadheat.model.raced import UnracedReason
from deadheat.model.verdict import Diverged, Divergence, Signature, Undecided, Verdict, goes_on
from deadheat.trials import passes
from deadheat.trials.plan import named
from deadheat.trials.rounding import Rounding
from deadheat.trials.shrunk import ShrinkResult
from deadheat.trials.stats import posterior_quantile, trials_to_see
from deadheat.trials.tally import Ledger, Observed, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from deadheat.model.history import Place
    from deadheat.model.raced import Unraced

# Below 1 trial in 100 nobody replays a race; DESIGN §8: rejecting at 1 % takes 299 trials.
FLOOR = 0.01
# A reduction may show three times more rarely than the program it came from: a
# race of three pairs of calls that falls to one pair is just that much rarer.
RARER = 1 / 3
# Without concurrency a logic bug shows as often as before; the rest allows for
# a rate that was estimated too high.
RARER_SEQUENTIAL = 0.6
CONFIDENCE = 0.95
# Divergences of the best program that its rate is planned from: the estimate is then
# within a factor of about 2, which RARER allows for.
ENOUGH_TO_PLAN = 3
# A lucky start of the best program is found out before it rejects a candidate:
# it gets at least this share of the trials that a candidate gets.
CONFIRM_SHARE = 1 / 3
# Where nothing is left to try and the best program has shown more rarely than the floor so far:
# it gets so many times the trials that the floor would need, to show that this was bad luck. Of a
# race of 2 % it was, in 6 of 40 shrinks that had found the exact minimum.
PROVE = 2

# Trials of the best program after which other offsets are tried in turn with its own, while it
# shows more rarely than the floor: at those at which it was seen its calls may seldom meet. Of 128
# shrinks at 2 % three had refused the exact minimum for its offsets; so many of its trials are
# quiet in 13 %.
AT_OTHERS = 100

# Candidates that take turns at most, the n-th with the weight 1/n: the smallest
# gets most, and a rare one holds nobody up. The two that are always open (no
# concurrency, the best one again) weigh as much as the sixth: simulated at 10 %,
# 176 trials in the median, 222 where they weigh as much as the fourth.
TURNS = 8
ASIDE = 6
# Offsets tried beside those that the candidate inherits: 0, then log-uniform
# steps up to a few milliseconds (DESIGN §5: the measured window of the ghost).
OFFSETS_US = (0, 50, 100, 200, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000, 4_000)
# One trial in so many draws fresh offsets; the rest keep the observed instants.
FRESH_OFFSETS_EVERY = 4

# Of the later calls of a lane: most windows are over when they wait for long after an answer.
AT_ONCE = 0.5

# A candidate is left once it has had so many times the trials that would reject it, and they say
# nothing: the server puts the race off.
PUT_OFF = 3

RACE_OR_LOGIC = "race or logic"
CONFIRM = "confirm"
HISTORY = "history"
PASSES = "passes"
OFFSETS = "offsets"
DONE = "done"


@dataclass(slots=True)
class _Attempt:
    """One structure under test, and the offsets at which to try it."""

    phase: str
    structure: Program
    variants: list[Program]
    turns: int = 0


@dataclass(slots=True)
class _Accepted:
    """A program that diverged. ``fresh``: its trials since then (the one before is biased)."""

    observed: Observed
    program: Program
    fresh: Tally = field(default_factory=Tally)


class Shrinker:
    """Shrinks ``program``, of which ``divergence`` was observed.

    ``signature``: what must show again (default: the divergence's own).
    ``budget``: trials at most. ``floor``: the lowest rate worth having.
    ``confidence``: with which a candidate is rejected. ``offsets``: microseconds
    to draw from. ``round_offsets``: simplify the offsets in the end.
    ``replayable``: a rate at which a smaller program is worth having, however
    often the best one shows; what was rejected at a higher rate is tried again
    at this one when nothing else is left. None: the best program's rate decides.
    """

    def __init__(
        self,
        program: Program,
        divergence: Divergence,
        *,
        rng: Random,
        signature: Signature | None = None,
        budget: int = 5_000,
        floor: float = FLOOR,
        confidence: float = CONFIDENCE,
        offsets: Sequence[int] = OFFSETS_US,
        round_offsets: bool = True,
        replayable: float | None = None,
    ) -> None:
        self.signature = divergence.signature if signature is None else signature
        self.trials = 0
        self._rng = rng
        self._budget = budget
        self._floor = floor
        self._confidence = confidence
        self._offsets = tuple(offsets)
        self._round_offsets = round_offsets
        self._replayable = replayable
        self._all_answered = not goes_on(divergence)  # it has shown so
        self._deep = False  # what is left is tried at ``replayable``
        self.ledger = Ledger(self.signature)
        self._refused: set[Program] = set()
        self._decided: dict[Program, int] = {}  # judged trials of each structure
        self._put_off: dict[Program, int] = {}  # trials of each that say nothing
        self._quiet_sequential = 0  # quiet trials of programs with no concurrency
        self._put_off_sequential = 0
        self._left_open = False  # a structure was left without a decision
        self._kept: list[Observed] = []  # all that were observed, for ``most_reliable``
        self._proof: Tally | None = None  # of the best program when nothing was left to try
        self._rounding: Rounding | None = None
        self._pending: tuple[Program, _Attempt | None] | None = None
        first = Observed(program, divergence)
        self._chain = [_Accepted(first, canonical(program))]
        self._kept.append(first)
        self._arms: dict[Program, _Attempt] = {}
        self._plan()

    # -- what anyone may ask at any moment ---------------------------------

    @property
    def best(self) -> Program:
        """The smallest program observed so far (and not refused)."""
        return self._chain[-1].program

    @property
    def phase(self) -> str:
        """What the next trial is for; ``done`` when no trial is left."""
        if self.next() is None:
            return DONE
        _, arm = named(self._pending)
        return OFFSETS if arm is None else arm.phase

    @property
    def proven_minimal(self) -> bool:
        """Have all smaller structures that the passes know been rejected?

        Never of a program that shows more rarely than the floor: quiet trials
        of its reductions say nothing then.
        """
        fresh = self._proof
        return fresh is not None and (
            not self._left_open
            and fresh.diverged > 0
            and posterior_quantile(0.5, fresh.diverged, fresh.decided) >= self._floor
        )

    def result(self) -> ShrinkResult:
        """The result so far; may be asked for at any moment."""
        best = self._chain[-1]
        reliable = self._most_reliable()
        return ShrinkResult(
            smallest=best.observed.program,
            smallest_divergence=best.observed.divergence,
            most_reliable=reliable.program,
            most_reliable_divergence=reliable.divergence,
            proven_minimal=self.proven_minimal,
            sequential=best.program.concurrency <= 1 and not goes_on(best.observed.divergence),
            trials=self.trials,
        )

    # -- one trial at a time ------------------------------------------------

    def next(self) -> Program | None:
        """The program to run once now; the same one until ``feed``. None: finished."""
        if self._pending is not None:
            return self._pending[0]
        if self.trials >= self._budget:
            return None
        arm = self._choose() if self._proof is None else None
        if arm is None and not self._deep and self._replayable is not None:
            self._deep = True
            arm = self._choose()
        if arm is None and self._proof is None and self._may_be_unlucky():
            arm = self._confirm
        if arm is not None:
            self._pending = (self._variant(arm), arm)
            return self._pending[0]
        if self._proof is None:
            self._proof = self._chain[-1].fresh
        if self._rounding is None:
            most_pairs = trials_to_see(self._floor, self._confidence)
            self._rounding = Rounding(self.best, most_pairs)
        program = self._rounding.next() if self._round_offsets and self.proven_minimal else None
        if program is not None:
            self._pending = (program, None)
        return program

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """Take the verdict on one run of the program that ``next`` named.

        ``unraced``: why it did not race, if so.
        Raises ``RuntimeError`` when ``next`` has named none since the last call.
        """
        (program, arm), self._pending = named(self._pending), None
        self.trials += 1
        self.ledger.record(program, verdict)
        seen = self._wanted_in(program, verdict)
        on_time = unraced is None or unraced.why is not UnracedReason.OFF_TIME
        undecided = (
            isinstance(verdict, Undecided)
            or self._raced_unasked(program, verdict)
            or (seen is None and unraced is not None and on_time)
        )
        if program == self.best:
            self._chain[-1].fresh += Tally(1, int(seen is not None), int(undecided))
        whole = structure(program)
        if undecided:
            self._put_off[whole] = self._put_off.get(whole, 0) + 1
            self._put_off_sequential += program.concurrency <= 1
        else:
            self._decided[whole] = self._decided.get(whole, 0) + 1
            self._quiet_sequential += seen is None and program.concurrency <= 1
        if arm is None:
            if self._rounding is not None and not undecided and on_time:
                rounder = self._rounding.feed(seen)
                if rounder is not None:
                    self._keep(rounder)
        elif seen is not None and arm.phase != CONFIRM:
            self._keep(seen)
            self._plan()
        elif seen is not None and program != self.best:
            self._keep(seen)  # the same calls, at offsets at which they meet
            self._plan()
        elif seen is not None:
            self._chain[-1].observed = seen
            self._learn(passes.projections(seen), HISTORY)
        elif arm.phase == CONFIRM and self._cannot_be_replayed():
            self._refuse()

    def _wanted_in(self, program: Program, verdict: Verdict) -> Observed | None:
        if isinstance(verdict, Diverged) and not self._raced_unasked(program, verdict):
            for divergence in verdict.all:
                if divergence.signature == self.signature:
                    self._all_answered |= not goes_on(divergence)
                    return Observed(program, divergence)
        return None

    def _raced_unasked(self, program: Program, verdict: Verdict) -> bool:
        """Did calls race that the program sends one after the other?"""
        return (
            isinstance(verdict, Diverged)
            and (self._all_answered or program.concurrency <= 1)
            and goes_on(verdict.divergence)
        )

    # -- accepting, refusing ------------------------------------------------

    def _keep(self, seen: Observed) -> None:
        self._chain.append(_Accepted(seen, canonical(seen.program)))
        self._kept.append(seen)

    def _cannot_be_replayed(self) -> bool:
        fresh = self._chain[-1].fresh
        enough = trials_to_see(self._floor, self._confidence)
        return len(self._chain) > 1 and fresh.diverged == 0 and fresh.quiet >= enough

    def _refuse(self) -> None:
        gone = self._chain.pop()
        self._refused.add(structure(gone.program))
        self._plan()

    # -- candidates ---------------------------------------------------------

    def _plan(self) -> None:
        """The candidates below the best program, in the order worth trying."""
        best = self._chain[-1]
        program, history = best.observed.program, best.observed.divergence.history
        self._arms = {}
        self._learn(passes.projections(best.observed), HISTORY)
        self._learn(passes.reductions(program, history), PASSES)
        self._learn(passes.reductions(program), PASSES)  # at the offsets it has
        flat = list(passes.sequential_orders(program, history))
        self._sequential = _Attempt(RACE_OR_LOGIC, structure(flat[0]), flat)
        self._confirm = _Attempt(CONFIRM, structure(best.program), [best.program])

    def _learn(self, found: Iterator[Program], phase: str) -> None:
        racing = self.best.concurrency > 1
        limit = sort_key(structure(self.best))
        for program in found:
            whole = structure(program)
            if whole in self._refused or (racing and program.concurrency <= 1):
                continue  # without concurrency: ``_sequential`` stands for it
            if sort_key(whole) >= limit:
                continue
            arm = self._arms.setdefault(whole, _Attempt(phase, whole, []))
            if program not in arm.variants:
                arm.variants.append(program)
        # What a later history suggests still goes before the blind passes.
        self._arms = dict(sorted(self._arms.items(), key=lambda item: item[1].phase != HISTORY))

    def _choose(self) -> _Attempt | None:
        """The next arm: one of the first few that are still open, by weight; None: all decided."""
        if self.best.concurrency > 1 and self.trials < len(self._sequential.variants):
            return self._sequential  # before anything else: is it a race at all?
        enough = trials_to_see(self._wanted(RARER), self._confidence)
        turns: list[tuple[float, _Attempt]] = []
        enough_sequential = self._enough_sequential()
        if (
            self.best.concurrency > 1
            and self._quiet_sequential < enough_sequential
            and self._put_off_sequential < PUT_OFF * enough_sequential
        ):
            turns.append((1 / ASIDE, self._sequential))
        if not self._confirmed():
            turns.append((1 / ASIDE, self._confirm))
        self._left_open = False
        for arm in self._arms.values():
            if self._decided.get(arm.structure, 0) < enough:
                if self._put_off.get(arm.structure, 0) >= PUT_OFF * enough:
                    self._left_open = True
                    continue
                turns.append((1 / (1 + len(turns)), arm))
                if len(turns) == TURNS:
                    break
        # Each in proportion to its weight; the first of equals.
        return min(turns, key=lambda turn: (turn[1].turns + 1) / turn[0], default=(0, None))[1]

    def _variant(self, arm: _Attempt) -> Program:
        turn, arm.turns = arm.turns, arm.turns + 1
        draw = turn % FRESH_OFFSETS_EVERY == FRESH_OFFSETS_EVERY - 1
        if arm.phase == CONFIRM:
            draw = turn % 2 == 1 and self._shows_rarely(AT_OTHERS)
        if draw and arm.phase != RACE_OR_LOGIC and arm.structure.concurrency > 1:
            return canonical(self._drawn(arm.structure))
        return arm.variants[turn % len(arm.variants)]

    def _drawn(self, program: Program) -> Program:
        def offset(place: Place) -> int:
            if len(program.rounds[place[0]]) < 2:
                return 0
            if place[2] > 0 and self._rng.random() < AT_ONCE:
                return 0
            return self._rng.choice(self._offsets)

        return with_offsets(program, lambda place, _call: offset(place))

    # -- what is wanted -------------------------------------------------------

    def _wanted(self, share: float) -> float:
        """This share of the best program's rate (posterior median), but never below the floor."""
        fresh = self._chain[-1].fresh
        if fresh.diverged == 0:
            return self._floor
        likely = posterior_quantile(0.5, fresh.diverged, fresh.decided)
        wanted = max(self._floor, share * likely)
        if self._deep and self._replayable is not None:
            return min(wanted, max(self._floor, self._replayable))
        return wanted

    def _enough_sequential(self) -> int:
        return trials_to_see(self._wanted(RARER_SEQUENTIAL), self._confidence)

    def _confirmed(self) -> bool:
        """Is the best program's rate known well enough to plan with?"""
        fresh = self._chain[-1].fresh
        floor = trials_to_see(self._floor, self._confidence)
        if fresh.quiet >= floor or fresh.undecided >= PUT_OFF * floor:
            return True  # seen once, and kept
        if fresh.diverged == 0:
            return False
        highest = posterior_quantile(0.9, fresh.diverged, fresh.decided)
        if RARER * highest <= self._floor:
            return True
        enough = trials_to_see(self._wanted(RARER), self._confidence)
        return fresh.diverged >= ENOUGH_TO_PLAN and fresh.decided >= CONFIRM_SHARE * enough

    def _may_be_unlucky(self) -> bool:
        """Has it shown too rarely to prove anything, with trials left to spend?"""
        fresh = self._chain[-1].fresh
        most = PROVE * trials_to_see(self._floor, self._confidence)
        return fresh.diverged > 0 and fresh.trials < most and self._shows_rarely(0)

    def _shows_rarely(self, trials: int) -> bool:
        """Is the best program's rate likely below the floor, after so many trials at least?"""
        fresh = self._chain[-1].fresh
        likely = posterior_quantile(0.5, fresh.diverged, fresh.decided)
        return fresh.decided >= trials and likely < self._floor

    def _most_reliable(self) -> Observed:
        """The best program, or one clearly more frequent that was observed on the way."""
        best = self._chain[-1]
        tally = self.ledger.tally(best.program)
        reliable = best.observed
        bar = posterior_quantile(0.9, tally.diverged, tally.decided)
        for observed in self._kept:
            own = self.ledger.tally(observed.program)
            lowest = posterior_quantile(0.1, own.diverged, own.decided)
            if lowest > bar:
                reliable, bar = observed, lowest
        return reliable
