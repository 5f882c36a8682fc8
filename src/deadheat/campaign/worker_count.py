"""Finds by measuring how many workers help.

Rules
- Races need cores: a worker more is kept only if programs a second rise by a good part of what
  it could bring, and if divergences do not show clearly less often in a program.
- Measured in turns of equal length, one number of workers after the other, and then settled.
- A number that the user gave is used as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from deadheat.trials.stats import rate

# Shorter turns measure the start of the server; longer ones cost the night.
TURN_S = 45.0
_WARM_UP_S = 10.0
# A worker more must bring so much of one worker's share to be worth its memory.
_WORTH = 0.25


@dataclass(frozen=True, slots=True)
class Turn:
    """What a number of workers achieved in one turn."""

    workers: int
    seconds: float
    programs: int
    hits: int

    @property
    def per_s(self) -> float:
        """Programs a second."""
        return self.programs / self.seconds if self.seconds else 0.0


class WorkerCount:
    """Decides how many workers there should be. ``fixed``: the user's number."""

    def __init__(self, most: int, fixed: int | None = None) -> None:
        self._most = most
        self._fixed = fixed
        self._now = 1
        self._turns: list[Turn] = []
        self._turn_began: tuple[float, int, int] | None = None
        self._settled = fixed is not None or most <= 1

    def wanted(self, now_s: float, programs: int, hits: int) -> tuple[int, str]:
        """The number, and a line when it has just been decided. The counts are sums so far."""
        if self._fixed is not None:
            return self._fixed, ""
        if self._settled or not programs:
            return self._now, ""
        if self._turn_began is None:
            self._turn_began = (now_s + _WARM_UP_S, programs, hits)
            return self._now, ""
        began_s, before, hits_before = self._turn_began
        if now_s < began_s:  # warming up: what is run until then does not count
            self._turn_began = (began_s, programs, hits)
            return self._now, ""
        if now_s - began_s < TURN_S:
            return self._now, ""
        turn = Turn(self._now, now_s - began_s, programs - before, hits - hits_before)
        self._turns.append(turn)
        self._turn_began = None
        return self._decide()

    def _decide(self) -> tuple[int, str]:
        last = self._turns[-1]
        if len(self._turns) == 1:
            self._now = 2
            return self._now, f"1 worker: {last.per_s:.1f} programs/s; trying 2"
        before = self._turns[-2]
        one = before.per_s / before.workers
        helps = last.per_s - before.per_s >= _WORTH * one
        fewer = hits_fell(before, last)
        said = f"{before.workers}: {before.per_s:.1f}, {last.workers}: {last.per_s:.1f} programs/s"
        if helps and not fewer and self._now < self._most:
            self._now += 1
            return self._now, f"workers {said}; trying {self._now}"
        self._settled = True
        if fewer:
            self._now = before.workers
            return (
                self._now,
                f"workers {said}, but divergences show less often; keeping {self._now}",
            )
        self._now = last.workers if helps else before.workers
        return self._now, f"workers {said}; keeping {self._now}"


def hits_fell(before: Turn, after: Turn) -> bool:
    """Do programs show divergences clearly less often? The 95 % intervals do not overlap."""
    if not before.programs or not after.programs:
        return False
    one = rate(min(before.hits, before.programs), before.programs)
    other = rate(min(after.hits, after.programs), after.programs)
    return other.high < one.low
