"""What a killed run left on somebody's server: noted, found again, deleted; nothing else is."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from tests.running import deadheat, start

from deadheat.drive.checkup import server_of
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.live, pytest.mark.anyio]
SERVERS = Path(__file__).parents[1] / "servers"


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


def kill_in_a_race(url: str, profile: Path, folder: Path) -> None:
    """Start a run, and SIGKILL it while sessions of its own are there."""
    before = collection(url, profile)
    words = ["run", url, "--profile", str(profile), "--for", "60s"]
    with start(folder, *words) as process:
        while process.poll() is None:
            if (folder / ".deadheat/made").exists() and collection(url, profile) != before:
                process.send_signal(signal.SIGSTOP)
                if collection(url, profile) != before:
                    process.kill()
                    return
                process.send_signal(signal.SIGCONT)
        raise AssertionError("the run made nothing")


async def test_what_a_killed_run_left_is_deleted_and_nothing_else(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, profile = served
    theirs = fill(url, profile)
    before = contents(theirs)
    whole = collection(url, profile)
    kill_in_a_race(url, profile, tmp_path)
    assert collection(url, profile) != whole
    looked = deadheat(tmp_path, "cleanup", "--dry-run", "--profile", str(profile))
    assert looked.returncode == 0, looked.stderr
    assert "would be deleted" in looked.stdout
    assert collection(url, profile) != whole
    cleaned = deadheat(tmp_path, "cleanup", "--profile", str(profile))
    assert cleaned.returncode == 0, cleaned.stderr
    assert " deleted, " in cleaned.stdout
    assert collection(url, profile) == whole
    assert contents(theirs) == before
    again = deadheat(tmp_path, "cleanup")
    assert again.stdout == "nothing was left behind.\n"
    assert not list((tmp_path / ".deadheat/made").iterdir())


async def test_a_run_cleans_up_after_itself_also_when_it_is_interrupted(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, profile = served
    fill(url, profile)
    whole = collection(url, profile)
    words = ["run", url, "--profile", str(profile), "--for", "60s"]
    with start(tmp_path, *words) as process:
        while collection(url, profile) == whole and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode in (130, 1)
    if list((tmp_path / ".deadheat/made").iterdir()):
        # What was on its way came later than anybody waits for: the note says so.
        after = deadheat(tmp_path, "cleanup", "--profile", str(profile))
        assert after.returncode == 0, after.stdout + after.stderr
    assert collection(url, profile) == whole
    assert not list((tmp_path / ".deadheat/made").iterdir())


async def test_the_server_is_gone_or_was_never_noted(tmp_path: Path) -> None:
    (tmp_path / ".deadheat/made").mkdir(parents=True)
    note = tmp_path / ".deadheat/made/ab12cd.jsonl"
    head = '{"run": "ab12cd", "target": "http://127.0.0.1:9", "profile": "opencode"}\n'
    note.write_text(head)
    gone = deadheat(tmp_path, "cleanup")
    assert gone.returncode == 3
    assert "does not answer. Start it, then clean up again." in gone.stderr
    assert note.exists()
    note.write_text(head + "{nonsense\n")
    broken = deadheat(tmp_path, "cleanup")
    assert (broken.returncode, broken.stdout) == (2, "")
    assert broken.stderr.count("\n") == 1
    assert deadheat(tmp_path, "cleanup", "nowhere").returncode == 2


def made_at(address: str) -> None:
    httpx.post(address, json={"name": "a cart"}).raise_for_status()


async def test_where_no_title_tells_a_create_on_its_way_is_out_of_sight_and_said_to_be(
    tmp_path: Path,
) -> None:
    shop = SERVERS / "shop.toml"
    untitled = "\n".join(
        line.replace(', title = "name"', "")
        for line in shop.read_text().splitlines()
        if not line.startswith("rename")
    )
    (tmp_path / "untitled.toml").write_text(untitled.replace("{title}", "a cart"))
    note = tmp_path / ".deadheat/made/ab12cd.jsonl"
    note.parent.mkdir(parents=True)
    async with server_of(resolve(str(shop))) as url:
        head = {"run": "ab12cd", "target": url, "profile": "untitled.toml"}
        note.write_text(json.dumps(head) + "\n")
        await anyio.to_thread.run_sync(made_at, f"{url}/carts")
        words = ("cleanup", "--profile", "untitled.toml")
        done = await anyio.to_thread.run_sync(deadheat, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "of 1 sessions" in done.stdout
    assert "nothing was left behind" not in done.stdout


async def test_an_id_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    profile = SERVERS / "slots.toml"
    async with server_of(resolve(str(profile))) as url:
        ours = await anyio.to_thread.run_sync(made, url, "deadheat ab12cd 3 a")
        theirs = await anyio.to_thread.run_sync(made, url, "theirs")
        notes = tmp_path / ".deadheat/made/ab12cd.jsonl"
        notes.parent.mkdir(parents=True)
        lines = [{"run": "ab12cd", "target": url, "profile": str(profile)}]
        lines += [{"made": ours}, {"made": theirs}]  # freed, and given again, since
        notes.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = await anyio.to_thread.run_sync(deadheat, tmp_path, "cleanup", "--trust")
        said = done.stdout
        assert f"{ours}  deleted\n" in said
        assert f"{theirs}  left alone  it has a title that this run did not write" in said
        assert "1 deleted, 0 gone already, 1 left alone." in said
        assert done.returncode == 0
        assert theirs in await anyio.to_thread.run_sync(lambda: httpx.get(f"{url}/slots").text)


def made(url: str, title: str) -> str:
    return str(httpx.post(f"{url}/slots", json={"title": title}).json()["id"])
