"""Every command of the README is run, as it stands there, in the order in which it stands there.

Only what depends on the machine is replaced: where deadheat is installed, and
the port of "a server that you run yourself".
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests import readme_files
from tests.running import start

from deadheat.drive.server.process import Launch, ServerProcess, free_port
from deadheat.errors import ExitCode
from deadheat.files import artifact as artifacts
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.report.words import unproven_text
from deadheat.targets.demo import server as demo_server
from deadheat.trials.evidence import Unproven

README = Path(__file__).resolve().parents[2] / "README.md"
SHOP = README.parent / "tests" / "servers" / "shop.py"
TICKETS = SHOP.with_name("tickets.py")
COMMANDS = tuple(re.findall(r"^\$ (.+)$", README.read_text(encoding="utf-8"), re.MULTILINE))

# What each command ends with. The two long lines with a venv are what .ci/run does itself.
EXPECTED = {
    "deadheat run demo --exitfirst": 1,
    "deadheat run opencode@1.0.152 --for 30s": 1,
    "deadheat run opencode@1.0.152 --programs 300 --seed 7 -x": 1,
    "deadheat run http://127.0.0.1:4096 --profile opencode --for 20s -x": 1,
    "deadheat run opencode@1.1.65 --for 30s --hang-after 5s": 1,
    "deadheat replay FILE": 1,
    "deadheat replay FILE --against opencode@1.2.1": 0,
    "deadheat show FILE": 0,
    "deadheat explain FILE": 0,
    "deadheat export FILE --as script --stdlib -o repro.py": 0,
    "deadheat verify FILE --against opencode@1.2.1": 0,
    "deadheat ci opencode@1.2.1 --budget 30s": 0,
    "deadheat campaign opencode@1.0.152 --for 60s": 1,
    "deadheat campaign --resume DIR --for 90s": 1,
    "deadheat report DIR": 0,
    "deadheat check fuzz/carts.toml": 0,
    "deadheat check fuzz/tickets_target.py:Tickets": 0,
    "deadheat run fuzz/tickets_target.py:Tickets --for 20s -x": 1,
    "deadheat check fuzz/archive_target.py:Archiving": 0,
    "deadheat ci": 1,  # on the shop with its lost update
    "deadheat cleanup": 0,
}
# The word that begins the line after which there is nothing new to see.
UNTIL = {
    "deadheat run demo --exitfirst": "found",
    "deadheat run opencode@1.0.152 --programs 300 --seed 7 -x": "found",
    "deadheat run opencode@1.0.152 --for 30s": "saved",  # the later commands need its rate
    "deadheat run http://127.0.0.1:4096 --profile opencode --for 20s -x": "found",
    "deadheat run opencode@1.1.65 --for 30s --hang-after 5s": "found",
    "deadheat campaign opencode@1.0.152 --for 60s": "found",
    "deadheat campaign --resume DIR --for 90s": "worker",
    "deadheat run fuzz/tickets_target.py:Tickets --for 20s -x": "found",
    "deadheat ci": "found",
}
# What stays silent does so for a shorter time.
SHORTER = {
    "deadheat ci opencode@1.2.1 --budget 30s": "--budget 15s",
    "deadheat replay FILE --against opencode@1.2.1": "--trials 60",
    "deadheat verify FILE --against opencode@1.2.1": "--confidence 90",
}
# On a busy machine too few of their trials race, and then they must say so.
MAY_BE_UNPROVEN = (
    "deadheat replay FILE --against opencode@1.2.1",
    "deadheat verify FILE --against opencode@1.2.1",
)
_UNPROVEN = re.compile(
    r"([\d,]+) of ([\d,]+) trials raced and were silent, and ([\d,]+) are needed"
)
_BESIDE = re.compile(
    r"the baseline showed it ([\d,]+) times beside a race in ([\d,]+) pairs of trials, "
    r"and ([\d,]+) are needed; ([\d,]+) did not race"
)
_SLOWER = re.compile(
    r"not comparable.*: its calls take [\d.]+ times as long as when it was recorded"
)
# Asks for some hundred quiet trials.
OFTEN = 0.15
# What a campaign's lines begin with.
_TIME = re.compile(r"^ *[\d.]+ [a-z]+( \d+ s)?  ")
BY_CI = ("python3 -m venv .venv",)


_CAMPAIGN = r"\S*/campaign-\d+-\d+"


def _normal(command: str) -> str:
    return re.sub(_CAMPAIGN, "DIR", re.sub(r"\S*\.json", "FILE", command))


def test_every_command_is_known_here() -> None:
    own = {_normal(c) for c in COMMANDS if not c.startswith(BY_CI)}
    assert own == set(EXPECTED)
    assert sum(c.startswith(BY_CI) for c in COMMANDS) == 2


def _run(command: str, folder: Path, until: str) -> subprocess.CompletedProcess[str]:
    """To its end; or as with Ctrl-C once a line of standard error begins with ``until``."""
    words = shlex.split(command)
    assert words[0] == "deadheat"
    with start(folder, *words[1:]) as call:
        assert call.stderr is not None
        said = ""
        for line in call.stderr if until else ():
            said += line
            if _TIME.sub("", line).startswith(f"{until} "):
                call.send_signal(signal.SIGINT)
                break
        out, err = call.communicate()
        return subprocess.CompletedProcess(words, call.wait(), out, said + err)


async def _serve_demo(port: int) -> ServerProcess:
    process = ServerProcess(
        Launch(
            name="demo",
            argv=(sys.executable, "-P", demo_server.__file__, "--port", "{port}"),
            ready_line="demo server listening on",
            probe="/global/health",
        ),
        choose_port=lambda: port,
    )
    await process.start()
    return process


def _run_beside_demo(command: str, folder: Path, until: str) -> subprocess.CompletedProcess[str]:
    """With the demo listening where the command looks for a server (on another port)."""

    async def served() -> subprocess.CompletedProcess[str]:
        port = free_port()
        process = await _serve_demo(port)
        try:
            there = command.replace(":4096", f":{port}")
            return await anyio.to_thread.run_sync(_run, there, folder, until)
        finally:
            await process.stop()

    return anyio.run(served)


def _for_want_of_the_machine(done: subprocess.CompletedProcess[str]) -> bool:
    """Is nothing proved for no other reason than this machine?

    Each trial raced and was silent or missed its offsets, and those that raced are too few; or all
    took too long; or, beside a baseline, too few pairs met their offsets to show it often enough.
    Refused calls, unjudged trials and trials that diverged are another reason.
    """
    if done.returncode != ExitCode.TARGET:
        return False
    said = (*done.stdout.splitlines()[:1], *done.stderr.splitlines()[-1:])
    last = next((line for line in said if "not comparable" in line), "")
    if _SLOWER.search(last) is not None:
        return True
    if (counts := _BESIDE.search(last)) is not None:
        shown, pairs, needed, missed = (int(n.replace(",", "")) for n in counts.groups())
        why = Unproven(shown, needed, pairs, unraced=_off_time(missed), baseline=True)
    elif (counts := _UNPROVEN.search(last)) is not None:
        quiet, trials, needed = (int(n.replace(",", "")) for n in counts.groups())
        why = Unproven(quiet, needed, trials, unraced=_off_time(trials - quiet))
    else:
        return False
    return why.quiet < why.needed and last.endswith(f": {unproven_text(why)}")


def _off_time(trials: int) -> tuple[tuple[Unraced, int], ...]:
    return ((Unraced(UnracedReason.OFF_TIME), trials),) if trials > 0 else ()


def _shown(path: Path) -> float:
    rate = artifacts.read(path).rate
    return 0.0 if rate is None else rate.diverged / rate.trials


def _example(folder: Path) -> Path:
    """The ghost that shows most of those that the commands before have saved, or one like it.

    On a busy machine none of them has a rate yet, or one that asks for thousands of quiet trials;
    then the committed one, put where they are.
    """
    there = folder / ".deadheat" / "opencode@1.0.152"
    for anomaly in ("ghost", "orphan", "wrong-status"):
        best = max(there.glob(f"{anomaly}-*.json"), key=_shown, default=None)
        if best is not None and _shown(best) >= OFTEN:
            return best
    assert [*there.glob("*.json")], "no race of sessions was saved by the commands before"
    return Path(shutil.copy(README.parent / "fuzz/regressions/opencode/ghost-6a356f56.json", there))


@pytest.mark.parametrize(
    ("missing", "excused"),
    [
        (Unproven(6, 459, 60, unraced=((Unraced(UnracedReason.OFF_TIME), 54),)), True),
        (Unproven(60, 1_459, 60), True),
        (Unproven(6, 459, 60, slower=4.2), True),
        (
            Unproven(6, 459, 60, unraced=((Unraced(UnracedReason.REFUSED, "create", 409), 54),)),
            False,
        ),
        (
            Unproven(
                6,
                459,
                60,
                unraced=(
                    (Unraced(UnracedReason.OFF_TIME), 53),
                    (Unraced(UnracedReason.UNANSWERED, "get"), 1),
                ),
            ),
            False,
        ),
        (Unproven(6, 459, 60, undecided=54), False),
        (
            Unproven(0, 17, 200, unraced=((Unraced(UnracedReason.OFF_TIME), 197),), baseline=True),
            True,
        ),
        (
            Unproven(
                3, 17, 1_200, unraced=((Unraced(UnracedReason.OFF_TIME), 1_181),), baseline=True
            ),
            True,
        ),
        (Unproven(3, 17, 20_000, baseline=True), False),  # every pair raced: it is not there
        (Unproven(0, 17, 20, undecided=20, baseline=True), False),
        (
            Unproven(
                0,
                17,
                200,
                undecided=5,
                unraced=((Unraced(UnracedReason.OFF_TIME), 195),),
                baseline=True,
            ),
            False,
        ),
        (
            Unproven(
                0,
                17,
                200,
                unraced=((Unraced(UnracedReason.REFUSED, "create", 409), 200),),
                baseline=True,
            ),
            False,
        ),
        (
            Unproven(
                0,
                17,
                200,
                unraced=(
                    (Unraced(UnracedReason.OFF_TIME), 190),
                    (Unraced(UnracedReason.UNSENT, "get"), 10),
                ),
                baseline=True,
            ),
            False,
        ),
        (
            Unproven(17, 17, 200, unraced=((Unraced(UnracedReason.OFF_TIME), 183),), baseline=True),
            False,
        ),
        (Unproven(459, 459, 459), False),
        (Unproven(other_promises="it promises less"), False),
    ],
)
def test_only_the_machine_excuses_a_replay(missing: Unproven, excused: bool) -> None:
    line = f"error: not comparable: {unproven_text(missing)}"
    head = f"not comparable  ghost.json on opencode@1.2.1: {unproven_text(missing)}"
    for code in ExitCode:
        for out, err in (("", f"starting\n{line}\n"), (f"{head}\nmore\n", "starting\n")):
            done = subprocess.CompletedProcess((), code, out, err)
            assert _for_want_of_the_machine(done) is (excused and code is ExitCode.TARGET)


@pytest.mark.opencode
@pytest.mark.live
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.quality)], ids=["to the finding", "whole"]
)
def test_every_command_does_what_it_says(whole: bool, tmp_path: Path) -> None:
    """A search that must find something is ended when it has; ``whole``: when its time is over."""
    readme_files.write(tmp_path, "fuzz/carts.toml", "pyproject.toml", "fuzz/tickets_target.py")
    readme_files.write(tmp_path, "fuzz/archive_target.py")
    shutil.copy(SHOP, tmp_path)
    shutil.copy(TICKETS, tmp_path / "fuzz")
    for written in COMMANDS:
        if written.startswith(BY_CI):
            continue
        command = written
        if ".json" in command:
            command = re.sub(r"\S*\.json", str(_example(tmp_path).relative_to(tmp_path)), command)
        for folder in tmp_path.glob(".deadheat/*/campaign-*"):
            command = re.sub(_CAMPAIGN, str(folder.relative_to(tmp_path)), command)
        until = "" if whole else UNTIL.get(_normal(written), "")
        if not whole:
            command += f" {SHORTER.get(_normal(written), '')}"
        if until and "--programs" not in command:  # a slow machine may take longer to find it
            command += " --budget 500s" if "deadheat ci" in command else " --for 500s"
        run = _run_beside_demo if "127.0.0.1:4096" in command else _run
        began_s = time.monotonic()
        done = run(command, tmp_path, until)
        print(f"{time.monotonic() - began_s:.0f} s  exit {done.returncode}  {command}", flush=True)
        wanted = EXPECTED[_normal(written)]
        told = f"{command}\n{done.stdout}\n{done.stderr}"
        if _normal(written) in MAY_BE_UNPROVEN and _for_want_of_the_machine(done):
            continue
        assert done.returncode == wanted or (until and done.returncode == 130), told
        if until:
            assert "✗ " in done.stdout, told
