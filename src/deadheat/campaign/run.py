"""A whole campaign: the store, the crew, signals, views, the report, and the exit code.

Rules
- SIGINT and SIGTERM end it cleanly; what was found is kept. A second one is not needed, and
  does no harm.
- An error's exit code is the campaign's, with findings too: a night that was cut short by a dead
  target or a full disk must not look like one that ended.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.campaign.coordinator import Coordinator
from deadheat.campaign.local_workers import LocalCrew
from deadheat.campaign.store import Store
from deadheat.campaign.worker_count import WorkerCount
from deadheat.errors import ExitCode
from deadheat.report.html import campaign_page
from deadheat.run.exercised import nothing_exercised, of_campaign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deadheat.campaign.local_workers import Crew
    from deadheat.campaign.rows import Settings
    from deadheat.errors import DeadheatError
    from deadheat.files.results import CampaignRecord
    from deadheat.run.events import Event

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class CampaignOrder:
    """What the user asked for. ``settings`` None: resume what is in ``folder``.

    ``workers`` None: as many as help. ``seconds`` and ``programs``: of a resumed campaign, a new
    budget in all; None keeps the old one.
    """

    folder: Path
    settings: Settings | None
    workers: int | None
    cluster: str | None
    seconds: float | None = None
    programs: int | None = None


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """How a campaign ended. ``error``: why it ended early."""

    record: CampaignRecord
    exit_code: ExitCode
    report: Path
    error: DeadheatError | None = None


def run_campaign(order: CampaignOrder, tell: Callable[[Event, float], None]) -> CampaignResult:
    """Run a campaign to its end; ``tell`` gets each event and its campaign time.

    Raises ``UserError`` before anything is started.
    """
    with Store(order.folder, order.settings) as store:
        changes = {"seconds": order.seconds, "programs": order.programs}
        if order.settings is None and any(value is not None for value in changes.values()):
            store.change(**{n: value for n, value in changes.items() if value is not None})
        crew, worker_count = _crew(order)

        def report() -> None:
            store.write_text(REPORT, campaign_page(store.record()))

        coordinator = Coordinator(
            store, crew, worker_count, time.monotonic, tell, report, resident_bytes
        )
        with _signals(coordinator.interrupt):
            error = coordinator.run()
        record = store.record()
    return _result(record, error, order.folder / REPORT)


def _crew(order: CampaignOrder) -> tuple[Crew, WorkerCount]:
    if order.cluster is not None:
        from deadheat.campaign.dask_workers import ClusterCrew  # the extra need not be installed

        crew = ClusterCrew(order.cluster, order.workers)
        return crew, WorkerCount(crew.places(), order.workers or crew.most)
    most = order.workers or os.cpu_count() or 1
    return LocalCrew(most), WorkerCount(most, order.workers)


def _result(record: CampaignRecord, error: DeadheatError | None, report: Path) -> CampaignResult:
    if record.ended == "interrupted" and error is None:
        return CampaignResult(record, ExitCode.INTERRUPTED, report)
    if error is None and not record.findings:
        error = nothing_exercised(of_campaign(record))
    code = ExitCode.DIVERGED if record.findings else ExitCode.CLEAN
    code = code if error is None else error.exit_code
    return CampaignResult(record, code, report, error)


def resident_bytes() -> int:
    """The memory of this process; 0 where there is no ``/proc``."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _signals(interrupt: Callable[[], None]) -> Iterator[None]:
    before = {
        number: signal.signal(number, lambda *_: interrupt())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
