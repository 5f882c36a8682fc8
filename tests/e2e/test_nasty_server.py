"""A live server that says nasty things: what is found is kept as it was, and shown safely."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.nasty import PIECES, assert_markdown, assert_shown
from tests.running import deadheat

from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.model.history import Listed, Ok

pytestmark = pytest.mark.live
SERVERS = Path(__file__).parents[1] / "servers"
KEY = "key-of-ours-77"
SAYS = "x".join(PIECES)
PROFILE = """name = "nasty"

[server]
command = ["{{python}}", "-m", "uvicorn", "--app-dir", "{servers}", "nasty:app",
    "--port", "{{port}}", "--log-level", "warning"]
env = {{ SAYS = '{says}', KEY = "{{env:NASTY_KEY}}"{ids} }}
probe = "/carts"

[calls]
create = {{ request = "POST /carts", body = {{ name = "{{title}}" }}, id = "id" }}
get = {{ request = "GET /carts/{{id}}", title = "name" }}
list = {{ request = "GET /carts", id = "id", title = "name" }}
delete = {{ request = "DELETE /carts/{{id}}" }}
"""


def profile(folder: Path, says: str, ids: str = "") -> None:
    told = media.json_text(says).replace("'", "\\u0027")
    text = PROFILE.format(servers=SERVERS, says=told, ids=ids)
    (folder / "nasty.toml").write_text(text)


def test_everything_it_says_is_kept_and_shown_safely(tmp_path: Path) -> None:
    profile(tmp_path, SAYS)
    environment = {
        "NASTY_KEY": KEY,
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    words = ("nasty.toml", "--budget", "120s", "-x", "--junit", "junit.xml", "--report", "pages")
    ran = deadheat(tmp_path, "ci", *words, "--events", "events.ndjson", **environment)
    assert ran.returncode == 1, ran.stderr
    rows = ran.stdout.splitlines()
    commands = [row for row in rows if row.startswith("::")]
    assert [row[:8] for row in commands] == ["::error "]
    assert_shown("\n".join(row for row in rows if row not in commands) + ran.stderr)
    assert_markdown((tmp_path / "summary.md").read_text(encoding="utf-8"))
    ElementTree.parse(tmp_path / "junit.xml")
    for line in (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines():
        assert line.isprintable()
    saved = sorted((tmp_path / ".deadheat").rglob("*.json"))
    assert saved
    titles = [
        entry.title or ""
        for op in artifacts.read(saved[0]).history.operations
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed)
        for entry in op.outcome.result.entries
    ]
    assert titles
    # As JSON gives it back: half of a pair stays half of a pair.
    assert all(title.endswith(json.loads(json.dumps(SAYS)) + "***") for title in titles)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in ran.stdout + ran.stderr
    shown = deadheat(tmp_path, "show", str(saved[0]))
    assert shown.returncode == 0
    assert_shown(shown.stdout)


def test_an_id_that_no_address_can_hold_is_the_targets_fault(tmp_path: Path) -> None:
    profile(tmp_path, "", ', IDS = "1"')
    ran = deadheat(tmp_path, "run", "nasty.toml", "--programs", "20", NASTY_KEY=KEY)
    assert ran.returncode == 3, ran.stderr
    assert "an id that no address can hold" in ran.stderr
    assert "Traceback" not in ran.stderr
