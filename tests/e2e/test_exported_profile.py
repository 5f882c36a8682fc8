"""What is exported of a profile reads its answers, and the environment for its secret."""

from __future__ import annotations

import base64
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest
from tests import running

from deadheat.drive.server.process import Launch, ServerProcess

pytestmark = pytest.mark.live
SERVERS = Path(__file__).resolve().parents[1] / "servers"
PARROT = SERVERS / "parrot.toml"
TOKEN = "tk/9f27 c0+ae"  # spelt otherwise in a URL
FORMS = {
    TOKEN, quote(TOKEN, safe=""), quote(TOKEN), base64.b64encode(TOKEN.encode()).decode(),
}  # fmt: skip


def profile(folder: Path, echo: str) -> Path:
    path = folder / "parrot.toml"
    text = PARROT.read_text("utf-8").replace("{project}", str(SERVERS))
    path.write_text(text.replace('ECHO = ""', f'ECHO = "{echo}"'), encoding="utf-8")
    return path


def deadheat(folder: Path, *words: str, token: str = TOKEN) -> tuple[int, str]:
    env = {"PARROT_TOKEN": token} if token else {}
    done = running.deadheat(folder, *words, without="" if token else "PARROT_TOKEN", **env)
    return done.returncode, done.stdout + done.stderr


def leaks(folder: Path, said: str) -> list[str]:
    """Where the token is: on the terminal, or in a file of any kind."""
    found = [f"terminal: {form}" for form in FORMS if form in said]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{path.name}: {form}" for form in FORMS if form.encode() in content]
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the profile, and one example that was found on its server."""
    folder = tmp_path_factory.mktemp("found")
    path = profile(folder, "")
    words = ("run", str(path), "--for", "500s", "--seed", "3")
    done = running.until_found(folder, *words, PARROT_TOKEN=TOKEN)
    assert done.returncode in (130, 1), done.stdout + done.stderr
    return folder


@pytest.fixture
def there(found: Path, tmp_path: Path) -> tuple[Path, str]:
    """That folder, and its example, for one test."""
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    return tmp_path / "parrot.toml", str(next((tmp_path / ".deadheat").rglob("*.json")))


@pytest.mark.timeout(600)
@pytest.mark.anyio
@pytest.mark.parametrize("stdlib", [True, False])
async def test_an_exported_script_of_a_profile_with_a_token_reproduces(
    stdlib: bool, there: tuple[Path, str], tmp_path: Path
) -> None:
    _, example = there
    words = ("export", example, "--as", "script", "-o", "repro.py", *(["--stdlib"] * stdlib))
    code, said = deadheat(tmp_path, *words, token="")  # it needs no secret
    assert code == 0, said
    assert leaks(tmp_path, said) == []
    launch = Launch(
        name="parrot",
        argv=(
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(SERVERS),
            "parrot:app",
            "--port",
            "{port}",
            "--log-level",
            "warning",
        ),
        env=(("TOKEN", TOKEN),),
        probe="/carts",
    )
    async with ServerProcess(launch) as server:
        words = (sys.executable, "repro.py", "--url", str(server.base_url))  # until it shows
        env = {**os.environ, "PARROT_TOKEN": TOKEN}
        done = await anyio.run_process(words, cwd=tmp_path, env=env, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 1, said
        assert "reproduced in trial" in said
        env.pop("PARROT_TOKEN")
        done = await anyio.run_process(words, cwd=tmp_path, env=env, check=False)
        assert done.returncode == 2
        assert b"set the environment variable PARROT_TOKEN" in done.stderr


def test_an_export_asks_for_the_profile_that_is_not_here(
    there: tuple[Path, str], tmp_path: Path
) -> None:
    path, example = there
    path.rename(tmp_path / "moved.toml")
    code, said = deadheat(tmp_path, "export", example, "--as", "curl")
    assert code == 2
    assert "--profile" in said
    code, said = deadheat(tmp_path, "export", example, "--as", "curl", "--profile", "moved.toml")
    assert code == 0
    assert '"${PARROT_TOKEN:?}"' in said
