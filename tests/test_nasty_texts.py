"""Any text in any field of an artifact, a profile, an answer or an error: shown, never obeyed.

Everything runs in this process, through the commands' own functions.
"""

from __future__ import annotations

import ast
import copy
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import tomlkit
from hypothesis import example as explicit
from hypothesis import given, settings
from rich.text import Text
from tests.examples import example
from tests.nasty import (
    PIECES,
    TEXTS,
    assert_markdown,
    assert_shown,
    deadheat,
    text_places,
    with_texts,
)
from tests.report.test_ci import regression, result, summary

from deadheat.cli import ci
from deadheat.cli.console import SafeConsole, View
from deadheat.cli.output import tell
from deadheat.cli.screen import CampaignView
from deadheat.errors import BadArtifact, BadFile, StartFailed
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Artifact, Expectation
from deadheat.files.results import CampaignFinding, CampaignRecord, Finding, RegressionStatus
from deadheat.files.toml_file import load
from deadheat.model.grounds import NoPlace, Rejected, Told, UnknownTitle, WouldAnswer
from deadheat.model.history import (
    Announcement,
    Answered,
    Change,
    Control,
    Created,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Seen,
    Stream,
    Undeclared,
    Unknown,
)
from deadheat.report.campaign import campaign_text
from deadheat.report.html import campaign_page
from deadheat.run import events
from deadheat.run.event_lines import event_line
from deadheat.targets.profile.profile import read_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = "x".join(PIECES)
CARTS = Path(__file__).parent / "servers" / "shop.toml"
OURS = (
    "<details><summary>repro.py: one file, Python 3.9, nothing to install</summary>",
    "</details>",
)


def rich_example() -> Artifact:
    """The ghost, with an answer of every kind in its history."""
    base = example()
    base = replace(base, target=replace(base.target, profile="carts"))
    history = base.history
    session = next(iter(base.sessions.values()))
    end_ns = max(op.return_ns or 0 for op in history.operations)
    first = max(op.index for op in history.operations) + 1
    answers: tuple[tuple[Kind, Outcome, int | None], ...] = (
        (Kind.GET, Ok(Found("title")), 200),
        (Kind.GET, Ok(Undeclared(418, "detail")), 418),
        (Kind.DELETE, Info(Unknown.SERVER_ERROR, "detail"), 500),
        (Kind.RENAME, Info(Unknown.GARBLED, "detail"), 200),
        (Kind.GET, Fail("reason"), None),
        (Kind.GET, Ok(Answered("word")), 200),
        (Kind.CREATE, Ok(Created("other")), 201),
        (Kind.LIST, Ok(Listed((Seen(session, "title"), Seen("stranger", "title")))), 200),
    )
    more = tuple(
        Operation(
            first + n,
            0,
            Invocation(kind, None if kind in (Kind.LIST, Kind.CREATE) else session, "written"),
            outcome,
            end_ns + 10 * n + 1,
            end_ns + 10 * n + 5,
            at_rest=True,
            status=status,
        )
        for n, (kind, outcome, status) in enumerate(answers)
    )
    stream = Stream((Announcement(Change.DELETED, session, end_ns, "title"),), end_ns)
    return replace(
        base,
        history=replace(
            history,
            operations=(*history.operations, *more),
            stream=stream,
            existing=frozenset({"existing"}),
            controls=(Control(1, 2, 3, "answer"),),
        ),
        witness=(*base.witness, *(op.index for op in more)),
        explanation=replace(
            base.explanation,
            heard=(0,),
            proof=(
                *base.explanation.proof,
                UnknownTitle(first, session, "title"),
                NoPlace(first, Rejected(None, None, WouldAnswer((session,), "word"))),
                Told("{0} is told of"),  # of a file of before
            ),
        ),
        expect={"demo": Expectation.CLEAN},
    )


@cache
def free_places() -> tuple[tuple[Any, ...], ...]:
    """Where an artifact takes any text at all; the profile's name says who reads its calls."""
    whole = json.loads(artifacts.to_json(rich_example()))
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # one of each shape: the last
    for place in text_places(whole):
        changed = copy.deepcopy(whole)
        with_texts(changed, "anything", (place,))
        try:
            artifacts.from_json(json.dumps(changed), "x")
        except BadArtifact:
            continue
        if place != ("target", "profile"):
            found[tuple(k for k in place if isinstance(k, str)), len(place)] = place
    return tuple(found.values())


