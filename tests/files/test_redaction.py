"""Secrets are hidden by value, in every spelling, whatever writes them."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import example
from tests.test_nasty_texts import io_of, job_of, nasty_example, write_job

from deadheat.errors import StartFailed
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.files.redaction import COMMONPLACE, INSTEAD, forget, hidden, hide
from deadheat.targets.catalog import resolve

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2/+_SECRET'\"\\77<&>"


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        json.dumps(SECRET),
        html.escape(SECRET),
        html.escape(json.dumps(SECRET)),
        repr(SECRET),
        media.markdown_line(SECRET),
        media.shell_word(SECRET),
        media.github_command(SECRET),
        str(media.page(SECRET)),
    ],
)
def test_every_spelling(spelt: str) -> None:
    hide(SECRET)
    assert "SECRET" not in hidden(f"a {spelt} b")


@pytest.mark.parametrize(
    "spelt",
    [
        "p%2fSECRET%3d%27",  # .NET
        "p\\/SECRET='",  # PHP's JSON
        "p&#x2F;SECRET&#x3D;&#39;",  # Mustache
        "p&#x2F;SECRET=&#x27;",  # lodash, of old
        "p/SECRET=&#39;",  # Jinja, Go
    ],
)
def test_what_other_languages_spell_otherwise(spelt: str) -> None:
    hide("p/SECRET='")
    assert "SECRET" not in hidden(f"a {spelt} b")


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=8, max_size=30))
def test_no_medium_lets_it_through(secret: str) -> None:
    forget()
    hide(secret)
    text = f"given away: {secret}."
    for medium in (
        media.line, media.lines, media.github_command, media.github_property, media.markdown_line,
        media.markdown_code, media.markdown_block, media.xml, media.shell_word, media.json_text,
        media.file_text,
    ):  # fmt: skip
        assert INSTEAD in medium(text).replace("\\", "")
        assert secret not in medium(text)


def test_a_short_one_only_where_it_stands_by_itself() -> None:
    hide("5432")
    hide("abc")
    assert hidden("port 5432, abc.json") == "port ***, abc.json"
    assert hidden("ghost-15432fe2.json, 54321 trials") == "ghost-15432fe2.json, 54321 trials"


def test_an_artifact_and_a_job_are_written_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    hide(SECRET)
    text = f"by {SECRET}."
    artifacts.write(artifacts.from_json(nasty_example(text), "x"), tmp_path / "found")
    said = io_of(lambda: write_job(text))
    assert "***" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4  # the example, JUnit, the summary, a page
    for path in files:
        written = path.read_text(encoding="utf-8")
        assert "SECRET" not in written, path
        assert "***" in written, path
    assert "SECRET" not in said
    kept = artifacts.read(next((tmp_path / "found").iterdir()))
    assert kept.history != example().history  # it can still be read
    assert job_of("x").exit_code == 0


def test_what_a_profile_takes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBSECRET", "pass/+SECRET88")
    monkeypatch.setenv("KEY", "key-of-ours")
    monkeypatch.setenv("HOME", str(tmp_path))
    profile = tmp_path / "x.toml"
    profile.write_text(
        'name = "x"\nheaders = { x-key = "{env:KEY}" }\n[server]\ncommand = ["x"]\nprobe = "/"\n'
        'env = { DB = "at {env:DBSECRET}", HOME = "{env:HOME}" }\n[calls]\n'
        'create = { request = "POST /x", id = "id" }\nget = { request = "GET /x/{id}" }\n'
        'list = { request = "GET /x" }\ndelete = { request = "DELETE /x/{id}" }\n'
    )
    target = resolve(str(profile))
    assert hidden(f"pass/+SECRET88 {quote('pass/+SECRET88', safe='')} key-of-ours") == "*** *** ***"
    assert hidden(str(tmp_path)) == str(tmp_path)  # what every process has is no secret
    assert "HOME" in COMMONPLACE
    assert target.launch is not None
    assert target.launch.mask.text("at pass/+SECRET88") == "at ***"


def test_what_a_python_target_takes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBSECRET", "pass/+SECRET88")
    file = tmp_path / "mine.py"
    file.write_text(
        "import os\nfrom deadheat.target import PythonTarget\nclass Mine(PythonTarget):\n"
        "    name = 'mine'\n    command = ('x',)\n    env = {'DB': os.environ['DBSECRET']}\n"
    )
    target = resolve(f"{file}:Mine")
    assert hidden("pass/+SECRET88") == "***"
    assert target.mask.text("pass/+SECRET88") == "***"


def test_a_password_in_an_address() -> None:
    resolve("http://me:pass-of-mine@127.0.0.1:9", profile="opencode")
    assert hidden("refused pass-of-mine") == "refused ***"


def test_errors_and_a_servers_last_words() -> None:
    hide(SECRET)
    from deadheat.cli.output import tell

    said = io_of(lambda: tell(StartFailed(f"it said {SECRET}", f"last {SECRET}\nline")))
    assert "SECRET" not in said
    assert said.count("***") == 2
