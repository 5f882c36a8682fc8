"""Whatever a server sends, each call has a clear outcome, within bounded memory and time."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import resource
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from tests import opencode
from tests.servers.hostile import Hostile

from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import Target
from deadheat.model.history import Info, Invocation, Kind, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.live, pytest.mark.anyio]

OK = b"HTTP/1.1 200 OK\r\n"
MEBI = b" " * (1 << 20)
# The largest answer that is read is 32 MiB, and the parser may hold it twice.
MOST_MEMORY_KIB = 160 * 1024
TIMEOUT_S = 60.0


def sized(body: bytes, length: int | None = None) -> bytes:
    return OK + b"content-length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def gigabytes() -> Iterator[bytes]:
    yield OK + b"content-length: 4000000000\r\n\r\n"
    yield from itertools.repeat(MEBI, 4_000)


def endless_chunks() -> Iterator[bytes]:
    yield OK + b"transfer-encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"100000\r\n" + MEBI + b"\r\n")


def no_end() -> Iterator[bytes]:
    yield OK + b"content-length: 1000\r\n\r\n"
    while True:
        time.sleep(0.01)  # in the server's own thread
        yield b" "


# An empty list, were it unpacked; larger than what is read of plain answers.
BOMB = gzip.compress(b"[" + b" " * (64 << 20) + b"]", 1)


def bomb() -> Iterator[bytes]:
    yield OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB) + BOMB


def informational() -> Iterator[bytes]:
    yield from itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100)


def endless_header() -> Iterator[bytes]:
    yield OK + b"x: "
    yield from itertools.repeat(b"y" * 65536)


def headers(count: int) -> Iterator[bytes]:
    yield OK
    for number in range(count):
        yield b"x-%d: y\r\n" % number
    yield b"content-length: 2\r\n\r\n[]"


CASES: dict[str, tuple[Callable[[], Iterator[bytes]], Unknown]] = {
    "gigabytes": (gigabytes, Unknown.GARBLED),
    "endless chunks": (endless_chunks, Unknown.GARBLED),
    "never ends": (no_end, Unknown.TIMEOUT),
    "a gzip bomb": (bomb, Unknown.GARBLED),
    "informational for ever": (informational, Unknown.TIMEOUT),
    "one endless header": (endless_header, Unknown.RESET),
    "100,000 headers": (lambda: headers(100_000), Unknown.RESET),
    "content-length too long": (lambda: iter([sized(b"[]", 50)]), Unknown.RESET),
    "content-length too short": (lambda: iter([sized(b'[{"id": 1}]', 4)]), Unknown.GARBLED),
    "two content-lengths": (
        lambda: iter([OK + b"content-length: 2\r\ncontent-length: 9\r\n\r\n[]"]),
        Unknown.RESET,
    ),
    "negative content-length": (lambda: iter([sized(b"[]", -2)]), Unknown.RESET),
    "invalid UTF-8": (lambda: iter([sized(b'[{"id": "\xff\xfe"}]')]), Unknown.GARBLED),
    "deep JSON": (lambda: iter([sized(b"[" * 500_000)]), Unknown.GARBLED),
    "a very long number": (lambda: iter([sized(b"9" * 1_000_000)]), Unknown.GARBLED),
    "not HTTP": (lambda: iter([b"220 smtp.example ESMTP\r\n"]), Unknown.RESET),
    "nothing": (lambda: iter([]), Unknown.RESET),
    "half a head": (lambda: iter([OK + b"content-le"]), Unknown.RESET),
    "broken gzip": (
        lambda: iter([OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n[]"]),
        Unknown.GARBLED,
    ),
    "bad chunks": (
        lambda: iter([OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n"]),
        Unknown.RESET,
    ),
}


def hurry(server: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's clock is past the call's bound as soon as the server has begun to answer."""
    monkeypatch.setattr(
        asyncio.get_running_loop(),
        "time",
        lambda: time.monotonic() + 2 * TIMEOUT_S * (server.sent > 0),
    )


@pytest.mark.parametrize("name", CASES)
async def test_each_answer_has_an_outcome(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, expected = CASES[name]
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Hostile(answer) as server:
        if expected is Unknown.TIMEOUT:
            hurry(server, monkeypatch)
        target = Target("x", opencode.WIRE, timeout_s=TIMEOUT_S)
        async with Executor(server.base_url, target, Ownership("run")) as running:
            with anyio.fail_after(5 * TIMEOUT_S):
                outcome, *_ = await running.exchange(running.observer, Invocation(Kind.LIST))
    assert isinstance(outcome, Info), outcome
    assert outcome.reason is expected
    assert server.requests == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < MOST_MEMORY_KIB


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", [Kind.LIST, Kind.DELETE])
async def test_a_redirect_is_an_answer_and_never_followed(status: int, kind: Kind) -> None:
    with Hostile(lambda: iter([sized(b"[]")])) as elsewhere:
        moved = b"HTTP/1.1 %d Moved\r\nlocation: %s/session\r\ncontent-length: 0\r\n\r\n" % (
            status,
            elsewhere.base_url.encode(),
        )
        with Hostile(lambda: iter([moved])) as server:
            owned = Ownership("run")
            owned.adopt("ses_a")
            target = Target("x", opencode.WIRE, timeout_s=TIMEOUT_S)
            async with Executor(server.base_url, target, owned) as running:
                asked = Invocation(kind, "ses_a" if kind is Kind.DELETE else None)
                await running.exchange(running.observer, asked)
        assert elsewhere.requests == 0
