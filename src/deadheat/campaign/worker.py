"""A worker of a campaign: one process, one server of its own, one search.

Rules
- Orders come in on stdin, messages go out on stdout, a line each (``protocol``); nothing else is
  written there. When stdin ends the coordinator is gone, and so is this process.
- A finding is reported the moment that it is observed, and pursued only when the coordinator
  says so: one worker for one finding.
- After each program everything counted so far has been sent: a worker that is lost loses the
  program in flight.
- It touches no store. What it saves goes into a temporary folder, which goes with it.
"""

from __future__ import annotations

import os
import queue
import random
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, assert_never

from deadheat.campaign import protocol
from deadheat.campaign.scratch import scratch
from deadheat.campaign.trial_counts import TrialCounter
from deadheat.drive.event_loop import run_until
from deadheat.errors import DeadheatError, ExitCode
from deadheat.files import artifact as artifacts
from deadheat.generate.source import ProgramSource
from deadheat.run import events
from deadheat.run.engine import Engine
from deadheat.run.limits import opened
from deadheat.run.plan import Plan
from deadheat.targets.catalog import STORE, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.model.program import Program

# Often enough for a view that moves, seldom enough to cost nothing.
_DOING_EVERY_S = 0.25
# Waiting for the next share; nothing is in flight then.
_LOOK_AGAIN_S = 0.05


def source(target: Target, seed: int, share: int) -> Iterable[Program]:
    """The programs of one share: determined by the seed and the share's number alone."""
    own = random.Random(f"{seed} share {share}").getrandbits(64)
    return ProgramSource(own, kinds=target.kinds, families=target.families, custom=target.custom)


class Worker:
    """The search of one worker, on a target that is up."""

    def __init__(
        self,
        begin: protocol.Begin,
        live: LiveTarget,
        inbox: queue.SimpleQueue[protocol.WorkerOrder],
        say: Callable[[protocol.Message], None],
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        programs_of: Callable[[Target, int, int], Iterable[Program]] = source,
    ) -> None:
        self._begin = begin
        self._live = live
        self._inbox = inbox
        self._say = say
        self._folder = folder
        self._clock = clock
        self._programs_of = programs_of
        self._rng = random.Random(begin.seed)
        self._told_s = 0.0
        self._stopped = False
        self._pursuits: list[protocol.Pursue] = []
        self._shares: list[protocol.Share] = []
        self._counting = TrialCounter(live, say, begin.seed, begin.learned)
        self._engine = self._new_engine(None)

    def _new_engine(self, seconds: float | None) -> Engine:
        plan = Plan(self._begin.seed, self._folder, seconds=seconds, exit_first=True)
        return Engine(self._live, plan, (), self._clock, self._tell, self._counting.watch)

    async def run(self) -> None:
        """Search until told to stop, or until the target cannot be used (``TargetError``)."""
        while True:
            self._hear()
            if self._stopped:
                return
            if self._pursuits:
                await self._pursue(self._pursuits.pop(0))
            elif self._shares:
                await self._work_on(self._shares.pop(0))
            else:
                self._wait()

    # --- orders -----------------------------------------------------------------------------

    def _hear(self) -> None:
        while not self._inbox.empty():
            self._obey(self._inbox.get())

    def _wait(self) -> None:
        try:
            self._obey(self._inbox.get(timeout=_LOOK_AGAIN_S))
        except queue.Empty:
            return

    def _obey(self, order: protocol.WorkerOrder) -> None:
        match order:
            case protocol.Share():
                self._shares.append(order)
            case protocol.Pursue():
                self._pursuits.append(order)
            case protocol.CountFinding():
                self._know(order)
            case protocol.ForgetFinding(key):
                self._counting.forget(key)
            case protocol.SeenElsewhere(overlaps):
                self._counting.no_news(overlaps)
            case protocol.Stop():
                self._stopped = True
            case protocol.Begin():
                raise ValueError("begun already")
            case _:
                assert_never(order)

    def _know(self, order: protocol.CountFinding) -> None:
        artifact = artifacts.from_json(order.artifact, order.key)
        self._engine.know(artifact, self._folder / f"known-{artifact.filename}")
        self._counting.know(order, artifact)

    # --- work -------------------------------------------------------------------------------

    async def _work_on(self, share: protocol.Share) -> None:
        fresh = self._fresh(share)
        self._counting.begin_share(share)
        self._rng = random.Random(f"{self._begin.seed} mutations of {share.number}")
        while self._counting.position < share.programs and not self._stopped:
            program = self._counting.next(self._rng)
            if program is None:
                program = next(fresh, None)
                if program is None:
                    return
                self._counting.drew()
                if not self._counting.worth_running(program, self._rng):
                    continue
            began_s = self._clock()
            await self._engine.search(program)
            self._counting.searched(self._engine.summary(), self._clock() - began_s)
            await self._look_after_the_server()
            self._hear()
            while self._pursuits and not self._stopped:
                await self._pursue(self._pursuits.pop(0))

    def _fresh(self, share: protocol.Share) -> Iterator[Program]:
        programs = iter(self._programs_of(self._live.target, self._begin.seed, share.number))
        for _ in range(share.skip):
            next(programs, None)
        return programs

    async def _pursue(self, order: protocol.Pursue) -> None:
        artifact = artifacts.from_json(order.artifact, order.key)
        engine = self._new_engine(order.seconds)
        for known in self._counting.artifacts():
            engine.know(known, self._folder / f"known-{known.filename}")
        path = self._folder / f"before-{artifact.filename}"
        with self._counting.pursuing(order.key, engine):
            await engine.shrink_again(artifact, path)
        self._counting.pursued(order.key, engine, artifacts.signature_of(artifact))

    async def _look_after_the_server(self) -> None:
        begin = self._begin
        server_bytes = self._live.resident_bytes or 0
        self._counting.server_bytes = server_bytes
        old = begin.recycle_programs and self._counting.since_start >= begin.recycle_programs
        large = begin.recycle_bytes and server_bytes > begin.recycle_bytes
        if old or large:
            before = self._live.recycled
            await self._live.recycle()
            if self._live.recycled > before:
                self._say(protocol.ServerRestarted(died=False, log_tail=""))
            self._counting.since_start = 0

    def _tell(self, event: events.Event) -> None:
        match event:
            case events.Progress(phase=phase, detail=detail):
                now_s = self._clock()
                if now_s - self._told_s >= _DOING_EVERY_S:
                    self._told_s = now_s
                    self._say(protocol.Activity(phase.value, detail))
            case events.DivergenceFound(path=path):
                self._counting.found(artifacts.read(path))
                path.unlink(missing_ok=True)  # the coordinator's store has it now
            case events.Shrunk(signature=signature):
                self._counting.shrunk(signature)
            case events.TargetRestarted(log_tail=log_tail):
                self._counting.since_start = 0
                self._say(protocol.ServerRestarted(died=True, log_tail=log_tail))
            case _:  # what is saved is told at the end of its pursuit
                pass


