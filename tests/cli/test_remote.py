"""A server on another machine: named with its rate before anything is sent, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from deadheat.cli.common import find
from deadheat.cli.console import View
from deadheat.cli.main import cli
from deadheat.errors import RemoteRefused, UserError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (None, "as fast as it answers (--max-rps N limits that)"),
        (2.5, "at most 2.5 requests a second"),
    ],
)
def test_its_address_and_rate_are_said_first(
    rate: float | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with click.Context(click.Command("run")) as context, View(plain=True) as view:
        context.meta["deadheat.max_rps"] = rate
        url = "http://me:secret@192.0.2.1:80"
        target = find(url, "opencode", True, view)
    told = capsys.readouterr().err
    assert told == f"sessions are made and deleted on http://192.0.2.1:80, {says}\n"
    assert target.max_rps == rate


def test_without_leave_it_is_refused_and_here_nothing_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with click.Context(click.Command("run")), View(plain=True) as view:
        with pytest.raises(RemoteRefused):
            find("http://192.0.2.1:80", "opencode", False, view)
        find("http://127.0.0.1:80", "opencode", False, view)
    assert capsys.readouterr().err == ""


def test_what_a_command_has_noted_and_not_seen_to_go_is_told_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def ended(run: str, *, in_doubt: bool) -> str:
        with click.Context(click.Command("run")), View(plain=True) as view:
            journal = find("http://127.0.0.1:80", "opencode", False, view).journal
            assert journal is not None
            notes = journal.begin(run)
            other = journal.begin("0" + run)  # of a run that is under way
            notes.end(in_doubt=in_doubt)
        other.end()
        return capsys.readouterr().err

    assert ended("ab12cd", in_doubt=False) == ""
    assert "deadheat cleanup" in ended("ab12ce", in_doubt=True)
    assert ended("ab12cf", in_doubt=False) == ""  # that is an earlier one's


def test_a_campaign_takes_no_password_in_its_target(tmp_path: Path) -> None:
    words = ["campaign", "http://me:secret@127.0.0.1:9", "--profile", "opencode"]
    done = CliRunner().invoke(cli, [*words, "--into", str(tmp_path)])
    assert isinstance(done.exception, UserError)
    assert "[auth]" in str(done.exception)
    assert not any(tmp_path.iterdir())
