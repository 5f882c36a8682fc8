"""A managed server: started hermetically, watched, and never left behind.

Rules
- The server sees PATH, LANG, a temporary home of its own and what its launch
  names; never another variable of the user's.
- A keeper process (``keeper.py``) starts and ends it, so it goes when deadheat
  goes, however that happens. If the keeper itself is killed, deadheat does its work.
- A stop takes no longer than its launch allows, nor than there is time left (``ends_s``).
- We choose the port. It may be taken before the server has it: then another is tried.
- Ready means: it said so (``ready_line``), and it answers (``probe``), asked on
  fresh connections with a short timeout. A server may open its port before its
  handler is attached, and then never answer what was asked in between.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread
import httpx

from deadheat.drive.masking import Mask
from deadheat.drive.server import keeper
from deadheat.drive.server.home import LOG, GitFailed, environment, furnish, make_work_tree
from deadheat.drive.server.keeper_client import KeeperClient
from deadheat.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Callable

# OpenCode stops within 0.2 s of SIGTERM; one version sometimes not at all.
GRACE_S = 2.0
# However little time is left: so long it may take, and is killed then.
LEAST_GRACE_S = 0.2
# What the keeper may take on top of the grace, on a busy machine.
KEEPER_EXTRA_S = 5.0
# Looking again at the log, the keeper and the port.
LOOK_AGAIN_S = 0.01
# One probe. Long enough for a loaded machine, short enough to ask again soon
# when the request fell into the window in which it is never answered.
PROBE_TIMEOUT_S = 0.5
# Starts before giving up: a freed port is lost twice in a row only by bad luck.
STARTS = 3
# How much of the log's end is looked at.
TAIL_BYTES = 64 * 1024

_TAKEN = re.compile(r"EADDRINUSE|address already in use|port .{0,20}in use", re.IGNORECASE)
# Colours and cursor moves, then other control characters than newline and tab.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one kind of server.

    In ``argv`` and the values of ``env``, ``{port}`` and ``{home}`` are
    replaced. ``workdir`` is relative to the home; with ``git`` it is made a git
    work tree with one empty commit. ``ready_line``: a piece of the line by which
    it says that it listens, None when it says nothing. ``probe``: a path to GET
    until any HTTP answer comes, None when an open port is enough. ``stop``: the signal
    that ends it, and whatever is left ``stop_within_s`` later is killed. ``mask``: hides the
    secrets that its log may hold.
    """

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold secrets
    workdir: str = "work"
    git: bool = False
    ready_line: str | None = None
    ready_within_s: float = 30.0
    probe: str | None = None
    stop: signal.Signals = signal.SIGTERM
    stop_within_s: float = GRACE_S
    mask: Mask = field(default=Mask())


class _LostPort(Exception):
    """It ended or complained before it was ready, perhaps because of its port."""

    def __init__(self, *, taken: bool, failure: StartFailed) -> None:
        super().__init__()
        self.taken = taken
        self.failure = failure


