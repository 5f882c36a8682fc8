"""The shelf: one finding a signature, one file a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests import opencode
from tests.examples import example, ghost
from tests.programs import TWO_DELETES, A
from tests.programs import one as one_after_the_other

from deadheat.drive.target import Target
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import RateRecord, is_better
from deadheat.model.program import Create, Delete, structure
from deadheat.model.promises import Promises
from deadheat.run.findings import Measured, RunFindings
from deadheat.run.plan import Plan
from deadheat.trials.stats import rate

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.trials.stats import Rate


def shelf(folder: Path) -> RunFindings:
    return RunFindings(Target("x", opencode.WIRE), Promises(), Plan(1, folder))


def test_first_sight_writes_and_later_ones_only_count(tmp_path: Path) -> None:
    kept = shelf(tmp_path)
    _, divergence = ghost()
    assert kept.waiting() == ()
    first = kept.note(TWO_DELETES, divergence, 4)
    assert first is not None
    assert artifacts.read(first.path) == first.artifact
    assert first.artifact.origin.programs == 4
    assert first.artifact.rate is None
    assert kept.note(TWO_DELETES, divergence, 9) is None
    (example,) = kept.findings()
    assert (example.seen, example.finished) == (2, False)
    assert kept.waiting() == (divergence.signature,)


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
    assert kept.waiting() == ()
    assert list(tmp_path.iterdir()) == [done.path]
    alike = kept.measured(
        divergence.signature, measured, Measured(TWO_DELETES, divergence, rate(12, 100))
    )
    assert alike.artifact.most_reliable is None  # not clearly more often: not worth a word
    unmeasured = kept.measured(divergence.signature, Measured(TWO_DELETES, divergence, None), None)
    assert not unmeasured.finished


def found_with(folder: Path, of: Rate | None, target: str = "x") -> tuple[Path, bool]:
    """A run that finds the ghost and measures it so."""
    one = RunFindings(Target(target, opencode.WIRE), Promises(), Plan(1, folder))
    _, divergence = ghost()
    assert one.note(TWO_DELETES, divergence, 1) is not None
    done = one.measured(divergence.signature, Measured(TWO_DELETES, divergence, of), None)
    return done.path, done.kept


def rate_in(path: Path) -> tuple[int, int] | None:
    saved = artifacts.read(path).rate
    return None if saved is None else (saved.diverged, saved.trials)


def test_a_saved_example_is_never_replaced_by_a_worse_one(tmp_path: Path) -> None:
    path, kept = found_with(tmp_path, rate(15, 200))
    assert not kept
    for worse in (rate(4, 200), None, rate(2, 20)):
        assert found_with(tmp_path, worse) == (path, True)
        assert rate_in(path) == (15, 200)
    assert found_with(tmp_path, rate(30, 200)) == (path, False)
    assert rate_in(path) == (30, 200)
    assert found_with(tmp_path, rate(1, 200), target="another") == (path, False)
    assert rate_in(path) == (1, 200)


def test_what_is_no_example_any_more_is_replaced(tmp_path: Path) -> None:
    path, _ = found_with(tmp_path, rate(15, 200))
    path.write_text("{")
    assert found_with(tmp_path, rate(1, 200)) == (path, False)
    assert rate_in(path) == (1, 200)


def test_an_earlier_runs_file_stays_when_this_run_finds_a_smaller_one(tmp_path: Path) -> None:
    before, _ = found_with(tmp_path, rate(15, 200))
    one = shelf(tmp_path)
    _, divergence = ghost()
    first = one.note(TWO_DELETES, divergence, 1)
    assert first is not None
    assert (first.path, first.kept) == (before, True)
    smaller = one_after_the_other(Create(A), Delete(A))
    done = one.measured(divergence.signature, Measured(smaller, divergence, rate(9, 90)), None)
    assert done.path != before
    assert {path.name for path in tmp_path.iterdir()} == {before.name, done.path.name}


def test_proven_and_smaller_go_before_a_higher_rate() -> None:
    base = example()
    proven, not_proven = replace(base, proven_minimal=True), replace(base, proven_minimal=False)
    often = replace(not_proven, rate=RateRecord(199, 200, 0.97, 1.0, 0.95))
    assert is_better(proven, often)
    assert not is_better(often, proven)
    smaller = replace(not_proven, program=one_after_the_other(Create(A), Delete(A)))
    assert is_better(smaller, often)
