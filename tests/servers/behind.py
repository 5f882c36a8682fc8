"""Starts ``elsewhere.py`` for a test or a benchmark, certificates included, and ends it."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import trustme

from deadheat.drive.server.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).resolve().parent / "elsewhere.py"
WAYS = ("tcp", "unix", "tls", "http2")


def certify(folder: Path, *names: str) -> Path:
    """Make a CA and a server's certificate in ``folder``; the CA's file, for SSL_CERT_FILE."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued = ca.issue_cert(*(names or ("127.0.0.1", "localhost")))
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder / "ca.pem"


def _wait_for(way: str, url: str) -> None:
    """Hypercorn binds after it has said so."""
    until_s = time.monotonic() + 20
    while way == "http2" and time.monotonic() < until_s:
        try:
            httpx.get(url, verify=False, trust_env=False)  # only: is it up?
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return


@contextmanager
def serving(way: str, folder: Path, *, correct: bool) -> Iterator[str]:
    """A server that is up; its URL. ``folder``: where ``certify`` was."""
    if way == "unix":
        path = str(folder / f"demo{correct:d}.sock")
        words, url = ["--socket", path], f"http+unix://{quote(path, safe='')}"
    else:
        port = free_port()
        words = ["--port", str(port), "--cert", str(folder / "server.pem")]
        url = f"{'http' if way == 'tcp' else 'https'}://127.0.0.1:{port}"
    twin = ("--correct",) if correct else ()
    with subprocess.Popen(
        [sys.executable, "-P", str(SERVER), way, *words, *twin], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "listening\n":
                raise RuntimeError(f"the {way} server did not start; its stderr says why")
            _wait_for(way, url)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
