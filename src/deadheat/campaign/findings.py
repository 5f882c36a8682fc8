"""The distinct divergences of a campaign: which are new, which are known, who shrinks which.

Rules
- Known means: the same signature, in a program that can hold the known minimum. The same
  signature where that minimum does not fit is another divergence, with a number of its own.
- It is in the store before any worker is told.
- One worker for one finding. A worker that is lost gives its finding back; it goes on from the
  smallest example so far.
- A smaller example replaces the saved one; of the same size, the one that shows more often.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deadheat.campaign import protocol
from deadheat.files import artifact as artifacts
from deadheat.files.results import CampaignFinding, grouped
from deadheat.model.program import sort_key, structure
from deadheat.trials.corpus import can_show, race_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.campaign.store import Store
    from deadheat.files.artifact import Artifact

_NOWHERE = Path()  # until it is saved
# A finding whose pursuit has ended in the loss of its worker so often stays as it is: whatever
# kills workers must not stop the search for others.
_MOST_ATTEMPTS = 3


class CampaignFindings:
    """All findings, in memory and in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._findings = {finding.key: finding for finding in store.findings()}
        self._pursuers: dict[str, str] = {}  # finding, worker
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._findings)

    def findings(self) -> tuple[CampaignFinding, ...]:
        """All of them, in the order in which they were first seen."""
        return tuple(self._findings.values())

    def get(self, key: str) -> CampaignFinding | None:
        """The finding of that key; None when there is none any more."""
        return self._findings.get(key)

    # --- sightings --------------------------------------------------------------------------

    def found(self, artifact: Artifact, at_s: float, program: int) -> CampaignFinding | None:
        """Take what a worker believes to be new; returns the finding, saved, if it is."""
        signature = artifacts.signature_of(artifact)
        same = [
            f for f in self._findings.values() if artifacts.signature_of(f.artifact) == signature
        ]
        if any(not f.settled for f in same):
            return None  # its minimum is not known yet: it may be the same one
        fitting = [f for f in same if can_show(artifact.program, race_shape(f.artifact.program))]
        if fitting:
            self._reopen_if_smaller(fitting[0], artifact)
            return None
        key = str(signature) if not same else f"{signature} #{self._free_number(str(signature))}"
        finding = CampaignFinding(
            key, artifact, _NOWHERE, False, False, 1, 1, 1, at_s, at_s, program
        )
        self._findings[key] = saved = self._store.save(finding)
        return saved

    def _free_number(self, signature: str) -> int:
        number = 2
        while f"{signature} #{number}" in self._findings:
            number += 1
        return number

    def _reopen_if_smaller(self, known: CampaignFinding, artifact: Artifact) -> None:
        """Shrink it once more, from here. The example on disk stays until then."""
        smaller = len(artifact.program.calls()) < len(known.artifact.program.calls())
        if smaller and known.attempts < _MOST_ATTEMPTS:
            self._put(replace(known, artifact=artifact, settled=False, measured=False))

    def hit(self, hits: Iterable[tuple[str, tuple[int, int]]], at_s: float) -> None:
        """Count the programs that could show a finding, and those that did."""
        for key, (programs, shown) in hits:
            finding = self._findings.get(key)
            if finding is not None:
                self._findings[key] = replace(
                    finding,
                    programs=finding.programs + programs,
                    hits=finding.hits + shown,
                    sightings=finding.sightings + shown,
                    last_s=at_s if shown else finding.last_s,
                )
                self._changed.add(key)

    def changed(self) -> tuple[CampaignFinding, ...]:
        """The findings whose tallies changed since the last call; for the store's tick."""
        keys, self._changed = self._changed, set()
        return tuple(self._findings[key] for key in keys if key in self._findings)

    # --- pursuits ---------------------------------------------------------------------------

    def waiting(self) -> tuple[CampaignFinding, ...]:
        """Not settled, and no worker is at it. Probable variants of others come last."""
        heads = {group.head.key for group in grouped(self._findings.values())}
        open_ = [f for f in self._findings.values() if not f.settled]
        return tuple(
            sorted(
                (f for f in open_ if f.key not in self._pursuers), key=lambda f: f.key not in heads
            )
        )

    def pursued(self) -> int:
        """The number of findings that are being shrunk."""
        return len(self._pursuers)

    def busy(self, worker: str) -> bool:
        """Is this worker shrinking something?"""
        return worker in self._pursuers.values()

    def assign(self, key: str, worker: str) -> None:
        """Give the finding to this worker."""
        self._pursuers[key] = worker
        self._put(replace(self._findings[key], attempts=self._findings[key].attempts + 1))

    def lost(self, worker: str) -> tuple[CampaignFinding, ...]:
        """Take a worker's findings back; returns those tried too often, which stay as they are."""
        given_up: list[CampaignFinding] = []
        for key in [key for key, owner in self._pursuers.items() if owner == worker]:
            del self._pursuers[key]
            finding = self._findings[key]
            if finding.attempts >= _MOST_ATTEMPTS:
                self._put(replace(finding, settled=True))
                given_up.append(self._findings[key])
        return tuple(given_up)

    def better(self, said: protocol.BetterExample) -> CampaignFinding | None:
        """Take an example on the way, saved if it is smaller; returns the finding as it is now."""
        finding = self._findings.get(said.key)
        if finding is None:
            return None
        artifact = artifacts.from_json(said.artifact, said.key)
        if sort_key(artifact.program) < sort_key(finding.artifact.program):
            saved = self._store.save(replace(finding, artifact=artifact))
            self._findings[said.key] = saved
        return self._findings[said.key]

    def settle(
        self, said: protocol.BetterExample
    ) -> tuple[CampaignFinding | None, tuple[CampaignFinding, ...]]:
        """End a pursuit: returns the settled finding, and those it proves to be the same as.

        None: it is one that was known before; then the second part holds itself.
        """
        self._pursuers.pop(said.key, None)
        finding = self._findings.get(said.key)
        if finding is None:
            return None, ()
        artifact = artifacts.from_json(said.artifact, said.key)
        if not _replaces(artifact, finding.artifact):
            artifact = finding.artifact
        settled = replace(
            finding,
            artifact=artifact,
            settled=True,
            measured=artifact.rate is not None,
            picture=said.picture or finding.picture,
        )
        older = self._same_as(settled)
        if older is not None:
            kept = older.artifact
            if sort_key(artifact.program) < sort_key(kept.program):
                kept = artifact
            merged = replace(older, artifact=kept, sightings=older.sightings + settled.sightings)
            self._findings[older.key] = self._store.save(merged)
            del self._findings[said.key]
            self._store.drop(said.key)
            return None, (settled,)
        self._findings[said.key] = saved = self._store.save(settled)
        return saved, ()

    def _same_as(self, settled: CampaignFinding) -> CampaignFinding | None:
        """A settled finding of the same signature, one of whose minima can hold the other's."""
        program = settled.artifact.program
        for other in self._findings.values():
            if other.key == settled.key or not other.settled:
                continue
            theirs = other.artifact.program
            alike = can_show(program, race_shape(theirs)) or can_show(theirs, race_shape(program))
            if (
                artifacts.signature_of(other.artifact) == artifacts.signature_of(settled.artifact)
                and alike
            ):
                return other
        return None

    def _put(self, finding: CampaignFinding) -> None:
        self._findings[finding.key] = finding
        self._changed.add(finding.key)

    def know(self, finding: CampaignFinding) -> protocol.CountFinding:
        """The message that tells a worker of this finding."""
        whole = artifacts.to_json(finding.artifact)
        return protocol.CountFinding(
            finding.key, whole, finding.settled, finding.programs, finding.hits
        )


def _replaces(new: Artifact, old: Artifact) -> bool:
    """Smaller; or as small, and measured where the old one is not, or seen more often."""
    if structure(new.program) != structure(old.program):
        return sort_key(new.program) < sort_key(old.program) or old.rate is None
    if new.rate is None or old.rate is None:
        return new.rate is not None or old.rate is None
    return new.rate.low >= old.rate.low
