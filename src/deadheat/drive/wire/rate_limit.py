"""Limits requests a second: a burst is paid for after it, never inside it.

Rules
- A round of lanes is asked for as a whole and then sent at its offsets: a limit makes the pauses
  between rounds longer, and leaves races as they are.
- On average over any stretch that ends before a burst no more than ``a_second``; within one second
  it may be a round more.
- The clock is an argument; nothing sleeps here.
"""

from __future__ import annotations


class RequestRate:
    """At most ``a_second`` requests a second."""

    def __init__(self, a_second: float) -> None:
        self._each_s = 1.0 / a_second
        self._free_at_s = 0.0

    def wait_s(self, requests: int, now_s: float) -> float:
        """How long to wait before sending ``requests`` at once. They count as sent."""
        begins_s = max(self._free_at_s, now_s)
        self._free_at_s = begins_s + requests * self._each_s
        return begins_s - now_s
