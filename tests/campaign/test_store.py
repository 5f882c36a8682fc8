"""The store: what was reported is there, whatever cut it off; and only one campaign writes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from tests.examples import example

from deadheat.campaign.rows import Settings
from deadheat.campaign.store import OpenShare, Store, read_record
from deadheat.errors import BadStore, CannotSave, StoreInUse
from deadheat.files import artifact as artifacts
from deadheat.files.results import CampaignFinding, Sample
from deadheat.model.history import Kind
from deadheat.trials.coverage import Coverage, Overlap, Pairing, Relation, Sequence

SETTINGS = Settings(
    word="demo", profile=None, allow_remote=False, seed=7, seconds=60.0, programs=None, keep=3,
    recycle_programs=10, recycle_bytes=0, began="2026-01-01 00:00:00",
)  # fmt: skip
OVERLAP = Overlap(Pairing(Kind.DELETE, Kind.GET, Relation.SAME), Sequence.KEPT, Sequence.KEPT)


def finding(folder: Path, key: str = "ghost (delete)") -> CampaignFinding:
    return CampaignFinding(key, example(), folder, False, False, 4, 2, 2, 1.5, 3.0, 17)


def sample(at_s: float) -> Sample:
    return Sample(at_s, 1, 2, 3, 0, 0, 1, 10, 20)


def test_everything_comes_back(tmp_path: Path) -> None:
    coverage = Coverage()
    coverage.add({OVERLAP: 5}, judged=True, diverged=False)
    with Store(tmp_path, SETTINGS) as store:
        saved = store.save(finding(tmp_path))
        assert artifacts.read(saved.path) == saved.artifact
        totals = {"programs": 9, "elapsed_s": 4.5, "last_new": 3}
        store.tick(totals, coverage, [OpenShare(4, 100, 17)], [saved], sample(1))
        store.note("promises", "delete idempotent")
        store.event(1.0, "found", "found it")
    with Store(tmp_path, None) as store:
        assert store.settings == SETTINGS
        assert store.findings() == (saved,)
        assert store.totals()["elapsed_s"] == 4.5
        assert store.shares() == (OpenShare(4, 100, 17),)
        assert store.coverage().seen == coverage.seen
        assert store.coverage().silence == coverage.silence
        record = store.record()
    assert (record.promises, record.last_new, record.log) == (
        "delete idempotent",
        3,
        ("1 s  found it",),
    )
    assert record == read_record(tmp_path)


def test_a_smaller_example_replaces_the_file(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        large = store.save(finding(tmp_path))
        other = replace(large.artifact, signature=("other",))
        small = store.save(replace(large, artifact=other))
        assert small.path != large.path
        assert sorted((tmp_path / "found").iterdir()) == [small.path]
        store.drop(small.key)
        assert not list((tmp_path / "found").iterdir())


def test_a_file_without_its_row_is_taken_in(tmp_path: Path) -> None:
    """A kill between the two writes."""
    with Store(tmp_path, SETTINGS):
        pass
    path = artifacts.write(example(), tmp_path / "found")
    (tmp_path / "found" / ".half.json.1.tmp").write_text("{")
    (tmp_path / "found" / "torn.json").write_text("{")
    with Store(tmp_path, None) as store:
        (adopted,) = store.findings()
        assert (adopted.path, adopted.settled) == (path, False)
    assert not (tmp_path / "found" / ".half.json.1.tmp").exists()


def test_two_campaigns_on_one_folder(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS):
        with pytest.raises(StoreInUse, match="--into"):
            Store(tmp_path, None)
        assert read_record(tmp_path).target == "demo"  # looking is allowed
    with pytest.raises(BadStore, match="--resume"):
        Store(tmp_path, SETTINGS)
    with Store(tmp_path, None):
        pass


def test_what_is_no_campaign(tmp_path: Path) -> None:
    with pytest.raises(BadStore, match="no campaign"):
        Store(tmp_path / "nowhere", None)
    with pytest.raises(BadStore, match="no campaign"):
        read_record(tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_a_database_that_was_written_over_is_said_to_be_damaged(tmp_path: Path, seed: int) -> None:
    """At a place of its second half: no traceback, and the examples are named."""
    with Store(tmp_path, SETTINGS) as store:
        store.save(finding(tmp_path))
        for n in range(40):
            store.note(f"n{n}", "z" * 400)
            store.event(1.0, "found", "x" * 400)
    path = tmp_path / "campaign.sqlite"
    content = bytearray(path.read_bytes())
    rng = Random(seed)
    first = rng.randrange(len(content) // 2, len(content) - 8_000)
    content[first : first + 8_000] = rng.choice([bytes(8_000), rng.randbytes(8_000)])
    path.write_bytes(content)
    with pytest.raises(BadStore, match="found"):
        Store(tmp_path, None).close()
    assert (tmp_path / "found").is_dir()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        store.note("x", 1)
    database = sqlite3.connect(tmp_path / "campaign.sqlite")
    database.execute("UPDATE settings SET value = '99' WHERE name = 'version'")
    database.commit()
    database.close()
    with pytest.raises(BadStore, match="Upgrade"):
        Store(tmp_path, None)
    with pytest.raises(BadStore, match="Upgrade"):
        read_record(tmp_path)


def test_a_full_database_says_how_to_go_on_and_loses_nothing(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        saved = store.save(finding(tmp_path))
        pages = store._one("PRAGMA page_count")
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CannotSave, match="--resume"):
            _write_until_it_is_full(store)
    with Store(tmp_path, None) as store:
        assert store.findings()[0] == saved
        assert all(found.path.exists() for found in store.findings())


def test_a_full_disk_says_how_to_go_on_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be made by root")
    try:
        with Store(disk / "c", SETTINGS) as store:
            saved = store.save(finding(tmp_path))
            (disk / "filling").write_bytes(b"x" * os.statvfs(disk).f_bavail * 4096)
            with pytest.raises(CannotSave, match="--resume"):
                _write_until_it_is_full(store)
        (disk / "filling").unlink()
        with Store(disk / "c", None) as store:
            assert saved in store.findings()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _write_until_it_is_full(store: Store) -> None:
    for n in range(10_000):
        store.event(float(n), "x", "y" * 500)
        store.save(replace(finding(store.folder, f"k{n}"), artifact=_named(f"k{n}")))


def _named(name: str) -> artifacts.Artifact:
    return replace(example(), signature=(name,))


def test_what_grows_is_bounded(tmp_path: Path) -> None:
    with Store(tmp_path, SETTINGS) as store:
        for n in range(5_000):
            store.tick({}, Coverage(), (), (), sample(float(n)))
        for n in range(7):
            store.keep_history(str(n), n)
        kept = len(store.record().samples)
        assert 1_000 <= kept <= 2_001
        assert store.record().samples[0].at_s == 0
        histories = sorted(path.read_text() for path in (tmp_path / "histories").iterdir())
        assert histories == ["4", "5", "6"]


_WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.campaign.test_store import SETTINGS, _named, finding
from deadheat.campaign.store import Store
folder = Path(sys.argv[1])
with Store(folder, SETTINGS) as store:
    for n in range(1_000_000):
        store.save(replace(finding(folder, f"k{n}"), artifact=_named(f"k{n}")))
        print(n, flush=True)
"""


@pytest.mark.live
def test_what_was_told_survives_a_kill(tmp_path: Path) -> None:
    """The process is killed while it writes; everything that it has told is there."""
    root = str(Path.cwd())
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        told = [int(process.stdout.readline()) for _ in range(15)]
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    told += [int(line) for line in rest.split()]
    with Store(tmp_path, None) as store:
        assert {f"k{n}" for n in told} <= {f.key for f in store.findings()}
