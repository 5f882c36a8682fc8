"""Names, live: two creates of one that both make it are found, the twins stay silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.quality.hunting import hunt

from deadheat.drive.checkup import dry_run, server_of
from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.files.artifact import divergence_of
from deadheat.model.program import Create, Program, Recreate, Var, structure
from deadheat.model.verdict import Anomaly
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from deadheat.files.results import Summary

pytestmark = pytest.mark.live
HERE = Path(__file__).parent
A = Var(0)
MINIMUM = structure(Program((((Create(A),), (Recreate(A),)),)))


def searched(profile: Path, folder: Path, programs: int) -> Summary:
    return hunt(resolve(str(profile)), 1, folder, programs=programs).summary


def twin(name: str, folder: Path) -> Path:
    profile = folder / name
    text = (HERE / name).read_text().replace("{project}", str(HERE))
    profile.write_text(text.replace("[server]", '[server]\nenv = { SHELF = "correct" }'))
    return profile


@pytest.mark.parametrize("name", ["shelf.toml", "slots.toml"])
def test_two_creates_of_one_name_that_both_make_it(name: str, tmp_path: Path) -> None:
    summary = searched(HERE / name, tmp_path, 300)
    (found, *_) = [
        one.artifact for one in summary.findings if one.artifact.anomaly is Anomaly.DOUBLE_CREATE
    ]
    assert structure(found.program) == MINIMUM
    assert divergence_of(found).proof


@pytest.mark.parametrize("programs", [30, pytest.param(1_000, marks=pytest.mark.quality)])
@pytest.mark.parametrize("name", ["shelf.toml", "slots.toml"])
def test_the_twin_is_silent(name: str, programs: int, tmp_path: Path) -> None:
    summary = searched(twin(name, tmp_path), tmp_path, programs)
    assert not summary.findings
    assert summary.programs == programs
    assert summary.overlaps > programs
    assert summary.answered["recreate"] > programs // 6


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "promise", "other", "says"),
    [
        ("shelf.toml", "", "", ""),
        ("slots.toml", "", "", ""),
        ("shelf.toml", "exists = [409]", "exists = []", "Add 409 to calls.create.exists"),
        ("slots.toml", '"idempotent"', '"exactly-once"', 'Write promises.create = "idempotent"'),
    ],
)
async def test_a_dry_run_asks_for_a_name_twice(
    name: str, promise: str, other: str, says: str, tmp_path: Path
) -> None:
    profile = twin(name, tmp_path)
    profile.write_text(profile.read_text().replace(promise or "\0", other))
    target = resolve(str(profile))
    async with server_of(target) as base_url:
        steps = await dry_run(target, base_url, "ab12")
    (again,) = [step for step in steps if step.doing == "create it again"]
    assert says in again.wrong
    assert bool(again.wrong) is bool(says)
    assert not any(step.wrong for step in steps if step is not again)


@pytest.mark.anyio
@pytest.mark.parametrize("reset", ["", 'reset = "POST /reset"'])
async def test_what_cannot_be_deleted_goes_with_a_reset(reset: str, tmp_path: Path) -> None:
    profile = twin("slots.toml", tmp_path)
    text = profile.read_text().replace("DELETE /slots/{id}", "GET /slots/{id}")  # deletes nothing
    text = text.replace("done = [204]", "done = [200]").replace("[server]", f"[server]\n{reset}")
    profile.write_text(text)
    target = resolve(str(profile))
    async with (
        server_of(target) as base_url,
        Executor(base_url, target, Ownership("run", alone=True)) as running,
    ):
        await running.run(Program((((Create(A),),),)))
        assert bool(running.left_behind) is not bool(reset)
