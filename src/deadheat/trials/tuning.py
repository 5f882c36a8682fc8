"""The offsets at which a program diverges most.

Rules
- A contest of settings (``trials.bandit``): a coarse sweep over all offsets, then sampling, with
  finer steps beside the best ones.
- Only what races moves: the first calls of the lanes of concurrent rounds. One
  round at a time, one lane against the others, in both directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.program import (
    Program,
    canonical,
    with_offsets,
)
from deadheat.trials.bandit import SWEEP_SHARE, Arm, Bandit
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from deadheat.model.history import Place
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Signature, Verdict

# Log steps over the windows that were measured (DESIGN §5), in microseconds.
OFFSETS_US = (0, 100, 200, 400, 700, 1_000, 1_500, 2_500, 4_000)
# Finer steps lie halfway (geometrically) between the best setting and its neighbours.
REFINEMENTS = 3


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
        self._program = canonical(program)
        self._signature = signature
        self._refined = 0
        self._moves = _moves(self._program)
        starts = (lane[0].offset_us for r in self._program.rounds for lane in r)
        self._gaps_us = {self._program: max(starts, default=0)}
        for move in self._moves:
            for gap_us in sorted(set(offsets)):
                self._gaps_us.setdefault(_moved(self._program, move, gap_us), gap_us)
        self._bandit = Bandit(self._gaps_us, signature, rng=rng, trials=trials)

    @property
    def trials(self) -> int:
        """The number of trials fed so far."""
        return self._bandit.trials

    def next(self) -> Program | None:
        """See ``Bandit.next``."""
        spent, budget = self.trials, self._bandit.budget
        if not self._bandit.sweeping and spent < budget:
            due = 1 + (spent - int(budget * SWEEP_SHARE)) * REFINEMENTS // budget
            if self._refined < due:
                self._refined += 1
                self._refine()
        return self._bandit.next()

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """See ``Bandit.feed``."""
        self._bandit.feed(verdict, unraced)

    @property
    def heard(self) -> bool:
        """Is the divergence visible only to a client that listens to the event stream?"""
        return self._signature is None or self._signature.heard

    @property
    def best(self) -> Program:
        """The program at the most reliable offsets so far."""
        return self._best().program

    @property
    def picture(self) -> tuple[tuple[int, Tally], ...]:
        """Rate against offset: for each gap in microseconds, all trials at that gap.

        The gap is by how long the later of the two lanes waits, whichever it is.
        """
        gaps: dict[int, Tally] = {}
        for arm in self._bandit.arms:
            gap_us = self._gaps_us[arm.program]
            gaps[gap_us] = gaps.get(gap_us, Tally()) + arm.tally
        return tuple(sorted(gaps.items()))

    def _refine(self) -> None:
        best = self._best().program
        best_us = self._gaps_us[best]
        for move in self._moves:
            if best != _moved(self._program, move, best_us):
                continue
            tried = {
                gap_us
                for program, gap_us in self._gaps_us.items()
                if program == _moved(self._program, move, gap_us)
            }
            gaps = sorted(tried)
            at = gaps.index(best_us)
            for beside in gaps[max(0, at - 1) : at] + gaps[at + 1 : at + 2]:
                middle = _between(*sorted((beside, best_us)))
                self._add(middle, _moved(self._program, move, middle))

    def _best(self) -> Arm:
        return max(self._bandit.arms, key=lambda arm: arm.reliability)

    def _add(self, gap_us: int, program: Program) -> None:
        self._gaps_us.setdefault(program, gap_us)
        self._bandit.add(program)


def _moves(program: Program) -> tuple[tuple[int, int], ...]:
    """The round and lane of everything that can wait while the rest of its round goes."""
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
