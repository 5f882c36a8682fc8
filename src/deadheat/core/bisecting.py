"""Bisection over versions, where only one of the two answers can be wrong.

Rules
- As the shrinker: ``next()`` says which version to try, ``feed`` what was found; nothing is
  run here.
- An observed divergence is a fact. A version called quiet may have the race all the same, with
  at most ``error_each`` (the number of quiet trials sees to that).
- At most ``tests`` versions are tried, so the whole is wrong with at most ``tests × error_each``
  (union bound); ``error_each = (1 - confidence) / tests`` gives the confidence asked for. This
  is under what every bisection assumes: that there is one change from the one to the other.
- Ben-Or & Hassidim (2008) and Karp & Kleinberg (2007) treat both answers as noisy, and repeat
  comparisons by a posterior. Here a repeat of "present" would teach nothing, so the plain
  halving is best, with the noise all in how long a version must be quiet.
- A version that cannot be tried is skipped, as ``git bisect skip``: the nearest one is tried
  instead, and the answer may be a few versions.
- The version called quiet last may be looked at again in a better way (``retract``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2


@dataclass(frozen=True, slots=True)
class Change:
    """Between ``before`` and ``after``, neighbours but for ``skipped`` (places in the list)."""

    before: int
    after: int
    skipped: tuple[int, ...] = ()


class Bisection:
    """The place of the change in ``count`` versions in order.

    The first and the last are known ends, one of them with the race: both are tried too, that
    one first, as it is over as soon as it shows.
    ``present_first``: the race is in the first (then a fix is looked for), else in the last.
    """

    def __init__(self, count: int, *, present_first: bool) -> None:
        if count < 2:
            raise ValueError("a bisection needs two versions; give a good and a bad one")
        self._count = count
        self._present_first = present_first
        self._present = 0 if present_first else count - 1
        self._quiet = [count - 1 if present_first else 0]  # the last one is nearest to the race
        self._ends = [self._present, self._quiet[0]]
        self._skipped: set[int] = set()
        self._asked: int | None = None
        self.wrong_end: int | None = None

    @property
    def tests(self) -> int:
        """The most answers "quiet" that the result rests on."""
        return most_tests(self._count)

    def next(self) -> int | None:
        """Which version to try; the same until ``feed``. None: ``change`` or ``wrong_end``."""
        if self._asked is None and self.wrong_end is None:
            self._asked = self._ends[0] if self._ends else self._middle()
        return self._asked

    def feed(self, present: bool | None) -> None:
        """Does the version that ``next`` named show the race? None: it cannot be tried.

        An end that is not what was said of it, or cannot be tried, ends the bisection.
        """
        if self._asked is None:
            raise RuntimeError("feed() without a version; call next() and try it first")
        asked, self._asked = self._asked, None
        if self._ends:
            self._ends.pop(0)
            if present is not (asked == self._present):
                self.wrong_end = asked
        elif present is None:
            self._skipped.add(asked)
        elif present:
            self._present = asked
        else:
            self._quiet.append(asked)

    def retract(self) -> None:
        """The version called quiet last has shown the race after all."""
        self._present = self._quiet.pop()
        if not self._quiet:
            self.wrong_end = self._present

    @property
    def change(self) -> Change | None:
        """Where it is, once that is known."""
        if self._ends or self.wrong_end is not None or self._middle() is not None:
            return None
        low, high = sorted((self._present, self._quiet[-1]))
        return Change(low, high, tuple(i for i in sorted(self._skipped) if low < i < high))

    def _middle(self) -> int | None:
        low, high = sorted((self._present, self._quiet[-1]))
        open_ones = [i for i in range(low + 1, high) if i not in self._skipped]
        return open_ones[(len(open_ones) - 1) // 2] if open_ones else None


def most_tests(count: int) -> int:
    """How many versions a bisection over ``count`` may call quiet: the end, then each half."""
    return 1 + max(0, ceil(log2(count - 1)))
