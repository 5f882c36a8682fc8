"""Rounder offsets for a program whose calls are final, where the rate survives them.

Rules
- Old and new offsets take turns, one trial each, so that a drift of the rate
  hits both alike; ``stats.keeps_rate`` decides on the pairs that differ.
- A rounder program is taken only if its rate is kept **and** it was observed to
  diverge. Undecided within ``most_pairs``: the old offsets stay.
- Nothing is run here; ``next()`` and ``feed()`` as in the shrinker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.model.program import (
    Program,
    canonical,
    problems,
    roundness,
    sort_key,
    structure,
    with_offsets,
)
from deadheat.trials.stats import keeps_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.model.history import Place
    from deadheat.trials.tally import Observed


@dataclass(slots=True)
class _PairedTrials:
    program: Program
    only_new: int = 0
    only_old: int = 0
    pairs: int = 0
    new: bool | None = None  # how the new one's half of the pair under way ended
    seen: Observed | None = None


class Rounding:
    """Makes the offsets of ``program`` rounder, in at most ``most_pairs`` pairs a step."""

    def __init__(self, program: Program, most_pairs: int) -> None:
        self.best = program
        self._most_pairs = most_pairs
        self._steps: Iterator[Program] = offset_steps(program)
        self._duel: _PairedTrials | None = None

    def next(self) -> Program | None:
        """The program to run once now; None when every step is decided."""
        if self._duel is None:
            program = next(self._steps, None)
            if program is None:
                return None
            self._duel = _PairedTrials(program)
        return self._duel.program if self._duel.new is None else self.best

    def feed(self, seen: Observed | None) -> Observed | None:
        """Take what the trial showed (None: quiet); returns the new best when one is taken.

        A trial that is undecided or missed its offsets is not fed: its turn is taken again.
        """
        duel = self._duel
        if duel is None:
            return None
        if duel.new is None:
            duel.new = seen is not None
            duel.seen = seen or duel.seen
            return None
        old, new, duel.new = seen is not None, duel.new, None
        duel.pairs += 1
        duel.only_new += new and not old
        duel.only_old += old and not new
        kept = keeps_rate(duel.only_new, duel.only_old)
        if kept is None and duel.pairs < self._most_pairs:
            return None
        self._duel = None
        if not kept or duel.seen is None:
            return None
        self.best = duel.program
        self._steps = offset_steps(self.best)
        return duel.seen


def offset_steps(program: Program) -> Iterator[Program]:
    """The same calls at simpler offsets: all 0, one of them 0, then one or two digits."""
    start = canonical(program)
    whole = structure(start)
    below = sort_key(start)
    simpler = [with_offsets(start, lambda _place, _call: 0)]
    simpler += [
        _with_offset(start, place, offset_us)
        for place, call in start.placed()
        for offset_us in (0, _rounded(call.offset_us, 1), _rounded(call.offset_us, 2))
        if roundness(offset_us) < roundness(call.offset_us)
    ]
    seen: set[Program] = set()
    for candidate in sorted(map(canonical, simpler), key=sort_key):
        if (
            candidate not in seen
            and sort_key(candidate) < below
            and structure(candidate) == whole
            and not problems(candidate)
        ):
            seen.add(candidate)
            yield candidate


def _rounded(offset_us: int, digits: int) -> int:
    return int(float(f"{offset_us:.{digits - 1}e}"))


def _with_offset(program: Program, place: Place, offset_us: int) -> Program:
    return with_offsets(program, lambda here, call: offset_us if here == place else call.offset_us)
