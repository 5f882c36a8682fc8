"""A night's worth of programs: memory of the coordinator and size of the store stay bounded.

    python tests/quality/long_campaign.py                    # 200,000 programs
    python tests/quality/long_campaign.py --programs 20000

The whole campaign runs (coordinator, store, a worker with engine, checker, steering) but for HTTP:
the target is the server in memory of the engine's tests, which loses a delete now and then, and the
programs are 1,000 drawn ones, over and over, as drawing 200,000 would take longer than running
them. Coordinator and worker are two processes, as in life. It is over in minutes, so it has
fewer samples of the charts than a night has: those are bounded in tests/campaign/test_store.py.
Prints the memory of the coordinator and the size of the store as it grows; exit
code 1 when the second half adds more than a tenth to either.
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from deadheat.campaign import protocol
from deadheat.campaign.coordinator import Coordinator
from deadheat.campaign.local_workers import WorkerLine, start_process, tell
from deadheat.campaign.rows import Settings
from deadheat.campaign.run import REPORT, resident_bytes
from deadheat.campaign.store import Store
from deadheat.campaign.worker import Worker
from deadheat.campaign.worker_count import WorkerCount
from deadheat.generate.source import ProgramSource
from deadheat.report.html import campaign_page
from deadheat.run.events import Snapshot

if TYPE_CHECKING:
    import subprocess

    from deadheat.run.events import Event

_DRAWN = 1_000
_RATE = 0.02  # of trials whose race loses a delete
_MOST_GROWTH = 1.1


def work() -> None:
    """The worker process: as ``campaign.worker``, on a server in memory."""
    from tests.run.simulated import SimulatedTarget

    lock = threading.Lock()

    def say(message: protocol.Message) -> None:
        with lock:
            sys.stdout.write(protocol.to_line(message) + "\n")
            sys.stdout.flush()

    say(protocol.Hello(protocol.versions(), os.getpid(), "here"))
    begin = protocol.from_line(sys.stdin.readline())
    inbox: queue.SimpleQueue[protocol.WorkerOrder] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            inbox.put(protocol.from_line(line))
        inbox.put(protocol.Stop())

    threading.Thread(target=listen, daemon=True).start()
    programs = list(itertools.islice(ProgramSource(7), _DRAWN))
    live = SimulatedTarget(random.Random(1), _RATE)
    say(protocol.Ready("scripted", ("create", "delete", "get", "list"), False))
    with tempfile.TemporaryDirectory() as folder:

        def again(*_: object) -> itertools.cycle[object]:
            return itertools.cycle(programs)

        worker = Worker(begin, live.as_live(), inbox, say, Path(folder), live.clock, again)  # type: ignore[arg-type]
        anyio.run(worker.run)
    say(protocol.WorkerEnded())


class OneWorker:
    """A crew of one, whose process is this file with ``--worker``."""

    def __init__(self) -> None:
        self.said: queue.Queue[WorkerLine] = queue.Queue(maxsize=10_000)
        self._process: subprocess.Popen[str] | None = None

    def places(self) -> int:
        return 1

    def start(self) -> str | None:
        if self._process is not None:
            return None
        command = [sys.executable, __file__, "--worker"]
        self._process = start_process(
            lambda line, words: self.said.put(WorkerLine("w1", line, words)), command
        )
        return "w1"

    def send(self, _worker: str, order: protocol.WorkerOrder) -> None:
        if self._process is not None and self._process.stdin is not None:
            tell(self._process.stdin, order)

    def stop(self, _worker: str) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop("w1")


def size_of(folder: Path) -> int:
    """Bytes in the store."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=200_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work()
        return
    settings = Settings(
        word="scripted", profile=None, allow_remote=False, seed=7, seconds=None,
        programs=given.programs, keep=200, recycle_programs=2_000, recycle_bytes=0,
        began="2026-01-01 00:00:00",
    )  # fmt: skip
    grown: list[tuple[int, int, int]] = []
    print("| programs | coordinator | store | kinds of overlap | divergences |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "campaign"

        def show(snapshot: Event, _at_s: float) -> None:
            step = given.programs // 10
            if not isinstance(snapshot, Snapshot):
                return
            if snapshot.programs >= step * (len(grown) + 1):
                grown.append((snapshot.programs, resident_bytes(), size_of(folder)))
                print(
                    f"| {snapshot.programs:,} | {grown[-1][1] / 1e6:.1f} MB | "
                    f"{grown[-1][2] / 1e6:.2f} MB | {snapshot.overlaps} | "
                    f"{len(snapshot.findings)} |",
                    flush=True,
                )

        with Store(folder, settings) as store:
            began_s = time.monotonic()
            error = Coordinator(
                store,
                OneWorker(),
                WorkerCount(1, 1),
                time.monotonic,
                show,
                lambda: void(store.write_text(REPORT, campaign_page(store.record()))),
                resident_bytes,
            ).run()
            took_s = time.monotonic() - began_s
            report = (folder / REPORT).stat().st_size
    if error is not None:
        sys.exit(str(error))
    half, end = grown[len(grown) // 2 - 1], grown[-1]
    memory, disk = end[1] / half[1], end[2] / half[2]
    print(
        f"\n{given.programs:,} programs in {took_s:.0f} s; the second half added "
        f"{memory - 1:.1%} to the coordinator's memory and {disk - 1:.1%} to the store; "
        f"report.html {report / 1e3:.0f} kB"
    )
    sys.exit(memory > _MOST_GROWTH or disk > _MOST_GROWTH)


def void(_: object) -> None:
    """For a callback that must return nothing."""


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
