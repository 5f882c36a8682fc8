"""Supervision: hermetic, ready when it says so, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

import deadheat
from deadheat.drive.server import keeper
from deadheat.drive.server.process import LEAST_GRACE_S, Launch, ServerProcess, free_port
from deadheat.errors import StartFailed
from deadheat.targets.demo import server as demo_server

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.live, pytest.mark.anyio]

READY = "demo server listening on"
DEMO = Launch(
    name="demo",
    argv=(sys.executable, "-P", demo_server.__file__, "--port", "{port}"),
    ready_line=READY,
    ready_within_s=120,
    probe="/global/health",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the temporary homes go: empty when none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def script(text: str, **changes: object) -> Launch:
    """A server that is a few lines of Python; ``{port}`` works in the text."""
    fields: dict[str, object] = {"ready_line": "ready", "ready_within_s": 120.0} | changes
    return Launch(name="script", argv=(sys.executable, "-c", text), **fields)  # type: ignore[arg-type]


def running(pid: int) -> bool:
    """Is the process there and no zombie?"""
    shown = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(shown) and not shown.startswith("Z")


def soon(true: Callable[[], bool], within_s: float = 60) -> bool:
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


async def sessions(base_url: str) -> list[object]:
    async with httpx.AsyncClient(trust_env=False) as client:
        listed: list[object] = (await client.get(f"{base_url}/session")).json()
        return listed


def only(path: Path) -> Path:
    (found,) = path.iterdir()
    return found


def empty(path: Path) -> bool:
    return not any(path.iterdir())


async def test_it_starts_answers_stops_and_leaves_nothing(homes: Path) -> None:
    server = ServerProcess(DEMO)
    assert (server.alive, server.pid, server.exit_code) == (False, None, None)
    url = await server.start()
    pid = server.pid
    assert pid is not None
    assert server.alive
    assert await sessions(url) == []
    assert READY in server.log_tail()
    if sys.platform == "linux":
        # a Python process with asyncio loaded, in bytes and not in pages or KiB
        assert 5e6 < (server.resident_bytes() or 0) < 5e8
    await server.stop()
    assert not server.alive
    assert not running(pid)
    assert empty(homes)
    assert server.exit_code == 0
    assert READY in server.log_tail()  # still readable
    await server.stop()  # harmless


async def test_restart_is_a_new_process_with_nothing_of_the_old(homes: Path) -> None:
    async with ServerProcess(DEMO) as server:
        old_pid = server.pid
        assert server.base_url is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{server.base_url}/session")
        assert len(await sessions(server.base_url)) == 1
        url = await server.restart()
        assert server.pid != old_pid
        assert await sessions(url) == []
    assert empty(homes)


async def test_a_server_that_dies_is_noticed_and_can_be_restarted(homes: Path) -> None:
    async with ServerProcess(DEMO) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert await server.exited(5) == -signal.SIGKILL
        assert not server.alive
        await server.restart()
        assert server.alive
        assert server.exit_code is None
    assert empty(homes)


async def test_the_server_sees_only_its_own_world(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "do not leak")
    tell = (
        "import json, os, pathlib, subprocess, time;"
        "pathlib.Path('seen').write_text(json.dumps([dict(os.environ), os.getcwd(), "
        "subprocess.check_output(['git', 'log', '--format=%an %s'], text=True)]));"
        "import socket; s = socket.create_server(('127.0.0.1', {port}));"
        "print('ready', flush=True); time.sleep(60)"
    )
    launch = script(tell, git=True, workdir="a/b", env=(("HERE", "{home}:{port}"),))
    async with ServerProcess(launch) as server:
        home = only(homes)
        env, cwd, log = json.loads((home / "a" / "b" / "seen").read_text())
        assert server.base_url is not None
        assert env.pop("HERE") == f"{home}:{server.base_url.rsplit(':', 1)[1]}"
    assert Path(cwd) == home / "a" / "b"
    assert log == "deadheat empty\n"
    assert set(env) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {
        *("PATH", "LANG", "HOME", "TMPDIR"),
        *("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"),
    }
    assert all(v.startswith(str(home)) for k, v in env.items() if "HOME" in k or k == "TMPDIR")


LISTENS = """
import socket
s = socket.create_server(("127.0.0.1", {port}))
print("ready", flush=True)
"""
STUBBORN = """
import signal, socket, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
s = socket.create_server(("127.0.0.1", {port}))
print("ready", child.pid, flush=True)
time.sleep(60)
"""
LEAVES_A_CHILD = STUBBORN.replace(
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nchild",
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\nchild",
)


MOVES_OUT = STUBBORN.replace('time.sleep(60)"])', 'time.sleep(60)"], start_new_session=True)')


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to the keeper")
async def test_a_child_in_a_session_of_its_own_goes_too(homes: Path) -> None:
    server = ServerProcess(script(MOVES_OUT))
    await server.start()
    child = int(server.log_tail().split()[1])
    assert os.getsid(child) == child
    await server.stop()
    assert not running(child)
    assert empty(homes)


@pytest.mark.parametrize(("text", "code"), [(STUBBORN, -signal.SIGKILL), (LEAVES_A_CHILD, 3)])
async def test_children_and_servers_deaf_to_sigterm_go_too(
    homes: Path, text: str, code: int
) -> None:
    server = ServerProcess(script(text))
    await server.start()
    child = int(server.log_tail().split()[1])
    assert running(child)
    await server.stop()
    assert not running(child)
    assert server.exit_code == code
    assert empty(homes)


async def test_a_server_is_stopped_by_the_signal_that_it_wants(homes: Path) -> None:
    text = STUBBORN.replace(
        "child =", "signal.signal(signal.SIGINT, lambda *_: sys.exit(4))\nchild ="
    )
    server = ServerProcess(replace(script(text), stop=signal.SIGINT, stop_within_s=20))
    await server.start()
    await server.stop()
    assert server.exit_code == 4
    assert empty(homes)


def test_a_stop_takes_no_longer_than_there_is_time_left() -> None:
    launch = replace(script(STUBBORN), stop_within_s=60.0)
    now_s = 100.0
    server = ServerProcess(launch, ends_s=112.0, now_s=lambda: now_s)
    assert server.grace_s() == 12
    now_s = 40.0
    assert server.grace_s() == 60
    now_s = 113.0
    assert server.grace_s() == LEAST_GRACE_S
    assert ServerProcess(launch).grace_s() == 60


async def test_what_ignores_its_signal_is_killed_once_the_time_is_over(homes: Path) -> None:
    """Its own grace is an hour; nothing here waits for it."""
    server = ServerProcess(replace(script(STUBBORN), stop_within_s=3_600.0), ends_s=0.0)
    await server.start()
    pid, child = server.pid, int(server.log_tail().split()[1])
    assert pid is not None
    await server.stop()
    assert server.exit_code == -signal.SIGKILL
    assert not running(pid)
    assert not running(child)
    assert empty(homes)


async def test_when_the_keeper_is_killed_deadheat_does_its_work(homes: Path) -> None:
    server = ServerProcess(script(STUBBORN))
    await server.start()
    pid, child = server.pid, int(server.log_tail().split()[1])
    assert pid is not None
    assert server._keeping is not None
    server._keeping.process.kill()
    server._keeping.process.wait()
    assert server.alive  # the server is
    await server.stop()
    assert not running(pid)
    assert not running(child)
    assert empty(homes)


OWNER = """
import sys, anyio
from deadheat.drive.server.process import Launch, ServerProcess
async def main():
    server = ServerProcess(Launch(name="demo", argv=tuple(sys.argv[1:]), ready_line="listening"))
    await server.start()
    print(server.pid, flush=True)
    await anyio.sleep(60)
