"""Runs one event loop for one piece of work: to its end, a time limit, or a signal.

Rules
- SIGINT and SIGTERM cancel the work. They stay caught until it has cleaned up, so that an
  impatient second Ctrl-C loses nothing.
- A known error comes back as a value; anything else is raised.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from deadheat.errors import DeadheatError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType


def run_until(
    work: Callable[[], Awaitable[None]], limit_s: float | None
) -> tuple[bool, DeadheatError | None]:
    """Run ``work``; returns whether a signal interrupted it, and the error that ended it.

    ``limit_s``: seconds after which it is cancelled, which is no interruption.
    """
    interrupted = False

    async def everything() -> None:
        nonlocal interrupted
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as tasks:

                async def limited() -> None:
                    with anyio.move_on_after(limit_s):
                        await work()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(limited)
                async for _ in signals:
                    interrupted = True
                    tasks.cancel_scope.cancel()

    try:
        anyio.run(everything)
    except BaseExceptionGroup as group:
        error = _first_known(group)
        if error is None:
            raise _only(group) from None
        return interrupted, error
    return interrupted, None


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The single exception in the groups, if there is just one."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner


def _first_known(group: BaseExceptionGroup[BaseException]) -> DeadheatError | None:
    for exc in group.exceptions:
        if isinstance(exc, DeadheatError):
            return exc
        if isinstance(exc, BaseExceptionGroup):
            found = _first_known(exc)
            if found is not None:
                return found
    return None


def process_age_s() -> float:
    """The age of this process, its imports included; 0 where it cannot be known.

    ``/proc/self/stat``, field 22: the start in ticks since boot (proc(5)).
    """
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started_s = int(after_name[22 - 3]) / os.sysconf("SC_CLK_TCK")
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started_s, 0.0)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


@contextmanager
def alarm(seconds: float, error: DeadheatError) -> Iterator[None]:
    """Raise ``error`` in blocking work (a download) that takes longer than this.

    By SIGALRM, which only the main thread gets; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
