"""The profiles of servers that are not ours: each can be read, and the one of the control fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.running import deadheat

from deadheat.check.checker import check
from deadheat.files import artifact as artifacts
from deadheat.model.history import Kind
from deadheat.model.promises import CreatePromise, IdPromise
from deadheat.model.verdict import Diverged
from deadheat.targets.profile.profile import read_profile

FUZZ = Path(__file__).parents[2] / "fuzz"
PROFILES = sorted((FUZZ / "targets").glob("*.toml"))
EXAMPLES = sorted(
    path for profile in PROFILES for path in (FUZZ / "regressions" / profile.stem).glob("*.json")
)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_each_says_what_its_server_promises(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    target = read_profile(path).target(str(path))
    assert target.wire.name == path.stem
    assert target.launch is not None
    named = target.promises.create is not CreatePromise.NEW
    assert (Kind.RECREATE in target.kinds) is named
    assert target.chosen_ids is (path.stem in {"mlflow", "pouchdb-server", "tiddlywiki"})
    assert (target.promises.ids is IdPromise.REUSED) is (path.stem == "json-server")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_found_there_is_still_a_proof(path: Path) -> None:
    example = artifacts.read(path)
    verdict = check(example.history, example.target.promises)
    assert isinstance(verdict, Diverged)
    assert example.anomaly in {one.anomaly for one in verdict.all}


def test_there_are_some() -> None:
    assert len(PROFILES) == 5
    assert len(EXAMPLES) == 7


@pytest.mark.opencode  # through npm, as OpenCode's binaries
@pytest.mark.live
def test_the_negative_control_fits_and_is_silent(tmp_path: Path) -> None:
    profile = str(FUZZ / "targets" / "json-server.toml")
    for words in (("check", profile), ("run", profile, "--programs", "40", "--seed", "1")):
        done = deadheat(tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "ids reused" in done.stdout