def nasty_example(text: str, *, shows_all: bool = True) -> str:
    """The artifact with the text in all of them at once; else it is the ghost that is shown."""
    whole = json.loads(artifacts.to_json(rich_example()))
    with_texts(whole, text, free_places())
    if not shows_all:
        whole["witness"] = list(example().witness)
        whole["explanation"]["heard"] = []
    whole["expect"] = {text: "clean"}
    return json.dumps(whole)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        yield Path(name)
        os.chdir(before)


def test_the_fields_are_found() -> None:
    shapes = {tuple(k for k in place if isinstance(k, str)) for place in free_places()}
    assert len(shapes) >= 20
    assert ("history", "operations", "outcome", "result", "title") in shapes
    assert ("target", "name") in shapes
    assert ("explanation", "proof", "text") in shapes
    assert ("explanation", "proof", "title") in shapes
    assert ("reason", "session") in shapes


@settings(max_examples=30)
@given(text=TEXTS)
@explicit(text=ALL)
def test_an_artifact_keeps_its_texts(text: str) -> None:
    whole = nasty_example(text)
    read = artifacts.from_json(whole, "x")
    written = artifacts.to_json(read)
    assert artifacts.from_json(written, "x") == read
    written.encode()  # no lone surrogate is left as it is
    assert_no_controls = written.replace("\n", "")
    assert assert_no_controls.isprintable()
    titles = [
        op.outcome.result.title
        for op in read.history.operations
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Found)
    ]
    assert titles[-1] == json.loads(json.dumps(text))


@settings(max_examples=10)
@given(text=TEXTS)
@explicit(text=ALL)
@pytest.mark.usefixtures("folder")
def test_every_command_that_reads_an_artifact(text: str) -> None:
    Path("x.json").write_text(nasty_example(text))
    for words in (("show", "x.json"), ("explain", "x.json")):
        code, out, err = deadheat(*words)
        assert code == 0, err
        assert_shown(out + err)
    code, out, err = deadheat("report", "x.json", "-o", "x.html")
    assert code == 0, err
    assert_shown(out + err)
    page = Path("x.html").read_text(encoding="utf-8")
    assert page.replace("\n", "").isprintable()
    assert page.lower().count("<script") == page.lower().count("</script") == 1
    assert "<img" not in page
    Path("x.json").write_text(nasty_example(text, shows_all=False))
    for form in ("script", "pytest", "curl", "markdown", "har"):
        for more in (("--stdlib",), ()) if form == "script" else ((),):
            words = ("export", "x.json", "--as", form, *more, "--profile", str(CARTS))
            code, out, err = deadheat(*words)
            assert code == 0 or (code, form) == (2, "har"), err  # ids that no request can hold
            assert_shown(err)
            if code == 0:
                assert out.replace("\n", "").isprintable()
                well_formed(form, out)
    code, out, err = deadheat("replay", "x.json")  # a target of that name there is none
    assert code == 2
    assert_shown(out + err)


def well_formed(form: str, text: str) -> None:
    """Can its reader read it, and is nothing run that is not ours?"""
    assert_shown(text)
    match form:
        case "script" | "pytest":
            ast.parse(text)
        case "curl":
            checked = subprocess.run(
                ["bash", "-n"], input=text.encode(), capture_output=True, check=False
            )
            assert checked.returncode == 0, checked.stderr
            assert not [row for row in text.splitlines() if row.startswith(("touch", "::"))]
        case "har":
            json.loads(text)
        case _:
            assert_markdown(text, *OURS)


def test_the_curl_lines_run_nothing_of_the_artifacts(folder: Path) -> None:
    home = folder / "curl"
    home.mkdir()
    (home / "x.json").write_text(nasty_example(ALL))
    code, out, err = deadheat("export", "curl/x.json", "--as", "curl", "--profile", str(CARTS))
    assert code == 0, err
    bash = shutil.which("bash")
    assert bash is not None
    environment = {"BASE": "http://127.0.0.1:9", "PATH": str(home)}  # no curl, no touch, no rm
    (home / "touch").write_text(f"#!{bash}\necho > {home}/PWNED\n")
    (home / "touch").chmod(0o755)
    subprocess.run(
        [bash, "-s", "1"], input=out.encode(), env=environment, cwd=home, capture_output=True,
        check=False,
    )  # fmt: skip
    assert not (home / "PWNED").exists()


