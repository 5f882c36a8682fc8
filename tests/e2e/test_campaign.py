"""`deadheat campaign`, whole: subprocesses on the bundled demo, killed and resumed."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.examples import example
from tests.running import deadheat, gone, servers, start

from deadheat.campaign import protocol
from deadheat.campaign.local_workers import start_process, tell
from deadheat.campaign.store import read_record
from deadheat.drive.server.process import free_port
from deadheat.files import artifact as artifacts

pytestmark = pytest.mark.live


def folder_of(tmp_path: Path) -> Path:
    (folder,) = tmp_path.glob(".deadheat/*/campaign-*")
    return folder


def until(true: object, within_s: float = 300) -> None:
    end = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def told(tmp_path: Path, kind: str) -> int:
    log = tmp_path / "e"
    return log.read_text().count(f'"{kind}"') if log.exists() else 0


def programs(tmp_path: Path) -> int:
    found = list(tmp_path.glob(".deadheat/*/campaign-*/campaign.sqlite"))
    if not found:
        return 0
    try:
        return read_record(found[0].parent).totals.get("programs", 0)
    except Exception:  # noqa: BLE001 - it is being made
        return 0


def test_a_clean_campaign_ends_and_says_what_it_would_have_seen(tmp_path: Path) -> None:
    done = deadheat(
        tmp_path, "campaign", "demo:correct", "--programs", "60", "--seed", "1", "--events", "e"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"clean: 0 of \d+ programs diverged", done.stdout)
    record = read_record(folder_of(tmp_path))
    assert record.totals["programs"] == 60
    assert record.ended == "programs"
    kinds = [event["event"] for event in events((tmp_path / "e").read_text())]
    assert kinds[0] == "opened"
    assert kinds[-1] == "ended"
    page = (folder_of(tmp_path) / "report.html").read_text()
    assert "<script>" in page
    assert gone(tmp_path)


def test_ndjson_on_stdout_is_nothing_else(tmp_path: Path) -> None:
    done = deadheat(tmp_path, "campaign", "demo:correct", "--programs", "20", "--events", "-")
    assert done.returncode == 0, done.stderr
    last = events(done.stdout)[-1]
    assert last["event"] == "ended"
    assert last["programs"] == 20


def test_ctrl_c_keeps_all_and_a_resume_goes_on(tmp_path: Path) -> None:
    with start(tmp_path, "campaign", "demo:correct", "--programs", "400", "--workers", "2") as run:
        try:
            until(lambda: programs(tmp_path) > 10)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate()
        finally:
            run.kill()
    assert run.returncode == 130, err
    assert "resume  deadheat campaign --resume" in out
    assert "Traceback" not in err
    assert gone(tmp_path)
    before = read_record(folder_of(tmp_path))
    assert before.ended == "interrupted"
    done = deadheat(tmp_path, "campaign", "--resume", str(folder_of(tmp_path)), "--programs", "120")
    after = read_record(folder_of(tmp_path))
    assert done.returncode == 0, done.stderr
    assert after.seed == before.seed
    assert after.elapsed_s > before.elapsed_s
    assert after.totals["programs"] == 120


def test_a_killed_coordinator_leaves_nothing_running_and_loses_no_finding(tmp_path: Path) -> None:
    with start(tmp_path, "campaign", "demo", "--events", "e", "--workers", "1") as run:
        try:
            log = tmp_path / "e"
            until(lambda: log.exists() and '"found"' in log.read_text())
            refused = deadheat(tmp_path, "campaign", "--resume", str(folder_of(tmp_path)))
            assert refused.returncode == 2
            assert "another campaign" in refused.stderr
        finally:
            run.kill()
    assert gone(tmp_path)
    told = {e["key"] for e in events(log.read_text()) if e["event"] == "found"}
    record = read_record(folder_of(tmp_path))
    assert record.ended == ""
    assert told <= {finding.key for finding in record.findings}
    done = deadheat(tmp_path, "campaign", "--resume", str(folder_of(tmp_path)), "--for", "1s")
    assert done.returncode == 1, done.stderr
    assert told <= {finding.key for finding in read_record(folder_of(tmp_path)).findings}


def test_a_killed_server_and_a_killed_worker_stop_nothing(tmp_path: Path) -> None:
    words = ("campaign", "demo:correct", "--programs", "100", "--workers", "1", "--events", "e")
    with start(tmp_path, *words) as run:
        try:
            until(lambda: programs(tmp_path) > 10)
            (worker,) = children(run.pid)
            kill(worker)
            until(lambda: "worker-lost" in (tmp_path / "e").read_text())
            assert gone(tmp_path) or servers(tmp_path)  # its server, or already the next one
            out, err = run.communicate()
        finally:
            run.kill()
    # A server that is killed is a crash: that is found. A worker is ours, and is not.
    assert run.returncode == 0, out + err
    assert read_record(folder_of(tmp_path)).totals["programs"] >= 100
    assert gone(tmp_path)


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_whose_coordinator_is_gone_ends(busy: bool) -> None:
    """Also while it has nothing to do."""
    messages: queue.SimpleQueue[object] = queue.SimpleQueue()
    process = start_process(lambda line, _words: messages.put(line and protocol.from_line(line)))
    assert process.stdin is not None
    try:
        tell(process.stdin, protocol.Begin("demo:correct", None, False, 1, 0, 0))
        if busy:
            tell(process.stdin, protocol.Share(0, 100_000, 0))
        wanted = protocol.WorkDone if busy else protocol.Ready
        while not isinstance(messages.get(timeout=300), wanted):
            pass
        process.stdin.close()
        assert process.wait(300) == 0
    finally:
        process.kill()


def children(pid: int) -> list[int]:
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                fields = (one / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and b"campaign.worker" in (one / "cmdline").read_bytes():
                found.append(int(one.name))
    return found


def kill(pid: int) -> None:

    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("campaign",), 2, "Name a TARGET"),
        (("campaign", "demo", "--resume", "x"), 2, "not both"),
        (("campaign", "--resume", "nowhere"), 2, "holds no campaign"),
        (("campaign", "nonsense"), 2, "is not a target"),
        (("campaign", "demo", "--memory", "lots"), 2, "Write 500M or 2G"),
        (("campaign", "demo", "--events", "no/such/folder/e"), 2, "cannot be written"),
        (("report", "nowhere"), 2, "does not exist"),
        (("report", "."), 2, "holds no campaign"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = deadheat(tmp_path, *words)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_server_that_nobody_runs_is_exit_3_at_once(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = deadheat(tmp_path, "campaign", url, "--profile", "opencode", "--for", "60s")
    assert done.returncode == 3
    assert "no connection" in done.stderr


def test_a_report_of_one_example_and_of_a_folder(tmp_path: Path) -> None:
    path = artifacts.write(example(), tmp_path)
    done = deadheat(tmp_path, "report", path.name)
    assert done.returncode == 0, done.stderr
    assert "delete(b)" in path.with_suffix(".html").read_text()


# --- a real Dask scheduler, workers as processes of their own ------------------------------------


def dask(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_cluster_goes_on_when_a_worker_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = dask(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
        "--no-dashboard", "--no-jupyter", cwd=tmp_path,
    )  # fmt: skip
    workers = [
        dask(
            "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "2",
            "--no-dashboard", "--name", f"d{n}", "--host", "127.0.0.1", cwd=tmp_path,
        )
        for n in range(2)
    ]  # fmt: skip
    words = ("campaign", "demo:correct", "--programs", "250", "--events", "e", "--cluster", address)
    try:
        with start(tmp_path, *words) as run:
            try:
                until(lambda: told(tmp_path, "worker-started") == 2)
                workers[0].kill()
                until(lambda: "worker-lost" in (tmp_path / "e").read_text())
                out, err = run.communicate()
            finally:
                run.kill()
        assert run.returncode == 0, out + err
        record = read_record(folder_of(tmp_path))
        assert record.totals["programs"] >= 250
        assert record.totals["lost_workers"] == 1
        assert gone(tmp_path)
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    done = deadheat(tmp_path, "campaign", "demo", "--cluster", f"tcp://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "no Dask scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr
