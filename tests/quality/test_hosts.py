"""A campaign on several hosts: network namespaces of one machine, each with an address of its own.

The scheduler is on this host, each Dask worker in a namespace, which it can leave only by its own
wire to here; the servers that they fuzz listen on the loopback of their namespace. Needs root and
a kernel in which namespaces can be made: `pytest -m quality tests/quality/test_hosts.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.e2e.test_campaign import folder_of, told, until
from tests.running import gone, start

from deadheat.campaign.store import read_record
from deadheat.drive.server.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.quality]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def can_make_hosts() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"dh-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True)
    if made.returncode == 0:
        ip("netns", "delete", name)
    return made.returncode == 0


@contextmanager
def host(number: int) -> Iterator[tuple[str, str, str]]:
    """A namespace with one wire to here: its name, our address on the wire, its own."""
    name, ours, theirs = f"dh-{os.getpid()}-{number}", f"dh{number}a", f"dh{number}b"
    # Of the block for benchmarks (RFC 2544): nobody's network.
    here, there = f"198.18.{number}.1", f"198.18.{number}.2"
    ip("netns", "add", name)
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("address", "add", f"{here}/24", "dev", ours)
        ip("link", "set", ours, "up")
        for words in (
            ("address", "add", f"{there}/24", "dev", theirs),
            ("link", "set", theirs, "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", name, *words)
        yield name, here, there
    finally:
        ip("netns", "delete", name)  # takes the wire with it


@contextmanager
def process(*words: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def test_workers_on_hosts_of_their_own_and_one_is_lost(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    if not can_make_hosts():
        pytest.skip("no network namespaces can be made here: it takes root and a kernel with them")
    port = free_port()
    python = (sys.executable, "-m")
    with ExitStack() as stack:
        stack.enter_context(
            process(
                *python, "distributed.cli.dask_scheduler", "--host", "0.0.0.0",
                "--port", str(port), "--no-dashboard", "--no-jupyter", cwd=tmp_path,
            )
        )  # fmt: skip
        workers = []
        for number in (1, 2):
            name, here, there = stack.enter_context(host(number))
            worker = process(
                "ip", "netns", "exec", name, *python, "distributed.cli.dask_worker",
                f"tcp://{here}:{port}", "--no-nanny", "--nthreads", "2", "--no-dashboard",
                "--name", name, "--host", there, cwd=tmp_path,
            )  # fmt: skip
            workers.append(stack.enter_context(worker))
        address = f"tcp://198.18.1.1:{port}"
        words = ("campaign", "demo", "--programs", "400", "--events", "e", "--cluster", address)
        with start(tmp_path, *words) as run:
            try:
                until(lambda: told(tmp_path, "worker-started") == 2, 90)
                until(lambda: told(tmp_path, "found") > 0, 60)
                workers[0].kill()
                until(lambda: "worker-lost" in (tmp_path / "e").read_text())
                out, err = run.communicate(timeout=300)
            finally:
                run.kill()
        assert run.returncode == 1, out + err  # the demo has its race
        record = read_record(folder_of(tmp_path))
        assert record.totals["programs"] >= 400
        assert record.totals["lost_workers"] == 1
        assert any(finding.artifact.anomaly.value == "ghost" for finding in record.findings)
        assert gone(tmp_path, 12)
