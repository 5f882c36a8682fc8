"""An exported script calls nothing fixed that never raced: each way, on a scripted server."""

from __future__ import annotations

import gzip
import json
import select
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from tests.examples import example, on_any_machine
from tests.export.exported import loaded
from tests.servers.scripted import Asked, Says, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.live

NEEDED = 12  # quiet trials; for each of them ten are tried at most


class Sessions:
    """A correct server of sessions. ``lies``: what it says instead, None: nothing."""

    def __init__(self, lies: Callable[[Asked, int], Says | None]) -> None:
        self.live: dict[str, str] = {}
        self.ids = count(1)
        self.calls = count()
        self.lies = lies

    def __call__(self, asked: Asked) -> Says:
        lie = self.lies(asked, next(self.calls))
        if lie is not None:
            return lie
        session = asked.path.partition("?")[0].removeprefix("/session").strip("/")
        if asked.method == "POST":
            session = f"ses_{next(self.ids)}"
            self.live[session] = json.loads(asked.body)["title"]
        elif not session:
            return Says(body=[{"id": one, "title": self.live[one]} for one in self.live])
        elif session not in self.live:
            return Says(404)
        elif asked.method == "DELETE":
            del self.live[session]
            return Says()
        return Says(body={"id": session, "title": self.live[session]})


def honest(_asked: Asked, _number: int) -> Says | None:
    return None


def no_create(asked: Asked, _number: int) -> Says | None:
    return Says(409) if asked.method == "POST" else None


def deletes_locked(asked: Asked, _number: int) -> Says | None:
    return Says(423) if asked.method == "DELETE" else None


def deletes_broken(asked: Asked, _number: int) -> Says | None:
    return Says(503) if asked.method == "DELETE" else None


def never_answers_a_delete(asked: Asked, _number: int) -> Says | None:
    return Says(raw=b"", close=True) if asked.method == "DELETE" else None


def limited(asked: Asked, _number: int) -> Says | None:
    return Says(429) if asked.method == "DELETE" else None


def shows_nothing(asked: Asked, number: int) -> Says | None:
    """The first list is before all trials; the others come after a race."""
    lists = asked.method == "GET" and asked.path.partition("?")[0] == "/session"
    return Says(429) if number and lists else None


def gone(_asked: Asked, number: int) -> Says | None:
    return Says(raw=b"", close=True) if number > 50 else None


def another_server(_asked: Asked, _number: int) -> Says | None:
    return Says(404)


def script() -> Any:
    module = loaded(on_any_machine(example()))  # what the machine misses is looked at below
    module.TRIALS = NEEDED
    module.READS["delete"] = module.READS["delete"]._replace(refused=(423,))
    return module


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        (no_create, "delete was not sent"),
        (deletes_locked, "delete was answered 423"),
        (deletes_broken, "delete was answered 503"),
        (limited, "delete was answered 429"),
        (shows_nothing, "list was answered 429"),
        (never_answers_a_delete, ""),
        (gone, ""),
        (another_server, "delete was not sent"),
    ],
)
def test_what_did_not_race_is_not_comparable(
    lies: Callable[[Asked, int], Says | None], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Scripted(Sessions(lies)) as server:
        assert script().run(server.base_url, None) == 3
    said = capsys.readouterr().err
    assert said.startswith("not comparable: ")
    assert why in said


def test_the_honest_twin_is_quiet() -> None:
    with Scripted(Sessions(honest)) as server:
        assert script().run(server.base_url, None) == 0


def test_too_few_prove_nothing_though_they_were_asked_for() -> None:
    with Scripted(Sessions(honest)) as server:
        assert script().run(server.base_url, NEEDED - 1) == 3


def test_offsets_that_were_missed_are_no_silence(capsys: pytest.CaptureFixture[str]) -> None:
    module = loaded(example())
    module.TRIALS, module.MISS_US, module.MISS_LANE_US = 3, -1, 0  # none is ever exact enough
    with Scripted(Sessions(honest)) as server:
        assert module.run(server.base_url, None) == 3
    assert f"30 did not race: {module.LATE}" in capsys.readouterr().err


@pytest.mark.parametrize("stdlib", [True, False], ids=["stdlib", "httpx"])
def test_answers_that_come_compressed_are_read(stdlib: bool) -> None:
    sessions = Sessions(honest)

    def packed(asked: Asked) -> Says:
        head, _, content = sessions(asked).encoded().partition(b"\r\n\r\n")
        body = gzip.compress(content)
        status = head.partition(b"\r\n")[0].decode()
        how = f"{status}\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
        return Says(raw=how.encode() + body)

    with Scripted(packed) as server:
        module = loaded(on_any_machine(example()), stdlib=stdlib)
        module.TRIALS = NEEDED
        assert module.run(server.base_url, None) == 0
    assert sessions.live == {}


@pytest.mark.parametrize(
    ("packed", "why"),
    [(b"no gzip", "not gzip"), (gzip.compress(b"[]", mtime=0)[:-4], "breaks off")],
    ids=["not gzip", "cut off"],
)
def test_what_is_compressed_badly_is_no_answer(packed: bytes, why: str) -> None:
    module = script()
    with pytest.raises(module.NoAnswer, match=why):
        module.unpacked("gzip", packed)
    module.LARGEST = 4
    with pytest.raises(module.NoAnswer, match="too long"):
        module.unpacked("gzip", gzip.compress(b"12345678"))


def test_a_connection_that_closes_while_it_is_held_is_held_again() -> None:
    module = script()
    with Scripted(Sessions(honest)) as server:
        lane = module.Lane("127.0.0.1", server.port, ())
        racer = object.__new__(module.Racer)
        racer.lane, racer.hold = lane, lambda: lane.hold("GET", "/session", None)
        racer.hold()
        while not server.lines:
            pass
        server.hang_up(server.lines[0])
        select.select([lane.sock], [], [], 60)  # the news takes as long as it takes
        racer.stand()
        lane.release()
        assert lane.answer()[0] == 200
        lane.close()
    assert len(server.asked) == 1
