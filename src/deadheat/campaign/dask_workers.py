"""The same workers on a Dask cluster: one for each Dask worker.

Rules
- A task is pinned to one Dask worker, starts one worker process there, and carries lines both
  ways through two queues of the scheduler. It is never run again elsewhere: what is left of a lost
  worker's share is dealt anew by the coordinator.
- Plain text only crosses the network. What a worker says is in the coordinator's store as soon
  as it has arrived.
- The process is the one that runs on a single machine, so that no thread of Dask's disturbs the
  timing of a race; it ends when its task, its Dask worker or the coordinator does.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import socket
import threading
import time
from typing import Any

from deadheat.campaign import protocol
from deadheat.campaign.local_workers import WorkerLine, end_process, start_process, tell
from deadheat.errors import StartFailed, UserError

# How long a line may wait for others that go with it.
_BATCH_S = 0.05
_MOST_LINES = 500
# How often it is looked whether Dask workers have come or gone.
_LOOK_S = 1.0
_CONNECT_S = 10.0
# A task says this now and then; without it for so long its worker is taken for lost.
_BEAT_S = 2.0
_SILENT_S = 15.0
_ALIVE, _END = "", "end"


class ClusterCrew:
    """One worker for each Dask worker at ``address``; ``local`` starts a cluster here.

    ``workers``: at most so many; None: all there are. Raises ``UserError``, ``StartFailed``.
    """

    def __init__(self, address: str, workers: int | None) -> None:
        self.said: queue.Queue[WorkerLine] = queue.Queue()
        distributed = _distributed()
        self._cluster: Any = None
        if address == "local":
            self._cluster = distributed.LocalCluster(
                n_workers=workers or 2,
                threads_per_worker=2,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
            )
            address = self._cluster.scheduler_address
        try:
            self._client: Any = distributed.Client(address, timeout=_CONNECT_S)
        except (OSError, TimeoutError, ValueError) as exc:
            raise StartFailed(
                f"no Dask scheduler answers at {address} ({type(exc).__name__}). Start one with "
                "`dask scheduler`, or write --cluster local."
            ) from exc
        self.most = workers or 10_000
        self._run = secrets.token_hex(4)
        self._number = 0
        self._tasks: dict[str, Any] = {}  # by worker
        self._where: dict[str, str] = {}  # the Dask worker's address
        self._orders: dict[str, Any] = {}
        self._heard_s: dict[str, float] = {}
        self._news: Any = distributed.Queue(f"deadheat-{self._run}-said", client=self._client)
        self._closing = threading.Event()
        self._beaten_s = 0.0
        self._addresses: tuple[str, ...] = self._look()
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def places(self) -> int:
        """The number of Dask workers."""
        return min(self.most, len(self._addresses))

    def start(self) -> str | None:
        """See ``Crew``."""
        distributed = _distributed()
        taken = set(self._where.values())
        free = next((address for address in self._addresses if address not in taken), None)
        if free is None:
            return None
        self._number += 1
        name = f"w{self._number}"
        orders = f"deadheat-{self._run}-{name}"
        self._orders[name] = distributed.Queue(orders, client=self._client)
        self._where[name], self._heard_s[name] = free, time.monotonic()
        self._tasks[name] = self._client.submit(
            carry,
            name,
            orders,
            f"deadheat-{self._run}-said",
            key=orders,
            workers=[free],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        return name

    def send(self, worker: str, order: protocol.WorkerOrder) -> None:
        """See ``Crew``."""
        orders = self._orders.get(worker)
        if orders is not None:
            with contextlib.suppress(OSError, TimeoutError):
                orders.put(protocol.to_line(order), timeout=_CONNECT_S)

    def stop(self, worker: str) -> None:
        """See ``Crew``."""
        task = self._tasks.pop(worker, None)
        self._where.pop(worker, None)
        self._heard_s.pop(worker, None)
        orders = self._orders.pop(worker, None)
        if orders is not None:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                orders.put(_END, timeout=_CONNECT_S)
        if task is not None:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                task.cancel()

    def close(self) -> None:
        """See ``Crew``."""
        for worker in tuple(self._tasks):
            self.stop(worker)
        self._closing.set()
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            self._client.close(timeout=_CONNECT_S)
            if self._cluster is not None:
                self._cluster.close(timeout=_CONNECT_S)

    # --- threads ----------------------------------------------------------------------------

    def _listen(self) -> None:
        """Receive batches of lines from all tasks."""
        while not self._closing.is_set():
            try:
                batch = self._news.get()  # one with a timeout fills the scheduler's log
            except Exception:  # noqa: BLE001 - the client is closing, or the scheduler has gone
                if self._closing.is_set():
                    return
                time.sleep(_LOOK_S)
                continue
            for name, line, last_words in batch:
                self._heard_s[name] = time.monotonic()
                if line != _ALIVE:
                    self.said.put(WorkerLine(name, line, last_words))

    def _watch(self) -> None:
        """Follow the Dask workers that come and go, with the workers on them."""
        while not self._closing.wait(_LOOK_S):
            try:
                self._addresses = self._look()
            except Exception:  # noqa: BLE001 - asked again in a second; silence counts below
                self._addresses = ()
            now_s = time.monotonic()
            for name, address in tuple(self._where.items()):
                silent = now_s - self._heard_s.get(name, now_s) > _SILENT_S
                if address not in self._addresses and silent:
                    why = "nothing was heard of it"
                elif address not in self._addresses and self._addresses:
                    why = "it has left the cluster"
                else:
                    continue
                self._where.pop(name, None)
                self.said.put(WorkerLine(name, None, f"{address}: {why}"))
            self._beat(now_s)

    def _beat(self, now_s: float) -> None:
        """Tell the tasks that the coordinator still lives."""
        if now_s - self._beaten_s >= _BEAT_S:
            self._beaten_s = now_s
            for orders in tuple(self._orders.values()):
                with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                    orders.put(_ALIVE, timeout=_CONNECT_S)

    def _look(self) -> tuple[str, ...]:
        return tuple(sorted(self._client.scheduler_info(n_workers=-1)["workers"]))


def carry(name: str, orders_name: str, said_name: str) -> str:
    """The Dask task: runs a worker process, and carries its lines both ways."""
    distributed = _distributed()
    client = distributed.get_client()
    orders = distributed.Queue(orders_name, client=client)
    said = distributed.Queue(said_name, client=client)
    lines: queue.SimpleQueue[tuple[str, str | None, str]] = queue.SimpleQueue()
    ended = threading.Event()

    def hear(line: str | None, last_words: str) -> None:
        lines.put((name, line, f"{socket.gethostname()}: {last_words}"))
        if line is None:
            ended.set()

    process = start_process(hear)
    stdin = process.stdin
    assert stdin is not None
    heard = [time.monotonic()]

    def obey() -> None:
        while (line := orders.get()) != _END:
            heard[0] = time.monotonic()
            if line != _ALIVE:
                tell(stdin, protocol.from_line(line))
        ended.set()

    obeying = threading.Thread(target=obey, daemon=True)
    sending = threading.Thread(target=_send, args=(lines, said, name, ended), daemon=True)
    obeying.start()
    sending.start()
    try:
        while not ended.wait(_LOOK_S):
            if time.monotonic() - heard[0] > _SILENT_S:  # the coordinator has gone
                break
    finally:
        end_process(process)
        ended.set()
        sending.join(_CONNECT_S)
        orders.put(_END)  # so that no task waits for ever
    return name


def _send(
    lines: queue.SimpleQueue[tuple[str, str | None, str]],
    said: Any,
    name: str,
    ended: threading.Event,
) -> None:
    """Send lines in batches, as each costs a round trip; a sign of life when there are none."""
    last_s = time.monotonic()
    while True:
        batch: list[tuple[str, str | None, str]] = []
        with contextlib.suppress(queue.Empty):
            batch.append(lines.get(timeout=_BATCH_S))
            while len(batch) < _MOST_LINES:
                batch.append(lines.get_nowait())
        if not batch and ended.is_set():
            return
        if not batch and time.monotonic() - last_s >= _BEAT_S:
            batch = [(name, _ALIVE, "")]
        if batch:
            last_s = time.monotonic()
            said.put(batch)
            if batch[-1][1] is None:
                return


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as exc:
        raise UserError(
            "--cluster needs Dask. Install it: pip install 'deadheat[cluster]'."
        ) from exc
    return distributed
