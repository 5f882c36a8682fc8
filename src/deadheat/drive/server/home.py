"""The temporary home of a managed server, and its environment.

Rule: of the user's variables only PATH gets in.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio

# The server's output, inside its home.
LOG = "server.log"


class GitFailed(Exception):
    """The work tree could not be made; ``then``: what to do about it."""

    def __init__(self, why: str, then: str) -> None:
        super().__init__(why)
        self.then = then


def folders(home: Path) -> dict[str, str]:
    """The folders that the server may write to, by environment variable."""
    return {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "TMPDIR": str(home / "tmp"),
    }


def environment(home: Path) -> dict[str, str]:
    """The whole environment of a server whose launch adds nothing."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **folders(home)}


def furnish(home: Path, workdir: str) -> Path:
    """Make the home's folders; returns the working directory."""
    work = home / workdir
    for path in (work, *map(Path, folders(home).values())):
        path.mkdir(parents=True, exist_ok=True)
    return work


async def make_work_tree(home: Path, workdir: Path) -> None:
    """Make *workdir* a git work tree whose one commit is the same every time.

    Raises GitFailed.
    """
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "deadheat"),
            ("EMAIL", "deadheat@localhost"),
            ("DATE", "2025-01-01T00:00:00Z"),
        )
    }
    env = environment(home) | who | {"GIT_CONFIG_NOSYSTEM": "1"}
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "empty")):
        try:
            done = await anyio.run_process(
                ["git", *words], cwd=workdir, env=env, check=False, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise GitFailed("it needs git, which is not on PATH", "install git") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"]
            raise GitFailed(f"git {words[0]} failed: {said[-1]}", "check `git --version`")
