"""The command line as a process of its own, and the servers that it must not leave behind.

``deadheat`` and ``start`` fork from a process that has imported everything (``tests/forked.py``),
once for each pytest process: a call is then as cheap as what it does.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from deadheat.targets.demo import server as demo_server

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of a campaign it has the time before it.
_FOUND = re.compile(r"( *[\d.]+ [a-z]+( \d+ s)?  )?found ")
# GitHub's own runner would otherwise be told of what the tests find.
_NOT_GITHUB = {"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}
# Only against waiting for ever: whatever is waited for comes, however slow the machine is.
FOREVER_S = 550.0


class Call:
    """One call of the command line, running: as much of ``subprocess.Popen`` as the tests need."""

    def __init__(
        self, folder: Path, words: tuple[str, ...], env: Mapping[str, str], *, joined: bool
    ) -> None:
        """``joined``: standard error goes where standard output goes."""
        self.args = words
        given, self._stdin = os.pipe()
        out, self._out = os.pipe()
        err, self._err = (-1, self._out) if joined else os.pipe()
        self._told, told = os.pipe()
        message = json.dumps({"words": words, "folder": str(folder), "env": dict(env)}).encode()
        socket.send_fds(_forking(), [message], [given, self._out, self._err, told])
        for fd in {given, self._out, self._err, told}:
            os.close(fd)
        self.stdin: IO[str] = open(self._stdin, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        self.stdout: IO[str] = open(out, encoding="utf-8")  # noqa: SIM115, PTH123
        self.stderr: IO[str] | None = None if joined else open(err, encoding="utf-8")  # noqa: SIM115, PTH123
        self.returncode: int | None = None
        self.pid = self._line(FOREVER_S)

    def _line(self, within_s: float | None) -> int:
        ready, _, _ = select.select([self._told], [], [], within_s)
        if not ready:
            raise subprocess.TimeoutExpired(self.args, within_s or 0)
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._told, 1)
            assert byte, "the process that forks is gone"
            line += byte
        return int(line)

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = FOREVER_S) -> int:
        """Its exit code. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None:
            self.returncode = self._line(timeout)
            os.close(self._told)
        return self.returncode

    def communicate(self, given: str = "", timeout: float | None = FOREVER_S) -> tuple[str, str]:
        """What it wrote, until its end."""
        self.stdin.write(given)
        self.stdin.close()
        parts: dict[str, str] = {"out": "", "err": ""}

        def read(name: str, file: IO[str]) -> None:
            parts[name] = file.read()

        files = {"out": self.stdout} | ({} if self.stderr is None else {"err": self.stderr})
        readers = [
            threading.Thread(target=read, args=(name, file), daemon=True)
            for name, file in files.items()
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return parts["out"], parts["err"]

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Like ``Popen``, it waits; unlike it, it ends what a failed test left running."""
        if _[0] is not None:
            self.kill()
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()
        self.wait()


@functools.cache
def _forking() -> socket.socket:
    """The other end of ``tests/forked.py``, started once."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = (sys.executable, str(Path(__file__).with_name("forked.py")), str(theirs.fileno()))
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def start(folder: Path, *words: str, joined: bool = False, without: str = "", **env: str) -> Call:
    """deadheat, running in ``folder``; ``without`` that variable of the environment."""
    whole = {**os.environ, **_NOT_GITHUB, "TMPDIR": str(folder), **env}
    whole.pop(without, None)
    return Call(folder, words, whole, joined=joined)


def deadheat(
    folder: Path, *words: str, given: str = "", without: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """deadheat, run to its end in ``folder``; ``given``: on its standard input."""
    with start(folder, *words, joined=False, without=without, **env) as call:
        out, err = call.communicate(given)
        return subprocess.CompletedProcess(words, call.wait(), out, err)


def until_found(
    folder: Path, *words: str, without: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """deadheat, as with Ctrl-C once it has found something: no shrinking, and no clock decides."""
    with start(folder, *words, joined=False, without=without, **env) as call:
        assert call.stderr is not None
        said = ""
        for line in call.stderr:
            said += line
            if _FOUND.match(line):
                call.send_signal(signal.SIGINT)
                break
        out, err = call.communicate()
        return subprocess.CompletedProcess(words, call.wait(), out, said + err)


def machine(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What ``ci`` says for machines: the last line but one."""
    line = ran.stdout.splitlines()[-2]
    assert line.startswith("deadheat-result: "), ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(line.removeprefix("deadheat-result: "))
    return found


def servers(folder: Path) -> list[str]:
    """Demo servers whose home is in this test's own folder."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            if (
                os.fsencode(demo_server.__file__) in (one / "cmdline").read_bytes()
                and str(folder).encode() in (one / "environ").read_bytes()
            ):
                found.append(one.name)
        except OSError:
            continue
    return found


def gone(folder: Path, within_s: float = 60) -> bool:
    """Have they all ended, at the latest then?"""
    end = time.monotonic() + within_s
    while servers(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not servers(folder)
