"""The shelf: one finding a signature, one file a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import opencode
from tests.examples import ghost
from tests.programs import TWO_DELETES

from deadheat import artifact as artifacts
from deadheat.campaign.engine import Plan
from deadheat.campaign.findings import Shelf
from deadheat.campaign.measure import Measured
from deadheat.core.program import structure
from deadheat.core.promises import Promises
from deadheat.core.stats import rate
from deadheat.drive.target import Target

if TYPE_CHECKING:
    from pathlib import Path


def shelf(folder: Path) -> Shelf:
    return Shelf(Target("x", opencode.WIRE), Promises(), Plan(1, folder))


def test_first_sight_writes_and_later_ones_only_count(tmp_path: Path) -> None:
    kept = shelf(tmp_path)
    _, divergence = ghost()
    assert kept.waiting() is None
    first = kept.note(TWO_DELETES, divergence, 4)
    assert first is not None
    assert artifacts.read(first.path) == first.artifact
    assert first.artifact.origin.programs == 4
    assert first.artifact.rate is None
    assert kept.note(TWO_DELETES, divergence, 9) is None
    (example,) = kept.examples()
    assert (example.seen, example.finished) == (2, False)
    assert kept.waiting() is not None


def test_measured_it_is_finished_and_keeps_one_file(tmp_path: Path) -> None:
    kept = shelf(tmp_path)
    _, divergence = ghost()
    kept.note(TWO_DELETES, divergence, 1)
    assert kept.take() is not None
    measured = Measured(TWO_DELETES, divergence, rate(10, 100))
    often = Measured(structure(TWO_DELETES), divergence, rate(90, 100))
    done = kept.measured(divergence.signature, measured, often)
    assert done.finished
    assert done.artifact.most_reliable == structure(TWO_DELETES)
    assert kept.waiting() is None
    assert list(tmp_path.iterdir()) == [done.path]
    alike = kept.measured(
        divergence.signature, measured, Measured(TWO_DELETES, divergence, rate(12, 100))
    )
    assert alike.artifact.most_reliable is None  # not clearly more often: not worth a word
    unmeasured = kept.measured(divergence.signature, Measured(TWO_DELETES, divergence, None), None)
    assert not unmeasured.finished
