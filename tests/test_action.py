"""The composite action: valid, used by this repo, and its inputs reach the command as they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load(
    (REPO / ".github" / "actions" / "fuzz" / "action.yml").read_text()
)


def test_this_repo_uses_it_with_inputs_that_it_has() -> None:
    workflow = yaml.safe_load((REPO / ".github" / "workflows" / "ci.yml").read_text())
    used = [
        step
        for job in workflow["jobs"].values()
        for step in job["steps"]
        if step.get("uses") == "./.github/actions/fuzz"
    ]
    assert len(used) == 1
    assert set(used[0]["with"]) <= set(ACTION["inputs"])
    assert (REPO / used[0]["with"]["config"]).is_file()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, []),
        ({"BUDGET": "60s", "TARGET": "demo"}, ["--budget", "60s", "--", "demo"]),
        ({"CONFIG": "a b.toml"}, ["--config", "a b.toml"]),
        (
            {"TARGET": '"; touch hacked; "$(touch hacked)'},
            ["--", '"; touch hacked; "$(touch hacked)'],
        ),
    ],
)
def test_what_it_runs(tmp_path: Path, inputs: dict[str, str], words: list[str]) -> None:
    (step,) = [step for step in ACTION["runs"]["steps"] if "--junit" in step.get("run", "")]
    program = tmp_path / "deadheat" / "bin" / "deadheat"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    env = dict.fromkeys(step["env"], "") | inputs
    ran = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        env={**os.environ, **env, "RUNNER_TEMP": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    outputs = ["--junit", ".deadheat/junit.xml", "--events", ".deadheat/events.ndjson"]
    given = ran.stdout.splitlines()
    assert given[0] == "ci"
    start = given.index("--junit")
    assert given[start : start + 4] == outputs
    assert given[1:start] + given[start + 4 :] == words
    assert not (tmp_path / "hacked").exists()


def test_its_outputs_are_where_it_uploads_from() -> None:
    (upload,) = [step for step in ACTION["runs"]["steps"] if "uses" in step]
    assert upload["if"] == "always()"
    assert upload["with"]["path"] == ".deadheat"
