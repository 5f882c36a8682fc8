"""kill -9 at random moments of a campaign on the demo: what was told must be there.

    python tests/quality/kill_table.py            # 50 kills, about 6 minutes
    python tests/quality/kill_table.py --kills 5  # a look

In turn the coordinator, a worker and a server are killed, each at a moment drawn from a fixed
seed. After a killed coordinator: nothing of it may still run 12 s later, the store must open, and
every finding that it had told must be in it, with its file. After a killed worker or server the
campaign must run programs again. The same campaign is resumed throughout. Prints a table; exit
code 1 when anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deadheat.campaign.store import read_record
from deadheat.targets.demo import server as demo_server

VICTIMS = ("coordinator", "worker", "server")
# A resumed campaign is ready within this on a loaded machine.
READY_S = 60.0
ENDED_S = 12.0


@dataclass(frozen=True, slots=True)
class Line:
    """One kill. ``lost``: told, and not in the store any more."""

    number: int
    victim: str
    after_s: float
    told: int
    stored: int
    lost: tuple[str, ...]
    orphans: int
    opens: bool
    goes_on: bool

    @property
    def good(self) -> bool:
        """Nothing lost, nothing left running, nothing stopped."""
        return not self.lost and not self.orphans and self.opens and self.goes_on


class Campaign:
    """One campaign folder, run again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events = root / "events"
        self.process: subprocess.Popen[bytes] | None = None

    def folder(self) -> Path | None:
        return next(self.root.glob(".deadheat/*/campaign-*"), None)

    def run(self) -> subprocess.Popen[bytes]:
        """The running process; started, or resumed, when there is none."""
        if self.process is None or self.process.poll() is not None:
            folder = self.folder()
            what = ["demo"] if folder is None else ["--resume", str(folder)]
            with (self.root / "stderr").open("ab") as err:
                self.process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "deadheat",
                        "campaign",
                        *what,
                        "--for",
                        "10h",
                        "--workers",
                        "1",
                        "--events",
                        str(self.events),
                    ],
                    cwd=self.root,
                    env={**os.environ, "TMPDIR": str(self.root)},
                    stdout=subprocess.DEVNULL,
                    stderr=err,
                )
        return self.process

    def told(self) -> set[str]:
        """Findings that were told and not taken back since (known: it was one known before)."""
        told: set[str] = set()
        for line in self.events.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "found":
                told.add(event["key"])
            elif event["event"] == "known":
                told.discard(event["key"])
        return told

    def programs(self) -> int:
        folder = self.folder()
        if folder is None or not (folder / "campaign.sqlite").exists():
            return 0
        try:
            return read_record(folder).totals.get("programs", 0)
        except Exception:  # noqa: BLE001 - it is being made
            return 0

    def trials(self) -> int:
        folder = self.folder()
        return 0 if folder is None else read_record(folder).totals.get("trials", 0)

    def ours(self) -> dict[int, str]:
        """Processes of this campaign, by their temporary folder, and what they are."""
        found: dict[int, str] = {}
        for one in Path("/proc").iterdir():
            try:
                if f"TMPDIR={self.root}".encode() not in (one / "environ").read_bytes():
                    continue
                command = (one / "cmdline").read_bytes()
            except OSError:
                continue
            for word, name in (
                (b"campaign.worker", "worker"),
                (b"keeper", "keeper"),
                (os.fsencode(demo_server.__file__), "server"),
                (b"campaign", "coordinator"),
            ):
                if word in command:
                    found[int(one.name)] = name
                    break
        return found


def wait(true: object, within_s: float) -> bool:
    """Look again and again; was it true in time?"""
    end = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def kill(campaign: Campaign, number: int, rng: random.Random) -> Line:
    """One line of the table."""
    victim = VICTIMS[number % len(VICTIMS)]
    began_s = time.monotonic()
    process = campaign.run()
    before = campaign.trials() if campaign.programs() else 0
    if not wait(lambda: campaign.programs() > 0 and campaign.trials() > before, READY_S):
        return Line(number, victim, 0, 0, 0, ("it never ran",), 0, False, False)
    time.sleep(rng.uniform(0, 4))
    pids = [pid for pid, name in campaign.ours().items() if name == victim]
    pid = process.pid if victim == "coordinator" else pids[0] if pids else None
    after_s = time.monotonic() - began_s
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    goes_on = True
    orphans = 0
    if victim == "coordinator":
        process.wait()
        wait(lambda: not campaign.ours(), ENDED_S)
        orphans = len(campaign.ours())
    else:
        at_kill = campaign.trials()
        goes_on = wait(lambda: campaign.trials() > at_kill + 20, READY_S)
    told = campaign.told()
    folder = campaign.folder()
    assert folder is not None
    try:
        stored = {finding.key for finding in read_record(folder).findings}
        opens = True
    except Exception:  # noqa: BLE001 - whatever it is, the store does not open
        stored, opens = set(), False
    lost = tuple(sorted(told - stored))
    return Line(number, victim, after_s, len(told), len(stored), lost, orphans, opens, goes_on)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as root:
        campaign = Campaign(Path(root))
        print("| # | killed | after | told | in the store | lost | orphans | opens | goes on |")
        print("|---|---|---|---|---|---|---|---|---|")
        try:
            for number in range(given.kills):
                line = kill(campaign, number, rng)
                lines.append(line)
                print(
                    f"| {number + 1} | {line.victim} | {line.after_s:.1f} s | {line.told} | "
                    f"{line.stored} | {', '.join(line.lost) or 0} | {line.orphans} | "
                    f"{'yes' if line.opens else 'NO'} | {'yes' if line.goes_on else 'NO'} |",
                    flush=True,
                )
        finally:
            if campaign.process is not None and campaign.process.poll() is None:
                campaign.process.send_signal(signal.SIGINT)
                campaign.process.wait(30)
        left = len(campaign.ours())
    bad = sum(not line.good for line in lines)
    print(f"\n{len(lines)} kills, {bad} with anything lost; {left} processes left at the end")
    sys.exit(1 if bad or left else 0)


if __name__ == "__main__":
    main()
