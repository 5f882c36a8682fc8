"""A lane of a race that does something at its instant, so that a test need not meet one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class OnRelease:
    """Calls ``act`` when the gate releases it; see ``drive.wire.gate.Holder``."""

    readable = pending = False

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def prepare(self, lanes: Sequence[int]) -> None:
        """Nothing."""

    def release(self, lanes: Sequence[int]) -> int:
        """Act."""
        del lanes
        self._act()
        return time.monotonic_ns()

    async def drain(self) -> None:
        """Nothing."""
