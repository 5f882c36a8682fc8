"""From a saved example to a fixed bug: versions, verify, export and explain on the bundled demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.test_cli import one_line
from tests.examples import on_any_machine
from tests.running import FOREVER_S, deadheat, gone, start

from deadheat.drive.server.process import Launch, ServerProcess
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import RateRecord
from deadheat.targets.demo import server as demo_server

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parents[2]
# The demo with a window of 50 ms instead of 0.6: whatever the machine, a release is late by less,
# so the ghost shows as soon as it is looked for.
WIDE = (
    "from deadheat.targets.demo import server as demo\n"
    "demo.GAP_US, demo.READS_US = 50_000, (100, 300)\n"
    "demo.main()"
)


@pytest.fixture(scope="module")
def ghost(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's ghost at its known minimum, with a rate that asks for some thirty quiet trials.

    On a busy machine its own would ask for hundreds of thousands.
    """
    folder = tmp_path_factory.mktemp("ghost")
    words = ("--target", "demo", "--offset", "700", "--trials", "80", "--into", str(folder))
    done = subprocess.run(
        [sys.executable, str(ROOT / "fuzz" / "known_ghost.py"), *words],
        capture_output=True,
        text=True,
        timeout=FOREVER_S,
        check=True,
    )
    path = Path(done.stdout.strip())
    artifact = replace(artifacts.read(path), rate=RateRecord(120, 200, 0.5285, 0.6684, 0.95))
    return artifacts.write(artifact, tmp_path_factory.mktemp("often"))


def test_a_row_a_version_and_one_that_cannot_be_had(ghost: Path, tmp_path: Path) -> None:
    ran = deadheat(
        *(tmp_path, "replay", str(ghost), "--against", "demo,demo:correct,opencode@0.0.0"),
        *("--trials", "120", "--save-table", "table.json"),
        PATH=str(tmp_path),  # no npm
    )
    assert ran.returncode == 1, ran.stderr
    assert re.search(r"^demo +\d+ +\d+ .* present$", ran.stdout, re.MULTILINE)
    clean = re.search(r"^demo:correct +\d+ +0 .*? (not .*)$", ran.stdout, re.MULTILINE)
    assert clean
    assert re.match(r"not seen: below [\d.]+ % at 99 %|not comparable: ", clean[1])
    assert re.search(
        r"^opencode@0\.0\.0 .*not comparable: npm is not on PATH", ran.stdout, re.MULTILINE
    )
    rows = json.loads((tmp_path / "table.json").read_text())["versions"]
    assert [row["target"] for row in rows] == ["demo", "demo:correct", "opencode@0.0.0"]
    assert rows[0]["verdict"] == "present"
    told = deadheat(
        tmp_path, "export", str(ghost), "--as", "markdown", "--table", "table.json"
    ).stdout
    assert re.search(r"\| demo:correct \| 0 of \d+ \|", told)
    assert gone(tmp_path)


def test_fixed_is_said_of_the_fixed_one_only(ghost: Path, tmp_path: Path) -> None:
    words = ("--confidence", "90", "--against")
    quiet = artifacts.write(on_any_machine(artifacts.read(ghost)), tmp_path / "quiet")
    fixed = deadheat(tmp_path, "verify", str(quiet), *words, "demo:correct")
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert fixed.stdout.startswith("fixed  ")
    still = deadheat(tmp_path, "verify", str(ghost), "--baseline", "demo", *words, "demo")
    assert still.returncode == 1, still.stdout + still.stderr
    assert still.stdout.startswith("not fixed  ")
    assert "✗ " in still.stdout
    assert gone(tmp_path)


def test_another_machine_is_not_compared_with(ghost: Path, tmp_path: Path) -> None:
    """One core more: the recorded rate is another machine's, and there is no baseline to start."""
    verify = ("verify", "elsewhere.json", "--against", "demo:correct", "--confidence", "90")
    whole = json.loads(ghost.read_text())
    whole["environment"]["cores"] += 1
    (tmp_path / "elsewhere.json").write_text(json.dumps(whole))
    ran = deadheat(tmp_path, *verify)
    assert "the recorded rate says nothing here" in ran.stdout
    assert "on demo in between" in ran.stdout
    fixed = ran.stdout.startswith("fixed  ")  # or too busy a machine
    assert ran.returncode == (0 if fixed else 3), ran.stdout + ran.stderr
    whole["target"]["name"] = "http://127.0.0.1:9"  # somebody's own server
    (tmp_path / "elsewhere.json").write_text(json.dumps(whole))
    ran = deadheat(tmp_path, *verify)
    assert ran.returncode == 3
    assert "--baseline" in ran.stderr.splitlines()[-1]
    assert "Traceback" not in ran.stderr


