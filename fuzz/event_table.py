"""What OpenCode's event stream says wrongly, version by version, and whether that is so by hand.

For each version: `deadheat run` as a user would, then each divergence about events or hangs with
its rate; then, without deadheat on the way (`http.client` and the raw stream), sessions of which
two deletes at once are asked for: how often each was announced. Prints Markdown.

`--expect-quiet VERSION`: exit 1 when that one has any of these divergences.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from deadheat.drive.server.process import ServerProcess
from deadheat.files import artifact as artifacts
from deadheat.model.verdict import EVENTS, Anomaly
from deadheat.report.words import rate_text
from deadheat.targets.opencode import releases as opencode

WANTED = EVENTS | {Anomaly.HANG, Anomaly.UNRESPONSIVE}
# OpenCode 1.18.33 announces up to 50 ms after the answer and more; what has not come by then
# is counted as it stands.
SETTLED_S = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python fuzz/event_table.py 1.1.65 --for 60",
    )
    parser.add_argument("versions", nargs="*", default=["1.0.152", "1.1.65", "1.2.1", "1.18.33"])
    parser.add_argument("--for", dest="seconds", type=int, default=180, help="for each seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--by-hand", type=int, default=60, help="sessions deleted twice at once")
    parser.add_argument("--keep", type=Path, help="keep the examples in this folder")
    parser.add_argument("--expect-quiet", nargs="*", default=["1.2.1"], metavar="VERSION")
    given = parser.parse_args()
    loud: set[str] = set()
    print("| version | seed | programs | divergence | calls | rate |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="deadheat-events-") as scratch:
        for version in given.versions:
            for seed in range(1, given.seeds + 1):
                folder = (given.keep or Path(scratch)) / f"{version}-{seed}"
                loud |= {version} if _search(version, seed, given.seconds, folder) else set()
    if given.by_hand:
        print("\n| version | by hand: deletes answered | announced | sessions |\n|---|---|---|---|")
        for version in given.versions:
            anyio.run(_by_hand, version, given.by_hand)
    return 1 if loud & set(given.expect_quiet) else 0


def _search(version: str, seed: int, seconds: int, folder: Path) -> bool:
    """Run it; a row for each divergence about events or hangs. Was there any?"""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deadheat", "ci", f"opencode@{version}"),
            *("--budget", f"{seconds}s", "--seed", str(seed), "--into", str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        cwd=folder,  # where there are no regressions, so that all the time is the search's
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("deadheat-result: ")]
    result = json.loads(said[-1].removeprefix("deadheat-result: ")) if said else {}
    row = f"| {version} | {seed} | {result.get('programs', 0)} |"
    found = [artifacts.read(path) for path in sorted(folder.rglob("*.json"))]
    found = [one for one in found if one.anomaly in WANTED]
    for one in found:
        calls = len(one.program.calls())
        rate = "not measured" if one.rate is None else rate_text(one.rate)
        print(f"{row} {one.anomaly} ({', '.join(one.signature)}) | {calls} | {rate} |", flush=True)
    if not found:
        print(f"{row} none | - | - |", flush=True)
    return bool(found)


async def _by_hand(version: str, sessions: int) -> None:
    target = opencode.released(version, lambda line: print(line, file=sys.stderr))
    assert target.launch is not None
    async with ServerProcess(target.launch) as process:
        assert process.base_url is not None
        port = urlsplit(process.base_url).port
        assert port is not None
        seen = await anyio.to_thread.run_sync(_delete_twice, port, sessions)
    for (answers, announced), count in sorted(seen.items()):
        print(f"| {version} | {' and '.join(map(str, answers))} | {announced} × | {count} |")


def _ask(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _delete_twice(port: int, sessions: int) -> Counter[tuple[tuple[int, ...], int]]:
    """For each session: the two statuses, and how many ``session.deleted`` came for it."""
    deleted: Counter[str] = Counter()
    listening = threading.Event()

    def listen() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/event")
        with connection.getresponse() as stream:
            try:
                for line in stream:
                    listening.set()
                    if line.startswith(b"data:") and b'"session.deleted"' in line:
                        deleted[json.loads(line[5:])["properties"]["info"]["id"]] += 1
            except (OSError, http.client.HTTPException):
                pass  # the server has been stopped

    threading.Thread(target=listen, daemon=True).start()
    listening.wait(20)
    time.sleep(SETTLED_S)  # 1.18.33 says that it is connected before it is
    answers: dict[str, tuple[int, ...]] = {}
    for number in range(sessions):
        session = json.loads(_ask(port, "POST", "/session", {"title": f"by hand {number}"})[1])[
            "id"
        ]
        statuses: list[int] = []

        def delete(session: str = session, statuses: list[int] = statuses) -> None:
            statuses.append(_ask(port, "DELETE", f"/session/{session}")[0])

        both = [threading.Thread(target=delete) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        answers[session] = tuple(sorted(statuses))
    time.sleep(SETTLED_S)
    return Counter((statuses, deleted[session]) for session, statuses in answers.items())


if __name__ == "__main__":
    sys.exit(main())
