"""A server that gives our secret away: it is in nothing that deadheat says or keeps."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import anyio
import pytest
from tests import running

from deadheat.drive.checkup import server_of
from deadheat.drive.masking import Mask
from deadheat.model.history import (
    Created,
    Found,
    Info,
    Listed,
    Ok,
    Outcome,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.targets.catalog import resolve

SECRET = "s3cret-of-ours"
PROFILE = Path(__file__).parents[1] / "servers" / "echo.toml"


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Ok(Undeclared(400, f"no {SECRET}")), Ok(Undeclared(400, "no ***"))),
        (Ok(Found(f"a{SECRET}b")), Ok(Found("a***b"))),
        (Ok(Found("deadheat 1a2b3c 7 b")), Ok(Found("deadheat 1a2b3c 7 b"))),  # what we wrote
        (Ok(Found(f"deadheat 1a2b3c 7 b by {SECRET}")), Ok(Found("deadheat 1a2b3c 7 b by ***"))),
        (Ok(Found(f"deadheat {SECRET}")), Ok(Found("deadheat ***"))),
        (Ok(Listed((Seen(f"x-{SECRET}"),))), Ok(Listed((Seen("x-***"),)))),
        (Ok(Created(f"x-{SECRET}")), Info(Unknown.GARBLED, "an id with a secret in it")),
        (Info(Unknown.SERVER_ERROR, SECRET), Info(Unknown.SERVER_ERROR, "***")),
        (Ok(Created("x")), Ok(Created("x"))),
    ],
)
def test_what_is_kept_of_an_answer(outcome: Outcome, kept: Outcome) -> None:
    assert Mask.of([SECRET, "abc", ""]).outcome(outcome) == kept
    assert Mask().outcome(outcome) == outcome


def run_lines(script: Path, environment: dict[str, str]) -> str:
    """What the exported curl lines print, against a server that asks for the secret."""
    printed = ""

    async def work() -> None:
        nonlocal printed
        async with server_of(resolve(str(PROFILE))) as url:
            done = await anyio.run_process(
                ["bash", str(script), "2"], env={**environment, "BASE": url}, check=False
            )
            printed = done.stdout.decode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECHO_TOKEN", SECRET)
        anyio.run(work)
    return printed


@pytest.mark.live
def test_a_secret_that_the_server_gives_away_is_kept_nowhere(tmp_path: Path) -> None:
    environment = {**os.environ, "ECHO_TOKEN": SECRET}
    said = ""

    def deadheat(*words: str, until_found: bool = False) -> int:
        nonlocal said
        call = running.until_found if until_found else running.deadheat
        done = call(tmp_path, *words, ECHO_TOKEN=SECRET)
        said += done.stdout + done.stderr
        return done.returncode

    profile = str(PROFILE)
    assert deadheat("check", profile) == 0
    seed = ("--seed", "1")
    assert deadheat("run", profile, "--for", "500s", *seed, until_found=True) in (130, 1)
    outputs = ("--junit", "junit.xml", "--report", "report", "--events", "events.ndjson")
    assert deadheat("ci", profile, "--budget", "20s", "--max-rps", "100", "-x", *outputs) == 1
    campaign = ("campaign", profile, "--for", "500s", *seed, "--into", "camp")
    assert deadheat(*campaign, until_found=True) == 130
    examples = sorted((tmp_path / ".deadheat").rglob("*.json"))
    assert examples
    for example in examples[:1]:
        deadheat("show", str(example))
        deadheat("explain", str(example))
        for form in ("curl", "markdown", "har"):
            words = ("export", str(example), "--as", form, "--output", f"{example.stem}.{form}")
            assert deadheat(*words) == 0  # its record leads to the profile from here
            assert deadheat(*words, "--profile", profile) == 0
        sent = run_lines(tmp_path / f"{example.stem}.curl", environment)
        assert "(204)" in sent
        assert "(401)" not in sent
    assert "***" in said  # it did give it away
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".sqlite", ".html", ".xml", ".ndjson", ".json"} <= {path.suffix for path in kept}
    wanted = (SECRET, base64.b64encode(SECRET.encode()).decode())
    for secret in wanted:
        assert secret not in said
        for path in kept:
            assert secret.encode() not in path.read_bytes(), path
