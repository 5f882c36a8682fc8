"""Profiles on live servers: headers on every request, and a real OpenCode behind a password."""

from __future__ import annotations

import random
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from tests.programs import TWO_DELETES
from tests.running import deadheat
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.live import open_target
from deadheat.model.verdict import Linearizable
from deadheat.run.judge import judge
from deadheat.targets.profile.profile import read_profile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.live]
OPENCODE = files("deadheat").joinpath("targets", "opencode", "profiles", "opencode-1.2.toml")


@pytest.mark.anyio
async def test_every_request_carries_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lanes', the observer's, the control's, the event stream's."""
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    monkeypatch.setenv("SHOP_KIND", "fuzz")
    crowd = Crowd(random.Random(0), foreign=())

    def answer(asked: Asked) -> Says:
        if asked.path == "/event":
            return Says(raw=b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n")
        return crowd(asked)

    before, fork, after = OPENCODE.read_text("utf-8").partition("[calls.fork]")
    assert fork  # which the crowd does not have
    text = before + after[after.index("[events]") :]
    path = tmp_path / "shop.toml"
    path.write_text(
        text + '\n[headers]\nX-Kind = "a {env:SHOP_KIND}"\n\n[auth]\ntoken = "{env:SHOP_TOKEN}"\n'
    )
    with Scripted(answer) as server:
        target = read_profile(path).target("x", base_url=server.base_url)
        async with open_target(target, "run") as live:
            done, death = await live.execute(TWO_DELETES)
            assert isinstance(judge(done, death, live.promises), Linearizable)
            assert live._executor is not None
            assert await live._executor.answers(5)  # the control request
        sent = b"".join(bytes(line.received) for line in server.lines)
    requests = sent.count(b" HTTP/1.1\r\n")
    assert requests > 10
    assert sent.count(b"GET /event ") >= 1
    lowered = sent.lower()
    assert lowered.count(b"authorization: bearer s3cret\r\n") == requests
    assert lowered.count(b"x-kind: a fuzz\r\n") == requests


@pytest.mark.opencode
def test_an_opencode_behind_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of one's own that starts the real server; without the password it answers 401."""
    from deadheat.targets.opencode.npm import fetch_binary, platform_package

    secret = "pw-7f3a91c2"
    binary = fetch_binary(platform_package(), "1.2.1", "bin/opencode", print)
    text = OPENCODE.read_text("utf-8").replace('"{program}"', f'"{binary}"')
    text = text.replace(
        "[server.env]\n", '[server.env]\nOPENCODE_SERVER_PASSWORD = "{env:OC_PASSWORD}"\n'
    )
    auth = '\n[auth]\nuser = "opencode"\npassword = "{env:OC_PASSWORD}"\n'
    (tmp_path / "behind.toml").write_text(text + auth)
    (tmp_path / "without.toml").write_text(text)
    monkeypatch.setenv("OC_PASSWORD", secret)
    words = ("--programs", "8", "--seed", "1")
    clean = deadheat(tmp_path, "run", "behind.toml", *words)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    refused = deadheat(tmp_path, "run", "without.toml", *words)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "401" in refused.stderr
    for done in (clean, refused):
        assert secret not in done.stdout + done.stderr
    monkeypatch.delenv("OC_PASSWORD")
    unset = deadheat(tmp_path, "run", "behind.toml", *words)
    assert unset.returncode == 2
    assert "OC_PASSWORD is not set" in unset.stderr.splitlines()[-1]
