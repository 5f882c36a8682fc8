"""All that a profile can describe, live: the planted race is found, and the twin is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from deadheat import session
from deadheat.console import View
from deadheat.core.divergence import Anomaly
from deadheat.core.history import Kind, Listed, Ok
from deadheat.core.promises import ListPromise
from deadheat.errors import ExitCode
from deadheat.targets.catalog import resolve

pytestmark = pytest.mark.live
DEPOT = Path(__file__).parent / "depot.toml"
SECRET = "tk-91f0c2aa"

BY_CURSOR = 'request = "GET /by-cursor"'
PAGES = 'pages = { cursor = "more.cursor", parameter = "after_number" }'
WAYS = {
    "page": '{ page = "page" }',
    "offset": '{ offset = "skip", size = 2 }',
    "cursor": '{ cursor = "more.cursor", parameter = "after_number" }',
    "next": '{ next = "links.next" }',
    "link": "{ link = true }",
}


def profile(
    folder: Path, *, racy: bool, way: str = "cursor", plain: bool = False, **changed: str
) -> Path:
    """The depot's profile: another ``way`` of paging; ``plain``: no families and no events."""
    text = DEPOT.read_text("utf-8").replace("{project}", str(DEPOT.parent))
    text = text.replace(BY_CURSOR, f'request = "GET /by-{way}"').replace(
        PAGES, f"pages = {WAYS[way]}"
    )
    if racy:
        text = text.replace('DEPOT = "correct"', 'DEPOT = "racy"')
    if plain:
        for table in ("[calls.create-child]", "[calls.children]", "[events]"):
            before, _, after = text.partition(table)
            text = before + after[after.index("\n[") + 1 :]
    for old, new in changed.items():
        assert f"\n{old}" in text, old
        text = text.replace(f"\n{old}", f"\n{new}")
    path = folder / "depot.toml"
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPOT_TOKEN", SECRET)


def searched(path: Path, folder: Path, programs: int) -> session.RunResult:
    order = session.RunOrder(resolve(str(path)), 1, folder, None, programs, exit_first=True)
    return session.run(order, View(quiet=True))


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_race_is_found_through_pages(way: str, tmp_path: Path) -> None:
    result = searched(profile(tmp_path, racy=True, way=way, plain=True), tmp_path, 300)
    assert result.exit_code == ExitCode.DIVERGED
    assert result.summary is not None
    read_pages = False
    for found in result.summary.findings:
        assert found.artifact.anomaly in {
            Anomaly.GHOST,
            Anomaly.LOST_CREATE,
            Anomaly.RESURRECTION,
            Anomaly.LOST_UPDATE,
            Anomaly.VANISHED,
            Anomaly.DOUBLE_DELETE,
        }
        assert found.artifact.target.promises.list is ListPromise.EVENTUAL
        assert SECRET not in found.path.read_text("utf-8")
        read_pages = read_pages or any(
            op.kind is Kind.LIST and op.at_rest and isinstance(op.outcome, Ok)
            for op in found.artifact.history.operations
        )
    assert read_pages


@pytest.mark.parametrize("way", ["page", "offset", "link"])
def test_the_twin_is_silent_though_its_pages_are_no_snapshot(way: str, tmp_path: Path) -> None:
    result = searched(profile(tmp_path, racy=False, way=way), tmp_path, 200)
    assert result.exit_code == ExitCode.CLEAN, result
    assert result.summary is not None
    assert result.summary.overlaps > 200
    assert result.summary.answered["list"] > 50
    assert result.summary.answered["children"] > 5
    assert "list eventual" in str(result.summary.promises)
    assert "events exactly-once" in str(result.summary.promises)


def test_pages_that_are_called_a_snapshot_diverge(tmp_path: Path) -> None:
    """What the default of lists in pages is for."""
    path = profile(tmp_path, racy=False, way="offset", plain=True)
    path.write_text(path.read_text().replace("[promises]", '[promises]\nlist = "snapshot"'))
    result = searched(path, tmp_path, 1_000)
    assert result.exit_code == ExitCode.DIVERGED
    assert result.summary is not None
    for found in result.summary.findings:
        shown = [
            op.outcome.result.entries
            for op in found.artifact.history.operations
            if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed)
        ]
        assert shown


def test_a_refusal_that_is_not_declared_is_a_wrong_status(tmp_path: Path) -> None:
    path = profile(tmp_path, racy=False, plain=True, **{"refused = [423]": ""})
    result = searched(path, tmp_path, 1_000)
    assert result.exit_code == ExitCode.DIVERGED
    assert result.summary is not None
    assert {f.artifact.anomaly for f in result.summary.findings} == {Anomaly.WRONG_STATUS}


def test_a_family_race_is_found_and_announced(tmp_path: Path) -> None:
    result = searched(profile(tmp_path, racy=True), tmp_path, 300)
    assert result.exit_code == ExitCode.DIVERGED
    assert result.summary is not None
    assert SECRET not in "".join(f.path.read_text("utf-8") for f in result.summary.findings)
