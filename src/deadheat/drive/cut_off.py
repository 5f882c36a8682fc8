"""Lets a create that is being cut off end, where only its answer tells what it made.

Where a list shows titles, and where clients choose ids, what such a create made is looked for
(``end_of_run``). It could not be found again otherwise.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

FINISH_S = 2.0


async def finished(work: Callable[[], Awaitable[T]], ends_s: float | None = None) -> T:
    """Returns what ``work`` gives. Who is cancelled meanwhile waits ``FINISH_S`` for it at most.

    ``ends_s``: a hard limit on that, on the clock of ``time.monotonic``.
    """
    came: list[T] = []
    failed: list[Exception] = []
    waiting = anyio.CancelScope(shield=True)
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope(shield=True) as going:

            async def bounded() -> None:
                try:
                    await anyio.sleep_forever()
                finally:
                    left_s = FINISH_S if ends_s is None else ends_s - time.monotonic()
                    with waiting:
                        await anyio.sleep(min(max(left_s, 0.0), FINISH_S))
                    going.cancel()

            tasks.start_soon(bounded)
            try:
                came.append(await work())
            except Exception as exc:  # noqa: BLE001 - raised below; the task group would wrap it
                failed.append(exc)
            waiting.cancel()
        tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if not came:
        await anyio.lowlevel.checkpoint()  # cancelled
    return came[0]
