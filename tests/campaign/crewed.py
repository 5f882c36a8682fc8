"""A crew of workers that say what the test writes, on a clock that the test moves."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.campaign import protocol
from deadheat.campaign.coordinator import Coordinator
from deadheat.campaign.local_workers import WorkerLine
from deadheat.campaign.worker_count import WorkerCount

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.campaign.store import Store
    from deadheat.run.events import Event


@dataclass(slots=True)
class FakeCrew:
    """Each worker answers an order at once, as ``answer`` says."""

    answer: Callable[[FakeCrew, str, protocol.WorkerOrder], None]
    said: queue.Queue[WorkerLine] = field(default_factory=queue.Queue)
    most: int = 1
    started: list[str] = field(default_factory=list)
    orders: list[tuple[str, protocol.WorkerOrder]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    greeting: dict[str, str] = field(default_factory=protocol.versions)
    begun: protocol.Message = field(
        default_factory=lambda: protocol.Ready("some promises", ("create", "delete"), False)
    )

    def places(self) -> int:
        return self.most

    def start(self) -> str:
        name = f"w{len(self.started) + 1}"
        self.started.append(name)
        self.say(name, protocol.Hello(self.greeting, 1, "here"))
        return name

    def say(self, name: str, message: protocol.Message) -> None:
        self.said.put(WorkerLine(name, protocol.to_line(message)))

    def die(self, name: str, words: str = "") -> None:
        self.said.put(WorkerLine(name, None, words))

    def send(self, worker: str, order: protocol.WorkerOrder) -> None:
        self.orders.append((worker, order))
        match order:
            case protocol.Begin():
                self.say(worker, self.begun)
                if isinstance(self.begun, protocol.Failed):
                    self.die(worker)
            case protocol.Stop():
                self.say(worker, protocol.WorkerEnded())
                self.die(worker)
            case _:
                self.answer(self, worker, order)

    def stop(self, worker: str) -> None:
        if worker not in self.stopped:
            self.stopped.append(worker)
            self.die(worker, "ended")

    def close(self) -> None:
        pass

    def of(self, kind: type[protocol.WorkerOrder]) -> list[protocol.WorkerOrder]:
        return [order for _, order in self.orders if isinstance(order, kind)]


@dataclass(slots=True)
class Clock:
    """Moves by a bit whenever it is asked."""

    now_s: float = 0.0
    step_s: float = 0.01

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def coordinator(
    store: Store, crew: FakeCrew, told: list[Event], clock: Callable[[], float] | None = None
) -> Coordinator:
    return Coordinator(
        store,
        crew,
        WorkerCount(crew.most, crew.most),
        clock or Clock(),
        lambda event, _at_s: told.append(event),
        lambda: None,
        lambda: 0,
    )


def did(share: protocol.Share, position: int, **more: object) -> protocol.WorkDone:
    counts = {"programs": 1, "trials": 1, "requests": 5}
    return protocol.WorkDone(share.number, position, share.skip + position, counts, {}, {}, **more)  # type: ignore[arg-type]


def works(crew: FakeCrew, worker: str, order: protocol.WorkerOrder) -> None:
    """Runs every share to its end, and finds nothing."""
    if isinstance(order, protocol.Share):
        for n in range(order.programs):
            crew.say(worker, did(order, n + 1))
