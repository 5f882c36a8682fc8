"""Starts animals of the zoo and ends them: each process by its own id, also on failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tests.servers.behind import certify

from deadheat.drive.server.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.zoo.animal import Animal, Stack

_HERE = Path(__file__).resolve().parent
STACKS = _HERE / "stacks"
# A busy machine takes long to start a framework; one that is down is told by its process.
_READY_WITHIN_S = 60.0


class Missing(Exception):
    """What this animal needs is not on this machine."""


@contextmanager
def trusted(folder: Path) -> Iterator[None]:
    """A CA of our own, trusted meanwhile; its server's certificate is in ``folder``."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(certify(folder))
    try:
        yield
    finally:
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


@contextmanager
def raw_served(names: Iterable[str], folder: Path) -> Iterator[Mapping[str, str]]:
    """The URLs of these animals of the raw server, all in one process."""
    argv = [sys.executable, "-P", str(_HERE / "raw.py"), "--folder", str(folder), *names]
    with _running(argv, {}, None) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the raw server did not start; its stderr says why")
        yield json.loads(line)


@contextmanager
def stack_served(animal: Animal, folder: Path) -> Iterator[str]:
    """The URL of a server of its own. Raises ``Missing``."""
    stack = animal.stack
    assert stack is not None
    mine = folder / animal.name
    mine.mkdir()
    port = free_port()
    known = {
        "{python}": sys.executable,
        "{port}": str(port),
        "{folder}": str(mine),
        "{certificate}": str(folder / "server.pem"),
        "{stacks}": str(STACKS),
        "{file}": str(prepared(stack, folder)),
    }
    argv = [_filled(word, known) for word in stack.argv]
    env = {"PORT": str(port), "FOLDER": str(mine)}
    url = f"{stack.scheme}://127.0.0.1:{port}"
    with _running(argv, env, mine) as process:
        _wait_for(url, process, animal.name)
        yield url


def _filled(word: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        word = word.replace(name, value)
    return word


@contextmanager
def _running(
    argv: list[str], env: Mapping[str, str], folder: Path | None
) -> Iterator[subprocess.Popen[str]]:
    with ExitStack() as stack:
        err = None
        if folder is not None:  # frameworks chat; what they said is there when one fails
            err = stack.enter_context((folder / "log.txt").open("w"))
        process = stack.enter_context(
            subprocess.Popen(
                argv,
                env={**os.environ, **env},
                cwd=folder,
                stdout=subprocess.PIPE if err is None else err,
                stderr=err,
                text=True,
            )
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(url: str, process: subprocess.Popen[str], name: str) -> None:
    until_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}; its log.txt says why")
        try:
            httpx.get(f"{url}/carts", verify=False, trust_env=False, timeout=5)  # is it up?
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{name} did not listen within {_READY_WITHIN_S:g} s")


def prepared(stack: Stack, folder: Path) -> Path:
    """The file to run: where its packages are, or what was built of it. Raises ``Missing``."""
    source = STACKS / stack.file
    if stack.go:
        return _built(source, folder)
    return _beside_packages(source, stack.npm, folder) if stack.npm else source


def _built(source: Path, folder: Path) -> Path:
    program = folder / source.stem
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise Missing("there is no go on PATH (Debian: apt-get install golang-go)")
    # Debian's standard library is compiled for cgo: without a C compiler it is compiled once more.
    cgo = "1" if shutil.which("gcc") else "0"
    env = {**os.environ, "GO111MODULE": "off", "CGO_ENABLED": cgo, "GOFLAGS": ""}
    subprocess.run([go, "build", "-o", str(program), str(source)], check=True, env=env)
    return program


def _beside_packages(source: Path, packages: tuple[str, ...], folder: Path) -> Path:
    """A copy of ``source`` in a folder that has the npm packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("there is no node and npm on PATH")
    home = folder / "npm" / source.stem
    if not (home / "node_modules").exists():
        home.mkdir(parents=True)
        argv = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent"]
        ran = subprocess.run([*argv, *packages], check=False, capture_output=True, text=True)
        if ran.returncode:
            raise Missing(
                f"npm could not install {' '.join(packages)}: {ran.stderr.strip()[-300:]}"
            )
    return Path(shutil.copy(source, home))
