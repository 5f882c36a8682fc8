"""Programs a second of a campaign, by its workers, and whose time it is.

    python tests/quality/bench_campaign.py                       # demo:correct, 30 s each
    python tests/quality/bench_campaign.py opencode@1.2.1 --for 40

The ways are run in turn, three rounds, in one run: rates drift with the load of the machine. The
share that is the server's own comes from the same run: a bare client (one raw socket, nothing
decoded) sends as many requests as a program of the campaign had, of the same kinds, one after the
other, to a server of its own; what it took per request is the server's (and the kernel's) part of
what the campaign took.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from deadheat.campaign.store import read_record
from deadheat.drive.server.process import ServerProcess
from deadheat.targets.catalog import resolve

WAYS = {
    "1 worker": ("--workers", "1"),
    "2 workers": ("--workers", "2"),
    "--cluster local, 1": ("--cluster", "local", "--workers", "1"),
    "--cluster local, 2": ("--cluster", "local", "--workers", "2"),
}
ROUNDS = 3


def campaign(target: str, seconds: float, words: tuple[str, ...]) -> dict[str, float]:
    """Programs and requests a second, from the first program to the last."""
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "deadheat", "campaign", target, *words),
                *("--for", f"{seconds}s", "--seed", "1", "--no-progress"),
            ],
            cwd=root,
            env={**os.environ, "TMPDIR": root},
            capture_output=True,
            check=False,
        )
        folders = list(Path(root).glob(".deadheat/*/campaign-*"))
        if not folders:
            sys.exit(done.stderr.decode())
        record = read_record(folders[0])
    working = [sample for sample in record.samples if sample.programs]
    first, last = working[0], working[-1]
    took_s = last.at_s - first.at_s
    return {
        "programs/s": (last.programs - first.programs) / took_s,
        "requests/s": (last.requests - first.requests) / took_s,
        "requests/program": last.requests / last.programs,
    }


def bare(target: str, requests: int) -> float:
    """Seconds a request of a bare client: create, list, get, delete, over and over."""

    async def serve() -> float:
        launch = resolve(target).launch
        assert launch is not None, "a managed target is needed"
        async with ServerProcess(launch) as server:
            assert server.base_url is not None
            return await anyio.to_thread.run_sync(_ask, server.base_url, requests)

    return anyio.run(serve)


def _ask(base_url: str, requests: int) -> float:
    where = urlsplit(base_url)
    assert where.hostname is not None
    assert where.port is not None
    with socket.create_connection((where.hostname, where.port)) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = raw.makefile("rb")

        def ask(method: str, path: str, body: bytes = b"") -> bytes:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            length, chunked = 0, False
            while (line := reader.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                chunked = chunked or line == b"transfer-encoding: chunked"
            if not chunked:
                return reader.read(length)
            whole = b""
            while size := int(reader.readline().strip(), 16):
                whole += reader.read(size)
                reader.readline()
            reader.readline()
            return whole

        session = json.loads(ask("POST", "/session", b"{}"))["id"]
        ask("DELETE", f"/session/{session}")
        began_s = time.monotonic()
        for _ in range(requests // 4):
            session = json.loads(ask("POST", "/session", b"{}"))["id"]
            ask("GET", "/session")
            ask("GET", f"/session/{session}")
            ask("DELETE", f"/session/{session}")
        return (time.monotonic() - began_s) / (requests // 4 * 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", default="demo:correct")
    parser.add_argument("--for", dest="seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    bares: list[float] = []
    for _ in range(given.rounds):
        bares.append(bare(given.target, 400))
        for way, words in WAYS.items():
            rows[way].append(campaign(given.target, given.seconds, words))
            print(f"{way}: {rows[way][-1]['programs/s']:.1f} programs/s", file=sys.stderr)
    request_s = statistics.median(bares)
    print(f"{given.target}, {given.rounds} rounds of {given.seconds:g} s; bare client: ", end="")
    print(f"{request_s * 1e3:.2f} ms a request\n")
    print("| way | programs/s (min–max) | requests/s | requests a program | server's share |")
    print("|---|---|---|---|---|")
    for way, runs in rows.items():
        speeds = [run["programs/s"] for run in runs]
        requests = statistics.median(run["requests/s"] for run in runs)
        each = statistics.median(run["requests/program"] for run in runs)
        workers = 2 if "2" in way else 1
        share = requests * request_s / workers
        print(
            f"| {way} | {statistics.median(speeds):.1f} ({min(speeds):.1f}–{max(speeds):.1f}) | "
            f"{requests:.0f} | {each:.1f} | {share:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
