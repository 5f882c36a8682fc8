"""One event loop for one piece of work: to its end, to a time limit, or to a signal.

Rules
- SIGINT and SIGTERM cancel the work. They stay caught until it has cleaned up, so that an
  impatient second Ctrl-C loses nothing.
- A known error comes back as a value; anything else is raised.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from deadheat.errors import DeadheatError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run_until(
    work: Callable[[], Awaitable[None]], limit_s: float | None
) -> tuple[bool, DeadheatError | None]:
    """Run ``work``; was it interrupted by a signal, and the error that it ended in.

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
            raise
        return interrupted, error
    return interrupted, None


def _first_known(group: BaseExceptionGroup[BaseException]) -> DeadheatError | None:
    for exc in group.exceptions:
        if isinstance(exc, DeadheatError):
            return exc
        if isinstance(exc, BaseExceptionGroup):
            found = _first_known(exc)
            if found is not None:
                return found
    return None
