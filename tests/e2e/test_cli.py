"""The command line, whole: a subprocess on the bundled demo, its exit codes and its last words."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.examples import example
from tests.running import deadheat, gone, machine, servers, start
from tests.servers.scripted import Says, Scripted

from deadheat.drive.server.process import free_port
from deadheat.files import artifact as artifacts

pytestmark = pytest.mark.live


def test_the_demo_diverges_and_its_example_is_shown_and_replayed(tmp_path: Path) -> None:
    ran = deadheat(tmp_path, "ci", "demo", "--budget", "60s", "--exitfirst")
    assert ran.returncode == 1, ran.stderr
    assert "ghost  a session deleted" in ran.stdout
    assert "✗ " in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr
    result = machine(ran)
    assert ran.stdout.splitlines()[-1].startswith("diverged: search demo: ")
    assert (result["exit"], result["verdict"]) == (1, "diverged")
    file = result["divergences"][0]["file"]
    assert not Path(file).is_absolute()
    assert artifacts.read(tmp_path / file).anomaly.value == "ghost"
    assert str(tmp_path) not in (tmp_path / file).read_text()
    shown = deadheat(tmp_path, "show", file)
    assert shown.returncode == 0
    assert "delete(" in shown.stdout
    again = deadheat(tmp_path, "replay", file)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "diverges again on demo" in again.stdout
    calm = deadheat(tmp_path, "replay", file, "--against", "demo:correct", "--trials", "60")
    # 3 where the machine is so busy that too few of them raced: no silence, and no divergence.
    assert calm.returncode in (0, 3), calm.stderr
    assert "did not show on demo:correct in 60 trials" in calm.stdout
    assert calm.returncode == 0 or "did not race" in calm.stderr
    assert gone(tmp_path)


def test_the_correct_twin_is_clean(tmp_path: Path) -> None:
    ran = deadheat(tmp_path, "run", "demo:correct", "--programs", "40", "--seed", "1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"clean: 0 of \d+ programs that raced diverged", ran.stdout)
    assert "\x1b" not in ran.stdout + ran.stderr
    assert not (tmp_path / ".deadheat").exists()


def test_ci_stays_within_its_budget(tmp_path: Path) -> None:
    ran = deadheat(tmp_path, "ci", "demo:correct", "--budget", "6s")
    assert ran.returncode == 0, ran.stderr
    result = machine(ran)
    last = ran.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"clean: [\d,]+ programs raced, [\d,]+ overlapping pairs; "
        r"a race showing in 1 of [\d,]+ programs would have been seen \(99 %\)",
        last,
    )
    assert result["verdict"] == "clean"
    # By its own clock; how late it ends on a slow machine is what quality/budget_table.py says.
    assert result["seconds"] < 6
    assert result["overlaps"] > 0
    assert 0 < result["would_have_seen"] < 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_the_server_and_prints_what_was_found(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start(tmp_path, "run", "demo", "--for", "600s", "--seed", "0") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("found "):
                break
        assert servers(tmp_path)
        process.send_signal(number)
        out, _ = process.communicate()
    assert process.returncode == 130
    assert "ghost  a session deleted" in out
    assert "interrupted: this is what was found until then" in out
    assert gone(tmp_path)


def test_killed_outright_it_leaves_no_server_and_keeps_what_it_found(tmp_path: Path) -> None:
    with start(tmp_path, "run", "demo", "--for", "600s", "--seed", "0") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("found "):
                break
        assert servers(tmp_path)
        process.kill()
        process.communicate()
    assert gone(tmp_path)
    (file,) = (tmp_path / ".deadheat" / "demo").glob("*.json")
    assert artifacts.read(file).anomaly.value == "ghost"


NPM = """#!{python} -IS
import json, sys
if "versions" in sys.argv:
    print(json.dumps(["1.0.142", "1.0.152"]))
else:
    print(json.dumps({{"error": {{"code": "E404", "summary": "no"}}}}))
    sys.exit(1)
