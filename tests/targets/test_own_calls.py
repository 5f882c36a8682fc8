"""A call of the user's own, as the README writes it: its planted race is found, its twin silent."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests import readme_files
from tests.running import deadheat

from deadheat import artifact as artifacts
from deadheat import session
from deadheat.artifact import divergence_of
from deadheat.console import View
from deadheat.core.history import Absent, Answered, Invocation, Kind, Ok, Own
from deadheat.core.program import Create, OwnCall, Program, Var, structure
from deadheat.drive.agreement import dry_run, server_of
from deadheat.errors import BadFile, ExitCode
from deadheat.report.explanation import explanation_text
from deadheat.report.terminal import finding_text
from deadheat.targets.catalog import resolve

FILE = "fuzz/archive_target.py"
ARCHIVE = Own("archive")
A = Var(0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's files beside their server."""
    readme_files.write(tmp_path, FILE, "fuzz/tickets_target.py")
    shutil.copy(Path(__file__).parents[1] / "servers/tickets.py", tmp_path / "fuzz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "fuzz"))
    monkeypatch.delitem(sys.modules, "tickets_target", raising=False)  # of another test's folder
    return tmp_path


def searched(folder: Path, said: str, programs: int) -> session.RunResult:
    path = Path("fuzz/tickets_target.py")
    planted = f'probe = "/tickets"\n    env = {{"TICKETS": "{said}"}}'
    path.write_text(path.read_text().replace('probe = "/tickets"', planted))
    order = session.RunOrder(
        resolve(f"{FILE}:Archiving"), 1, folder / "found", None, programs, exit_first=True
    )
    return session.run(order, View(quiet=True))


def test_it_is_one_class_of_at_most_forty_lines() -> None:
    assert len(readme_files.shown()[FILE].splitlines()) <= 40


@pytest.mark.usefixtures("folder")
def test_what_it_says() -> None:
    target = resolve(f"{FILE}:Archiving")
    assert target.own == (ARCHIVE,)
    assert target.own_model is not None
    call = Invocation(Kind.OWN, "7", own=ARCHIVE)
    assert target.wire.encode(call).path == "/tickets/7/archive"
    assert target.wire.decode(call, 200, b"") == Ok(Answered("archived"))
    assert target.wire.decode(call, 404, b"") == Ok(Answered("absent"))
    assert target.wire.decode(Invocation(Kind.GET, "7"), 404, b"") == Ok(Absent())
    assert list(target.own_model.step(ARCHIVE, True, None)) == [("archived", True)]


def test_a_mistake_in_what_it_means_is_one_line(folder: Path) -> None:
    path = folder / FILE
    path.write_text(path.read_text().replace('[("refused", True)] if', "[nonsense] if"))
    model = resolve(f"{FILE}:Archiving").own_model
    assert model is not None
    with pytest.raises(BadFile, match=r"archive_target.py:12: step of archive: NameError"):
        list(model.step(ARCHIVE, True, True))


@pytest.mark.live
def test_its_planted_race_is_found_and_shrunk(folder: Path) -> None:
    result = searched(folder, "archive", 300)
    assert result.exit_code == ExitCode.DIVERGED, result
    assert result.summary is not None
    race = ((OwnCall(ARCHIVE, A),), (OwnCall(ARCHIVE, A),))
    minimum = structure(Program((((Create(A),),), race)))
    (found, *_) = [
        one for one in result.summary.findings if structure(one.artifact.program) == minimum
    ]
    assert found.artifact.rate is not None
    assert found.artifact.rate.diverged > 0
    assert divergence_of(found.artifact).proof
    told = finding_text(found.artifact, found.path)
    assert "archive(a)" in told
    assert artifacts.read(found.path) == found.artifact
    assert "archive(a)" in explanation_text(found.artifact)


@pytest.mark.live
def test_the_twin_is_silent(folder: Path) -> None:
    result = searched(folder, "correct", 500)
    assert result.exit_code == ExitCode.CLEAN, result
    assert result.summary is not None
    assert result.summary.overlaps > 500
    assert result.summary.answered["archive"] > 200


@pytest.mark.live
@pytest.mark.anyio
@pytest.mark.usefixtures("folder")
async def test_a_dry_run_tries_it() -> None:
    target = resolve(f"{FILE}:Archiving")
    async with server_of(target) as base_url:
        steps = await dry_run(target, base_url, "ab12")
    (tried,) = [step for step in steps if step.doing == "archive it"]
    assert (tried.said, tried.wrong) == ("archived", "")
    assert not any(step.wrong for step in steps)


@pytest.mark.live
def test_a_campaign_counts_it_and_its_report_tells(folder: Path) -> None:
    words = ("campaign", f"{FILE}:Archiving", "--programs", "40", "--workers", "1", "--no-progress")
    done = deadheat(folder, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "archive(a)" in done.stdout
    (report,) = (folder / ".deadheat").rglob("report.html")
    assert "archive" in report.read_text(encoding="utf-8")
