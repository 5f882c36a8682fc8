"""One lane's client: one connection, no retries, and errors that say what is known."""

from __future__ import annotations

import threading

import httpx
import pytest
from tests import opencode
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.server.process import free_port
from deadheat.drive.target import Target
from deadheat.drive.wire.address import on_this_server
from deadheat.drive.wire.lane import LaneClient
from deadheat.drive.wire.stream import HeldStream
from deadheat.model.history import Fail, Info, Invocation, Kind, Ok, Unknown

pytestmark = [pytest.mark.live, pytest.mark.anyio]
LIST = Invocation(Kind.LIST)


def executor(base_url: str, timeout_s: float = 5) -> Executor:
    return Executor(
        base_url, Target("x", opencode.WIRE, timeout_s=timeout_s), Ownership("run", alone=True)
    )


async def test_calls_share_one_warm_connection() -> None:
    with Scripted(lambda _asked: Says(body=[])) as server:
        async with executor(server.base_url) as running:
            for _ in range(3):
                await running.exchange(running.observer, LIST)
    assert {asked.connection for asked in server.asked} == {0}


async def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    with Scripted(lambda _asked: Says(body=[])) as server:
        async with executor(server.base_url) as running:
            for _ in range(3):
                outcome, *_ = await running.exchange(running.observer, LIST)
                assert isinstance(outcome, Ok)
                stream = running.observer.stamps
                server.hang_up(server.lines[-1])
                assert isinstance(stream, HeldStream)
                while not stream.readable:
                    pass
    assert [asked.connection for asked in server.asked] == [0, 1, 2]


async def test_a_cookie_that_an_answer_sets_makes_no_client_another_user() -> None:
    """A server that keeps a collection for each cookie: every lane would see one of its own."""
    head = b"HTTP/1.1 200 OK\r\nset-cookie: sid=7; Path=/\r\ncontent-length: 2\r\n\r\n[]"
    with Scripted(lambda _asked: Says(raw=head)) as server:
        said = LaneClient(server.base_url, 5)
        named = LaneClient(server.base_url, 5, headers=[("cookie", "sid=1")])
        for client in (said, said, named, named):
            await client.send("GET", "/session", None)
            assert client.offered_cookie
        for client in (said, named):
            await client.aclose()
    sent = [
        [row for row in bytes(line.received).lower().split(b"\r\n") if row.startswith(b"cookie")]
        for line in server.lines
    ]
    assert sent == [[], [b"cookie: sid=1"] * 2]


async def test_an_answer_that_closes_the_connection_is_followed_by_a_new_one() -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]"
    with Scripted(lambda _asked: Says(raw=raw, close=True)) as server:
        async with executor(server.base_url) as running:
            for _ in range(2):
                outcome, *_ = await running.exchange(running.observer, LIST)
                assert isinstance(outcome, Ok)
    assert [asked.connection for asked in server.asked] == [0, 1]


async def test_after_an_error_of_the_server_the_connection_is_replaced() -> None:
    """uvicorn closes it a moment after an unhandled 500: what was sent by then never reaches it."""
    answers = [Says(500, {}), Says(body=[]), Says(404, {}), Says(body=[])]
    with Scripted(lambda _asked: answers.pop(0)) as server:
        async with executor(server.base_url) as running:
            for _ in range(4):
                await running.exchange(running.observer, LIST)
    assert [asked.connection for asked in server.asked] == [0, 1, 1, 1]


async def test_nobody_listens_is_a_fail() -> None:
    async with executor(f"http://127.0.0.1:{free_port()}") as running:
        outcome, _, return_ns, status, _ = await running.exchange(running.observer, LIST)
    assert outcome == Fail("ConnectError")
    assert (return_ns, status) == (None, None)


async def test_a_port_that_is_none_is_a_fail() -> None:
    async with executor("http://127.0.0.1:99999") as running:
        outcome, *_ = await running.exchange(running.observer, LIST)
    assert isinstance(outcome, Fail)


async def test_no_answer_in_time_is_unknown_and_open_to_the_end() -> None:
    never = threading.Event()
    with Scripted(lambda _asked: Says(after=never)) as server:
        async with executor(server.base_url, 1.0) as running:
            outcome, call_ns, return_ns, _, _ = await running.exchange(running.observer, LIST)
        never.set()
    assert outcome == Info(Unknown.TIMEOUT, "ReadTimeout")
    assert return_ns is None
    assert call_ns <= server.asked[0].complete_ns


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Unknown.RESET),  # closed without a word
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n[", Unknown.RESET),  # in the middle
        (b"SSH-2.0-OpenSSH_9\r\n", Unknown.RESET),  # no HTTP
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Unknown.GARBLED),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", Unknown.SERVER_ERROR),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n[]",
            Unknown.GARBLED,
        ),
    ],
)
async def test_what_is_no_answer_is_unknown(raw: bytes, reason: Unknown) -> None:
    with Scripted(lambda _asked: Says(raw=raw, close=True)) as server:
        async with executor(server.base_url) as running:
            outcome, _, return_ns, _, _ = await running.exchange(running.observer, LIST)
    assert isinstance(outcome, Info)
    assert outcome.reason is reason
    assert return_ns is None
    assert len(server.asked) == 1  # never a retry


async def test_no_redirect_is_followed_and_no_proxy_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    raw = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    with Scripted(lambda _asked: Says(raw=raw)) as server:
        client = LaneClient(server.base_url, 5)
        answer, *_ = await client.send("GET", "/session", None)
        await client.aclose()
    assert answer.status_code == 302
    assert [asked.path for asked in server.asked] == ["/session"]


async def test_a_call_takes_as_long_as_its_whole_answer() -> None:
    """A server that trickles must not hold a lane longer than the timeout."""
    more = threading.Event()

    def answer(asked: Asked) -> Says:
        del asked
        return Says(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[")

    with Scripted(answer) as server:
        client = LaneClient(server.base_url, 0.1)
        with pytest.raises(httpx.ReadTimeout):
            await client.send("GET", "/session", None)
        await client.aclose()
        more.set()


async def test_localhost_is_reached_whichever_family_listens() -> None:
    with Scripted(lambda _asked: Says(body=[])) as server:
        async with executor(f"http://localhost:{server.port}") as running:
            outcome, *_ = await running.exchange(running.observer, LIST)
    assert isinstance(outcome, Ok)


@pytest.mark.parametrize("following", ["/session?" + "a" * 70_000, "/session?a=\x7f"])
async def test_an_address_that_nobody_takes_leads_nowhere(following: str) -> None:
    assert on_this_server("http://127.0.0.1:1", "/session", following) is None