anyio.run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_server_goes_when_deadheat_is_killed(homes: Path, number: signal.Signals) -> None:
    source = str(Path(deadheat.__file__).parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *DEMO.argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert running(pid)
        assert not empty(homes)
        owner.send_signal(number)
        owner.wait(10)
    assert soon(lambda: not running(pid))
    assert soon(lambda: empty(homes))


def test_the_keeper_survives_signals_and_an_owner_that_never_orders(homes: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, str(homes), "2", "15"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as kept:
        assert kept.stdin is not None
        assert kept.stdout is not None
        home = Path(json.loads(kept.stdout.readline())["home"])
        assert home.is_dir()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            kept.send_signal(number)
        kept.stdin.write(b'{"argv": ["never')  # torn: deadheat died while writing
        kept.stdin.close()
        assert json.loads(kept.stdout.readline()) == {"gone": True}
        assert kept.wait(5) == 0
    assert not home.exists()


# --- starts that fail ------------------------------------------------------


async def failing(launch: Launch, choose_port: Callable[[], int] = free_port) -> StartFailed:
    server = ServerProcess(launch, choose_port)
    with pytest.raises(StartFailed) as caught:
        await server.start()
    assert not server.alive
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    return caught.value


async def test_a_server_that_exits_at_once(homes: Path) -> None:
    launch = script("import sys; print('\\x1b[31mno \\x1b[0mdisk in {home}'); sys.exit(7)")
    error = await failing(launch)
    assert "ended at once (exit code 7)" in str(error)
    assert error.log_tail == "no disk in {home}"
    assert empty(homes)


async def test_a_program_that_does_not_exist(homes: Path) -> None:
    error = await failing(Launch(name="x", argv=("no-such-program-here",)))
    assert "no-such-program-here cannot be run: No such file" in str(error)
    assert empty(homes)


async def test_a_port_in_use_is_replaced(homes: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = iter([taken, taken, free_port()])
        async with ServerProcess(DEMO, lambda: next(ports)) as server:
            assert server.base_url != f"http://127.0.0.1:{taken}"
        assert empty(homes)
        error = await failing(DEMO, lambda: taken)
    assert "every port it was given is in use" in str(error)
    assert "in use" in error.log_tail
    assert empty(homes)


async def test_a_server_that_complains_of_its_port_and_stays(homes: Path) -> None:
    error = await failing(script("print('EADDRINUSE', flush=True); import time; time.sleep(60)"))
    assert "in use" in str(error)
    assert empty(homes)


@pytest.mark.parametrize(
    ("text", "changes", "why"),
    [
        ("print('hello', flush=True)", {}, "did not print 'ready' within 5 s"),
        ("print('ready', flush=True)", {"probe": "/"}, "did not open its port"),
        ("print('ready', flush=True)", {}, "did not open its port"),
        (LISTENS, {"probe": "/"}, "opened its port but answered nothing"),
        (
            LISTENS + "while True: s.accept()[0].sendall(b'220 smtp here\\r\\n')",
            {"probe": "/"},
            "answered, but not in HTTP",
        ),
    ],
)
async def test_a_server_that_never_gets_ready(
    homes: Path, text: str, changes: dict[str, object], why: str
) -> None:
    launch = script(text + "\nimport time; time.sleep(60)", ready_within_s=5, **changes)
    assert why in str(await failing(launch))
    assert empty(homes)


async def test_git_missing_is_said(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(homes / "nothing"))
    error = await failing(script("", git=True))
    assert str(error).endswith("it needs git, which is not on PATH; install git")
    assert empty(homes)


async def test_a_start_that_is_cancelled_leaves_nothing(homes: Path) -> None:
    server = ServerProcess(script("import time; time.sleep(60)"))
    with anyio.move_on_after(0.5) as scope:
        await server.start()
    assert scope.cancelled_caught
    assert not server.alive
    assert empty(homes)
