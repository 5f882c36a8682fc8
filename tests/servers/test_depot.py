"""All that a profile can describe, live: the planted race is found, and the twin is silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.quality.hunting import hunt

from deadheat.model.history import Kind, Listed, Ok
from deadheat.model.promises import ListPromise
from deadheat.model.verdict import Anomaly
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from deadheat.files.results import Summary

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


def searched(path: Path, folder: Path, programs: int) -> Summary:
    """Until the first divergence, which is on disk then: to shrink it is another test's matter."""
    return hunt(resolve(str(path)), 1, folder, programs=programs, shrink=False).summary


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_race_is_found_through_pages(way: str, tmp_path: Path) -> None:
    summary = searched(profile(tmp_path, racy=True, way=way, plain=True), tmp_path, 1_000)
    assert summary.findings
    read_pages = False
    for found in summary.findings:
        assert found.artifact.anomaly in {
            Anomaly.GHOST,
            Anomaly.LOST_CREATE,
            Anomaly.RESURRECTION,
            Anomaly.LOST_UPDATE,
            Anomaly.VANISHED,
            Anomaly.DOUBLE_DELETE,
            Anomaly.WRONG_STATUS,  # a rename of what a write-back has lost, before it is shrunk
        }
        assert found.artifact.target.promises.list is ListPromise.EVENTUAL
        assert SECRET not in found.path.read_text("utf-8")
        read_pages = read_pages or any(
            op.kind is Kind.LIST and op.at_rest and isinstance(op.outcome, Ok)
            for op in found.artifact.history.operations
        )
    assert read_pages


@pytest.mark.parametrize(
    ("way", "programs"),
    [
        ("page", 20),
        ("offset", 20),
        ("link", 20),
        *(pytest.param(way, 1_000, marks=pytest.mark.quality) for way in sorted(WAYS)),
    ],
)
def test_the_twin_is_silent_though_its_pages_are_no_snapshot(
    way: str, programs: int, tmp_path: Path
) -> None:
    summary = searched(profile(tmp_path, racy=False, way=way), tmp_path, programs)
    assert not summary.findings, summary
    assert summary.programs == programs
    assert summary.overlaps > programs
    assert summary.answered["list"] > programs // 4
    assert summary.answered["children"] > 0
    assert "list eventual" in summary.promises
    assert "events exactly-once" in summary.promises


def test_pages_that_are_called_a_snapshot_diverge(tmp_path: Path) -> None:
    """What the default of lists in pages is for."""
    path = profile(tmp_path, racy=False, way="offset", plain=True)
    path.write_text(path.read_text().replace("[promises]", '[promises]\nlist = "snapshot"'))
    summary = searched(path, tmp_path, 3_000)
    assert summary.findings
    for found in summary.findings:
        shown = [
            op.outcome.result.entries
            for op in found.artifact.history.operations
            if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed)
        ]
        assert shown


def test_a_refusal_that_is_not_declared_is_a_wrong_status(tmp_path: Path) -> None:
    path = profile(tmp_path, racy=False, plain=True, **{"refused = [423]": ""})
    summary = searched(path, tmp_path, 3_000)
    assert summary.findings
    assert {f.artifact.anomaly for f in summary.findings} == {Anomaly.WRONG_STATUS}


def test_a_family_race_is_found_and_announced(tmp_path: Path) -> None:
    summary = searched(profile(tmp_path, racy=True), tmp_path, 1_000)
    assert summary.findings
    assert SECRET not in "".join(f.path.read_text("utf-8") for f in summary.findings)
