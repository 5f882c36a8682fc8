"""What trials teach about the offsets worth drawing: how long each kind of call takes here.

Rules
- A window lies somewhere within a call. Drawn from fixed offsets alone, the end of a call that
  takes longer than the longest of them is hardly ever met.
- Only offsets longer than the fixed ones are learned: shorter ones would thin out what is drawn
  already (``tests/quality/learning.py``: a window of 0 to 100 µs took 50 programs instead of 20).
- The medians of the last calls count: a server warms up, and a machine gets busy.
- Only what was answered as declared is a latency, and of a trial in which a call waited for its
  whole bound nothing is: what is answered then has waited for the server to come back.
- No offset is longer than ``LONGEST_US``: a trial waits for it each time.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from deadheat.model.history import Info, Ok, Undeclared, Unknown

if TYPE_CHECKING:
    from deadheat.model.history import History, Kind, Operation

_NS_PER_US = 1_000
# Calls of one kind that are remembered, and how many it takes to believe their median.
_REMEMBERED, _FEWEST = 60, 10
# A program with one of a second takes as long as a hundred others of a fast server.
LONGEST_US = 1_000_000
# Of a call's latency. Both ends more densely: checks are made first, and writes come last.
_PARTS = (0.1, 0.25, 0.5, 0.75, 0.85, 0.95, 1.05)


class Latencies:
    """How long each kind of call takes on this server, by what has been seen so far."""

    def __init__(self) -> None:
        self._took_us: dict[Kind, deque[int]] = {}

    def add(self, history: History) -> None:
        """Learn from one trial."""
        if history.controls or any(_timed_out(op) for op in history.operations):
            return
        for op in history.operations:
            if _answered(op) and op.return_ns is not None and not op.at_rest:
                took = self._took_us.setdefault(op.kind, deque(maxlen=_REMEMBERED))
                took.append((op.return_ns - op.call_ns) // _NS_PER_US)

    def offsets_us(self, above_us: int) -> tuple[int, ...]:
        """Latencies above ``above_us``, in microseconds, to two digits, without repeats."""
        found = {
            int(float(f"{median(took) * part:.1e}"))
            for took in self._took_us.values()
            if len(took) >= _FEWEST
            for part in _PARTS
        }
        return tuple(sorted(offset for offset in found if above_us < offset <= LONGEST_US))


def _answered(op: Operation) -> bool:
    return isinstance(op.outcome, Ok) and not isinstance(op.outcome.result, Undeclared)


def _timed_out(op: Operation) -> bool:
    return isinstance(op.outcome, Info) and op.outcome.reason is Unknown.TIMEOUT
