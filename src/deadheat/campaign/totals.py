"""The sums of a campaign, its coverage and speed; as a sample for the store, and as a snapshot.

Rule: nothing here decides; the sums go to the store as they are, and come back on a resume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.campaign.store import pairing_of
from deadheat.files.results import Sample
from deadheat.run.events import FindingState, Snapshot, WorkerState
from deadheat.trials.coverage import Silence, parse, plateaued, possible_pairings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.campaign import protocol
    from deadheat.campaign.findings import CampaignFindings
    from deadheat.campaign.store import Store
    from deadheat.files.results import CampaignFinding
    from deadheat.trials.coverage import Overlap

# The speed shown is that of the last ten seconds or so.
_SPEED_SAMPLES = 11


class CampaignTotals:
    """The sums of one campaign, over all resumes."""

    def __init__(self, store: Store) -> None:
        self._settings = store.settings
        self.totals = store.totals()
        self.coverage = store.coverage()
        self.kinds: tuple[str, ...] = tuple(store.fact("kinds") or ())
        self.families = bool(store.fact("families"))
        self._speed: list[tuple[float, int, int]] = []

    def total(self, name: str) -> int:
        """One sum; 0 when nothing has been added."""
        return int(self.totals.get(name, 0))

    def add(self, name: str, more: float) -> None:
        """Add ``more`` to one sum."""
        self.totals[name] = self.totals.get(name, 0) + more

    def count(self, did: protocol.WorkDone) -> tuple[Overlap, ...]:
        """Add what a worker has done; returns the overlaps that are new."""
        for name, more in did.counts.items():
            self.add(name, more)
        for kind, more in did.drawn.items():
            self.add(f"drawn {kind}", more)
        for kind, more in did.answered.items():
            self.add(f"answered {kind}", more)
        self.add("hits", sum(shown for _, shown in did.hits.values()))
        self.add("busy_ms", did.busy_s * 1_000)
        new = self.coverage.merge(
            {parse(text): n for text, n in did.seen.items()},
            {pairing_of(text): Silence(*counts) for text, counts in did.silence.items()},
        )
        if new:
            self.totals["last_new"] = self.total("programs")
        return new

    @property
    def plateau(self) -> bool:
        """Has nothing overlapped in a new way for a long time?"""
        return plateaued(self.total("programs"), self.total("last_new"))

    def look(self, now_s: float) -> None:
        """Measure the speed; called about once a second."""
        self._speed.append((now_s, self.total("programs"), self.total("requests")))
        self._speed = self._speed[-_SPEED_SAMPLES:]

    def sample(
        self, at_s: float, findings: int, workers: Iterable[WorkerState], coordinator_bytes: int
    ) -> Sample:
        """The present state, for the store."""
        sizes = [worker.server_bytes for worker in workers]
        return Sample(
            at_s=round(at_s, 2),
            programs=self.total("programs"),
            requests=self.total("requests"),
            overlaps=len(self.coverage),
            findings=findings,
            restarts=self.total("restarts"),
            workers=len(sizes),
            server_bytes=max(sizes, default=0),
            coordinator_bytes=coordinator_bytes,
        )

    def snapshot(
        self, elapsed_s: float, findings: CampaignFindings, workers: tuple[WorkerState, ...]
    ) -> Snapshot:
        """The present state, for the views."""
        programs_per_s, requests_per_s = self._per_s()
        possible = possible_pairings(self.kinds, self.families)
        return Snapshot(
            target=self._settings.word,
            elapsed_s=elapsed_s,
            seconds=self._settings.seconds,
            programs=self.total("programs"),
            budget=self._settings.programs,
            trials=self.total("trials"),
            requests=self.total("requests"),
            undecided=self.total("undecided"),
            skipped=self.total("skipped"),
            programs_per_s=programs_per_s,
            requests_per_s=requests_per_s,
            overlaps=len(self.coverage),
            pairings_seen=len(possible) - len(self.coverage.never(possible)),
            pairings=len(possible),
            plateau=self.plateau,
            restarts=self.total("restarts"),
            recycled=self.total("recycled"),
            lost_workers=self.total("lost_workers"),
            findings=tuple(_state(f, findings) for f in findings.findings()),
            workers=workers,
        )

    def _per_s(self) -> tuple[float, float]:
        if len(self._speed) < 2:
            return 0.0, 0.0
        (began_s, programs, requests), *_, (ended_s, more_programs, more_requests) = self._speed
        seconds = (ended_s - began_s) or 1.0
        return (more_programs - programs) / seconds, (more_requests - requests) / seconds


def _state(finding: CampaignFinding, findings: CampaignFindings) -> FindingState:
    rate = finding.artifact.rate
    waiting = any(finding.key == other.key for other in findings.waiting())
    return FindingState(
        finding.key,
        len(finding.artifact.program.calls()),
        "" if finding.settled else "waiting" if waiting else "shrinking",
        rate.diverged / rate.trials if rate is not None and rate.trials else None,
        finding.sightings,
        finding.first_s,
        finding.last_s,
    )
