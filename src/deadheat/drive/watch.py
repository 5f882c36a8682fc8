"""The watch: when a call waits for too long, ask the server something else meanwhile.

Rules
- The control request has a connection of its own, so that only the server can hold it up.
- Time in which this process itself stood still (a machine too busy, or asleep) is not held
  against the server: the watch looks at its own clock, too.
- A call is given up a little after its bound, so that the control request is answered (or not)
  while it is still open.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import httpx

from deadheat.model.hangs import QUICK
from deadheat.model.history import Control

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

# How often it looks, in parts of the bound: twice in the time that a control request may take.
_LOOKS = QUICK / 2
_NS_PER_S = 1_000_000_000


def given_up_after_s(bound_s: float) -> float:
    """When to give up a call: late enough for a look and for the control request.

    As long again as that is for the answer to be read on a busy machine.
    """
    return bound_s * (1 + 2 * (_LOOKS + QUICK))


class Watch:
    """Watches the open calls of one executor. ``ask`` sends the control request and says what
    was answered; it may raise ``httpx.RequestError``."""

    def __init__(self, bound_s: float, ask: Callable[[], Awaitable[str]], tasks: TaskGroup) -> None:
        self._bound_s = bound_s
        self._ask = ask
        self._scope = anyio.CancelScope()
        self._open: dict[int, int] = {}  # number of the call: when its bound ends
        self._calls = 0
        self.controls: list[Control] = []
        tasks.start_soon(self._look)

    def began(self) -> int:
        """Note that a call is about to be sent; returns its number."""
        self._calls += 1
        self._open[self._calls] = time.monotonic_ns() + int(self._bound_s * _NS_PER_S)
        return self._calls

    def ended(self, call: int) -> None:
        """Note that the call was answered or given up."""
        self._open.pop(call, None)

    def end(self) -> None:
        """Stop watching."""
        self._scope.cancel()

    async def _look(self) -> None:
        every_s = self._bound_s * _LOOKS
        with self._scope:
            while True:
                before_ns = time.monotonic_ns()
                await anyio.sleep(every_s)
                now_ns = time.monotonic_ns()
                late_ns = now_ns - before_ns - int(every_s * _NS_PER_S)
                if late_ns > every_s * _NS_PER_S:
                    self._open = {call: due + late_ns for call, due in self._open.items()}
                due = [call for call, due_ns in self._open.items() if due_ns <= now_ns]
                if due:
                    self.controls.append(await self._control())
                    for call in due:  # once for each: it is given up soon
                        self._open.pop(call, None)

    async def _control(self) -> Control:
        bound_ns = int(self._bound_s * _NS_PER_S)
        call_ns = time.monotonic_ns()
        answer: str | None = None
        try:
            with anyio.move_on_after(self._bound_s * QUICK):
                answer = await self._ask()
        except httpx.RequestError:  # refused or reset is no answer
            answer = None
        return_ns = None if answer is None else time.monotonic_ns()
        return Control(bound_ns, call_ns, return_ns, answer or "")
