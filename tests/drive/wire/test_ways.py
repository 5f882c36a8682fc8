"""Every way through the gate on a real server: nothing acts before its release, intervals are true.

The server tells at which instant it acted, by the clock that the intervals are taken from.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx
import pytest
from tests.examples import example
from tests.export.exported import loaded
from tests.servers.behind import WAYS, certify, serving
from tests.servers.holder import OnRelease
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.wire.address import address_of
from deadheat.drive.wire.gate import Gate
from deadheat.drive.wire.http2 import SharedConnection
from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import Untrusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from deadheat.model.release import Release

pytestmark = [pytest.mark.live, pytest.mark.anyio]
NOW = "/session/ses_now"
BODY = b'{"title": "x"}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ways")
    certify(made)
    return made


@pytest.fixture(scope="module", params=WAYS)
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, str]]:
    with serving(request.param, folder, correct=True) as url:
        yield request.param, url


@pytest.fixture(autouse=True)
def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


@asynccontextmanager
async def lanes(
    way: str, url: str, count: int, timeout_s: float = 10
) -> AsyncIterator[tuple[list[LaneClient], SharedConnection]]:
    shared = SharedConnection(address_of(url))
    through = [shared.lane() if way == "http2" else None for _ in range(count)]
    clients = [LaneClient(url, timeout_s, shared=one) for one in through]
    try:
        yield clients, shared
    finally:
        for client in clients:
            await client.aclose()
        await shared.aclose()


async def a_round(
    clients: list[LaneClient], offsets_us: list[int]
) -> tuple[tuple[Release, ...], dict[int, tuple[int, int, int]]]:
    """The releases, and for each lane: call, receipt by the server, return."""
    gate = Gate(offsets_us)
    seen: dict[int, tuple[int, int, int]] = {}

    async def one(lane: int) -> None:
        answer, call_ns, return_ns = await clients[lane].send("GET", NOW, None, (gate, lane))
        seen[lane] = (call_ns, answer.json()["received_ns"], return_ns)

    async with anyio.create_task_group() as tasks:
        for lane in range(len(clients)):
            tasks.start_soon(one, lane)
        releases = await gate.open()
    return releases, seen


async def test_the_interval_contains_the_servers_own_instant(server: tuple[str, str]) -> None:
    async with lanes(*server, 4) as (clients, _):
        for _ in range(15):
            releases, seen = await a_round(clients, [0, 900, 300, 0])
            assert len(releases) == len(seen) == 4
            for call_ns, received_ns, return_ns in seen.values():
                assert call_ns <= received_ns <= return_ns


@contextmanager
def telling_of_heads(way: str, folder: Path) -> Iterator[str]:
    """A server that answers a POST with the instant at which it had its head, and its length."""
    if way == "http2":
        with serving("http2", folder, correct=True) as url:
            yield url
        return

    def answer(asked: Asked) -> Says:
        return Says(body={"head_ns": asked.head_ns, "length": len(asked.body)})

    path = folder / "heads.sock" if way == "unix" else None
    context = None
    if way == "tls":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem")
    with Scripted(answer, path=path, context=context) as server:
        yield server.base_url


# Larger than what a loopback socket buffers (2.5 MB at first), or than an HTTP/2 window (64 KiB).
LARGE = dict.fromkeys(WAYS, b"x" * 6_000_000) | {"http2": b"x" * 200_000}


@pytest.mark.parametrize("way", WAYS)
async def test_a_head_is_whole_only_after_its_call(way: str, folder: Path, tmp_path: Path) -> None:
    """Most servers act on the head, so the interval begins before it, also where a body follows."""
    (tmp_path / "server.pem").write_bytes((folder / "server.pem").read_bytes())
    seen: list[tuple[int, int, int]] = []

    with telling_of_heads(way, tmp_path) as url:
        async with lanes(way, url, 3, timeout_s=60) as (clients, _):

            async def one(lane: int, body: bytes, held: tuple[Gate, int] | None) -> None:
                answer, call_ns, return_ns = await clients[lane].send("POST", NOW, body, held)
                said = answer.json()
                assert said["length"] == len(body)
                seen.append((call_ns, said["head_ns"], return_ns))

            for body in (*([BODY] * 10), LARGE[way]):
                await one(0, body, None)
                gate = Gate([0, 4_000, 300])
                async with anyio.create_task_group() as tasks:
                    for lane in range(3):
                        tasks.start_soon(one, lane, body, (gate, lane))
                    assert len(await gate.open()) == 3
    assert len(seen) == 44
    for call_ns, head_ns, return_ns in seen:
        assert call_ns <= head_ns <= return_ns


@pytest.mark.parametrize("stdlib", [True, False])
def test_an_exported_scripts_head_is_whole_only_after_its_call(stdlib: bool) -> None:
    """Of a lane that is held and of one that races with nothing."""
    module = loaded(example(), stdlib=stdlib)
    with Scripted(lambda asked: Says(body=asked.head_ns)) as server:
        api = module.Api(server.base_url, alone=True)
        lane = api.lanes[0]
        for _ in range(10):
            lane.hold("POST", "/session", BODY.decode())
            opened_ns = time.monotonic_ns()
            lane.release()
            for answer in (lane.answer(), api.send("POST", "/session", BODY.decode())):
                status, head_ns, _, called_ns, answered_ns = answer
                assert status == 200
                assert opened_ns <= called_ns <= int(head_ns) <= answered_ns
        api.close()
        assert {asked.body for asked in server.asked} == {BODY}
        assert len(server.lines) == 2


async def test_releases_follow_the_offsets(server: tuple[str, str]) -> None:
    offsets_us = [400_000, 0, 800_000]  # wide: a busy machine may run the server late
    async with lanes(*server, 3) as (clients, _):
        for _ in range(3):
            releases, seen = await a_round(clients, offsets_us)
            assert [release.lane for release in releases] == [1, 0, 2]
            assert all(release.achieved_ns >= release.wanted_ns for release in releases)
            received = {lane: times[1] for lane, times in seen.items()}
            assert sorted(received, key=lambda lane: received[lane]) == [1, 0, 2]
            assert received[0] - received[1] > -1_000_000 + (seen[0][0] - seen[1][2])


async def test_a_request_with_a_body_is_held_too(server: tuple[str, str]) -> None:
    async with lanes(*server, 2) as (clients, _):
        gate = Gate([0, 30_000])
        made: list[str] = []

        async def create(lane: int) -> None:
            answer, *_ = await clients[lane].send(
                "POST", "/session", b'{"title": "x"}', (gate, lane)
            )
            made.append(answer.json()["id"])

        async with lanes(*server, 1) as ((observer,), _), anyio.create_task_group() as tasks:
            tasks.start_soon(create, 0)
            await anyio.sleep(0.05)
            listed, *_ = await observer.send("GET", "/session", None)
            before = len(listed.json())
            tasks.start_soon(create, 1)
            await gate.open()
        listed, *_ = await clients[0].send("GET", "/session", None)
        assert len(listed.json()) == before + 2  # neither was there while both were held
        for session in made:
            await clients[0].send("DELETE", f"/session/{session}", None)


async def test_http2_lanes_share_one_connection_and_leave_at_one_instant(folder: Path) -> None:
    with serving("http2", folder, correct=True) as url:
        async with lanes("http2", url, 5) as (clients, shared):
            await a_round(clients, [0] * 5)
            connection = await shared.current()
            releases, _ = await a_round(clients, [0, 0, 500, 0, 500])
            instants = {release.wanted_ns: set[int]() for release in releases}
            for release in releases:
                instants[release.wanted_ns].add(release.achieved_ns)
            assert [len(found) for found in instants.values()] == [1, 1]
            assert await shared.current() is connection


async def test_http2_goes_on_while_a_request_is_held(folder: Path) -> None:
    """Streams are numbered, and headers compressed, in the order of sending, not of holding."""
    with serving("http2", folder, correct=True) as url:
        async with lanes("http2", url, 3) as (clients, _):
            gate = Gate([0, 40_000])
            others: list[int] = []

            async def held(lane: int) -> None:
                answer, *_ = await clients[lane].send("GET", f"{NOW}?{lane}", None, (gate, lane))
                assert answer.status_code == 200

            async def meanwhile() -> None:
                for n in range(10):
                    answer, *_ = await clients[2].send("GET", f"{NOW}?other={n}", None)
                    others.append(answer.status_code)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(held, 0)
                tasks.start_soon(held, 1)
                tasks.start_soon(meanwhile)
                await gate.open()
            assert others == [200] * 10


async def test_http2_replaces_a_connection_that_ended(folder: Path) -> None:
    with serving("http2", folder, correct=True) as url:
        async with lanes("http2", url, 2) as (clients, shared):
            await a_round(clients, [0, 0])
            ended = await shared.current()
            ended._stream._sock.shutdown(socket.SHUT_RDWR)
            releases, seen = await a_round(clients, [0, 0])  # seen before the round, so replaced
            assert len(releases) == len(seen) == 2
            assert await shared.current() is not ended


async def test_http2_a_timeout_ends_its_stream_and_not_the_connection(folder: Path) -> None:
    with serving("http2", folder, correct=True) as url:
        async with lanes("http2", url, 1) as ((patient,), shared):
            await patient.send("GET", NOW, None)
            connection = await shared.current()
            hasty = LaneClient(url, 0.0002, shared=shared.lane())
            with pytest.raises(httpx.TimeoutException):
                await hasty.send("DELETE", "/session/ses_x", None)  # takes 0.8 ms and more
            assert connection._open == {}
            answer, *_ = await patient.send("GET", NOW, None)
            assert answer.status_code == 200
            assert await shared.current() is connection
            await hasty.aclose()


@pytest.mark.parametrize("when", ["before the gate opens", "after it opened"])
async def test_http2_what_was_held_on_a_broken_connection_reached_nobody(
    when: str, folder: Path
) -> None:
    """Before the gate opens it is held again, on a new one; afterwards it did not take place."""
    with serving("http2", folder, correct=True) as url:
        async with lanes("http2", url, 2) as (clients, shared):
            await clients[0].send("GET", NOW, None)
            first = await shared.current()
            gate = Gate([1_000, 1_000, 0])
            ended: list[str] = []

            async def one(lane: int) -> None:
                try:
                    await clients[lane].send("POST", NOW, BODY, (gate, lane))
                    ended.append("answered")
                except httpx.RequestError as exc:
                    ended.append(type(exc).__name__)

            def breaks() -> None:
                first._stream._sock.shutdown(socket.SHUT_RDWR)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one, 0)
                tasks.start_soon(one, 1)
                while len(gate._held) < 2:
                    await anyio.lowlevel.checkpoint()
                if when.startswith("after"):
                    gate.arrived(2, OnRelease(breaks))
                else:
                    gate.absent(2)
                    breaks()
                await gate.open()
            assert ended == ["answered" if when.startswith("before") else "NeverSent"] * 2


@pytest.mark.parametrize("way", ["tls", "http2"])
async def test_an_unknown_ca_is_not_trusted(
    way: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certify(tmp_path)))  # another one
    with serving(way, folder, correct=True) as url:
        async with lanes(way, url, 1) as ((client,), _):
            for _ in range(2):
                with pytest.raises(Untrusted, match="SSL_CERT_FILE"):
                    await client.send("GET", NOW, None)


@pytest.mark.parametrize("way", ["tls", "http2"])
async def test_a_certificate_for_another_name_is_not_trusted(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certify(tmp_path, "example.org")))
    with serving(way, tmp_path, correct=True) as url:
        async with lanes(way, url, 1) as ((client,), _):
            with pytest.raises(Untrusted, match="mismatch"):
                await client.send("GET", NOW, None)


async def test_tls_where_there_is_none_is_no_connection(folder: Path) -> None:
    with serving("tcp", folder, correct=True) as url:
        for way in ("tls", "http2"):
            async with lanes(way, url.replace("http:", "https:"), 1, 2) as ((client,), _):
                with pytest.raises(httpx.ConnectError):
                    await client.send("GET", NOW, None)
