"""The folder of a worker, removed when the worker ends, however that happens.

Rules
- It is named after the worker's process and locked by it for as long as it lives.
- The starter of a worker removes its folder once the worker has ended (``remove_of``).
- Of those whose starter was killed, too, the next worker removes those that are not locked. A
  young folder is left alone: its worker may be about to lock it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "deadheat-worker-"
# Between making a folder and locking it there is nothing but two system calls.
_YOUNG_S = 60.0


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for this process; also remove those that other workers have left."""
    remove_left()
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as name:
        held = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(held)


def remove_of(pid: int) -> None:
    """Remove the folder of a worker that is known to have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{pid}-*"):
        _remove_unless_held(folder)


def remove_left(young_s: float = _YOUNG_S) -> None:
    """Remove this user's folders that no process holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime >= young_s:
                _remove_unless_held(folder)


def _remove_unless_held(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another user's, gone already, or held
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)
