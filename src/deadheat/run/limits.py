"""Opens a target for one piece of work, with limits and signals, and says how it ended.

Rules
- Every run marks what it makes with a token of its own (``drive.ownership``): drawn here.
- SIGINT and SIGTERM cancel the work (``drive.event_loop``); the server is stopped all the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.drive.event_loop import run_until
from deadheat.drive.live import open_target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.errors import DeadheatError

# Stopping a server and writing the last artifact take about this long; a hard limit leaves room.
STOPPING_S = 0.6


@dataclass(frozen=True, slots=True)
class Ending:
    """How a piece of work ended: by a signal, in an error, or (neither) by itself."""

    interrupted: bool = False
    error: DeadheatError | None = None

    def raise_if_early(self) -> None:
        """Raises its ``DeadheatError``, or ``KeyboardInterrupt`` after a signal."""
        if self.error is not None:
            raise self.error
        if self.interrupted:
            raise KeyboardInterrupt


def opened(
    target: Target, *, ends_s: float | None = None
) -> AbstractAsyncContextManager[LiveTarget]:
    """The target, open for one run. ``ends_s``: see ``open_target``."""
    return open_target(target, secrets.token_hex(3), ends_s=ends_s)


def until_done(work: Callable[[], Awaitable[None]], limit_s: float | None = None) -> Ending:
    """Runs ``work`` to its end, to ``limit_s``, or to a signal."""
    return Ending(*run_until(work, limit_s))


def with_target(target: Target, work: Callable[[LiveTarget], Awaitable[None]]) -> Ending:
    """Opens ``target``, runs ``work`` on it, closes it again."""

    async def whole() -> None:
        async with opened(target) as live:
            await work(live)

    return until_done(whole)
