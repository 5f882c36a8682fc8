"""A target in Python: the README's own class on its server, and every mistake in one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import readme_files
from tests.quality.hunting import hunt

from deadheat.errors import BadFile
from deadheat.model.history import Absent, Created, Info, Invocation, Kind, Ok, Undeclared, Unknown
from deadheat.model.program import Create, Delete, Program, Var, structure
from deadheat.model.verdict import Anomaly
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "fuzz/tickets_target.py"
A = Var(0)
HEAD = "from deadheat.target import *\nclass T(PythonTarget):\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's file beside its server."""
    readme_files.write(tmp_path, FILE)
    shutil.copy(Path(__file__).parents[2] / "servers/tickets.py", tmp_path / "fuzz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_readmes_class_says(folder: Path) -> None:
    target = resolve(f"{FILE}:Tickets")
    assert (target.name, target.wire.name) == (f"{FILE}:Tickets", "tickets")
    assert target.launch is not None
    assert str(folder / "fuzz") in target.launch.argv
    wire = target.wire
    create = Invocation(Kind.CREATE, title="t é")
    assert wire.encode(create).body == "t é".encode()
    assert wire.decode(create, 200, b"ticket 7") == Ok(Created("7"))
    assert wire.decode(create, 200, b"ticket") == Info(Unknown.GARBLED, "200, decode: IndexError")
    assert wire.decode(create, 200, b"\xff") == Info(
        Unknown.GARBLED, "200, decode: UnicodeDecodeError"
    )
    get = Invocation(Kind.GET, "7")
    assert wire.decode(get, 404, b"") == Ok(Absent())
    assert wire.decode(get, 418, b"") == Ok(Undeclared(418))
    assert wire.decode(get, 500, b"") == Info(Unknown.SERVER_ERROR)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("    pass", "has no name"),
        ('    name = "t"', "needs a command"),
        ('    name = "t"\n    command = ("x",)\n    url = "http://127.0.0.1:1"', "and not both"),
        ("    def __init__(self):\n        raise KeyError('x')", "t.py:4: KeyError: 'x'"),
        ("    name = (", "t.py:3: SyntaxError"),
        ('    name = "t"\n    url = "http://127.0.0.1:1"\n    own = (Own("get"),)', "named 'get'"),
        ("    import nothing_like_this", "t.py:3: ModuleNotFoundError"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(
    body: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text(HEAD + body + "\n")
    with pytest.raises(BadFile) as caught:
        resolve("t.py:T")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("nowhere.py:T", "there is no file nowhere.py"),
        (f"{FILE}:Ticket", "It has Tickets."),
        (f"{FILE}:Kind", "It has Tickets."),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_word_that_names_no_class(word: str, says: str) -> None:
    with pytest.raises(BadFile, match=says):
        resolve(word)


@pytest.mark.parametrize(
    ("method", "ask", "says"),
    [
        ("", lambda wire: wire.encode(Invocation(Kind.LIST)), "NotImplementedError"),
        (
            "    def encode(self, call):\n        return call.nothing",
            lambda wire: wire.encode(Invocation(Kind.LIST)),
            "t.py:6: encode of list: AttributeError",
        ),
        (
            "    def decode(self, call, answer):\n        return answer.nothing",
            lambda wire: wire.decode(Invocation(Kind.LIST), 200, b""),
            "t.py:6: decode of list: AttributeError",
        ),
        (
            "    def decode(self, call, answer):\n        return 7",
            lambda wire: wire.decode(Invocation(Kind.LIST), 200, b""),
            "returned 7, which is not a result",
        ),
    ],
)
def test_a_mistake_in_a_method_names_its_line(
    method: str,
    ask: Callable[[object], object],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text(f'{HEAD}    name = "t"\n    command = ("x",)\n{method}\n')
    with pytest.raises(BadFile) as caught:
        ask(resolve("t.py:T").wire)
    assert says in str(caught.value)


@pytest.mark.live
@pytest.mark.parametrize("correct", [False, True])
def test_the_readmes_class_finds_its_planted_race(correct: bool, folder: Path) -> None:
    if correct:
        text = (
            Path(FILE)
            .read_text()
            .replace('probe = "/tickets"', 'probe = "/tickets"\n    env = {"TICKETS": "correct"}')
        )
        Path(FILE).write_text(text)
    programs = 30 if correct else 300
    hunted = hunt(resolve(f"{FILE}:Tickets"), 1, folder, programs=programs)
    if correct:
        assert not hunted.summary.findings
        assert hunted.summary.programs == programs
        assert hunted.summary.overlaps > programs
        return
    (found, *_) = [
        one.artifact
        for one in hunted.summary.findings
        if one.artifact.anomaly is Anomaly.DOUBLE_DELETE
    ]
    minimum = Program((((Create(A),),), ((Delete(A),), (Delete(A),))))
    assert structure(found.program) == structure(minimum)
    assert found.target.name == f"{FILE}:Tickets"
