"""On a server of somebody's: what a run makes is gone after it, however it ends, and nothing else
is touched; no more requests a second than was said.

The whole of it: ``deadheat`` as a process, against a live server full of foreign sessions.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.running import FOREVER_S, Call, deadheat, start
from tests.servers.crowd import GONE, Crowd
from tests.servers.scripted import Asked, Says, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

PROFILE = """
name = "crowd"
[calls]
create = { request = "POST /session", body = { title = "{title}" }, done = [200] }
get = { request = "GET /session/{id}", id = "id", title = "title", done = [200] }
list = { request = "GET /session", id = "id", title = "title", done = [200] }
delete = { request = "DELETE /session/{id}", done = [200] }
rename = { request = "PATCH /session/{id}", body = { title = "{title}" }, absent = [400] }
[promises]
delete = "exactly-once"
"""


class Somewhere:
    """A folder to run in, beside a server full of foreign sessions."""

    def __init__(self, folder: Path, crowd: Crowd, server: Scripted) -> None:
        self.folder, self.crowd, self.server = folder, crowd, server
        self.before = dict(crowd.stored)
        (folder / "crowd.toml").write_text(PROFILE)

    def run(self, *words: str) -> tuple[int, str]:
        done = deadheat(self.folder, *words)
        return done.returncode, done.stdout + done.stderr

    def running(self, *words: str) -> Call:
        words = ("run", self.server.base_url, "--profile", "crowd.toml", *words)
        return start(self.folder, *words, joined=True)

    @property
    def ours(self) -> dict[str, str]:
        return {s: title for s, title in self.crowd.stored.items() if s not in self.before}

    def untouched(self) -> None:
        """Every foreign session is as before, to the byte, and no delete ever named one."""
        there = {session: self.crowd.stored.get(session) for session in self.before}
        assert json.dumps(there) == json.dumps(self.before)
        assert not set(self.crowd.deleted) & set(self.before)

    def notes(self) -> list[Path]:
        return [*self.folder.rglob("made/*")]


@pytest.fixture
def somewhere(tmp_path: Path) -> Iterator[Somewhere]:
    crowd = Crowd(random.Random(0), foreign=tuple(f"ses_foreign{i}" for i in range(200)))
    with Scripted(crowd) as server:
        yield Somewhere(tmp_path, crowd, server)


def after(
    creates: int,
    reached: threading.Event,
    then: Callable[[Asked], Says | None],
    further: int = 0,
) -> Callable[[Asked], Says | None]:
    """From that create on ``then`` answers; ``further`` calls later ``reached`` is set."""
    seen = calls = 0

    def refuses(asked: Asked) -> Says | None:
        nonlocal seen, calls
        seen += asked.method == "POST"
        if seen < creates:
            return None
        calls += 1
        if calls > further:
            reached.set()
        return then(asked)

    return refuses


@pytest.mark.parametrize("instant", ["before a delete", "before the answer to a create"])
def test_what_a_kill_leaves_behind_is_cleaned_up_later_and_nothing_else(
    instant: str, somewhere: Somewhere
) -> None:
    crowd, reached = somewhere.crowd, threading.Event()

    def then(asked: Asked) -> Says | None:
        if asked.method == "DELETE":
            return Says(500, {"name": "NotNow"})
        if asked.method == "POST" and instant == "before the answer to a create":
            crowd._create(json.loads(asked.body)["title"])  # it happens, and nobody hears of it
            return Says(raw=b"", close=True)
        return None

    crowd.refuses = after(30, reached, then, further=40)
    with somewhere.running("--for", "1h", "--max-rps", "200") as process:
        assert reached.wait(FOREVER_S)
        # The kill comes at any instant of a trial.
        process.send_signal(signal.SIGKILL)
        process.wait()
    crowd.refuses = lambda _asked: None
    left = somewhere.ours
    assert len(left) > 1
    # One went in another way, and its id was given out again: it is somebody else's now.
    taken = next(iter(left))
    crowd.stored[taken] = somewhere.before[taken] = f"somebody's {taken}"
    left = somewhere.ours
    assert all(title.startswith("deadheat ") for title in left.values())
    assert len(somewhere.notes()) == 1

    code, said = somewhere.run("cleanup", ".deadheat", "--profile", "crowd.toml", "--dry-run")
    assert code == 0, said
    assert f"{len(left)} would be deleted" in said
    assert somewhere.ours == left

    code, said = somewhere.run("cleanup", ".deadheat", "--profile", "crowd.toml")
    assert code == 0, said
    assert f"{len(left)} deleted" in said
    assert all(f"\n{session}  deleted\n" in f"\n{said}" for session in left)
    assert somewhere.ours == {}
    somewhere.untouched()
    assert somewhere.notes() == []
    assert somewhere.run("cleanup", ".deadheat") == (
        0, "nothing was left behind.\n",
    )  # fmt: skip


def test_after_ctrl_c_nothing_of_ours_is_left(somewhere: Somewhere) -> None:
    reached = threading.Event()
    somewhere.crowd.refuses = after(30, reached, lambda _asked: None)
    with somewhere.running("--for", "1h") as process:
        assert reached.wait(FOREVER_S)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
    assert process.returncode == 130, said
    assert somewhere.ours == {}
    somewhere.untouched()
    assert somewhere.notes() == []


def test_after_a_divergence_nothing_of_ours_is_left(somewhere: Somewhere) -> None:
    crowd, deletes = somewhere.crowd, 0
    stays: set[str] = set()

    def ghost(asked: Asked) -> Says | None:
        """Success, and it stays: one delete in five does nothing.

        The next delete of it finds nothing, so that what is found is a ghost and no double delete.
        """
        nonlocal deletes
        session = asked.path.rpartition("/")[2]
        if asked.method != "DELETE" or session not in somewhere.ours:
            return None
        if session in stays:
            del crowd.stored[session]
            return GONE
        deletes += 1
        if deletes % 5:
            return None
        stays.add(session)
        return Says()

    crowd.refuses = ghost
    with somewhere.running("--for", "1h", "--exitfirst", "--seed", "1") as process:
        said, _ = process.communicate()
    assert process.returncode == 1, said
    assert "ghost" in said
    assert somewhere.ours == {}
    somewhere.untouched()
    assert somewhere.notes() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_no_more_requests_a_second_than_was_said(workers: int, somewhere: Somewhere) -> None:
    per_s = 40
    began_ns = time.monotonic_ns()
    url = f"http://0.0.0.0:{somewhere.server.port}"  # not loopback by name, and yet this machine
    command = ("campaign", "--workers", str(workers), "--no-progress") if workers else ("run",)
    code, said = somewhere.run(
        *command, url, "--profile", "crowd.toml", "--allow-remote", "--max-rps", str(per_s),
        *("--programs", "20", "--seed", "1"),
    )  # fmt: skip
    assert code == 0, said  # races overlapped, or it would be 3
    rate = f"at most {per_s} requests a second"
    assert "0.0.0.0" in said
    assert said.index(rate) < said.index("campaign on" if workers else "starting")  # first
    instants = sorted(asked.complete_ns for asked in somewhere.server.asked)
    # A round goes at once: at most five lanes of three calls (generate.machine).
    burst = 5 * 3
    assert len(instants) > burst
    # Since the beginning, and not over a second: a machine that stalls lets requests arrive
    # together that were sent apart, but none before it was sent.
    for n, at_ns in enumerate(instants, 1):
        assert n <= per_s * (at_ns - began_ns) / 1e9 + burst
    somewhere.untouched()
    assert somewhere.ours == {}
