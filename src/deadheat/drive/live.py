"""A target that is up: its server process if we manage one, its executor, and its death.

Rules
- Before anything races, it is rehearsed (``drive.rehearsal``).
- On a server that others use too, nothing races where an id may come back: it could be theirs.
- A managed server that has died is started again, so the search goes on; one in which a call
  hangs is, too, as what hangs there may hold up every later trial. A server that we do not manage
  is rehearsed again then, and the run ends if it has not recovered.
- A server that answers no client, not even the control request, is given its bound once more: a
  slow machine comes back, and then nothing is said of it.
- A server that we do not manage and that cannot be reached any more ends the run.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.executor import Execution, Executor
from deadheat.drive.handshake import (
    IdReuse,
    given_again,
)
from deadheat.drive.ownership import Ownership
from deadheat.drive.rehearsal import Rehearsal
from deadheat.drive.retries import Retries
from deadheat.drive.server.process import ServerProcess
from deadheat.drive.wire.decoding import too_large_at_rest
from deadheat.errors import NotCleaned, NotThisApi, StartFailed, TargetDied, TooLarge
from deadheat.model.hangs import answers_nobody, hangs
from deadheat.model.history import Fail, Info, Ok, Operation, Unknown
from deadheat.model.promises import IdPromise, Promises, UpdatePromise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from deadheat.drive.target import Target
    from deadheat.model.hiccups import Hiccup
    from deadheat.model.program import Program

# A connection is seen to break some milliseconds before the process is seen to end.
_DEATH_SHOWS_WITHIN_S = 0.5
# A managed server that dies more often than this in a row, in trials in which it answered nothing
# at all. Each time it was started again and its rehearsal worked, and the smallest program that
# kills a server may well get no answer: confirming one takes some tries.
_DEATHS_IN_A_ROW = 20
# One that falls silent costs a timeout for each call: fewer tries.
_SILENT_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class Death:
    """The managed server ended during a trial; ``silent``: it runs, and answers no client."""

    exit_code: int | None
    log_tail: str
    silent: bool = False


class LiveTarget:
    """An open target, as the engine uses it. Made by ``open_target``."""

    def __init__(
        self,
        target: Target,
        process: ServerProcess | None,
        run: str,
        tasks: TaskGroup | None = None,
        *,
        ends_s: float | None = None,
    ) -> None:
        self.target = target
        self._ends_s = ends_s
        self._tasks = tasks
        self.promises: Promises = target.promises
        self.restarts = 0
        self.base_url = ""
        self.recycled = 0
        self._process = process
        self._notes = None if target.journal is None else target.journal.begin(run)
        self._ownership = Ownership(
            run,
            chooses=target.chosen_ids,
            notes=self._notes,
            alone=target.exclusive,
            again=target.promises.ids is IdPromise.REUSED,
            unique=target.unique_ids,
            titled=target.promises.update is not UpdatePromise.NONE,
        )
        self._executor: Executor | None = None
        self._requests_before = 0
        self._left_before: tuple[str, ...] = ()
        self._deaths_in_a_row = 0
        self._down = False
        self._retries = Retries()

    @property
    def met(self) -> tuple[Hiccup, ...]:
        """The hiccups of the handshakes."""
        return tuple(self._retries.met)

    @property
    def requests(self) -> int:
        """Requests sent so far, over all restarts."""
        now = self._executor.requests if self._executor else 0
        return self._requests_before + now

    @property
    def left_behind(self) -> tuple[str, ...]:
        """How many of our sessions could not be deleted."""
        now = self._executor.left_behind if self._executor else ()
        return self._left_before + now

    async def connect(self, base_url: str) -> None:
        """Look around, and see that the API works one call at a time. Raises ``NotThisApi``."""
        self.base_url = base_url
        self._executor = Executor(
            base_url, self.target, self._ownership, self._tasks, ends_s=self._ends_s
        )
        if self._ownership.again and not self._ownership.alone and not self.target.chosen_ids:
            raise NotThisApi(given_again(self.target.name, IdReuse.AGAIN))
        rehearsal = Rehearsal(
            self.target, self._executor, self._ownership, self._retries, self.promises
        )
        self.promises = await rehearsal.go()

    async def execute(
        self, program: Program, *, patient: bool = False, listen: bool = True
    ) -> tuple[Execution, Death | None]:
        """Run ``program`` once. A managed server that died is started again before the next.

        ``patient``: wait for the settle time, though all looks settled. ``listen``: to the event
        stream, if there is one.
        Not at once: the death is the finding, and must not wait for a start that may fail.
        Raises ``TargetDied`` when it cannot be brought back, or is not ours to bring back.
        """
        if self._down:
            await self._restart()
            self._down = False
        if self._executor is None:
            raise TargetDied("The target is not connected. Open it first.")
        execution = await self._executor.run(program, patient=patient, listen=listen)
        if (again := self._ownership.came_back) is not None:
            raise NotThisApi(given_again(self.target.name, IdReuse.AGAIN, again))
        if what := too_large_at_rest(execution.history):
            raise TooLarge(
                f"{self.target.name} answered its list with {what}: that cannot be judged. "
                "Give it an empty or smaller collection, or name an address that lists less."
            )
        answered = any(_answered(op) for op in execution.history.operations)
        lost = not all(_answered(op) for op in execution.history.operations)
        ended = self._process is not None and not self._process.alive
        death = await self._death() if lost or ended else None
        if death is None and answers_nobody(execution.history):
            death = await self._silence()
        if death is None:
            if hangs(execution.history):
                self._deaths_in_a_row = 0
                self._down = True
                return execution, None
            if answered:
                self._deaths_in_a_row = 0
            else:
                self._nobody_answers()
            return execution, None
        self._deaths_in_a_row = 0 if answered else self._deaths_in_a_row + 1
        if self._deaths_in_a_row >= _DEATHS_IN_A_ROW:
            raise TargetDied(
                f"{self.target.name} died {_DEATHS_IN_A_ROW} times in a row. "
                f"Look at its log: {death.log_tail[-300:]}"
            )
        self._down = True
        return execution, death

    async def _death(self) -> Death | None:
        process = self._process
        if process is None:
            return None
        if process.alive and await process.exited(_DEATH_SHOWS_WITHIN_S) is None:
            return None
        return Death(process.exit_code, process.log_tail())

    async def _silence(self) -> Death | None:
        """Does the managed server still answer no client, a whole bound later?"""
        process, executor = self._process, self._executor
        if process is None or executor is None or await executor.answers(self.target.timeout_s):
            return None
        return Death(process.exit_code, process.log_tail(), silent=process.alive)

    def _nobody_answers(self) -> None:
        self._deaths_in_a_row += 1
        if self._process is None:
            raise TargetDied(
                f"{self.target.name} does not answer any more. "
                "Start the server again, then replay what was saved."
            )
        if self._deaths_in_a_row >= _SILENT_IN_A_ROW:
            raise TargetDied(
                f"{self.target.name} runs but has stopped answering. Run it again, or report it."
            )
        self._down = True

    @property
    def resident_bytes(self) -> int | None:
        """Memory of the managed server; None when it is not ours, or cannot be told."""
        return None if self._process is None else self._process.resident_bytes()

    async def recycle(self) -> None:
        """Stop a managed server and start it with a fresh home: leaks are gone.

        No death, so it counts as a recycling. Raises ``TargetError``.
        """
        if self._process is not None and not self._down:
            await self.disconnect()
            await self.connect(await self._process.restart())
            self.recycled += 1

    async def _restart(self) -> None:
        await self.disconnect()
        if self._process is None:
            await self._look_again()
            return
        self.restarts += 1
        await self.connect(await self._process.restart())

    async def _look_again(self) -> None:
        """A call hung on a server that is not managed: can it be used any further?

        What still waits there may hold up calls that are innocent.
        """
        try:
            await self.connect(self.base_url)
        except NotThisApi as exc:
            raise TargetDied(
                f"{self.target.name} has not recovered from a call that hung ({exc}) "
                "Start the server again, then replay what was saved."
            ) from exc

    async def disconnect(self) -> None:
        """Close all connections."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        with anyio.CancelScope(shield=True):  # nobody would clean up again
            async with executor:  # closed also where the cleaning fails
                if self.target.launch is None:  # a managed server takes all that is left with it
                    await executor.leave_nothing()
                self._requests_before += executor.requests
                self._left_before += executor.left_behind

    async def leave(self) -> None:
        """Close everything, and note what may be left."""
        try:
            await self.disconnect()
        finally:
            self._end()

    def _end(self) -> None:
        if self._notes is not None:
            self._notes.end(in_doubt=self._ownership.in_doubt)


