"""``deadheat init``: from a server's own description to a profile that fits, and finds a race."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from tests import running

from deadheat.drive.checkup import server_of
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.live, pytest.mark.anyio]
SERVERS = Path(__file__).parents[1] / "servers"


async def deadheat(*words: str, cwd: Path, code: int = 0, given: bytes = b"") -> tuple[str, str]:
    done = await anyio.to_thread.run_sync(
        partial(running.deadheat, cwd, *words, given=given.decode())
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture
async def shop() -> AsyncIterator[str]:
    """A FastAPI app's URL."""
    async with server_of(resolve(str(SERVERS / "shop.toml"))) as url:
        yield url


async def test_a_fastapi_app_fits_with_no_edit_and_its_race_is_found(
    shop: str, tmp_path: Path
) -> None:
    theirs = (await _post(f"{shop}/carts", {"name": "theirs"}))["id"]
    said, _ = await deadheat("init", shop, cwd=tmp_path)
    assert 'delete = "exactly-once", delete.absent = [404]' in said
    assert said.endswith("written to carts.toml. Next: deadheat check carts.toml\n")
    left = await _get(f"{shop}/carts")
    assert left == {"items": [{"id": theirs, "name": "theirs"}]}
    await deadheat("check", "carts.toml", cwd=tmp_path)
    await deadheat("run", "carts.toml", "--for", "60s", "-x", cwd=tmp_path, code=1)
    assert await _get(f"{shop}/carts") == left
    _, told = await deadheat("init", shop, cwd=tmp_path, code=2)
    assert "carts.toml is there already. Name another with -o, or add --force." in told


async def test_from_a_file_and_from_standard_input(shop: str, tmp_path: Path) -> None:
    whole = await anyio.to_thread.run_sync(lambda: httpx.get(f"{shop}/openapi.json").content)
    (tmp_path / "api.json").write_bytes(whole)
    await deadheat("init", "api.json", "--url", shop, "-o", "a.toml", cwd=tmp_path)
    await deadheat("check", "a.toml", cwd=tmp_path)
    said, _ = await deadheat("init", "-", "-o", "b.toml", cwd=tmp_path, given=whole)
    assert "no server was asked: look at every line" in said
    assert "CHECK: where does it run?" in (tmp_path / "b.toml").read_text()


async def test_a_server_that_deadheat_starts_and_an_id_that_comes_back(tmp_path: Path) -> None:
    start = f"{{python}} -m uvicorn --app-dir {SERVERS} shelf:app --port {{port}}"
    async with server_of(resolve(str(SERVERS / "slots.toml"))) as url:
        whole = await anyio.to_thread.run_sync(lambda: httpx.get(f"{url}/openapi.json").content)
    said, _ = await deadheat("init", "-", "--start", start, cwd=tmp_path, given=whole)
    assert 'ids = "reused"' in said
    await deadheat("check", "slots.toml", cwd=tmp_path)
    await deadheat("run", "slots.toml", "--programs", "50", cwd=tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("http://127.0.0.1:9",), 3, "does not answer"),
        (("http://192.0.2.1",), 2, "--allow-remote"),
        (("nowhere.json",), 2, "cannot be read"),
        (("-", "--collection", "/boxes"), 2, "has no collection /boxes. It has /carts."),
        (("-", "--start", "x", "--url", "http://127.0.0.1:9"), 2, "Leave one out."),
    ],
)
async def test_a_mistake_is_one_line(
    words: tuple[str, ...], code: int, says: str, tmp_path: Path, shop: str
) -> None:
    whole = await anyio.to_thread.run_sync(lambda: httpx.get(f"{shop}/openapi.json").content)
    _, told = await deadheat("init", *words, cwd=tmp_path, code=code, given=whole)
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.opencode
async def test_opencodes_own_document_fits_with_one_option(tmp_path: Path) -> None:
    async with server_of(resolve("opencode@1.2.1")) as url:
        said, _ = await deadheat("init", url, "--collection", "/session", cwd=tmp_path)
        assert 'delete = "idempotent"' in said
        await deadheat("check", "session.toml", cwd=tmp_path)
        await deadheat("run", "session.toml", "--programs", "20", cwd=tmp_path)


async def _post(url: str, body: dict[str, str]) -> dict[str, int]:
    async with httpx.AsyncClient() as http:
        made: dict[str, int] = (await http.post(url, json=body)).json()
        return made


async def _get(url: str) -> object:
    async with httpx.AsyncClient() as http:
        return (await http.get(url)).json()
