"""Servers that are not on plain TCP, through the command line: found, replayed, twin silent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
import trustme

from deadheat import artifact as artifacts
from deadheat.core.release import Via, miss_ns
from deadheat.drive.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live
SERVER = Path(__file__).resolve().parent.parent / "servers" / "elsewhere.py"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The CA's certificate, and a server's key with its chain."""
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued = ca.issue_cert("127.0.0.1", "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder / "ca.pem", folder / "server.pem"


@contextmanager
def running(way: str, *words: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-P", str(SERVER), way, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "listening\n"
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def serving(
    way: str, certificates: tuple[Path, Path], folder: Path, *, correct: bool
) -> Iterator[str]:
    """A server that is up; its URL."""
    twin = ("--correct",) if correct else ()
    if way == "unix":
        path = str(folder / "demo.sock")
        with running("unix", "--socket", path, *twin):
            yield f"http+unix://{quote(path, safe='')}"
        return
    port = free_port()
    with running(way, "--port", str(port), "--cert", str(certificates[1]), *twin):
        url = f"https://127.0.0.1:{port}"
        until = time.monotonic() + 20  # hypercorn binds after it has said so
        while time.monotonic() < until:
            try:
                httpx.get(url, verify=False, trust_env=False)
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        yield url


def deadheat(*words: str, cwd: Path, ca: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    return subprocess.run(
        [sys.executable, "-m", "deadheat", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env if ca is None else {**env, "SSL_CERT_FILE": str(ca)},
        check=False,
        timeout=120,
    )


ways = pytest.mark.parametrize("way", ["tls", "unix", "http2"])


def options(way: str) -> tuple[str, ...]:
    return ("--profile", "opencode", *(("--http2",) if way == "http2" else ()))


@ways
def test_the_planted_race_is_found_and_replayed(
    way: str, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    ca = certificates[0]
    with serving(way, certificates, tmp_path, correct=False) as url:
        found = deadheat(
            "run", url, *options(way), "--for", "40s", "-x", "--seed", "1", cwd=tmp_path, ca=ca
        )
        assert found.returncode == 1, found.stderr
        (path,) = (tmp_path / ".deadheat").rglob("ghost*.json")
        again = deadheat("replay", str(path), cwd=tmp_path, ca=ca)
        assert again.returncode == 1, again.stderr
    saved = artifacts.read(path)
    assert saved.target.via is Via(way)
    assert saved.history.releases
    for releases in saved.history.releases:
        assert all(r.achieved_ns >= r.wanted_ns for r in releases)
        assert miss_ns(releases) < 1_000_000_000  # measured, and not made up
        assert len({r.achieved_ns for r in releases}) == len({r.wanted_ns for r in releases}) or (
            way != "http2"
        )
    word = {"tls": "over TLS", "unix": "over a unix socket", "http2": "over HTTP/2"}[way]
    assert word in found.stdout
    assert found.stderr.count(f"note: {word}") == 1


@ways
def test_the_correct_twin_is_silent(
    way: str, certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    with serving(way, certificates, tmp_path, correct=True) as url:
        quiet = deadheat(
            "run",
            url,
            *options(way),
            *("--programs", "200", "--seed", "1"),
            cwd=tmp_path,
            ca=certificates[0],
        )
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr


def test_a_certificate_of_nobody_known_is_one_line(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    with serving("tls", certificates, tmp_path, correct=True) as url:
        refused = deadheat("run", url, "--profile", "opencode", cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    last = refused.stderr.splitlines()[-1]
    assert "is not trusted" in last
    assert "SSL_CERT_FILE" in last
    assert "Traceback" not in refused.stderr


def test_a_server_without_http2_is_one_line(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    with serving("tls", certificates, tmp_path, correct=True) as url:
        refused = deadheat(
            "run", url, "--profile", "opencode", "--http2", cwd=tmp_path, ca=certificates[0]
        )
    assert refused.returncode == 2, refused.stderr
    assert "does not speak HTTP/2" in refused.stderr.splitlines()[-1]


def test_http2_without_its_package_says_what_to_install(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "h2.py").write_text("raise ModuleNotFoundError('No module', name='h2')\n")
    code = "import sys; sys.path.insert(0, '.'); import deadheat.__main__ as m; m.main()"
    with serving("http2", certificates, tmp_path, correct=True) as url:
        refused = subprocess.run(
            [sys.executable, "-c", code, "run", url, "--profile", "opencode", "--http2"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=60,
        )
    assert refused.returncode == 2, refused.stderr
    assert "pip install 'deadheat[http2]'" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "demo"])
def test_http2_needs_tls(url: str, tmp_path: Path) -> None:
    profile = ("--profile", "opencode") if "://" in url else ()
    refused = deadheat("ci", url, *profile, "--http2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "https://" in refused.stderr.splitlines()[-1]


def test_the_machine_line_says_what_the_requests_went_over(
    certificates: tuple[Path, Path], tmp_path: Path
) -> None:
    with serving("unix", certificates, tmp_path, correct=True) as url:
        done = deadheat("ci", url, "--profile", "opencode", "--budget", "6s", cwd=tmp_path)
    last = done.stdout.strip().splitlines()[-1].removeprefix("deadheat-result: ")
    assert json.loads(last)["via"] == "unix"
