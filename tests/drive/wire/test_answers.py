"""Answers of every legal form are read, and their intervals hold the instant of the head."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import anyio
import pytest
from tests import opencode
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import Target
from deadheat.drive.wire.gate import Gate
from deadheat.model.history import Absent, Info, Invocation, Kind, Listed, Ok, Undeclared, Unknown

if TYPE_CHECKING:
    from deadheat.model.history import Outcome

pytestmark = [pytest.mark.live, pytest.mark.anyio]
LIST = Invocation(Kind.LIST)
OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = OK + b"content-length: 2\r\n\r\n[]"
CLOSE = b"connection: close\r\n"


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def packed(how: bytes, body: bytes) -> bytes:
    return OK + b"content-encoding: %s\r\ncontent-length: %d\r\n\r\n" % (how, len(body)) + body


def chunked(body: bytes, extra: bytes = b"", trailers: bytes = b"") -> bytes:
    pieces = b"".join(b"1%s\r\n%c\r\n" % (extra, one) for one in body)
    return b"transfer-encoding: chunked\r\n\r\n" + pieces + b"0\r\n" + trailers + b"\r\n"


# The answer, and whether the connection ends with it.
FORMS: dict[str, tuple[bytes, bool]] = {
    "plain": (PLAIN, False),
    "100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, False),
    "103 Early Hints": (b"HTTP/1.1 103 X\r\nlink: </x>\r\n\r\n" * 3 + PLAIN, False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n[]", True),
    "HTTP/1.0 with a length": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n[]", True),
    "Connection: close": (OK + CLOSE + b"content-length: 2\r\n\r\n[]", True),
    "no length": (OK + b"\r\n[]", True),
    "chunked": (OK + chunked(b"[]"), False),
    "chunked with extensions": (OK + chunked(b"[]", b";a=b"), False),
    "chunked with trailers": (OK + chunked(b"[]", trailers=b"x-sum: 1\r\nx-b: 2\r\n"), False),
    "gzip": (packed(b"gzip", gzip.compress(b"[]", mtime=0)), False),
    "gzip in two members": (packed(b"x-gzip", gzip.compress(b"[") + gzip.compress(b"]")), False),
    "gzip, chunked": (
        OK + b"content-encoding: GZip\r\n" + chunked(gzip.compress(b"[]", mtime=0)),
        False,
    ),
    "deflate": (packed(b"deflate", zlib.compress(b"[]")), False),
    "bare deflate": (packed(b"deflate", bare_deflate(b"[]")), False),
    "identity": (packed(b"identity", b"[]"), False),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_is_read(form: str) -> None:
    raw, close = FORMS[form]
    target = Target("x", opencode.WIRE, timeout_s=30)
    with Scripted(lambda _asked: Says(raw=raw, close=close)) as server:
        async with Executor(server.base_url, target, Ownership("run")) as running:
            for n in range(3):
                outcome, call_ns, return_ns, status, _ = await running.exchange(
                    running.observer, LIST
                )
                assert (outcome, status) == (Ok(Listed(())), 200)
                assert return_ns is not None
                assert call_ns <= server.asked[n].head_ns <= return_ns
    assert len({asked.connection for asked in server.asked}) == (3 if close else 1)


@pytest.mark.parametrize(
    "raw",
    [
        packed(b"br", b"\x0b\x00\x80[]\x03"),
        packed(b"gzip, gzip", gzip.compress(gzip.compress(b"[]", mtime=0), mtime=0)),
        packed(b"gzip", gzip.compress(b"[]", mtime=0)[:-4]),
        packed(b"gzip", gzip.compress(b"[]", mtime=0) + b"tail"),
        packed(b"deflate", b"[]"),
    ],
    ids=["br", "twice", "broken off", "with a tail", "not packed"],
)
async def test_what_cannot_be_unpacked_is_unknown_and_the_next_is_read(raw: bytes) -> None:
    answers = [raw, PLAIN]
    with Scripted(lambda _asked: Says(raw=answers.pop(0))) as server:
        target = Target("x", opencode.WIRE, timeout_s=30)
        async with Executor(server.base_url, target, Ownership("run")) as running:
            outcome, *_ = await running.exchange(running.observer, LIST)
            assert isinstance(outcome, Info)
            assert outcome.reason is Unknown.GARBLED
            outcome, *_ = await running.exchange(running.observer, LIST)
            assert outcome == Ok(Listed(()))


@pytest.mark.parametrize("held", [False, True])
async def test_an_answer_before_the_body_is_in_is_an_answer(held: bool) -> None:
    """It may have been given when the head was whole, which is never before the call."""
    large = b"x" * 6_000_000  # more than the sockets take at once, so some of it is still to come
    told: list[int] = []

    def early(partial: bytes) -> bytes | None:
        if told or b"\r\n\r\n" not in partial or not partial.startswith(b"POST"):
            return None
        told.append(len(partial))
        return b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}"

    def answer(asked: Asked) -> Says:
        return Says(raw=b"" if asked.method == "POST" else PLAIN)

    with Scripted(answer, early) as server:
        target = Target("x", opencode.WIRE, timeout_s=30)
        async with Executor(server.base_url, target, Ownership("run")) as running:
            gate = Gate([0])
            found: list[tuple[int, int]] = []

            async def one() -> None:
                said, call_ns, return_ns = await running.lane(0).send(
                    "POST", "/session", large, (gate, 0) if held else None
                )
                assert said.status_code == 413
                found.append((call_ns, return_ns))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one)
                if held:
                    await gate.open()
            outcome, call_ns, return_ns, _, _ = await running.exchange(running.lane(0), LIST)
    assert told[0] < len(large)
    assert outcome == Ok(Listed(()))
    assert return_ns is not None
    assert call_ns <= server.asked[-1].head_ns <= return_ns
    (one_call_ns, one_return_ns), first = found[0], server.asked[0]
    assert one_call_ns <= first.head_ns <= one_return_ns
    assert len(first.body) == len(large)


# -- redirects ---------------------------------------------------------------------------------


def moved(status: int, location: str) -> Says:
    head = f"HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    return Says(raw=head.encode())


async def ask(server: Scripted, invocation: Invocation) -> tuple[Outcome, int, int | None]:
    owned = Ownership("run")
    owned.adopt("ses_a")
    target = Target("x", opencode.WIRE, timeout_s=30)
    async with Executor(server.base_url, target, owned) as running:
        outcome, call_ns, return_ns, _, _ = await running.exchange(running.observer, invocation)
    return outcome, call_ns, return_ns


DELETE = Invocation(Kind.DELETE, "ses_a")
GET = Invocation(Kind.GET, "ses_a")
ANSWERS: dict[Kind, object] = {
    Kind.LIST: [], Kind.DELETE: True, Kind.GET: {"id": "ses_a", "title": "x"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("invocation", "status", "to"),
    [
        (LIST, 301, "/v2{path}"),
        (LIST, 302, "{base}/elsewhere?all=1"),
        (LIST, 303, "elsewhere"),
        (LIST, 307, "//127.0.0.1:{port}/v2"),
        (LIST, 308, "{path}&more=1"),
        (DELETE, 307, "{path}/"),
        (DELETE, 308, "{base}/v2{path}"),
        (GET, 303, "/v2{path}"),
    ],
)
async def test_a_redirect_on_the_same_server_is_followed(
    invocation: Invocation, status: int, to: str
) -> None:
    def answer(asked: Asked) -> Says:
        if len(server.asked) == 1:
            at = {"path": asked.path, "base": server.base_url, "port": server.port}
            return moved(status, to.format(**at))
        return Says(body=ANSWERS[invocation.kind])

    with Scripted(answer) as server:
        outcome, call_ns, return_ns = await ask(server, invocation)
    assert isinstance(outcome, Ok)
    assert not isinstance(outcome.result, Undeclared)
    assert return_ns is not None
    first, last = server.asked
    assert first.method == last.method
    assert call_ns <= first.head_ns <= last.head_ns <= return_ns


@pytest.mark.parametrize(
    ("invocation", "status", "to"),
    [
        (LIST, 307, "http://127.0.0.1:1/session"),
        (LIST, 301, "https://127.0.0.1:{port}/session"),
        (LIST, 301, "http://localhost:{port}/session"),
        (LIST, 301, "http://u@127.0.0.1:{port}/session"),
        (LIST, 300, "/session"),
        (DELETE, 301, "{path}/"),  # would become a GET
        (DELETE, 302, "{path}/"),
        (DELETE, 303, "{path}/"),
        (DELETE, 307, "/session/ses_b"),
        (DELETE, 308, "/session/ses_b?of={path}"),
        (DELETE, 308, "{path}/../ses_b"),
        (DELETE, 307, "{path}/children"),
        (GET, 301, "/session/ses_b"),
    ],
)
async def test_no_other_redirect_is_followed(invocation: Invocation, status: int, to: str) -> None:
    def answer(asked: Asked) -> Says:
        return moved(status, to.format(path=asked.path, port=server.port))

    with Scripted(answer) as server:
        outcome, *_ = await ask(server, invocation)
    assert isinstance(outcome, Ok)
    assert isinstance(outcome.result, Undeclared)
    assert outcome.result.status == status
    assert len(server.asked) == 1


async def test_redirects_end() -> None:
    with Scripted(lambda asked: moved(307, f"/x{asked.path}")) as server:
        outcome, *_ = await ask(server, LIST)
    assert isinstance(outcome, Ok)
    assert isinstance(outcome.result, Undeclared)
    assert len(server.asked) == 4


async def test_what_breaks_behind_a_redirect_is_unknown() -> None:
    def answer(asked: Asked) -> Says:
        del asked
        server.close_door()
        return Says(raw=moved(307, "/v2/session/ses_a").encoded(), close=True)

    with Scripted(answer) as server:
        outcome, *_ = await ask(server, DELETE)
    assert isinstance(outcome, Info)
    assert outcome.reason is Unknown.RESET


async def test_a_get_behind_a_redirect_says_that_it_is_gone() -> None:
    def answer(asked: Asked) -> Says:
        if asked.path.startswith("/v2"):
            return Says(404, {"name": "NotFoundError"})
        return moved(308, f"/v2{asked.path}")

    with Scripted(answer) as server:
        outcome, *_ = await ask(server, GET)
    assert outcome == Ok(Absent())
