"""The offsets at which a program diverges most.

Rules
- As the shrinker: ``next()`` says what to run, ``feed(verdict)`` what came of it;
  nothing is run here, nothing is drawn but from ``rng``.
- First a coarse sweep over all offsets, then Thompson sampling (Thompson 1933,
  Beta(1/2, 1/2) priors) over them, with finer steps beside the best ones: the
  trials go where the race may show most, and every one is counted.
- Only what races moves: the first calls of the lanes of concurrent rounds. One
  round at a time, one lane against the others, in both directions.
- A trial whose round missed its offsets (``core.release``) counts for no setting.
- The best of many tries is a lucky one: its tally here is biased. Whoever prints
  a rate measures the winner on fresh trials.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.core.divergence import Diverged, Signature, Undecided, Verdict
from deadheat.core.ledger import Tally
from deadheat.core.program import Place, Program, canonical, with_offsets
from deadheat.core.raced import Why
from deadheat.core.stats import posterior_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from deadheat.core.raced import Unraced

# Log steps over the windows that were measured (DESIGN §5), in microseconds.
OFFSETS_US = (0, 100, 200, 400, 700, 1_000, 1_500, 2_500, 4_000)
# A third of the trials: enough for the sweep to see a setting of 10 % at the
# default budget with 9 offsets, and most of the budget stays for the best.
SWEEP_SHARE = 1 / 3
# Finer steps lie halfway (geometrically) between the best setting and its neighbours.
REFINEMENTS = 3


@dataclass(slots=True)
class _Setting:
    gap_us: int
    program: Program
    tally: Tally = field(default_factory=Tally)


class Tuner:
    """Looks for the most reliable offsets of ``program``, in ``trials`` trials at most.

    ``signature``: which divergence counts; None: any. ``offsets``: microseconds.
    """

    def __init__(
        self,
        program: Program,
        signature: Signature | None,
        *,
        rng: Random,
        offsets: Sequence[int] = OFFSETS_US,
        trials: int = 600,
    ) -> None:
        self.trials = 0
        self._program = canonical(program)
        self._signature = signature
        self._rng = rng
        self._budget = trials
        self._settings: dict[Program, _Setting] = {}
        self._refined = 0
        self._pending: _Setting | None = None
        self._moves = _moves(self._program)
        self._add(0, self._program, given=True)
        for move in self._moves:
            for offset_us in sorted(set(offsets)):
                self._add(offset_us, _moved(self._program, move, offset_us))
        self._coarse = tuple(self._settings.values())

    def next(self) -> Program | None:
        """The program to run once now; the same one until ``feed``. None: finished."""
        if self._pending is None:
            if self.trials >= self._budget or len(self._settings) < 2:
                return None
            self._pending = self._choose()
        return self._pending.program

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """What came of running the program that ``next`` named, once.

        ``unraced``: why it did not race, if so. A trial whose lanes missed their offsets is
        spent, and says nothing about them; another one that did not race is not quiet.
        Raises ``RuntimeError`` when ``next`` has named none since the last call.
        """
        if self._pending is None:
            raise RuntimeError("feed() without a trial; call next() and run its program first")
        setting, self._pending = self._pending, None
        self.trials += 1
        if unraced is not None and unraced.why is Why.OFF_TIME:
            return
        hit = isinstance(verdict, Diverged) and (
            self._signature is None or any(d.signature == self._signature for d in verdict.all)
        )
        nothing = isinstance(verdict, Undecided) or (unraced is not None and not hit)
        setting.tally += Tally(1, int(hit), int(nothing))

    @property
    def heard(self) -> bool:
        """Does it take somebody who listens to the event stream?"""
        return self._signature is None or self._signature.heard

    @property
    def best(self) -> Program:
        """The program at the most reliable offsets so far."""
        return self._best().program

    @property
    def best_tally(self) -> Tally:
        """The trials of ``best`` so far; biased, as it was chosen for them."""
        return self._best().tally

    @property
    def picture(self) -> tuple[tuple[int, Tally], ...]:
        """Rate against offset: for each gap in microseconds, all trials at that gap.

        The gap is by how long the later of the two lanes waits, whichever it is.
        """
        gaps: dict[int, Tally] = {}
        for setting in self._settings.values():
            gaps[setting.gap_us] = gaps.get(setting.gap_us, Tally()) + setting.tally
        return tuple(sorted(gaps.items()))

    def _choose(self) -> _Setting:
        if self.trials < self._budget * SWEEP_SHARE:
            return min(self._coarse, key=lambda setting: setting.tally.trials)
        due = 1 + (self.trials - int(self._budget * SWEEP_SHARE)) * REFINEMENTS // self._budget
        if self._refined < due:
            self._refined += 1
            self._refine()
        return max(self._settings.values(), key=self._drawn)

    def _drawn(self, setting: _Setting) -> float:
        tally = setting.tally
        return self._rng.betavariate(tally.diverged + 0.5, tally.quiet + 0.5)

    def _refine(self) -> None:
        best = self._best()
        for move in self._moves:
            gaps = sorted(
                setting.gap_us
                for setting in self._settings.values()
                if setting.program == _moved(self._program, move, setting.gap_us)
            )
            if best.program != _moved(self._program, move, best.gap_us):
                continue
            at = gaps.index(best.gap_us)
            for beside in gaps[max(0, at - 1) : at] + gaps[at + 1 : at + 2]:
                middle = _between(*sorted((beside, best.gap_us)))
                self._add(middle, _moved(self._program, move, middle))

    def _best(self) -> _Setting:
        # The lower quartile of the posterior: a setting with few trials is not believed at once.
        return max(
            self._settings.values(),
            key=lambda one: posterior_quantile(0.25, one.tally.diverged, one.tally.decided),
        )

    def _add(self, gap_us: int, program: Program, *, given: bool = False) -> None:
        if given:
            gap_us = max((lane[0].offset_us for r in program.rounds for lane in r), default=0)
        self._settings.setdefault(program, _Setting(gap_us, program))


def _moves(program: Program) -> tuple[tuple[int, int], ...]:
    """Round and lane of everything that can wait while the rest of its round goes."""
    return tuple(
        (r, k)
        for r, lanes in enumerate(program.rounds)
        if len(lanes) > 1
        for k in range(len(lanes))
    )


def _moved(program: Program, move: tuple[int, int], offset_us: int) -> Program:
    """One lane starts ``offset_us`` after the others of its round; other rounds stay."""

    def offset(place: Place, old_us: int) -> int:
        r, k, i = place
        if r != move[0] or i > 0:
            return old_us
        return offset_us if k == move[1] else 0

    return canonical(with_offsets(program, lambda place, call: offset(place, call.offset_us)))


def _between(low: int, high: int) -> int:
    """Geometric middle to two digits; half of ``high`` when ``low`` is 0."""
    middle = high / 2 if low == 0 else (low * high) ** 0.5
    return int(float(f"{middle:.1e}"))