def free_port() -> int:
    """A loopback TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """One server of one launch; started, stopped and started again, one at a time."""

    def __init__(
        self,
        launch: Launch,
        choose_port: Callable[[], int] = free_port,
        ends_s: float | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ends_s``: nothing has time after that, on the clock of ``now_s``, a stop neither."""
        self._launch = launch
        self._choose_port = choose_port
        self._ends_s = ends_s
        self._now_s = now_s
        self._keeping: KeeperClient | None = None
        self._home: Path | None = None
        self._ended_with: int | None = None
        self._last_tail = ""
        self.base_url: str | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, which is its group's too; None when not started."""
        return None if self._keeping is None else self._keeping.drain().pid

    @property
    def exit_code(self) -> int | None:
        """What the server ended with (negative: by that signal); None while it runs.

        After a stop: what it ended with then.
        """
        return self._ended_with if self._keeping is None else self._keeping.drain().exit_code

    @property
    def alive(self) -> bool:
        """Is the server running? Cheap: one read of a pipe."""
        return self._keeping is not None and self._keeping.drain().alive

    async def exited(self, within_s: float) -> int | None:
        """The server's exit code once it is known; None if not within *within_s*.

        A reset connection is seen some milliseconds before the end of the process is.
        """
        await _until(lambda: not self.alive, within_s)
        return self.exit_code

    async def start(self) -> str:
        """Start the server with a fresh home and return its base URL once it is ready.

        Raises StartFailed, and then nothing of the server is left.
        """
        if self._keeping is not None:
            raise RuntimeError("already started")
        for attempt in range(1, STARTS + 1):
            try:
                self.base_url = await self._start_once(self._choose_port())
            except _LostPort as lost:
                await self.stop()
                # Not every server says why it ended, so that counts once as well.
                if attempt == STARTS or (attempt > 1 and not lost.taken):
                    raise lost.failure from None
            except BaseException:  # cancelled too: nothing may be left behind
                await self.stop()
                raise
            else:
                return self.base_url
        raise AssertionError("the last attempt returns or raises")

    async def stop(self) -> None:
        """End the server and its group and remove its home. Harmless when there is none."""
        with anyio.CancelScope(shield=True):
            keeping, home = self._keeping, self._home
            if keeping is None:
                return
            self._last_tail = self.log_tail()
            self.base_url = None
            keeping.let_go()
            process = keeping.process
            grace_s = self.grace_s()
            if grace_s < self._launch.stop_within_s and keeping.pid is not None:
                await _until(lambda: process.poll() is not None, grace_s)
                if keeping.drain().exit_code is None:  # else the keeper is about to reap it
                    keeper.signal_group(keeping.pid, signal.SIGKILL)
            if not await _until(lambda: process.poll() is not None, grace_s + KEEPER_EXTRA_S):
                process.kill()
                await _until(lambda: process.poll() is not None, KEEPER_EXTRA_S)
            if not keeping.drain().gone:
                await _stand_in(keeping, self._launch.stop, grace_s)
                if home is not None:
                    await anyio.to_thread.run_sync(keeper.remove, str(home))
            keeping.forget()
            self._ended_with = keeping.exit_code
            self._keeping = None
            self._home = None

    def grace_s(self) -> float:
        """The time that its stop may take: as its launch says, or less if time is short."""
        most_s = self._launch.stop_within_s
        if self._ends_s is None:
            return most_s
        return min(most_s, max(self._ends_s - self._now_s(), LEAST_GRACE_S))

    async def restart(self) -> str:
        """Stop whatever is left and start again: a new process, home and port."""
        await self.stop()
        return await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of its output without colours, its home shown as ``{home}``.

        After a stop: what they were then.
        """
        if self._home is None:
            return "\n".join(self._last_tail.splitlines()[-lines:])
        return self._launch.mask.text("\n".join(self._log().splitlines()[-lines:]))

    def resident_bytes(self) -> int | None:
        """Memory of the server process itself; None when it is gone or there is no ``/proc``."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    # --- one start ---------------------------------------------------------

    async def _start_once(self, port: int) -> str:
        give_up_at = time.monotonic() + self._launch.ready_within_s
        self._keeping = keeping = KeeperClient(self._launch.stop_within_s, self._launch.stop)
        await self._reported(keeping, lambda: keeping.home, give_up_at)
        assert keeping.home is not None
        self._home = home = Path(keeping.home)
        workdir = furnish(home, self._launch.workdir)
        if self._launch.git:
            try:
                await make_work_tree(home, workdir)
            except GitFailed as error:
                raise self._failed(str(error), error.then) from None
        self._order(keeping, home, port, workdir)
        await self._reported(keeping, lambda: keeping.pid, give_up_at)
        base_url = f"http://127.0.0.1:{port}"
        await self._until_it_says_so(give_up_at)
        await self._until_it_answers(base_url, port, give_up_at)
        self._check_running()  # or another process has answered on that port
        return base_url

    def _order(self, keeping: KeeperClient, home: Path, port: int, workdir: Path) -> None:
        def filled(text: str) -> str:
            return text.replace("{port}", str(port)).replace("{home}", str(home))

        given = keeping.order(
            argv=[filled(word) for word in self._launch.argv],
            env=environment(home) | {name: filled(value) for name, value in self._launch.env},
            cwd=str(workdir),
            log=str(home / LOG),
        )
        if not given:
            raise self._failed("its keeper process was killed", "start deadheat again")

    async def _reported(
        self, keeping: KeeperClient, wanted: Callable[[], object], give_up_at: float
    ) -> None:
        """Wait until the keeper has reported what is wanted."""
        await _until(
            lambda: keeping.drain().closed or keeping.refused is not None or wanted() is not None,
            max(0, give_up_at - time.monotonic()),
        )
        if keeping.refused is not None:
            program = Path(self._launch.argv[0]).name
            raise self._failed(
                f"{program} cannot be run: {keeping.refused}",
                "install it, or name the target by another version or path",
            )
        if wanted() is None:
            raise self._failed("its keeper process does not answer", "start deadheat again")

    async def _until_it_says_so(self, give_up_at: float) -> None:
        line = self._launch.ready_line
        while line is not None and line not in self._log():
            self._check_running()
            if time.monotonic() > give_up_at:
                raise self._failed(
                    f"it did not print {line!r} within {self._launch.ready_within_s:g} s",
                    "see its last lines, or try again on a less busy machine",
                )
            await anyio.sleep(LOOK_AGAIN_S)

    async def _until_it_answers(self, base_url: str, port: int, give_up_at: float) -> None:
        while (why := await self._ask(base_url, port)) is not None:
            self._check_running()
            if time.monotonic() > give_up_at:
                raise self._failed(
                    f"{why} within {self._launch.ready_within_s:g} s",
                    "see its last lines, or try again on a less busy machine",
                )
            await anyio.sleep(LOOK_AGAIN_S)

    async def _ask(self, base_url: str, port: int) -> str | None:
        """Ask once on a fresh connection; None when answered, else what went wrong."""
        if self._launch.probe is None:
            try:
                async with await anyio.connect_tcp("127.0.0.1", port):
                    return None
            except OSError:
                return "it did not open its port"
        # verify=False spares loading certificates, which plain HTTP never uses.
        async with httpx.AsyncClient(
            trust_env=False, verify=False, timeout=PROBE_TIMEOUT_S
        ) as client:
            try:
                with anyio.fail_after(PROBE_TIMEOUT_S):  # also against an endless trickle
                    # only the head: some servers answer with a stream
                    async with client.stream("GET", base_url + self._launch.probe):
                        return None
            except httpx.ConnectError:
                return "it did not open its port"
            except (httpx.TimeoutException, TimeoutError):
                return "it opened its port but answered nothing"
            except httpx.TransportError:
                return "it answered, but not in HTTP,"

    def _check_running(self) -> None:
        """Raise _LostPort when the server has ended or says that its port is taken."""
        code = self.exit_code
        taken = _TAKEN.search(self._log()) is not None
        if code is None and not taken and self.alive:
            return
        if taken:
            failure = self._failed("every port it was given is in use", "try again")
        else:
            how = f"exit code {code}" if code is None or code >= 0 else f"{_signal_name(-code)}"
            failure = self._failed(f"it ended at once ({how})", "see its last lines for the reason")
        raise _LostPort(taken=taken, failure=failure)

    def _failed(self, why: str, then: str) -> StartFailed:
        return StartFailed(f"{self._launch.name} did not start: {why}; {then}", self.log_tail())

    def _log(self) -> str:
        """The end of the server's output, fit to be shown."""
        if self._home is None:
            return ""
        try:
            with (self._home / LOG).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return _CONTROL.sub("", text).replace(str(self._home), "{home}")


async def _until(true: Callable[[], bool], within_s: float) -> bool:
    """Wait until the condition holds; False when it does not in time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        await anyio.sleep(LOOK_AGAIN_S)
    return True


async def _stand_in(keeping: KeeperClient, stop: signal.Signals, grace_s: float) -> None:
    """End the server's group when its keeper was killed."""
    pid = keeping.pid
    if pid is None or not keeper.signal_group(pid, stop):
        return
    await _until(lambda: not keeper.signal_group(pid, 0), grace_s)
    keeper.signal_group(pid, signal.SIGKILL)
    await anyio.to_thread.run_sync(keeper.await_empty, pid)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