def job_of(text: str) -> Any:
    artifact = replace(artifacts.from_json(nasty_example(text), "x"), rate=example().rate)
    found = Finding(artifact, Path("x.json"), 3, finished=True)
    red = replace(
        regression(RegressionStatus.CAME_BACK), artifact=artifact, target=text, name=text, why=text
    )
    broken = replace(red, standing=RegressionStatus.UNAVAILABLE, replayed=None)
    whole = result(red, broken, of=replace(summary(found), target=text, promises=text))
    return replace(whole, target=text, error=StartFailed(text, text))


@settings(max_examples=10)
@given(text=TEXTS)
@explicit(text=ALL)
@pytest.mark.usefixtures("folder")
def test_a_job_on_github_and_in_files(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_ACTIONS", "true")
        patch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
        Path("summary.md").unlink(missing_ok=True)
        said = io_of(lambda: write_job(text))
    rows = said.split("\n")
    commands = [row for row in rows if row.startswith("::")]
    assert len(commands) == 3  # a regression that came back, one without a target, the search
    assert all(row.startswith("::error ") for row in commands)
    assert_shown("\n".join(row for row in rows if row not in commands))
    assert "\n".join(commands).replace("\n", "").isprintable()
    assert_markdown(Path("summary.md").read_text(encoding="utf-8"))
    ElementTree.parse("junit.xml")
    assert Path("junit.xml").read_text(encoding="utf-8").replace("\n", "").isprintable()
    (machine,) = [row for row in rows if row.startswith("deadheat-result: ")]
    json.loads(machine.partition(" ")[2])


def write_job(text: str) -> None:
    outputs = ci._Outputs("junit.xml", "pages", None)
    with outputs:
        outputs.write(job_of(text))


def io_of(work: Any) -> str:
    """All that is printed."""
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        work()
    return printed.getvalue()


@settings(max_examples=10)
@given(text=TEXTS)
@explicit(text=ALL)
def test_what_is_told_while_it_works(text: str) -> None:
    artifact = artifacts.from_json(nasty_example(text), "x")
    signature = artifacts.divergence_of(artifact).signature
    told = (
        events.Progress(events.Phase.SEARCHING, 1, 1, 1, 0, 0, 0, 1.0, text),
        events.Started(text, text, 7),
        events.DivergenceFound(text, signature, 3, 4, Path("x.json")),
        events.Shrunk(text, signature, 3, 9),
        events.Saved(text, artifact, Path("x.json")),
        events.MoreReliable(text, artifact, Path("x.json")),
        events.TargetRestarted(1, text),
        events.Checked(Path("x.json"), text, RegressionStatus.KNOWN, 1, 2),
        events.Opened(text, 7, Path(text.replace("\0", ""))),
        events.GivenUp(text),
        events.Known(text),
        events.Recycled(text),
        events.WorkerStarted(text, text),
        events.WorkerLost(text, text),
        events.Workers(2, text),
        snapshot_of(text),
        events.Ended(text, snapshot_of(text)),
    )

    def work() -> None:
        with View(plain=True) as view:
            for event in told:
                view.tell(event)
            for say in (view.note, view.waiting, view.counting, view.moving):
                say(text)
        with CampaignView(plain=True) as campaign:
            for event in told:
                campaign.tell(event, 1.0)
        tell(StartFailed(text, text))

    assert_shown(io_of(work))
    for event in told:
        line = event_line(event, 1.0)
        assert line.isprintable()
        json.loads(line)


def test_a_screen_shows_texts_and_obeys_none() -> None:
    import io

    printed = io.StringIO()
    console = SafeConsole(file=printed, force_terminal=True, color_system=None, width=200)
    with_markup = "[bold]\x1b]0;pwned\x07\u202e\ud83d\r"
    console.print(Text(with_markup))
    # Rich takes the bell and the carriage return out by itself.
    assert printed.getvalue() == "[bold]\\x1b]0;pwned\\u202e\\ud83d\n"


def profile_of(text: str) -> str:
    """All that a profile can describe, with the text in every field that takes it."""
    body = tomlkit.parse((Path(__file__).parent / "servers" / "depot.toml").read_text()).unwrap()
    kept = []
    for place in text_places(body):
        changed = copy.deepcopy(body)
        with_texts(changed, text, (place,))
        Path("one.toml").write_text(tomlkit.dumps(changed), encoding="utf-8")
        try:
            read_profile(Path("one.toml"))
        except BadFile as exc:
            assert_shown(io_of(partial(tell, exc)))
            continue
        kept.append(place)
    with_texts(body, text, tuple(place for place in kept if place != ("name",)))
    return tomlkit.dumps(body)


@settings(max_examples=3)
@given(text=TEXTS.map(lambda text: text.encode(errors="replace").decode().replace("\x00", "")))
@explicit(text=ALL.encode(errors="replace").decode().replace("\x00", ""))
@pytest.mark.usefixtures("folder")
def test_a_profile(text: str) -> None:
    Path("depot.toml").write_text(profile_of(text), encoding="utf-8")
    artifact = example()
    named = replace(artifact, target=replace(artifact.target, profile="depot"))
    Path("depot.json").write_text(artifacts.to_json(named))
    for form in ("script", "pytest", "curl", "markdown", "har"):
        code, out, err = deadheat("export", "depot.json", "--as", form, "--profile", "depot.toml")
        assert code in (0, 2), err
        assert_shown(err)
        if code == 0:
            assert out.replace("\n", "").isprintable()
            well_formed(form, out)


@settings(max_examples=50)
@given(text=TEXTS)
@explicit(text=ALL)
@explicit(text="\ud83d")
def test_an_answer(text: str) -> None:
    path = Path(__file__).parent / "servers" / "echo.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECHO_TOKEN", "token-of-a-test")
        found = load(path, type(read_profile(path)))
    assert found is not None
    wire = found.wire()
    asked = Invocation(Kind.CREATE, None, "deadheat 1a2b3c 1 a")
    for body in ({"id": text, "title": text}, {"id": "x", "title": text}, {"error": text}):
        raw = json.dumps(body).encode()
        for status in (200, 201, 400, 404, 500):
            for invocation in (asked, Invocation(Kind.GET, "x"), Invocation(Kind.DELETE, "x")):
                outcome = wire.decode(invocation, status, raw)
                if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
                    wire.encode(Invocation(Kind.GET, outcome.result.session))
    listed = json.dumps([{"id": text, "title": text}, {"id": "x", "title": text}]).encode()
    outcome = wire.decode(Invocation(Kind.LIST), 200, listed)
    if isinstance(outcome, Ok):
        assert isinstance(outcome.result, Listed)
        for entry in outcome.result.entries:
            wire.encode(Invocation(Kind.GET, entry.session))


