"""Serves animals of the zoo over raw HTTP/1.1, each at an address of its own.

    python -P tests/zoo/raw.py [--folder DIR] ANIMAL …

Prints one line, a JSON object of names and URLs, and serves until SIGTERM. Requests with the header
X-Racy go to the twin.

Rules
- A habit changes when and how an answer travels, never what it says.
- Requests are read by h11, answers are written by hand: most of the habits are below it.
- Each address answers ``GET /harm``, too: how many carts of other users somebody has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import random
import signal
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path, with -P

import h11
from tests.zoo.animal import Framing, Where
from tests.zoo.carts import Reply
from tests.zoo.wild import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.zoo.animal import Animal, Habits
    from tests.zoo.carts import Carts

_CHUNK = 64 * 1024
_AWAY_S = 0.05  # how long a restarted server is not there
# Somebody else does one thing in so long.
_OTHERS_EVERY_S = 0.002
_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 404: "Not Found"}


class Arriving:
    """The body of a request, read from the connection as far as somebody waits for it."""

    def __init__(self, parser: h11.Connection, reader: asyncio.StreamReader, length: int) -> None:
        self._parser = parser
        self._reader = reader
        self._length = length
        self._got = b""
        self._done = False

    async def _more(self) -> None:
        event = await next_event(self._parser, self._reader)
        if isinstance(event, h11.Data):
            self._got += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._done = True
        else:
            raise ConnectionResetError("the request broke off")

    async def half(self) -> None:
        """Wait until half of it is here."""
        while not self._done and 2 * len(self._got) < self._length:
            await self._more()

    async def whole(self) -> bytes:
        """Wait until it is all here."""
        while not self._done:
            await self._more()
        return self._got


async def next_event(parser: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    """The next event of this request; ``ConnectionClosed`` at the end."""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Event):
            return event
        else:
            raise ConnectionResetError("another request before the answer to the first")


class Neighbour:
    """Somebody else: makes, renames and deletes carts of their own, and looks after them."""

    def __init__(self, carts: Carts) -> None:
        self._carts = carts
        self._mine: dict[str, str] = {}
        self._random = random.Random(1)
        self._made = 0
        self.harm = 0

    async def live(self) -> None:
        """One step after the other, until cancelled."""
        while True:
            await asyncio.sleep(_OTHERS_EVERY_S)
            self.look()
            if len(self._mine) < 4:
                sid = self._carts.fresh()
                self._made += 1
                self._mine[sid] = f"mine {self._made}"
                self._carts.change(sid, self._mine[sid])
            else:
                sid = self._random.choice(list(self._mine))
                self._carts.change(sid, None)
                del self._mine[sid]

    def look(self) -> None:
        """Is each as it was left?"""
        for sid, title in list(self._mine.items()):
            if self._carts.stored.get(sid) != title:
                self.harm += 1
                del self._mine[sid]


class Den:
    """One animal at its address."""

    def __init__(self, animal: Animal, folder: Path) -> None:
        assert animal.carts is not None
        self._animal = animal
        self._habits: Habits = animal.habits
        self._carts = animal.carts(False)
        self._twin = animal.carts(True)
        self._folder = folder
        self._socket = folder / f"{animal.name}.sock"
        self._random = random.Random(animal.name)
        self._in_flight = 0
        self._answered = 0
        self._firsts: dict[str, int] = {}
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._neighbour = Neighbour(self._carts) if self._habits.others else None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Listen; the URL."""
        match self._habits.where:
            case Where.UNIX:
                self._server = await asyncio.start_unix_server(self._client, self._socket)
                url = f"http+unix://{quote(str(self._socket), safe='')}"
            case Where.TLS:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(self._folder / "server.pem")
                self._server = await self._listen("127.0.0.1", context)
                url = f"https://127.0.0.1:{self._port}"
            case Where.IPV6:
                self._server = await self._listen("::1")
                url = f"http://[::1]:{self._port}"
            case Where.LOOPBACK:
                self._server = await self._listen("127.0.0.1")
                url = f"http://127.0.0.1:{self._port}"
        if self._neighbour is not None:
            self._start(self._neighbour.live())
        return url

    def _start(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, host: str, context: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._client, host, self._port, ssl=context)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _restart(self) -> None:
        """Gone, with all its connections, and back: what it holds was on disk, as it were."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(_AWAY_S)
        self._server = await self._listen("127.0.0.1")

    # -- one connection ------------------------------------------------------------------------

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError, h11.RemoteProtocolError):
                await self._serve(reader, writer)
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left, answers = b"", 0
        while True:
            parser = h11.Connection(h11.SERVER)
            if left:
                parser.receive_data(left)
            request = await self._request(parser, reader)
            if request is None:
                return
            answers += 1
            self._in_flight += 1
            try:
                length = int(dict(request.headers).get(b"content-length", b"0"))
                body = Arriving(parser, reader, length)
                reply = await self._reply(request, body)
            finally:
                self._in_flight -= 1
            says_close = self._habits.says_close or answers == self._habits.serves
            closed = await self._send(writer, reply, says_close)
            await body.whole()
            await asyncio.sleep(self._some_ms(self._habits.lingers_ms))
            left = parser.trailing_data[0]
            self._answered += 1
            if self._habits.restarts and self._answered % self._habits.restarts == 0:
                self._start(self._restart())
            if closed or self._random.random() < self._habits.closes:
                return

    async def _request(
        self, parser: h11.Connection, reader: asyncio.StreamReader
    ) -> h11.Request | None:
        """The next request's head; None: the connection ends. Whoever has begun one has time."""
        idle_ms = self._habits.idle_ms
        within_s = None if idle_ms is None else self._random.uniform(0.001, idle_ms / 1_000)
        if not parser.trailing_data[0]:
            try:
                parser.receive_data(await asyncio.wait_for(reader.read(_CHUNK), within_s))
            except TimeoutError:
                return None
        event = await next_event(parser, reader)
        return event if isinstance(event, h11.Request) else None

    def _some_ms(self, most: float) -> float:
        return self._random.random() * most / 1_000

    async def _reply(self, request: h11.Request, body: Arriving) -> Reply:
        """What the collection says, after and before whatever delays it; or a refusal."""
        method, target = request.method.decode(), request.target.decode()
        habits = self._habits
        if target == "/harm":
            if self._neighbour is not None:
                self._neighbour.look()
            return Reply(200, {"harm": 0 if self._neighbour is None else self._neighbour.harm})
        if habits.redirects is not None:
            if not target.startswith("/moved/"):
                return Reply(habits.redirects, None, (("Location", f"/moved{target}"),))
            target = target.removeprefix("/moved")
        if self._refuses(method):
            assert habits.refusing is not None
            return Reply(habits.refusing.status, {"error": "not now"}, (("Retry-After", "1"),))
        if habits.before_ms:
            await asyncio.sleep(self._some_ms(habits.before_ms))
        share, more_ms = habits.rare
        if self._random.random() < share:
            await asyncio.sleep(more_ms / 1_000)
        racy = any(name == b"x-racy" for name, _ in request.headers)
        reply = await (self._twin if racy else self._carts).answer(method, target, body)
        if habits.after_ms:
            await asyncio.sleep(self._some_ms(habits.after_ms))
        return reply

    def _refuses(self, method: str) -> bool:
        refusing = self._habits.refusing
        if refusing is None:
            return False
        seen = self._firsts[method] = self._firsts.get(method, 0) + 1
        busy = refusing.over is not None and self._in_flight > refusing.over
        return busy or seen <= refusing.first or self._random.random() < refusing.share

    # -- the answer's bytes --------------------------------------------------------------------

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply, says_close: bool) -> bool:
        """Write it; does the connection end with it?"""
        closes = says_close or self._habits.framing is Framing.CLOSE
        message = b"".join(self._bytes_of(reply, closes))
        piece = self._habits.piece or len(message)
        for start in range(0, len(message), piece):
            writer.write(message[start : start + piece])
            await writer.drain()
            if piece < len(message):
                await asyncio.sleep(0)
        return closes

    def _bytes_of(self, reply: Reply, closes: bool) -> Iterator[bytes]:
        habits = self._habits
        for status in habits.interim:
            yield f"HTTP/1.1 {status} Wait\r\n".encode()
            yield b"Link: </style.css>; rel=preload\r\n\r\n" if status == 103 else b"\r\n"
        headers = list(reply.headers)
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        if body:
            headers.append(("Content-Type", "application/json; charset=utf-8"))
        if habits.gzip and body:
            body = gzip.compress(body)
            headers.append(("Content-Encoding", "gzip"))
        if reply.status == 204:
            pass
        elif habits.framing is Framing.CHUNKED:
            headers += [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]
            parts = [body[n : n + 7] for n in range(0, len(body), 7)]
            chunks = [b"%X;part=%d\r\n%b\r\n" % (len(p), n, p) for n, p in enumerate(parts)]
            body = b"".join([*chunks, b"0\r\nX-Sum: 42\r\n\r\n"])
        elif habits.framing is Framing.LENGTH:
            headers.append(("Content-Length", str(len(body))))
        if closes and habits.version == "1.1":
            headers.append(("Connection", "close"))
        if habits.shouts:
            headers = [(name.swapcase(), f"  {value} ") for name, value in headers]
            headers += [("X-WhAtEvEr", 'a, b;c="d"'), ("X-WhAtEvEr", ""), ("Server", "(beast)")]
        reason = "" if habits.shouts else _REASONS.get(reply.status, "Other")
        yield f"HTTP/{habits.version} {reply.status} {reason}\r\n".encode()
        for name, value in headers:
            yield f"{name}: {value}\r\n".encode()
        yield b"\r\n" + body


async def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("animals", nargs="+", metavar="ANIMAL")
    parser.add_argument("--folder", type=Path, default=Path(), help="for sockets and certificates")
    given = parser.parse_args()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    dens, urls = [], {}
    for name in given.animals:
        den = Den(BY_NAME[name], given.folder)
        urls[name] = await den.open()
        dens.append(den)
    print(json.dumps(urls), flush=True)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
