"""A stranger's file runs nothing unasked; what somebody named is run, and told before it is."""

from __future__ import annotations

import json
import pty
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.examples import example
from tests.nasty import deadheat
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.cli.output import ask
from deadheat.cli.trust import what_runs
from deadheat.drive.journal import FOLDER
from deadheat.files import artifact as artifacts
from deadheat.files.regressions import group_of, label_of
from deadheat.files.results import Finding
from deadheat.report.finding import finding_text
from deadheat.report.words import replay_line
from deadheat.run.search import folder_name
from deadheat.targets.catalog import resolve

EVIL = """name = "evil"

[server]
command = ["touch", "PWNED", "; rm"]
probe = "/x"

[calls]
create = { request = "POST /x", id = "id" }
get = { request = "GET /x/{id}" }
list = { request = "GET /x" }
delete = { request = "DELETE /x/{id}" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What somebody has sent: examples, and all that they name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.toml").write_text(EVIL)
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath('PWNED').touch()\n")
    (tmp_path / "url.toml").write_text(
        EVIL.replace('[server]\ncommand = ["touch", "PWNED", "; rm"]\nprobe = "/x"', "").replace(
            'name = "evil"', 'name = "evil"\nurl = "http://127.0.0.1:9"'
        )
    )
    for name in ("evil.toml", "evil.py:Evil", "url.toml", "demo"):
        artifact = example()
        profile = "opencode" if name == "demo" else "evil"
        target = replace(artifact.target, name=name, profile=profile)
        file = tmp_path / f"{name.partition(':')[0]}.json"
        file.write_text(artifacts.to_json(replace(artifact, target=target)))
    return tmp_path


COMMANDS = (
    ("replay", "FILE"),
    ("shrink", "FILE", "--for", "5s"),
    ("tune", "FILE", "--trials", "20"),
    ("explain", "FILE", "--window", "20"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["evil.toml", "evil.py", "url.toml"])
def test_what_a_file_names_is_not_run_unasked(
    words: tuple[str, ...], name: str, folder: Path
) -> None:
    code, _, err = deadheat(*(word.replace("FILE", f"{name}.json") for word in words))
    assert code == 2
    assert "--trust" in err
    assert "--against" in err
    assert f"names {name}" in err
    assert not (folder / "PWNED").exists()


@pytest.mark.live
def test_a_baseline_is_not_either(folder: Path) -> None:
    """The recorded target would be started beside the new one, where machines differ."""
    artifact = example()
    named = replace(artifact.target, name="evil.py:Evil")
    elsewhere = replace(artifact.environment, cores=1_000)
    file = folder / "x.json"
    file.write_text(artifacts.to_json(replace(artifact, target=named, environment=elsewhere)))
    code, _, err = deadheat("verify", "x.json", "--against", "demo:correct")
    assert code == 3
    assert "--baseline" in err
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize("way", [("--trust",), ("--against", "evil.py:Evil")])
def test_what_somebody_has_named_is_run(way: tuple[str, ...], folder: Path) -> None:
    code, _, err = deadheat("replay", "evil.py.json", *way)
    assert code == 2  # there is no class in it
    assert "has no target called Evil" in err
    assert (folder / "PWNED").exists()


def test_what_runs_is_told_before_it_runs(folder: Path) -> None:
    code, _, err = deadheat("replay", "evil.toml.json", "--trust")
    assert code == 3  # touch is no server
    assert "starts: touch PWNED '; rm'" in err
    assert err.index("starts: touch") < err.index("did not start")
    assert folder.exists()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["evil.toml", "evil.py"])
def test_what_a_file_names_may_be_elsewhere(
    words: tuple[str, ...], name: str, folder: Path
) -> None:
    (folder / name).unlink()
    code, _, err = deadheat(*(word.replace("FILE", f"{name}.json") for word in words))
    assert code == 2
    assert f"recorded on {name}" in err
    assert "--against" in err


def test_a_journal_and_a_campaign_of_strangers(folder: Path) -> None:
    journals = folder / ".deadheat" / FOLDER
    journals.mkdir(parents=True)
    told = {"run": "1a2b3c", "target": "evil.py:Evil", "profile": None}
    (journals / "1a2b3c.jsonl").write_text(json.dumps(told) + '\n{"made": "x"}\n')
    code, _, err = deadheat("cleanup")
    assert (code, "--trust" in err) == (2, True)
    assert not (folder / "PWNED").exists()
    from deadheat.campaign.rows import Settings
    from deadheat.campaign.store import Store

    settings = Settings("evil.py:Evil", None, False, 1, 5.0, None, 0, 0, 0, "2026-01-01")
    Store(folder / "camp", settings).close()
    code, _, err = deadheat("campaign", "--resume", "camp")
    assert (code, "--trust" in err) == (2, True)
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize("word", ["demo", "demo:correct", "opencode@1.2.1", "http://127.0.0.1:9"])
def test_what_is_no_strangers(word: str) -> None:
    assert what_runs(word) is None


@pytest.mark.parametrize(("typed", "said"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_a_person_at_a_terminal_is_asked(
    typed: str, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, "r+b", buffering=0) as raw:  # noqa: PTH123 - a descriptor
        import io
        import os

        terminal = io.TextIOWrapper(
            io.FileIO(raw.fileno(), "r+", closefd=False), line_buffering=True
        )
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        os.write(ours, typed.encode())
        assert ask("evil\x1b]0;x\x07 names x. Go on?") is said
        shown = b""
        while b"Go on?" not in shown:
            shown += os.read(ours, 1_000)
    os.close(ours)
    assert b"\\x1b]0;x" in shown
    assert b"\x1b" not in shown


def test_nobody_is_asked_where_nobody_is() -> None:
    assert ask("Go on?") is False


def words_of(line: str) -> list[str]:
    return shlex.split(line)[1:]


def test_the_printed_command_finds_a_profile_anywhere(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("it's else where")
    (elsewhere / "far.toml").write_text(EVIL)
    monkeypatch.chdir(folder)
    target = resolve(str(elsewhere / "far.toml"))
    artifact = example()
    found = replace(artifact, target=replace(artifact.target, name=target.name, profile="evil"))
    saved = artifacts.write(found, Path(".deadheat") / "it's")
    assert str(elsewhere) not in saved.read_text()  # nothing absolute
    for again in (target.again, ()):  # as the run prints it; as show does
        line = replay_line(found, saved, again)
        assert line in finding_text(found, saved, again)
        code, _, err = deadheat(*words_of(line))
        assert code == 3, err  # it was found, and started: touch is no server
        assert "did not start" in err
    assert folder_name(target.name) == folder_name(str(elsewhere / "far.toml")) == "far"


def test_the_printed_command_names_a_profile_of_an_address(folder: Path) -> None:
    target = resolve("http://127.0.0.1:9", profile="evil.toml")
    artifact = example()
    found = replace(artifact, target=replace(artifact.target, name=target.name, profile="evil"))
    line = replay_line(found, folder / "x.json", target.again)
    assert words_of(line)[2:] == ["--profile", "evil.toml"]
    assert resolve("http://127.0.0.1:9", profile="opencode").again == ()
    assert resolve("demo").again == ()
    assert Finding(found, folder, 1, finished=True).kept is False


def test_a_strangers_name_leads_to_no_other_folder() -> None:
    for name in ("../../../etc/x.py:X", "/etc/x.py:X", "../x.py:X"):
        assert ".." not in group_of(name, "x").split("/")
        assert not group_of(name, "x").startswith("/")
    assert label_of("fuzz/x.py:X", "x") == "fuzz/x.py:X"


def test_the_environment_that_decides_what_a_command_is_is_told_with_it(folder: Path) -> None:
    hijacked = EVIL.replace("probe", 'env = { PATH = "./bin" }\nprobe', 1)
    (folder / "path.toml").write_text(hijacked)
    assert what_runs("path.toml") == "starts: PATH=./bin touch PWNED '; rm'"


BARE = """name = "bare"

