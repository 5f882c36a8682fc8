"""A small copy of OpenCode's session API, which the demo and the planted test servers share.

Rules
- ``SessionCollection`` is correct: each call takes effect in one step of the event
  loop. A server with a planted race overrides one of its methods.
- HTTP is parsed by h11; a client's mistake is a 4xx with a JSON body.
- Imports nothing of deadheat, so a server that runs by path needs only this file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import h11

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = dict[str, Any] | list[Any] | bool
Session: TypeAlias = dict[str, Any]
SessionList: TypeAlias = list[Session]  # inside a class, ``list`` is the call

# A body larger than this is refused: titles are short.
BODY_LIMIT = 64 * 1024
# One read from a socket.
CHUNK = 64 * 1024
# How long a refused client may go on sending before it is cut off.
LINGER_S = 1.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status, its JSON body, and whether the connection ends with it."""

    status: int
    body: Json
    close: bool = False


class Refused(Exception):
    """The call is answered with this status, in OpenCode's shape of an error."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = problem(status, name, message)


class Missing(Refused):
    """404: there is no such session."""

    def __init__(self, sid: str) -> None:
        super().__init__(404, "NotFoundError", f"no session {sid}")


def problem(status: int, name: str, message: str, *, close: bool = False) -> HttpAnswer:
    """An error answer in OpenCode's shape."""
    return HttpAnswer(status, {"name": name, "data": {"message": message}}, close)


async def pause(us: float) -> None:
    """Let other tasks run for so many microseconds.

    Not ``asyncio.sleep(us)``: the event loop's timers have a grain of 1 ms
    (epoll), wider than the whole race.
    """
    end_ns = time.perf_counter_ns() + int(us * 1000)
    while time.perf_counter_ns() < end_ns:  # noqa: ASYNC110 - no event tells the time
        await asyncio.sleep(0)


