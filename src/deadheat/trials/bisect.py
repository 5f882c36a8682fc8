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
- Each version is tried beside the nearest one known to have the race, in pairs of trials
  (``trials.baseline``), so that neither the recorded rate nor the machine's load matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from deadheat.trials.plan import named


@dataclass(frozen=True, slots=True)
class ChangeBetween:
    """The change is between ``before`` and ``after``; ``skipped`` lie between (places)."""

    before: int
    after: int
    skipped: tuple[int, ...] = ()


class Bisection:
    """Finds the place of the change in ``count`` versions in order.

    The first and the last are known ends, one of them with the race (the first when
    ``present_first``: then a fix is looked for). The other is tried first of all, beside it,
    so that both are seen to be what was said.
    """

    def __init__(self, count: int, *, present_first: bool) -> None:
        if count < 2:
            raise ValueError("a bisection needs two versions; give a good and a bad one")
        self._count = count
        self._present = 0 if present_first else count - 1
        self._quiet = count - 1 if present_first else 0
        self._end_is_tried = False
        self._skipped: set[int] = set()
        self._asked: int | None = None
        self.wrong_end: int | None = None

    @property
    def tests(self) -> int:
        """The largest number of "quiet" answers that the result rests on."""
        return most_tests(self._count)

    @property
    def beside(self) -> int:
        """The nearest version known to have the race: what to try the next one beside."""
        return self._present

    @property
    def between(self) -> tuple[int, int]:
        """The two versions between which the change lies, as far as is known."""
        low, high = sorted((self._present, self._quiet))
        return low, high

    def next(self) -> int | None:
        """Which version to try; the same until ``feed``. None: ``change`` or ``wrong_end``."""
        if self._asked is None and self.wrong_end is None:
            self._asked = self._middle() if self._end_is_tried else self._quiet
        return self._asked

    def feed(self, present: bool | None) -> None:
        """Does the version that ``next`` named show the race? None: it could not be tried.

        An end that is not as declared ends the bisection. If the quiet end cannot be judged,
        the wrong end is the one with the race: it did not show it.
        """
        asked, self._asked = named(self._asked), None
        if not self._end_is_tried:
            self._end_is_tried = True
            if present is not False:
                self.wrong_end = asked if present else self._present
        elif present is None:
            self._skipped.add(asked)
        elif present:
            self._present = asked
        else:
            self._quiet = asked

    @property
    def change(self) -> ChangeBetween | None:
        """The place of the change; None while it is not known."""
        if not self._end_is_tried or self.wrong_end is not None or self._middle() is not None:
            return None
        low, high = self.between
        return ChangeBetween(low, high, tuple(i for i in sorted(self._skipped) if low < i < high))

    def _middle(self) -> int | None:
        low, high = self.between
        open_ones = [i for i in range(low + 1, high) if i not in self._skipped]
        return open_ones[(len(open_ones) - 1) // 2] if open_ones else None


def most_tests(count: int) -> int:
    """How many versions a bisection over ``count`` may call quiet: the end, then each half."""
    return 1 + max(0, ceil(log2(count - 1)))
