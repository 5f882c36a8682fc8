"""A custom call, as the README writes it: its planted race is found, its twin silent."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import readme_files
from tests.quality.hunting import hunt
from tests.running import start

from deadheat.drive.checkup import dry_run, server_of
from deadheat.errors import BadFile
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import divergence_of
from deadheat.model.history import Absent, Answered, Custom, Invocation, Kind, Ok
from deadheat.model.program import Create, CustomCall, Program, Var, structure
from deadheat.report.explanation import explanation_text
from deadheat.report.finding import finding_text
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from deadheat.drive.target import Target

FILE = "fuzz/archive_target.py"
ARCHIVE = Custom("archive")
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


def planted(said: str) -> Target:
    """The target whose server has that race, or none."""
    path = Path("fuzz/tickets_target.py")
    with_it = f'probe = "/tickets"\n    env = {{"TICKETS": "{said}"}}'
    path.write_text(path.read_text().replace('probe = "/tickets"', with_it))
    return resolve(f"{FILE}:Archiving")


def test_it_is_one_class_of_at_most_forty_lines() -> None:
    assert len(readme_files.shown()[FILE].splitlines()) <= 40


@pytest.mark.usefixtures("folder")
def test_what_it_says() -> None:
    target = resolve(f"{FILE}:Archiving")
    assert target.custom == (ARCHIVE,)
    assert target.custom_model is not None
    call = Invocation(Kind.CUSTOM, "7", custom=ARCHIVE)
    assert target.wire.encode(call).path == "/tickets/7/archive"
    assert target.wire.decode(call, 200, b"") == Ok(Answered("archived"))
    assert target.wire.decode(call, 404, b"") == Ok(Answered("absent"))
    assert target.wire.decode(Invocation(Kind.GET, "7"), 404, b"") == Ok(Absent())
    assert list(target.custom_model.step(ARCHIVE, True, None)) == [("archived", True)]


@pytest.mark.usefixtures("folder")
def test_a_target_written_with_the_earlier_names_works() -> None:
    path = Path(FILE)
    text = path.read_text()
    for new, old in (("custom =", "own ="), ("Custom", "Own"), ("Kind.CUSTOM", "Kind.OWN")):
        assert new in text
        text = text.replace(new, old)
    text = text.replace("call.kind is Kind.OWN", "call.own is not None", 1)
    path.write_text(text)
    target = resolve(f"{FILE}:Archiving")
    assert target.custom == (ARCHIVE,)
    call = Invocation(Kind.CUSTOM, "7", custom=ARCHIVE)
    assert target.wire.encode(call).path == "/tickets/7/archive"
    assert target.wire.decode(call, 200, b"") == Ok(Answered("archived"))


def test_a_mistake_in_what_it_means_is_one_line(folder: Path) -> None:
    path = folder / FILE
    path.write_text(path.read_text().replace('[("refused", True)] if', "[nonsense] if"))
    model = resolve(f"{FILE}:Archiving").custom_model
    assert model is not None
    with pytest.raises(BadFile, match=r"archive_target.py:12: step of archive: NameError"):
        list(model.step(ARCHIVE, True, True))


@pytest.mark.live
def test_its_planted_race_is_found_and_shrunk(folder: Path) -> None:
    summary = hunt(planted("archive"), 1, folder / "found", programs=1_000).summary
    race = ((CustomCall(ARCHIVE, A),), (CustomCall(ARCHIVE, A),))
    minimum = structure(Program((((Create(A),),), race)))
    (found, *_) = [one for one in summary.findings if structure(one.artifact.program) == minimum]
    assert divergence_of(found.artifact).proof
    told = finding_text(found.artifact, found.path)
    assert "archive(a)" in told
    assert artifacts.read(found.path) == found.artifact
    assert "archive(a)" in explanation_text(found.artifact)


@pytest.mark.live
@pytest.mark.parametrize("programs", [40, pytest.param(1_000, marks=pytest.mark.quality)])
def test_the_twin_is_silent(folder: Path, programs: int) -> None:
    summary = hunt(planted("correct"), 1, folder / "found", programs=programs).summary
    assert not summary.findings
    assert summary.programs == programs
    assert summary.overlaps > programs
    assert summary.answered["archive"] > programs // 4


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
    """Ended once it is found: to shrink all that a server with two races shows takes minutes."""
    words = ("campaign", f"{FILE}:Archiving", "--workers", "1", "--no-progress", "--events", "-")
    with start(folder, *words) as call:
        for line in call.stdout:
            event = json.loads(line)
            if event["event"] == "found" and "archive" in event["key"]:
                break
        call.send_signal(signal.SIGINT)
        call.communicate()
        assert call.returncode == 130
    (report,) = (folder / ".deadheat").rglob("report.html")
    assert "archive" in report.read_text(encoding="utf-8")
