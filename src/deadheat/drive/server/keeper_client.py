"""deadheat's side of a keeper: the order it gives, and what the keeper has reported.

Rule: nothing here waits, so ``alive`` may be asked between any two requests.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from typing import Any, Self

from deadheat.drive.server import keeper


class KeeperClient:
    """One keeper process and its reports. Call ``drain`` before reading a report."""

    def __init__(self, grace_s: float, stop: int) -> None:
        read_end, write_end = os.pipe()
        try:
            # Its pipes are inherited by nobody else: Python's close on exec.
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", keeper.__file__),
                    *(tempfile.gettempdir(), str(grace_s), str(int(stop))),
                ],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=write_end,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        os.set_blocking(read_end, False)
        self._reading: int | None = read_end
        self._rest = b""
        self.home: str | None = None
        self.pid: int | None = None
        self.refused: str | None = None
        self.exit_code: int | None = None
        self.gone = False

    @property
    def closed(self) -> bool:
        """Has the keeper ended, so that no more reports come?"""
        return self._reading is None

    @property
    def alive(self) -> bool:
        """Is the server running?"""
        if self.pid is None or self.exit_code is not None or self.gone:
            return False
        return not self.closed or keeper.signal_group(self.pid, 0)

    def order(self, *, argv: list[str], env: dict[str, str], cwd: str, log: str) -> bool:
        """Have the server started; False when the keeper has gone."""
        assert self.process.stdin is not None
        line = json.dumps({"argv": argv, "env": env, "cwd": cwd, "log": log}) + "\n"
        try:
            self.process.stdin.write(line.encode())
        except BrokenPipeError:
            return False
        return True

    def let_go(self) -> None:
        """Close the pipe: the keeper then ends the server and removes the home."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def drain(self) -> Self:
        """Read what the keeper has reported so far."""
        while self._reading is not None:
            try:
                piece = os.read(self._reading, 4096)
            except BlockingIOError:
                break
            if not piece:
                self.forget()
            *lines, self._rest = (self._rest + piece).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        return self

    def forget(self) -> None:
        """Close the pipe of reports."""
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None

    def _take(self, said: dict[str, Any]) -> None:
        self.home = said.get("home", self.home)
        self.pid = said.get("pid", self.pid)
        self.refused = said.get("refused", self.refused)
        self.exit_code = said.get("exit", self.exit_code)
        self.gone = said.get("gone", self.gone)
