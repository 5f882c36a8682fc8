"""Servers that are not on plain TCP, through the command line: found, replayed, twin silent."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests import running
from tests.servers.behind import certify, serving

from deadheat.files import artifact as artifacts
from deadheat.model.release import Via, miss_ns

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the certificates are, and the socket."""
    made = tmp_path_factory.mktemp("behind")
    certify(made)
    return made


def deadheat(
    *words: str, cwd: Path, ca: Path | None = None, until_found: bool = False
) -> subprocess.CompletedProcess[str]:
    env = {} if ca is None else {"SSL_CERT_FILE": str(ca)}
    call = running.until_found if until_found else running.deadheat
    return call(cwd, *words, without="" if env else "SSL_CERT_FILE", **env)


ways = pytest.mark.parametrize("way", ["tls", "unix", "http2"])


def options(way: str) -> tuple[str, ...]:
    return ("--profile", "opencode", *(("--http2",) if way == "http2" else ()))


@ways
def test_the_planted_race_is_found_and_replayed(way: str, folder: Path, tmp_path: Path) -> None:
    ca = folder / "ca.pem"
    with serving(way, folder, correct=False) as url:
        words = ("run", url, *options(way), "--for", "500s", "--seed", "1")
        found = deadheat(*words, cwd=tmp_path, ca=ca, until_found=True)
        assert found.returncode in (130, 1), found.stderr
        path, *_ = (tmp_path / ".deadheat").rglob("ghost*.json")
        again = deadheat("replay", str(path), cwd=tmp_path, ca=ca)  # until it shows
        assert again.returncode == 1, found.stdout + again.stdout + again.stderr
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
def test_the_correct_twin_is_silent(way: str, folder: Path, tmp_path: Path) -> None:
    with serving(way, folder, correct=True) as url:
        quiet = deadheat(
            "run",
            url,
            *options(way),
            *("--programs", "20", "--seed", "1"),
            cwd=tmp_path,
            ca=folder / "ca.pem",
        )
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr


def test_a_certificate_of_nobody_known_is_one_line(folder: Path, tmp_path: Path) -> None:
    with serving("tls", folder, correct=True) as url:
        refused = deadheat("run", url, "--profile", "opencode", cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    last = refused.stderr.splitlines()[-1]
    assert "is not trusted" in last
    assert "SSL_CERT_FILE" in last
    assert "Traceback" not in refused.stderr


def test_a_server_without_http2_is_one_line(folder: Path, tmp_path: Path) -> None:
    with serving("tls", folder, correct=True) as url:
        refused = deadheat(
            "run", url, "--profile", "opencode", "--http2", cwd=tmp_path, ca=folder / "ca.pem"
        )
    assert refused.returncode == 2, refused.stderr
    assert "does not speak HTTP/2" in refused.stderr.splitlines()[-1]


def test_http2_without_its_package_says_what_to_install(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "h2.py").write_text("raise ModuleNotFoundError('No module', name='h2')\n")
    code = "import sys; sys.path.insert(0, '.'); import deadheat.__main__ as m; m.main()"
    with serving("http2", folder, correct=True) as url:
        refused = subprocess.run(
            [sys.executable, "-c", code, "run", url, "--profile", "opencode", "--http2"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=300,
        )
    assert refused.returncode == 2, refused.stderr
    assert "pip install 'deadheat[http2]'" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "demo"])
def test_http2_needs_tls(url: str, tmp_path: Path) -> None:
    profile = ("--profile", "opencode") if "://" in url else ()
    refused = deadheat("ci", url, *profile, "--http2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "https://" in refused.stderr.splitlines()[-1]
