"""A process that has imported deadheat, and forks for each call of the command line.

``python tests/forked.py FD``: each message on the socket FD is the words, the folder and the
environment of one call as JSON, with its stdin, stdout, stderr and a pipe. The call's process id
is written to that pipe, and its exit code as ``subprocess`` has it once it ended.

A call is a process of its own, with its own exit path, signals and children; what it is spared
is the second that the imports take. ``tests/running.py`` is the other end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile

MOST_BYTES = 1 << 20  # of a message; an environment of a CI runner has some 10 KiB


def _imports() -> None:
    """All that any command imports."""
    import deadheat.cli

    for module in pkgutil.iter_modules(deadheat.cli.__path__, "deadheat.cli."):
        importlib.import_module(module.name)
    importlib.import_module("deadheat.generate.source")


def serve(control: socket.socket) -> None:
    """Fork for each message, until the other end is closed. Returns in each child, too."""
    running: dict[int, tuple[int, int]] = {}  # by pidfd: the process, where its end is told
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                pid, told = running.pop(ready)
                poll.unregister(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                os.write(told, f"{code}\n".encode())
                os.close(ready)
                os.close(told)
                continue
            message, fds, _, _ = socket.recv_fds(control, MOST_BYTES, 4)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                for own in (*running, *(told for _, told in running.values()), fds[3]):
                    os.close(own)
                control.close()
                _become(message, fds[:3])
                return
            for fd in fds[:3]:
                os.close(fd)
            os.write(fds[3], f"{pid}\n".encode())
            pidfd = os.pidfd_open(pid)
            running[pidfd] = (pid, fds[3])
            poll.register(pidfd, select.POLLIN)


def _become(message: bytes, fds: list[int]) -> None:
    """The process that ``python -m deadheat`` would be, before its first line."""
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    call = json.loads(message)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["env"])
    tempfile.tempdir = None
    sys.argv = ["deadheat", *call["words"]]
    sys.path.insert(0, call["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    _imports()
    gc.collect()
    gc.freeze()  # so that no child touches, and copies, what all of them share
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which closes the socket
    serve(socket.socket(fileno=int(sys.argv[1])))
    if sys.argv[0] == "deadheat":
        from deadheat.cli.main import main

        main()