def main() -> None:
    """The process: read orders, say messages, end with the server stopped."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a stray print must not be taken for a message
    # Ctrl-C is the coordinator's; SIGTERM is for ``run_until`` alone, never between its ends.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lock = threading.Lock()

    def say(message: protocol.Message) -> None:
        with lock:
            try:
                out.write(protocol.to_line(message) + "\n")
                out.flush()
            except BrokenPipeError:  # the reader has gone; stdin has ended too
                os.kill(os.getpid(), signal.SIGTERM)

    say(protocol.Hello(protocol.versions(), os.getpid(), socket.gethostname()))
    first = sys.stdin.readline()
    if not first.strip():
        return
    begin = protocol.from_line(first)
    inbox: queue.SimpleQueue[protocol.WorkerOrder] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, inbox), daemon=True).start()

    async def work() -> None:
        target = resolve(
            begin.word,
            profile=begin.profile,
            allow_remote=begin.allow_remote,
            http2=begin.http2,
            store=Path(begin.store) if begin.store else STORE,
        )
        target = replace(target, max_rps=begin.max_rps)
        with scratch() as folder:
            async with opened(target) as live:
                kinds = tuple(sorted(kind.value for kind in target.kinds))
                kinds += tuple(dict.fromkeys(call.name for call in target.custom))
                say(protocol.Ready(str(live.promises), kinds, target.families))
                await Worker(begin, live, inbox, say, folder).run()

    error = _worked(work)
    if error is None:
        say(protocol.WorkerEnded())
        return
    tail = getattr(error, "log_tail", "")
    say(protocol.Failed(type(error).__name__, str(error), int(error.exit_code), tail))
    sys.exit(error.exit_code)


def _worked(work: Callable[[], object]) -> DeadheatError | None:
    try:
        _, error = run_until(work, None)  # type: ignore[arg-type]
    except DeadheatError as exc:
        return exc
    return error


def _listen(stdin: TextIO, inbox: queue.SimpleQueue[protocol.WorkerOrder]) -> None:
    """Stop at once on an order to stop, even during a pursuit."""
    for line in stdin:
        order = protocol.from_line(line)
        inbox.put(order)
        if isinstance(order, protocol.Stop):
            break
    inbox.put(protocol.Stop())  # an idle worker looks here, and would not see the signal
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(ExitCode.INTERRUPTED)
