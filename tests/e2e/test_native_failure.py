"""In a pytest run of its own: the minimum as a falsifying example, and from the database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
from pathlib import Path

from hypothesis import settings

from deadheat.run.oracle import LiveOracle
from deadheat.generate.database import falsify
from tests.servers.registry import BY_NAME

RACE = BY_NAME["double-delete"]


def test_sessions(request):
    oracle = LiveOracle(RACE.target(), Path(".deadheat"), seed=1, seconds=60)
    falsify(
        oracle, name=request.node.nodeid, using=settings(max_examples=5_000), test="test_sessions"
    )
"""


def run(folder: Path, *more: str) -> str:
    """The output of the suite, which must be red."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *more, "test_race.py"],
        cwd=folder,
        # With either of these Hypothesis keeps no examples.
        env={k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_ACTIONS")}
        | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_minimal_saved_and_first_the_next_time(tmp_path: Path) -> None:
    (tmp_path / "test_race.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    first = run(tmp_path)
    shown = example(first)
    calls = [line.partition("+")[0].split()[-1] for line in shown.splitlines()]
    assert sorted(calls) == ["create()", "delete(a)", "delete(a)"]
    assert "RaceFound" in first
    assert "Flaky" not in first
    (saved,) = (tmp_path / ".deadheat").glob("double-delete-*.json")
    stamp = saved.stat().st_mtime_ns

    second = run(tmp_path)
    assert example(second) == shown
    assert "Flaky" not in second
    assert saved.stat().st_mtime_ns == stamp  # nothing was searched or shrunk again


def example(output: str) -> str:
    """The program in the falsifying example."""
    found = re.search(r"test_sessions\(\nE? *program=\n(.*?),\nE? *\)", output, re.DOTALL)
    assert found is not None, output
    return "\n".join(line.lstrip("E ") for line in found[1].splitlines())