"""


def program(folder: Path, name: str, text: str) -> str:
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    (bin_folder / name).write_text(text)
    (bin_folder / name).chmod(0o755)
    return f"{bin_folder}{os.pathsep}{os.environ['PATH']}"


def one_line(ran: subprocess.CompletedProcess[str], code: int, word: str) -> None:
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    said = [line for line in ran.stderr.splitlines() if line.startswith("deadheat: ")]
    assert len(said) == 1, ran.stderr
    assert word in said[0]


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("run", "nonsense"), "deadheat targets"),
        (("run",), "TARGET"),
        (("run", "demo", "--for", "soon"), "60s"),
        (("run", "demo", "--for", "-1s"), "must be longer than 0"),
        (("run", "demo", "--for", "nan"), "must be longer than 0"),
        (("run", "demo", "--programs", "0"), "--programs"),
        (("run", "demo", "--nonsense"), "--nonsense"),
        (("run", "demo", "--into", "file/sub"), "--into"),
        (("run", "http://127.0.0.1:4096"), "--profile opencode"),
        (("run", "http://127.0.0.1:4096", "--profile", "other"), "no profile"),
        (("run", "http://192.0.2.1:80", "--profile", "opencode"), "--allow-remote"),
        (("replay", "missing.json"), "does not exist"),
        (("replay", "truncated.json"), "not complete JSON"),
        (("replay", "newer.json"), "Upgrade"),
        (("replay", "other.json"), "profile"),
        (("replay", "good.json", "--against", "nonsense"), "deadheat targets"),
        (("show", "file"), "not complete JSON"),
    ],
    ids=" ".join,
)
def test_a_users_mistake_is_one_line(tmp_path: Path, words: tuple[str, ...], word: str) -> None:
    text = artifacts.to_json(example())
    (tmp_path / "file").write_text("")
    (tmp_path / "good.json").write_text(text)
    (tmp_path / "truncated.json").write_text(text[:-50])
    (tmp_path / "newer.json").write_text(
        re.sub('"format_version": [0-9]+', '"format_version": 999', text)
    )
    (tmp_path / "other.json").write_text(
        text.replace('"profile": "opencode"', '"profile": "another"')
    )
    one_line(deadheat(tmp_path, *words), 2, word)


def test_a_version_that_does_not_exist(tmp_path: Path) -> None:
    path = program(tmp_path, "npm", NPM.format(python=sys.executable))
    ran = deadheat(
        tmp_path, "run", "opencode@9.9.9", PATH=path, XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    one_line(ran, 2, "9.9.9")


def test_nobody_listens(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    one_line(deadheat(tmp_path, "run", url, "--profile", "opencode"), 3, "no connection")


@pytest.mark.parametrize(
    "raw",
    [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"],
    ids=["no HTTP", "no JSON"],
)
def test_what_listens_is_no_such_api(tmp_path: Path, raw: bytes) -> None:
    with Scripted(lambda _asked: Says(raw=raw, close=True)) as server:
        ran = deadheat(tmp_path, "run", server.base_url, "--profile", "opencode")
    one_line(ran, 3, "Does a server of opencode listen there?")


def test_a_server_that_never_gets_ready(tmp_path: Path) -> None:
    path = program(
        tmp_path, "opencode", '#!/bin/sh\n[ "$1" = --version ] && echo 1.2.3 || exec sleep 600\n'
    )
    ran = deadheat(tmp_path, "ci", "opencode", "--budget", "5s", PATH=path)
    one_line(ran, 3, "--budget")
    result = machine(ran)
    assert (result["exit"], result["verdict"]) == (3, "nothing run")
    assert ran.stdout.splitlines()[-1].startswith("nothing proven: search opencode: ")


def test_a_server_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    path = program(
        tmp_path,
        "opencode",
        '#!/bin/sh\n[ "$1" = --version ] && echo 1.2.3 && exit\necho no space left; exit 7\n',
    )
    ran = deadheat(tmp_path, "run", "opencode", PATH=path)
    one_line(ran, 3, "exit code 7")
    assert "  no space left" in ran.stderr


def test_help_and_targets(tmp_path: Path) -> None:
    for words in (("--help",), ("run", "--help"), ("targets",), ("--version",)):
        ran = deadheat(tmp_path, *words)
        assert ran.returncode == 0
        assert ran.stderr == ""
    assert "Exit codes:" in deadheat(tmp_path, "run", "--help").stdout
    bare = deadheat(tmp_path)
    assert bare.returncode == 2
    assert re.search(r"replay +Run saved", bare.stderr)


def test_an_ascii_only_terminal_gets_question_marks_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(artifacts.to_json(example()), encoding="utf-8")
    ran = deadheat(tmp_path, "show", "good.json", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0, ran.stderr
    assert "delete(b)" in ran.stdout


def test_a_taken_port_is_not_the_users_problem(tmp_path: Path) -> None:
    """deadheat chooses the port itself; a busy one elsewhere changes nothing."""
    with socket.create_server(("127.0.0.1", 0)):
        ran = deadheat(tmp_path, "run", "demo:correct", "--programs", "5", "--seed", "2")
    assert ran.returncode in (0, 3)
    assert "Traceback" not in ran.stderr


def test_a_call_that_hangs_is_found_on_a_server_of_the_users_and_ends_the_run(
    tmp_path: Path,
) -> None:
    """Two deletes that wait for each other; no later delete comes through."""
    port = free_port()
    planted = Path(__file__).resolve().parents[1] / "servers" / "planted.py"
    command = [sys.executable, "-P", str(planted), "deadlock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert "listening" in it.stdout.readline()
        ran = deadheat(
            tmp_path,
            *("run", f"http://127.0.0.1:{port}", "--profile", "opencode", "--for", "60s"),
            *("--hang-after", "1s", "--no-stream", "--seed", "1"),
        )
        it.terminate()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "hang  a call never got an answer" in ran.stdout
    assert "no answer in 1 s; meanwhile the server answered GET /session" in ran.stdout
    assert "has not recovered from a call that hung" in ran.stderr
    assert "events exactly-once" not in ran.stdout
    (file,) = (tmp_path / ".deadheat").rglob("hang-*.json")
    assert artifacts.read(file).target.timeout_s == 1.0