def test_an_id_that_no_address_can_hold_is_said_to_be_one() -> None:
    path = Path(__file__).parent / "servers" / "echo.toml"
    wire = read_profile(path).wire()
    made = wire.decode(Invocation(Kind.CREATE), 201, b'{"id": "\\ud83d", "title": "x"}')
    assert made == Info(Unknown.GARBLED, "201, an id that no address can hold")
    others = b'[{"id": "\\ud83d", "title": "x"}, {"id": "a", "title": "\\ud83d"}]'
    assert wire.decode(Invocation(Kind.LIST), 200, others) == Ok(Listed((Seen("a", "\ud83d"),)))


@settings(max_examples=5)
@given(text=TEXTS)
@explicit(text=ALL)
def test_a_campaign(text: str) -> None:
    artifact = artifacts.from_json(nasty_example(text), "x")
    finding = CampaignFinding(text, artifact, Path("x.json"), True, True, 9, 3, 3, 1.0, 2.0, 4)
    record = CampaignRecord(
        target=text, promises=text, seed=1, folder=Path("x"), began="2026-01-01", elapsed_s=9.0,
        ended=text, kinds=("create", "delete", "get", "list"), families=False,
        totals={"programs": 9}, findings=(finding,), samples=(), seen={}, silence={}, last_new=1,
        log=(text,),
    )  # fmt: skip
    page = campaign_page(record)
    assert page.replace("\n", "").isprintable()
    assert "<img" not in page
    from deadheat.cli.output import say

    assert_shown(io_of(lambda: say(campaign_text(record, Path("x.html"), proves=True))))
    assert_shown(io_of(lambda: show_on_screen(snapshot_of(text))))


def snapshot_of(text: str) -> events.Snapshot:
    return events.Snapshot(
        text, 1.0, None, 1, None, 1, 1, 0, 0, 1.0, 1.0, 1, 1, 1, False, 0, 0, 0,
        (events.FindingState(text, 1, text, 0.5, 1, 0.0, 0.0),),
        (events.WorkerState(text, text, 1, 1),),
    )  # fmt: skip


def show_on_screen(snapshot: events.Snapshot) -> None:
    from deadheat.cli.screen import state_of

    SafeConsole(stderr=True, width=100, color_system=None).print(state_of(snapshot))
