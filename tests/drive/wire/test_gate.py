"""The gate on the wire: what the server has in hand before, at and after the release."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import anyio
import httpcore
import httpx
import pytest
from tests.servers.holder import OnRelease
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.wire.gate import Gate
from deadheat.drive.wire.lane import LaneClient
from deadheat.drive.wire.outcome import NeverSent, outcome_of_error
from deadheat.drive.wire.stream import HeldStream
from deadheat.model.history import Fail

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


def ok(_asked: Asked) -> Says:
    return Says()


async def until(true: Callable[[], object], within_s: float = 60) -> None:
    with anyio.fail_after(within_s):
        while not true():  # noqa: ASYNC110 - a thread moves on, no event
            await anyio.sleep(0.001)


@pytest.mark.live
@pytest.mark.parametrize(
    ("method", "body"), [("DELETE", None), ("GET", None), ("POST", b'{"title": "x"}')]
)
async def test_a_head_but_for_its_last_byte_is_sent_until_the_release(
    method: str, body: bytes | None
) -> None:
    with Scripted(ok) as server:
        client = LaneClient(server.base_url, 60)
        gate = Gate([0, 0])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.send, method, "/session/ses_a", body, (gate, 0))
            await until(lambda: gate._held)
            await until(lambda: server.lines and server.lines[0].received.endswith(b"\r\n\r"))
            await anyio.sleep(0.05)  # anything more would have come by now
            before = bytes(server.lines[0].received)
            assert before.count(b"\r\n\r") == 1
            assert server.asked == []
            gate.absent(1)
            await gate.open()
        after = bytes(server.lines[0].received)
        await client.aclose()
    assert after == before + b"\n" + (body or b"")
    assert server.asked[0].body == (body or b"")


@pytest.mark.live
async def test_releases_follow_the_offsets_and_never_come_early() -> None:
    # Wide: a busy machine may run the server late.
    offsets_us = [400_000, 0, 800_000]
    with Scripted(ok) as server:
        clients = [LaneClient(server.base_url, 60) for _ in offsets_us]
        gate = Gate(offsets_us)
        async with anyio.create_task_group() as tasks:
            for lane, client in enumerate(clients):
                tasks.start_soon(client.send, "DELETE", f"/{lane}", None, (gate, lane))
            releases = await gate.open()
        for client in clients:
            await client.aclose()
    assert [asked.path for asked in sorted(server.asked, key=lambda a: a.complete_ns)] == [
        "/1",
        "/0",
        "/2",
    ]
    assert [(r.lane, r.wanted_ns) for r in releases] == [(1, 0), (0, 400_000_000), (2, 800_000_000)]
    assert all(r.achieved_ns >= r.wanted_ns for r in releases)


@pytest.mark.live
async def test_the_interval_contains_the_servers_own_receipt() -> None:
    with Scripted(ok) as server:
        clients = [LaneClient(server.base_url, 60) for _ in range(3)]
        times: dict[str, tuple[int, int]] = {}

        async def one(lane: int, n: int, gate: Gate) -> None:
            path = f"/{n}/{lane}"
            _, call_ns, return_ns = await clients[lane].send("POST", path, b"{}", (gate, lane))
            times[path] = (call_ns, return_ns)

        for n in range(20):
            gate = Gate([0, 300, 50])
            async with anyio.create_task_group() as tasks:
                for lane in range(3):
                    tasks.start_soon(one, lane, n, gate)
                await gate.open()
        for client in clients:
            await client.aclose()
    assert len(server.asked) == 60
    for asked in server.asked:
        call_ns, return_ns = times[asked.path]
        assert call_ns <= asked.head_ns <= asked.complete_ns <= return_ns


@pytest.mark.live
async def test_a_lane_that_cannot_connect_does_not_hold_the_others_up() -> None:
    with Scripted(ok) as server:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        here, nowhere = (LaneClient(f"http://127.0.0.1:{p}", 60) for p in (server.port, port))
        gate = Gate([0, 0])

        async def fails() -> None:
            with pytest.raises(httpx.ConnectError):
                await nowhere.send("GET", "/", None, (gate, 1))
            gate.absent(1)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(here.send, "GET", "/", None, (gate, 0))
                tasks.start_soon(fails)
                releases = await gate.open()
        await here.aclose()
        await nowhere.aclose()
    assert len(releases) == 1


BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.live
async def test_what_is_said_before_the_head_is_whole_is_no_answer() -> None:
    """A server that is tired of waiting, or too busy: the request is held on a new connection."""
    spoken: list[bytes] = []

    def at_once(partial: bytes) -> bytes | None:
        if spoken:
            return None
        spoken.append(partial)
        return BUSY

    with Scripted(ok, at_once) as server:
        client = LaneClient(server.base_url, 60)
        gate = Gate([0])
        answers: list[httpx.Response] = []

        async def one() -> None:
            answers.append((await client.send("POST", "/first", b"{}", (gate, 0)))[0])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            await until(lambda: len(server.lines) == 2)
            (release,) = await gate.open()
        second, call_ns, return_ns = await client.send("GET", "/second", None)
        await client.aclose()
    assert [answer.status_code for answer in (*answers, second)] == [200, 200]
    assert [asked.path for asked in server.asked] == ["/first", "/second"]
    assert {asked.connection for asked in server.asked} == {1}
    assert call_ns <= server.asked[1].head_ns <= return_ns
    assert release.achieved_ns >= 0


@pytest.mark.live
async def test_a_server_that_always_speaks_first_was_asked_nothing() -> None:
    with Scripted(ok, lambda _partial: BUSY) as server:
        client = LaneClient(server.base_url, 60)
        gate = Gate([0, 0])
        with pytest.raises(NeverSent):
            await client.send("DELETE", "/first", None, (gate, 0))
        gate.absent(0)
        gate.absent(1)
        assert await gate.open() == ()
        await client.aclose()
    assert server.asked == []


@pytest.mark.live
async def test_a_connection_that_dies_while_held_is_made_again_before_the_gate_opens() -> None:
    with Scripted(ok) as server:
        clients = [LaneClient(server.base_url, 60) for _ in range(2)]
        gate = Gate([0, 0])
        async with anyio.create_task_group() as tasks:
            for lane, client in enumerate(clients):
                tasks.start_soon(client.send, "POST", f"/{lane}", b"{}", (gate, lane))
            await until(lambda: len(gate._held) == len(server.lines) == 2)
            server.hang_up(server.lines[0])
            streams = [client.stamps for client in clients]
            while not any(isinstance(one, HeldStream) and one.readable for one in streams):
                pass  # nobody yields: the gate has to look for itself
            releases = await gate.open()
        for client in clients:
            await client.aclose()
    assert len(releases) == 2
    assert sorted(asked.path for asked in server.asked) == ["/0", "/1"]
    assert len(server.lines) == 3


@pytest.mark.live
async def test_a_connection_that_dies_after_the_opening_is_sent_nothing() -> None:
    """Its call has certainly not been done, and the race did not take place."""
    with Scripted(ok) as server:
        client = LaneClient(server.base_url, 60)
        gate = Gate([0, 1_000])

        def hangs_up() -> None:
            stream = client.stamps
            assert isinstance(stream, HeldStream)
            server.hang_up(server.lines[0])
            while not stream.readable:
                pass

        gate.arrived(0, OnRelease(hangs_up))
        failed: list[httpx.RequestError] = []

        async def one() -> None:
            try:
                await client.send("POST", "/", b"{}", (gate, 1))
            except httpx.RequestError as exc:
                failed.append(exc)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            await until(lambda: server.lines and server.lines[0].received.endswith(b"\r\n\r"))
            await gate.open()
        await client.aclose()
    assert [type(exc) for exc in failed] == [NeverSent]
    assert outcome_of_error(failed[0]) == Fail("NeverSent")
    assert server.asked == []
    assert len(server.lines) == 1


@pytest.mark.live
async def test_a_body_larger_than_the_sockets_buffer_is_sent_to_its_end() -> None:
    """Also where the other lanes wait for their own instants meanwhile."""
    large = b"x" * 6_000_000  # Linux grants a loopback connection some 2.5 MB at first
    with Scripted(ok) as server:
        clients = [LaneClient(server.base_url, 60) for _ in range(2)]
        gate = Gate([0, 3_000])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clients[0].send, "POST", "/large", large, (gate, 0))
            tasks.start_soon(clients[1].send, "GET", "/other", None, (gate, 1))
            await gate.open()
        for client in clients:
            await client.aclose()
    assert {asked.path: len(asked.body) for asked in server.asked} == {
        "/large": len(large),
        "/other": 0,
    }


async def test_head_and_body_leave_together() -> None:
    """Held or not, nothing leaves before the last write, and then all in one."""
    for held in (False, True):
        one, other = socket.socketpair()
        one.setblocking(False)
        other.setblocking(False)
        stream, gate = HeldStream(one), Gate([0])
        stream.begin(2, (gate, 0) if held else None)
        await stream.write(b"head")
        assert not stream.head_out
        with pytest.raises(BlockingIOError):
            other.recv(10)
        await stream.write(b"body")
        assert other.recv(20) == (b"hea" if held else b"headbody")
        assert stream.head_out is not held
        if held:
            gate._held[0].release([0])
            assert other.recv(20) == b"dbody"
        assert stream.head_out
        await stream.aclose()
        other.close()


async def test_releasing_on_a_dead_or_closed_socket_is_no_error() -> None:
    one, other = socket.socketpair()
    one.setblocking(False)
    stream = HeldStream(one)
    gate = Gate([0])
    stream.begin(1, (gate, 0))
    await stream.write(b"abc")
    assert other.recv(10) == b"ab"
    await stream.aclose()
    other.close()
    (release,) = await gate.open()
    assert (release.lane, release.wanted_ns) == (0, 0)


async def test_errors_of_the_socket_become_httpcores() -> None:
    one, other = socket.socketpair()
    one.setblocking(False)
    stream = HeldStream(one)
    with pytest.raises(httpcore.ReadTimeout):
        await stream.read(10, timeout=0.01)
    other.close()
    assert await stream.read(10) == b""
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"x")
    assert stream.get_extra_info("is_readable") is True
    await stream.aclose()
    assert stream.get_extra_info("is_readable") is True
    with pytest.raises(httpcore.ReadError):
        await stream.read(10)


async def test_a_gate_whose_lanes_are_all_absent_opens_at_once() -> None:
    gate = Gate([0, 0])
    gate.absent(0)
    gate.absent(1)
    with anyio.fail_after(60):
        assert await gate.open() == ()


@pytest.mark.live
async def test_connections_that_died_are_replaced_before_a_round_is_released() -> None:
    with Scripted(ok) as server:
        clients = [LaneClient(server.base_url, 60) for _ in range(2)]
        for n in range(2):
            gate = Gate([0, 0])
            async with anyio.create_task_group() as tasks:
                for lane, client in enumerate(clients):
                    tasks.start_soon(client.send, "DELETE", f"/{n}/{lane}", None, (gate, lane))
                releases = await gate.open()
            assert len(releases) == 2
            for line in server.lines:
                server.hang_up(line)
            for client in clients:
                stream = client.stamps
                assert isinstance(stream, HeldStream)
                await until(lambda stream=stream: stream.readable)  # type: ignore[misc]
        for client in clients:
            await client.aclose()
    assert sorted(asked.path for asked in server.asked) == ["/0/0", "/0/1", "/1/0", "/1/1"]
    assert len({asked.connection for asked in server.asked}) == 4