def new_session(sid: str, title: str | None) -> Session:
    """A session as the API shows it."""
    return {
        "id": sid,
        "title": title if title is not None else "New session",
        "time": {"created": time.time_ns() // 1_000_000},
    }


class SessionCollection:
    """The sessions, newest last. ``correct``: without the race that a subclass plants.

    Every method may raise ``Refused``; anything else that it raises is a 500.
    """

    announces = False  # has it an event stream?

    def __init__(self, correct: bool) -> None:
        self.correct = correct
        self.stored: dict[str, Session] = {}
        self.listeners: set[asyncio.Queue[Json]] = set()

    def announce(self, change: str, session: Session) -> None:
        """Tell all listeners that this change has been made."""
        for listener in self.listeners:
            listener.put_nowait(
                {"type": f"session.{change}", "properties": {"info": dict(session)}}
            )

    def fresh_id(self) -> str:
        """An id that was never used."""
        return f"ses_{secrets.token_hex(8)}"

    async def create(self, title: str | None) -> Session:
        """Make a session that is complete before any client can see it."""
        session = new_session(self.fresh_id(), title)
        self.add(session)
        return session

    def add(self, session: Session) -> None:
        """Store a new session and announce it, in one step."""
        self.stored[session["id"]] = session
        self.announce("created", session)

    async def get(self, sid: str) -> Session:
        """One session. Raises ``Missing``."""
        if sid not in self.stored:
            raise Missing(sid)
        return self.stored[sid]

    async def list(self) -> SessionList:
        """All sessions at this moment, newest first."""
        return [*reversed(self.stored.values())]

    async def create_below(self, parent: str, title: str | None) -> Session:
        """A new session below another one. Raises ``Missing`` when that is not there."""
        if parent not in self.stored:
            raise Missing(parent)
        session = new_session(self.fresh_id(), title) | {"parentID": parent}
        self.add(session)
        return session

    async def children(self, sid: str) -> SessionList:
        """The sessions directly below one. Raises ``Missing``."""
        if sid not in self.stored:
            raise Missing(sid)
        return [self.stored[child] for child in self.below(sid)]

    def below(self, sid: str) -> tuple[str, ...]:
        """The ids directly below one, newest first."""
        return tuple(
            child
            for child, session in reversed(self.stored.items())
            if session.get("parentID") == sid
        )

    def take(self, sid: str) -> None:
        """Remove a session and all below it, in one step. No error when it is not there."""
        gone = self.stored.pop(sid, None)
        for child in self.below(sid):
            self.take(child)
        if gone is not None:
            self.announce("deleted", gone)

    async def delete(self, sid: str) -> None:
        """Remove a session and all below it.

        Raises ``Missing``: exactly one delete is told that it did it.
        """
        if sid not in self.stored:
            raise Missing(sid)
        self.take(sid)

    async def fork(self, sid: str) -> Session:
        """A new session with the title of another. Raises ``Missing`` when that is not there."""
        if sid not in self.stored:
            raise Missing(sid)
        return await SessionCollection.create(self, f"{self.stored[sid]['title']} (fork)")

    async def rename(self, sid: str, title: str | None) -> Session:
        """Give a session another title (None: keep it). Raises ``Missing``."""
        if sid not in self.stored:
            raise Missing(sid)
        if title is not None:
            self.stored[sid] = {**self.stored[sid], "title": title}
            self.announce("updated", self.stored[sid])
        return self.stored[sid]


async def answer(sessions: SessionCollection, method: str, path: str, body: bytes) -> HttpAnswer:
    """The answer to one request."""
    try:
        return HttpAnswer(200, await _result(sessions, method, path, body))
    except Refused as refused:
        return refused.answer
    except Exception as error:  # noqa: BLE001 - a server answers 500 to whatever it did not foresee
        return problem(500, "UnknownError", repr(error))


async def _result(sessions: SessionCollection, method: str, path: str, body: bytes) -> Json:
    parts = path.partition("?")[0].strip("/").split("/")
    match method, parts:
        case "GET", ["global", "health"]:
            return {"healthy": True}
        case "GET", ["session"]:
            return await sessions.list()
        case "POST", ["session"]:
            parent = _text(body, "parentID")
            if parent is not None:
                return await sessions.create_below(parent, _text(body, "title"))
            return await sessions.create(_text(body, "title"))
        case "GET", ["session", sid]:
            return await sessions.get(sid)
        case "PATCH", ["session", sid]:
            return await sessions.rename(sid, _text(body, "title"))
        case "GET", ["session", sid, "children"]:
            return await sessions.children(sid)
        case "POST", ["session", sid, "fork"]:
            return await sessions.fork(sid)
        case "DELETE", ["session", sid]:
            await sessions.delete(sid)
            return True
        case _:
            raise Refused(404, "NotFoundError", f"no such call: {method} {path}")


def _text(body: bytes, name: str) -> str | None:
    """What a body says under ``name``, None when it says nothing. Raises ``Refused``."""
    try:
        asked = json.loads(body) if body.strip() else {}
    except ValueError:  # also what is no UTF-8
        raise Refused(400, "BadRequest", "the body is not JSON") from None
    if not isinstance(asked, dict):
        raise Refused(400, "BadRequest", "the body is not a JSON object")
    said = asked.get(name)
    if said is not None and not isinstance(said, str):
        raise Refused(400, "BadRequest", f"{name} is not a string")
    return said


class Connection:
    """One connection: h11 on one side, asyncio's streams on the other."""

    def __init__(
        self,
        sessions: SessionCollection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._sessions = sessions
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        try:
            while await self._one():
                self._http.start_next_cycle()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the server is stopping
        finally:
            self._writer.close()

    async def _one(self) -> bool:
        """One request and its answer; False when no other can follow."""
        try:
            request = await self._event()
            if not isinstance(request, h11.Request):
                return False
            body = await self._body()
        except h11.RemoteProtocolError as error:
            await self._send(b"GET", problem(400, "BadRequest", str(error), close=True))
            return False
        if body is None:
            refusal = problem(413, "TooLarge", f"a body has at most {BODY_LIMIT} bytes", close=True)
            await self._send(request.method, refusal)
            await self._linger()
            return False
        method, path = request.method.decode("ascii"), request.target.decode("ascii")
        if self._sessions.announces and (method, path) == ("GET", "/event"):
            await self._stream()
            return False
        given = await answer(self._sessions, method, path, body)
        await self._send(request.method, given)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _stream(self) -> None:
        """Server-sent events, until either side ends the connection."""
        told: asyncio.Queue[Json] = asyncio.Queue()
        self._sessions.listeners.add(told)
        headers = [("content-type", "text/event-stream"), ("cache-control", "no-cache")]
        self._writer.write(self._http.send(h11.Response(status_code=200, headers=headers)) or b"")
        told.put_nowait({"type": "server.connected", "properties": {}})
        try:
            while True:
                line = f"data: {json.dumps(await told.get())}\n\n".encode()
                self._writer.write(self._http.send(h11.Data(data=line)) or b"")
                await self._writer.drain()
        finally:
            self._sessions.listeners.discard(told)

    async def _body(self) -> bytes | None:
        """The whole body; None as soon as it is too large."""
        pieces = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            pieces += event.data
            if len(pieces) > BODY_LIMIT:
                return None
        if isinstance(event, h11.EndOfMessage):
            return bytes(pieces)
        raise ConnectionResetError  # closed in the middle

    async def _linger(self) -> None:
        """Read for a moment more: closing on unread bytes would reset the answer away."""
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(CHUNK):
                    pass

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        """h11's next event, with as many reads as that takes."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                self._writer.write(self._http.send(go_on) or b"")
            self._http.receive_data(await self._reader.read(CHUNK))
        return event  # type: ignore[return-value]  # NEED_DATA is excluded above

    async def _send(self, method: bytes, given: HttpAnswer) -> None:
        """Write an answer in one piece."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return  # the mistake came after the answer began
        content = json.dumps(given.body, separators=(",", ":")).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(content)))]
        if given.close:
            headers.append(("connection", "close"))
        out = self._http.send(h11.Response(status_code=given.status, headers=headers)) or b""
        if method != b"HEAD":
            out += self._http.send(h11.Data(data=content)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(out)
        await self._writer.drain()


async def run(sessions: SessionCollection, name: str, port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await asyncio.start_server(
        lambda reader, writer: Connection(sessions, reader, writer).serve(), "127.0.0.1", port
    )
    bound = server.sockets[0].getsockname()[1]
    print(f"{name} listening on http://127.0.0.1:{bound}", flush=True)
    await stopped.wait()
    server.close()  # and not wait_closed: that waits for idle keep-alive clients


def options(description: str) -> argparse.ArgumentParser:
    """A command line with the two options that every such server has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--correct", action="store_true", help="without the planted race")
    return parser


def serve(make: Callable[[], SessionCollection], name: str, port: int) -> None:
    """Run until told to stop; a port that cannot be had is one line and exit 1."""

    async def whole() -> None:
        await run(make(), name, port)

    try:
        asyncio.run(whole())
    except (OSError, OverflowError) as error:  # taken; no port number
        raise SystemExit(f"{name}: port {port}: {error}") from None
