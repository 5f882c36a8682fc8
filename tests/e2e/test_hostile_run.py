"""``deadheat run`` against servers that turn hostile: a clear end, in bounded memory and time.

The whole way, as a process: the server is honest while it is looked at and rehearsed, and then
answers each request, or one in five, with whatever the table of ``tests.drive.test_hostile`` says.

    python tests/e2e/test_hostile_run.py    # the same as a table
"""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path

import pytest
from tests.drive.test_hostile import CASES, MOST_MEMORY_KIB, OK, sized
from tests.servers.crowd import Crowd
from tests.servers.hostile import Hostile
from tests.servers.scripted import Asked, Says, Scripted

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

PROFILE = """
name = "hostile"
timeout = "1s"
[calls]
create = { request = "POST /session", body = { title = "{title}" }, done = [200] }
get = { request = "GET /session/{id}", id = "id", title = "title", done = [200] }
list = { request = "GET /session", id = "id", title = "title", done = [200] }
delete = { request = "DELETE /session/{id}", answer = true, done = [200] }
"""
# The first list and the rehearsal are seven requests; from this one on the server is hostile.
HONEST = 8
# An honest run of this kind takes 80 MiB.
BASE_MEMORY_KIB = 100 * 1024
SEARCH_S = 3
# Start, search, the last timeouts of calls that were under way, and the end.
MOST_S = 150.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: exit code, what it said, seconds, its largest resident memory.

    ``hostile``: answers that were. ``followed``: requests at another host. ``untouched``: all
    foreign sessions are as they were. ``may_diverge``: such answers break a promise; of others
    nobody can say what they did, and so nothing may be found.
    """

    code: int
    said: str
    took_s: float
    most_kib: int
    hostile: int
    followed: int
    untouched: bool
    may_diverge: bool


REDIRECT = "a redirect to another host"
# What the issue names; the table has all that the executor's own suite has.
NAMED = (
    "gigabytes", "never ends", "content-length too long", "content-length too short",
    "invalid UTF-8", "deep JSON", "100,000 headers", REDIRECT,
)  # fmt: skip

# A call that hangs while others are answered, and a status that the profile does not declare.
DIVERGING = ("never ends", "informational for ever", REDIRECT)


def ran(name: str, share: float, folder: Path) -> Ended:
    """One run against a server of which, once rehearsed, this share of the answers is hostile."""
    rng = random.Random(0)
    crowd = Crowd(rng)
    before = dict(crowd.stored)
    asked = hostile = 0
    (folder / "hostile.toml").write_text(PROFILE)
    with Hostile(lambda: iter([sized(b"[]")])) as elsewhere:
        head = f"location: {elsewhere.base_url}/session\r\ncontent-length: 0\r\n\r\n".encode()

        def answer() -> Iterable[bytes]:
            if name != REDIRECT:
                return CASES[name][0]()
            return iter([OK.replace(b"200 OK", b"307 Moved") + head])

        def turned(_request: Asked) -> Says | None:
            nonlocal asked, hostile
            asked += 1
            if asked < HONEST or rng.random() >= share:
                return None
            hostile += 1
            return Says(pieces=answer())

        crowd.refuses = turned
        with Scripted(crowd) as server:
            words = ("run", server.base_url, "--profile", "hostile.toml", "--for", f"{SEARCH_S}s")
            began_s = time.monotonic()
            with (folder / "said.txt").open("wb") as out:
                process = subprocess.Popen(
                    [sys.executable, "-m", "deadheat", *words],
                    cwd=folder,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
                most_kib = _watched(process, began_s)
            took_s = time.monotonic() - began_s
        followed = elsewhere.requests
    said = (folder / "said.txt").read_text("utf-8")
    there = {session: crowd.stored.get(session) for session in before}
    return Ended(
        process.returncode,
        said,
        took_s,
        most_kib,
        hostile,
        followed,
        there == before,
        name in DIVERGING,
    )


def _watched(process: subprocess.Popen[bytes], began_s: float) -> int:
    """Wait for its end, which comes at the latest after ``MOST_S``; its largest memory in KiB.

    By VmHWM of its own image (proc(5)). The ``ru_maxrss`` of a child counts from before its exec,
    when it still was as large as whoever started it (getrusage(2), vfork(2)).
    """
    most_kib = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):  # it has just ended
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
            most_kib = most_kib if found is None else int(found[1])
        if time.monotonic() - began_s > MOST_S:
            process.kill()
        time.sleep(0.02)
    return most_kib


def faults(ended: Ended) -> list[str]:
    """What is not as it should be."""
    found = []
    if ended.code not in (0, 1, 3):
        found.append(f"exit {ended.code}")
    if ended.code == 1 and not ended.may_diverge:
        found.append("a false alarm")
    if "Traceback" in ended.said:
        found.append("a traceback")
    if ended.took_s >= MOST_S:
        found.append(f"{ended.took_s:.0f} s")
    if ended.most_kib > BASE_MEMORY_KIB + MOST_MEMORY_KIB:
        found.append(f"{ended.most_kib / 1024:.0f} MiB")
    if ended.followed:
        found.append("a redirect was followed")
    if not ended.untouched:
        found.append("a foreign session was touched")
    if not ended.hostile:
        found.append("never hostile")
    return found


@pytest.mark.parametrize("name", NAMED)
def test_a_run_ends_well_on_a_server_that_turns_hostile(name: str, tmp_path: Path) -> None:
    ended = ran(name, 0.2, tmp_path)
    assert faults(ended) == [], ended.said


def main() -> int:
    """A row for each kind of answer and share; 0 when nothing is wrong."""
    answers = wrong = rows = 0
    for name in (*CASES, REDIRECT):
        for share in (0.2, 1.0):
            with tempfile.TemporaryDirectory() as folder:
                ended = ran(name, share, Path(folder))
            found = faults(ended)
            rows, answers, wrong = rows + 1, answers + ended.hostile, wrong + bool(found)
            said = [line for line in ended.said.splitlines() if line.strip()]
            print(
                f"{name:26} {share:4.0%}  exit {ended.code}  {ended.took_s:5.1f} s  "
                f"{ended.most_kib / 1024:4.0f} MiB  {ended.hostile:5} hostile answers  "
                f"{', '.join(found) or 'ok'}  | {said[-1][:90] if said else ''}",
                flush=True,
            )
    print(f"{rows} runs, {answers:,} hostile answers, {wrong} runs that ended badly")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
