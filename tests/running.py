"""The command line as a subprocess, and the servers that it must not leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DEADHEAT = (sys.executable, "-m", "deadheat")
# GitHub's own runner would otherwise be told of what the tests find.
_NOT_GITHUB = {"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}


def start(folder: Path, *words: str, **env: str) -> subprocess.Popen[str]:
    """deadheat, running in ``folder``."""
    return subprocess.Popen(
        [*DEADHEAT, *words],
        cwd=folder,
        env={**os.environ, **_NOT_GITHUB, "TMPDIR": str(folder), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def deadheat(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """deadheat, run to its end in ``folder``."""
    with start(folder, *words, **env) as process:
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)


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
                b"demo_server" in (one / "cmdline").read_bytes()
                and str(folder).encode() in (one / "environ").read_bytes()
            ):
                found.append(one.name)
        except OSError:
            continue
    return found


def gone(folder: Path, within_s: float = 8) -> bool:
    """Have they all ended in time?"""
    end = time.monotonic() + within_s
    while servers(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not servers(folder)
