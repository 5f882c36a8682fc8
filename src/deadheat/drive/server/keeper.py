"""The keeper: a tiny process that outlives deadheat just long enough to clean up.

Run by path with ``-I -S``, so that it starts fast. deadheat holds a pipe to its
standard input; however deadheat ends, SIGKILL too, that pipe reaches its end.

    keeper.py PARENT GRACE_S STOP stdin: at most one line, the order
                                  stdout: reports, one JSON object a line

    -> {"home": PATH}             a fresh temporary home inside PARENT
    <- {"argv": [...], "env": {...}, "cwd": PATH, "log": PATH}
    -> {"pid": N}  or  {"refused": WHY}
    -> {"exit": CODE}             when the server ends, for any reason
    <- end of the pipe
    -> {"gone": true}             the group is dead and the home removed

Rules
- Standard library only, and nothing of deadheat.
- The server leads a session and group of its own. It is not reaped before the
  group was killed, so its id cannot meanwhile name another group.
- Nothing that the server started stays, on Linux not even what left its group.
- SIGINT, SIGTERM and SIGHUP do nothing here. They are caught and not ignored:
  what is ignored stays ignored across exec, and the server must hear its signal, STOP.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

# Looking again whether a group is gone: far below the 50 ms that servers take to stop.
LOOK_AGAIN_S = 0.005
# After SIGKILL only an uninterruptible wait or a parent that does not reap can
# keep a process; neither is worth waiting longer for.
KILLED_WITHIN_S = 1.0
# A process that is just dying may still write into the home while it is removed.
REMOVE_TRIES = 20


def report(**fields: object) -> None:
    """Tell deadheat, if it is still there."""
    line = json.dumps(fields) + "\n"
    with contextlib.suppress(OSError):
        os.write(1, line.encode())  # shorter than PIPE_BUF, so never torn


def signal_group(pgid: int, number: int) -> bool:
    """Send a signal to a whole group; False when the group is empty."""
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS: only zombies are left
        return False
    return True


def end_group(pgid: int, leader_gone: threading.Event, grace_s: float, stop: int) -> None:
    """The signal ``stop``, a grace for the leader, then SIGKILL for whatever is left."""
    signal_group(pgid, stop)
    leader_gone.wait(grace_s)
    signal_group(pgid, signal.SIGKILL)


def await_empty(pgid: int) -> None:
    """Wait, for a limited time, until the group is empty."""
    end = time.monotonic() + KILLED_WITHIN_S
    while signal_group(pgid, 0) and time.monotonic() < end:
        time.sleep(LOOK_AGAIN_S)


def remove(home: str) -> None:
    """Remove the home, even if it still changes for a moment."""
    for _ in range(REMOVE_TRIES):
        shutil.rmtree(home, ignore_errors=True)
        if not os.path.lexists(home):
            return
        time.sleep(LOOK_AGAIN_S)


def adopt_orphans() -> None:
    """On Linux: what the server leaves behind becomes ours, wherever it has moved.

    A child that made a session of its own is in no group of the server's, and
    in a container no other process may reap what is left.
    """
    if sys.platform == "linux":
        import ctypes  # here, as it costs start-up time elsewhere

        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def children() -> list[int]:
    """Our children, where the kernel tells them."""
    found: list[int] = []
    for path in glob.glob("/proc/self/task/*/children"):  # noqa: PTH207 - start-up time
        with contextlib.suppress(OSError), open(path) as listed:  # noqa: PTH123
            found.extend(map(int, listed.read().split()))
    return found


def reap_adopted() -> None:
    """Kill and reap every child left, and what their end hands down to us."""
    end = time.monotonic() + KILLED_WITHIN_S
    while time.monotonic() < end:
        for pid in children():
            os.kill(pid, signal.SIGKILL)  # ours and not reaped yet: no other process's id
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(LOOK_AGAIN_S)


class KeptServer:
    """The server, and the thread that watches it."""

    def __init__(self, order: dict[str, object]) -> None:
        argv, env, cwd, log = order["argv"], order["env"], order["cwd"], order["log"]
        with open(str(log), "ab") as out:  # noqa: PTH123 - pathlib costs start-up time
            self._process = subprocess.Popen(
                argv,  # type: ignore[call-overload]  # a list of strings, by the protocol
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid: int = self._process.pid
        self.ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        code: int
        if hasattr(os, "waitid"):  # see without reaping: the id stays taken
            seen = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            assert seen is not None
            code = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
        else:
            code = self._process.wait()
        report(exit=code)
        self.ended.set()

    def end(self, grace_s: float, stop: int) -> None:
        """End the group and reap its leader."""
        end_group(self.pid, self.ended, grace_s, stop)
        self.ended.wait(KILLED_WITHIN_S)  # the watcher reports first, then it is reaped
        self._process.wait()
        reap_adopted()
        await_empty(self.pid)


def main() -> None:
    """See the module's text."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    parent, grace_s, stop = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    adopt_orphans()
    home = tempfile.mkdtemp(prefix="deadheat-", dir=parent)
    kept: KeptServer | None = None
    try:
        report(home=home)
        order = sys.stdin.buffer.readline()
        if order.endswith(b"\n"):  # else deadheat ended before or while giving it
            try:
                kept = KeptServer(json.loads(order))
            except OSError as error:
                report(refused=error.strerror or str(error))
            else:
                report(pid=kept.pid)
            while sys.stdin.buffer.read(1):
                pass
    finally:
        if kept is not None:
            kept.end(grace_s, stop)
        remove(home)
        report(gone=True)


if __name__ == "__main__":
    main()