[calls]
create = { request = "POST /x", id = "id" }
get = { request = "GET /x/{id}" }
list = { request = "GET /x", title = "title" }
delete = { request = "DELETE /x/{id}" }
"""
PROVEN, CLAIMED = "0c1d9b7e5a24", ("f3a94c0d6b18", "71be20d5a9c6")


class Bare:
    """A store that knows few titles, and what it was asked."""

    def __init__(self) -> None:
        self.stored = {PROVEN: "deadheat ab12cd 3 a", **dict.fromkeys(CLAIMED, "")}
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Says:
        self.asked.append(asked.method)
        session = asked.path.removeprefix("/x").strip("/")
        if not session:
            listed = [{"id": one, "title": title or None} for one, title in self.stored.items()]
            return Says(body=listed)
        if session not in self.stored:
            return Says(404, {})
        if asked.method == "DELETE":
            del self.stored[session]
        return Says(body={"id": session})


def journal(folder: Path, target: str, profile: str, run: str = "ab12cd") -> Path:
    """What somebody has sent: of three sessions it says that a run made them."""
    notes = folder / ".deadheat" / FOLDER / "x.jsonl"
    notes.parent.mkdir(parents=True)
    lines = [{"run": run, "target": target, "profile": profile}]
    lines += [{"made": session} for session in (PROVEN, *CLAIMED)]
    notes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return notes


@pytest.mark.live
@pytest.mark.parametrize("way", ["--trust", "yes"])
def test_what_only_a_journal_says_is_ours_is_not_deleted_unasked(
    way: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bare.toml").write_text(BARE)
    store = Bare()
    with Scripted(store) as server:
        notes = journal(folder, server.base_url, "bare.toml")
        code, out, err = deadheat("cleanup", "--profile", "bare.toml", "--dry-run")
        assert (code, "2 would be with --trust" in out) == (0, True), out + err
        code, out, err = deadheat("cleanup", "--profile", "bare.toml")
        assert code == 3, out + err
        assert f"{PROVEN}  deleted\n" in out
        assert out.count("  needs --trust  ") == 2
        assert set(store.stored) == set(CLAIMED)
        assert notes.exists()
        if way == "yes":
            monkeypatch.setattr("deadheat.cli.cleanup.ask", lambda _question: True)
            code, out, err = deadheat("cleanup", "--profile", "bare.toml")
        else:
            code, out, err = deadheat("cleanup", "--trust")
        assert code == 0, out + err
        assert "2 deleted" in out
    assert store.stored == {}
    assert not notes.exists()


@pytest.mark.live
@pytest.mark.parametrize(
    ("plain", "odd"),
    [
        ("GET /x/{id}", "GET /x/{id}"),  # plain all the same
        ("GET /x/{id}", "POST /x/{id}"),
        ('list = { request = "GET /x"', 'list = { request = "DELETE /x"'),
        ("DELETE /x/{id}", "POST /shutdown?really={id}"),
    ],
)
@pytest.mark.parametrize("named_as", ["profile", "target"])
def test_a_journals_profile_sends_nothing_unasked(
    plain: str, odd: str, named_as: str, folder: Path
) -> None:
    store = Bare()
    with Scripted(store) as server:
        text = BARE.replace(plain, odd)
        text = text.replace("[calls]", f'url = "{server.base_url}"\n[calls]')
        (folder / "odd.toml").write_text(text)
        word = server.base_url if named_as == "profile" else "odd.toml"
        journal(folder, word, "odd.toml")
        code, _, err = deadheat("cleanup")
        assert (code, "--trust" in err) == (2, True), err
        assert f"DELETE /x/{{id}} at {server.base_url}" in err or odd.startswith("POST /shutdown")
        assert store.asked == []
        given = ("--against", "odd.toml") if named_as == "target" else ("--profile", "odd.toml")
        for words in (("--trust",), given):
            store.asked.clear()
            deadheat("cleanup", *words, "--dry-run")
            assert store.asked


def test_a_journal_of_no_run_could_claim_anybodys_titles(folder: Path) -> None:
    journal(folder, "http://127.0.0.1:9", "opencode", run="and")
    code, _, err = deadheat("cleanup")
    assert (code, "not the start of a deadheat journal" in err) == (2, True)