def _answered(op: Operation) -> bool:
    """Is the answer complete? A dying server breaks off, or answers 5xx."""
    match op.outcome:
        case Ok():
            return True
        case Fail() | Info(Unknown.UNCLEAR):
            return op.status is not None
        case _:
            return False


def _of_the_end(exc: Exception, target: Target) -> Exception:
    """The error to report when the machine failed during the end of a run."""
    if not isinstance(exc, OSError):
        return exc
    then = "Look at the server" if target.journal is None else "Try `deadheat cleanup`"
    return NotCleaned(
        f"{target.name} could not be left as it was ({exc.strerror or exc}): sessions of this run, "
        f"or its server, may still be there. {then}."
    )


@asynccontextmanager
async def open_target(
    target: Target, run: str, *, ends_s: float | None = None
) -> AsyncIterator[LiveTarget]:
    """Start (or reach) the target; stop and clean up on every way out.

    ``run`` is a random token that marks this run's sessions. ``ends_s``: a hard limit, also on
    the stop of its server, on the clock of ``time.monotonic``. Raises ``TargetError``.
    """
    launch = target.launch
    process = ServerProcess(launch, ends_s=ends_s) if launch is not None else None
    failures: list[Exception] = []
    cut_off = False
    async with anyio.create_task_group() as tasks:
        live = LiveTarget(target, process, run, tasks, ends_s=ends_s)
        try:
            if process is not None:
                base_url = await process.start()
            elif target.base_url is not None:
                base_url = target.base_url
            else:
                raise StartFailed(f"{target.name} has neither a command nor an address. Give one.")
            await live.connect(base_url)
            yield live
        except Exception as exc:  # noqa: BLE001 - raised below; the task group would wrap it
            failures.append(exc)
        except BaseException:
            cut_off = True
            raise
        finally:
            with anyio.CancelScope(shield=True):
                for last in (live.leave, None if process is None else process.stop):
                    try:
                        if last is not None:
                            await last()
                    except Exception as exc:  # noqa: BLE001 - raised below
                        failures.append(_of_the_end(exc, target))
            tasks.cancel_scope.cancel()
            if cut_off and failures:
                raise failures[0]
    if failures:
        raise failures[0]
