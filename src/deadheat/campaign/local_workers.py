"""The worker processes of one machine: started, spoken to, watched, ended.

Rules
- What a worker says, and that it has gone, arrives in one queue, in order for each worker.
- Workers are in process groups of their own: Ctrl-C in the terminal is the coordinator's alone.
  When the coordinator dies, their stdin ends, and so do they; their keepers end the servers.
- Only processes started here are signalled, by their own id.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from deadheat.campaign import protocol
from deadheat.campaign.scratch import remove_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A worker that was told to stop ends its server first (``GRACE_S`` of ``drive.server.process``, and
# a little).
STOPPING_S = 10.0
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A line from worker ``worker``; ``line`` None: it has ended, with these last words."""

    worker: str
    line: str | None
    last_words: str = ""


class Crew(Protocol):
    """The place where workers run. Names of workers are never used twice."""

    said: queue.Queue[WorkerLine]

    def start(self) -> str | None:
        """Start one more worker; returns its name, None when there is no room now."""
        ...

    def send(self, worker: str, order: protocol.WorkerOrder) -> None:
        """Send an order; harmless when the worker has gone."""
        ...

    def places(self) -> int:
        """The number of workers there is room for, running ones included."""
        ...

    def stop(self, worker: str) -> None:
        """Make sure that the worker ends soon."""
        ...

    def close(self) -> None:
        """End all workers that are left."""
        ...


def worker_command() -> list[str]:
    """How a worker process is started, on whatever machine this runs."""
    return [sys.executable, "-m", "deadheat.campaign.worker"]


class LocalCrew:
    """Worker processes on this machine."""

    def __init__(self, most: int) -> None:
        self.said: queue.Queue[WorkerLine] = queue.Queue()
        self._most = most
        self._number = 0
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def places(self) -> int:
        """The number that was asked for."""
        return self._most

    def start(self) -> str | None:
        """See ``Crew``."""
        self._number += 1
        name = f"w{self._number}"

        def said(line: str | None, last_words: str) -> None:
            self.said.put(WorkerLine(name, line, last_words))

        self._processes[name] = start_process(said)
        return name

    def send(self, worker: str, order: protocol.WorkerOrder) -> None:
        """See ``Crew``."""
        process = self._processes.get(worker)
        if process is not None and process.stdin is not None:
            tell(process.stdin, order)

    def pid(self, worker: str) -> int:
        """The process id of the worker."""
        return self._processes[worker].pid

    def stop(self, worker: str) -> None:
        """See ``Crew``."""
        process = self._processes.pop(worker, None)
        if process is not None:
            end_process(process)

    def close(self) -> None:
        """See ``Crew``."""
        ending = tuple(self._processes.values())
        self._processes.clear()
        for process in ending:
            _close(process)
        for process in ending:
            end_process(process)


def start_process(
    said: Callable[[str | None, str], None], command: Sequence[str] | None = None
) -> subprocess.Popen[str]:
    """Start a worker process; ``said`` gets each line, and at the end None with the last words."""
    process = subprocess.Popen(
        command or worker_command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr = process.stdout, process.stderr
    tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def read_tail() -> None:
        with stderr:
            tail.extend(stderr)

    reading = threading.Thread(target=read_tail, daemon=True)
    reading.start()

    def listen() -> None:
        with stdout:
            for line in stdout:
                said(line, "")
        process.wait()
        remove_of(process.pid)
        reading.join(1)
        ended = f"exit code {process.returncode}\n" if process.returncode else ""
        said(None, ended + "".join(tail))

    threading.Thread(target=listen, daemon=True).start()
    return process


def tell(stdin: IO[str], order: protocol.WorkerOrder) -> None:
    """Send an order; a worker that has gone reports that itself."""
    with contextlib.suppress(BrokenPipeError, ValueError):
        stdin.write(protocol.to_line(order) + "\n")
        stdin.flush()


def _close(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            process.stdin.close()


def end_process(process: subprocess.Popen[str]) -> None:
    """Let it end by itself, or else end it."""
    _close(process)
    try:
        process.wait(STOPPING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
