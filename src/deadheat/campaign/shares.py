"""Deals shares of the search to workers, and tells a broken target from one that died once.

Rules
- The programs of a campaign are numbered streams, shares, each of one seed. A share has an end,
  so that what a lost worker leaves is small and goes to the next one.
- Failures count in a row: one program that was run ends the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.campaign.store import OpenShare

if TYPE_CHECKING:
    from collections.abc import Iterable

# Ten seconds or so of a fast target; after a loss at most so many programs are drawn again, unsent.
_PROGRAMS = 500
# A server that cannot be had this often in a row is broken. With the waits, about two minutes.
_MOST_FAILURES = 7
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0


class Dealer:
    """Deals shares until ``budget`` programs are dealt (None: for ever).

    ``number``: of the next fresh share; ``left``: what was dealt before and not done. It goes
    first, as far as the budget allows: that may have been made smaller since.
    """

    def __init__(self, number: int, budget: int | None, left: Iterable[OpenShare]) -> None:
        self.number = number
        self._left: list[OpenShare] = []
        for share in left:
            programs = share.programs if budget is None else min(share.programs, budget)
            if programs:
                self._left.append(OpenShare(share.number, programs, share.skip))
            budget = None if budget is None else budget - programs
        self.undealt = budget
        self._dealt: dict[int, tuple[OpenShare, OpenShare]] = {}  # as dealt, and what is left

    def deal(self) -> OpenShare | None:
        """The next share; None when all is dealt."""
        if self._left:
            share = self._left.pop(0)
        elif self.undealt is None or self.undealt > 0:
            programs = _PROGRAMS if self.undealt is None else min(_PROGRAMS, self.undealt)
            if self.undealt is not None:
                self.undealt -= programs
            share = OpenShare(self.number, programs, 0)
            self.number += 1
        else:
            return None
        self._dealt[share.number] = (share, share)
        return share

    def moved(self, number: int, position: int, drawn: int) -> bool:
        """Note that ``position`` programs of the share are done; is it finished?"""
        if number not in self._dealt:
            return False
        whole, _ = self._dealt[number]
        left = whole.programs - position
        if left <= 0:
            del self._dealt[number]
            return True
        self._dealt[number] = (whole, OpenShare(number, left, drawn))
        return False

    def give_back(self, numbers: Iterable[int]) -> None:
        """Deal what is left of these shares to other workers."""
        for number in numbers:
            dealt = self._dealt.pop(number, None)
            if dealt is not None:
                self._left.append(dealt[1])

    def open(self) -> tuple[OpenShare, ...]:
        """All shares that are dealt and not done, as far as known."""
        return (*(left for _, left in self._dealt.values()), *self._left)

    def done(self) -> bool:
        """Is every program of the budget run?"""
        return self.undealt == 0 and not self.open()


@dataclass(slots=True)
class Failures:
    """Workers that ended without being told to."""

    in_a_row: int = 0
    not_before_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """Count one more; the next start has to wait twice as long as the last."""
        wait_s = min(_FIRST_WAIT_S * 2**self.in_a_row, _LONGEST_WAIT_S)
        self.in_a_row += 1
        self.not_before_s = now_s + wait_s

    def worked(self) -> None:
        """Note that a program has been run."""
        self.in_a_row, self.not_before_s = 0, 0.0

    def hopeless(self) -> bool:
        """Have so many failed in a row that the target must be broken?"""
        return self.in_a_row >= _MOST_FAILURES