def test_ctrl_c_prints_the_rows_so_far(ghost: Path, tmp_path: Path) -> None:
    words = ("replay", str(ghost), "--against", "demo,demo:correct", "--trials", "150")
    with start(tmp_path, *words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("starting demo:correct"):
                break
        time.sleep(1)  # it is starting, or runs: both must stop
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert re.search(r"^demo +\d+ ", out, re.MULTILINE)
    assert not re.search(r"^demo:correct", out, re.MULTILINE)
    assert "Traceback" not in err
    assert gone(tmp_path)


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["httpx", "stdlib", "pytest", "curl"])
async def test_what_is_exported_reproduces_by_itself(
    ghost: Path, tmp_path: Path, form: str
) -> None:
    """Run with ``-I`` from elsewhere, so that nothing of deadheat is imported."""
    kind, *more = {
        "httpx": ("script",),
        "stdlib": ("script", "--stdlib"),
        "pytest": ("pytest",),
        "curl": ("curl",),
    }[form]
    name = {"curl": "repro.sh", "pytest": "test_repro.py"}.get(form, "repro.py")
    done = deadheat(tmp_path, "export", str(ghost), "--as", kind, *more, "-o", name)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / name).read_text()
    assert "import deadheat" not in text
    assert ("import httpx" in text) is (form == "httpx")
    for correct in (False, True):
        if correct:  # silent whatever the machine: no offset to miss
            quiet = artifacts.write(on_any_machine(artifacts.read(ghost)), tmp_path / "quiet")
            words = ("export", str(quiet), "--as", kind, *more, "-o", name)
            assert deadheat(tmp_path, *words).returncode == 0
        code = ("-P", demo_server.__file__, "--correct") if correct else ("-c", WIDE)
        launch = Launch(
            name="demo",
            argv=(sys.executable, *code, "--port", "{port}"),
            ready_line="demo server listening on",
            probe="/global/health",
        )
        async with ServerProcess(launch) as server:
            assert server.base_url is not None
            ran = _run(form, name, server.base_url, tmp_path, correct=correct)
        if form == "curl":  # its rate is another one; that it asks and cleans is what counts
            assert ran.returncode == 0, ran.stderr
            assert ran.stdout.count("true (200)") >= 2
            continue
        wanted = 0 if correct else 1
        assert ran.returncode == wanted, ran.stdout + ran.stderr
        if not correct:
            assert "was deleted with success, and nothing created it again" in ran.stdout


def _run(
    form: str, name: str, url: str, folder: Path, *, correct: bool
) -> subprocess.CompletedProcess[str]:
    """On the correct twin as many trials as it needs; else until it shows, whatever the load."""
    words = {
        "curl": ["bash", name, "3"],
        "pytest": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
    }.get(form, [sys.executable, "-I", name, "--url", url])
    env = {**os.environ, "BASE": url, "REPRO_URL": url}
    if not correct:
        env["REPRO_TRIALS"] = "5000"
    return subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_explain_says_why_and_where_the_window_is(ghost: Path, tmp_path: Path) -> None:
    plain = deadheat(tmp_path, "explain", str(ghost))
    assert plain.returncode == 0, plain.stderr
    assert "what no order can place: list() at rest" in plain.stdout
    assert re.search(r"the longest order that works: .*delete\(\w\)", plain.stdout)
    assert re.search(
        r"if the list at rest came right after delete\(\w\), it would show \[", plain.stdout
    )
    assert re.search(r"had been answered \([\d.]+ ms\) before it was called", plain.stdout)
    live = deadheat(tmp_path, "explain", str(ghost), "--window", "60")
    assert live.returncode == 0, live.stderr
    assert re.search(r"it (showed (at|from) |did not show at any)", live.stdout)
    assert gone(tmp_path)


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("replay", "FILE", "--against", "demo,,demo:correct"), "empty name"),
        (("replay", "FILE", "--against", "demo,demo"), "twice"),
        (("replay", "FILE", "--save-table", "x.json"), "--against"),
        (("verify", "FILE", "--against", "demo", "--confidence", "100"), "below 100"),
        (("verify", "FILE"), "--against"),
        (("bisect", "FILE", "--good", "1.2.1", "--bad", "1.2.1"), "both"),
        (("bisect", "FILE", "--good", "demo@1", "--bad", "1.2.1"), "opencode"),
        (("export", "FILE", "--as", "har", "--stdlib"), "--stdlib"),
        (("export", "FILE", "--as", "markdown", "--table", "no.json"), "--save-table"),
        (("export", "FILE", "--as", "curl", "-o", "no/such/x.sh"), "--output"),
        (("explain", "FILE", "--against", "demo"), "--window"),
    ],
)
def test_mistakes_are_one_line(
    ghost: Path, tmp_path: Path, words: tuple[str, ...], word: str
) -> None:
    ran = deadheat(tmp_path, *(str(ghost) if w == "FILE" else w for w in words))
    one_line(ran, 2, word)


def test_the_archive_is_whole(ghost: Path, tmp_path: Path) -> None:
    """The fields that HAR 1.2 requires, of each entry; times as recorded."""
    ran = deadheat(tmp_path, "export", str(ghost), "--as", "har")
    log = json.loads(ran.stdout)["log"]
    assert log["version"] == "1.2"
    recorded = artifacts.read(ghost).history.operations
    assert len(log["entries"]) == len(recorded)
    for entry, op in zip(log["entries"], recorded, strict=True):
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(entry)
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString"} <= set(
            entry["request"]
        )
        assert {"headersSize", "bodySize"} <= set(entry["request"])
        assert {"status", "statusText", "httpVersion", "cookies", "headers", "content"} <= set(
            entry["response"]
        )
        assert {"redirectURL", "headersSize", "bodySize"} <= set(entry["response"])
        assert entry["response"]["status"] == op.status
        assert op.return_ns is not None
        assert entry["time"] == pytest.approx((op.return_ns - op.call_ns) / 1e6)
        assert sum(entry["timings"].values()) == pytest.approx(entry["time"])
