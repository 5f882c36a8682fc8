"""What a killed run left on somebody's server: noted, found again, deleted; nothing else is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from deadheat.drive.agreement import server_of
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.live, pytest.mark.anyio]
SERVERS = Path(__file__).parents[1] / "servers"


def deadheat(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deadheat", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(params=["shop.toml", "shelf.toml"])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Path]]:
    """A server that deadheat does not manage, and its profile."""
    profile = SERVERS / request.param
    async with server_of(resolve(str(profile))) as url:
        yield url, profile


def fill(url: str, profile: Path) -> list[str]:
    """Somebody else's sessions: their URLs."""
    made = []
    for n in range(5):
        if profile.stem == "shop":
            answer = httpx.post(f"{url}/carts", json={"name": f"theirs {n}"})
            made.append(f"{url}/carts/{answer.json()['id']}")
        else:
            made.append(f"{url}/shelves/theirs-{n}")
            httpx.put(made[-1]).raise_for_status()
    return made


def contents(urls: list[str]) -> dict[str, bytes]:
    return {url: httpx.get(url).content for url in urls}


def collection(url: str, profile: Path) -> str:
    return httpx.get(f"{url}/{'carts' if profile.stem == 'shop' else 'shelves'}").text


def started(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "deadheat", *words],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_in_a_race(url: str, profile: Path, folder: Path) -> None:
    """Start a run, and SIGKILL it while sessions of its own are there."""
    before = collection(url, profile)
    words = ["run", url, "--profile", str(profile), "--for", "60s"]
    process = started(*words, cwd=folder)
    try:
        ends = time.monotonic() + 30
        while time.monotonic() < ends and process.poll() is None:
            if (folder / ".deadheat/made").exists() and collection(url, profile) != before:
                os.kill(process.pid, signal.SIGSTOP)
                if collection(url, profile) != before:
                    return
                os.kill(process.pid, signal.SIGCONT)
        raise AssertionError("the run made nothing")
    finally:
        process.kill()
        process.wait()


async def test_what_a_killed_run_left_is_deleted_and_nothing_else(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, profile = served
    theirs = fill(url, profile)
    before = contents(theirs)
    whole = collection(url, profile)
    kill_in_a_race(url, profile, tmp_path)
    assert collection(url, profile) != whole
    looked = deadheat("cleanup", "--dry-run", cwd=tmp_path)
    assert looked.returncode == 0, looked.stderr
    assert "would be deleted" in looked.stdout
    assert collection(url, profile) != whole
    cleaned = deadheat("cleanup", cwd=tmp_path)
    assert cleaned.returncode == 0, cleaned.stderr
    assert " deleted, " in cleaned.stdout
    assert collection(url, profile) == whole
    assert contents(theirs) == before
    again = deadheat("cleanup", cwd=tmp_path)
    assert again.stdout == "nothing was left behind.\n"
    assert not list((tmp_path / ".deadheat/made").iterdir())


async def test_a_run_cleans_up_after_itself_also_when_it_is_interrupted(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, profile = served
    fill(url, profile)
    whole = collection(url, profile)
    words = ["run", url, "--profile", str(profile), "--for", "60s"]
    process = started(*words, cwd=tmp_path)
    try:
        ends = time.monotonic() + 30
        while collection(url, profile) == whole and time.monotonic() < ends:
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (130, 1)
    finally:
        process.kill()
        process.wait()
    assert collection(url, profile) == whole
    assert not list((tmp_path / ".deadheat/made").iterdir())


async def test_the_server_is_gone_or_was_never_noted(tmp_path: Path) -> None:
    (tmp_path / ".deadheat/made").mkdir(parents=True)
    note = tmp_path / ".deadheat/made/ab12.jsonl"
    head = '{"run": "ab12", "target": "http://127.0.0.1:9", "profile": "opencode"}\n'
    note.write_text(head)
    gone = deadheat("cleanup", cwd=tmp_path)
    assert gone.returncode == 3
    assert "does not answer. Start it, then clean up again." in gone.stderr
    assert note.exists()
    note.write_text(head + "{nonsense\n")
    broken = deadheat("cleanup", cwd=tmp_path)
    assert (broken.returncode, broken.stdout) == (2, "")
    assert broken.stderr.count("\n") == 1
    assert deadheat("cleanup", "nowhere", cwd=tmp_path).returncode == 2


async def test_an_id_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    profile = SERVERS / "slots.toml"
    async with server_of(resolve(str(profile))) as url:
        ours = await anyio.to_thread.run_sync(made, url, "deadheat ab12 3 a")
        theirs = await anyio.to_thread.run_sync(made, url, "theirs")
        notes = tmp_path / ".deadheat/made/ab12.jsonl"
        notes.parent.mkdir(parents=True)
        lines = [{"run": "ab12", "target": url, "profile": str(profile)}]
        lines += [{"made": ours}, {"made": theirs}]  # freed, and given again, since
        notes.write_text("".join(json.dumps(line) + "\n" for line in lines))
        words = (sys.executable, "-m", "deadheat", "cleanup")
        done = await anyio.run_process(words, cwd=tmp_path, check=False)
        said = done.stdout.decode()
        assert f"{ours}  deleted\n" in said
        assert f"{theirs}  left alone  it has a title that this run did not write" in said
        assert "1 deleted, 0 gone already, 1 left alone." in said
        assert done.returncode == 0
        assert theirs in await anyio.to_thread.run_sync(lambda: httpx.get(f"{url}/slots").text)


def made(url: str, title: str) -> str:
    return str(httpx.post(f"{url}/slots", json={"title": title}).json()["id"])
