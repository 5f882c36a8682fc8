"""The bundled target: a small session server with one planted race, and its correct twin.

    python -m deadheat.targets.demo_server --port N [--correct]

The race is the one of OpenCode 1.0.x. Before a delete removes a session, it
looks for children: it lists every session, then reads them. A session that
another delete removes between the list and the read makes the read raise; the
delete's own catch swallows that and answers ``true`` without deleting
anything: a ghost. With ``--correct`` the scan skips what has vanished.

Rules
- Nothing else is wrong: create, get, list and rename take effect in one step
  of the event loop, in both modes.
- Imports nothing of deadheat, so it also runs by path.
- HTTP is parsed by h11; a client's mistake is a 4xx with a JSON body.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import secrets
import signal
import time
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import h11

Json: TypeAlias = dict[str, Any] | list[Any] | bool

# Between a scan's listing and its reads: the width of the race. Divided by the
# spread of the scan's length it gives the ghost's rate at a good offset: up to a
# half, so that the first minute with deadheat works on a busy machine too (at
# 110 and (200, 500) such a machine hid it from most runs of 30 s).
GAP_US = 600
# How long the reads of a scan take, drawn anew each time, as real disks vary.
# Two deletes race when they start about this far apart; at the same instant never.
READS_US = (200, 1_400)
# A body larger than this is refused: titles are short.
BODY_LIMIT = 64 * 1024
# One read from a socket.
CHUNK = 64 * 1024
# How long a refused client may go on sending before it is cut off.
LINGER_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its JSON body, and whether the connection ends with it."""

    status: int
    body: Json
    close: bool = False


class Vanished(Exception):
    """A session that was listed a moment ago is not there to be read."""


def problem(status: int, name: str, message: str, *, close: bool = False) -> Answer:
    """An error answer in OpenCode's shape."""
    return Answer(status, {"name": name, "data": {"message": message}}, close)


async def pause(us: float) -> None:
    """Let others run for so many microseconds.

    Not ``asyncio.sleep(us)``: the event loop's timers have a grain of 1 ms
    (epoll), wider than the whole race.
    """
    end_ns = time.perf_counter_ns() + int(us * 1000)
    while time.perf_counter_ns() < end_ns:  # noqa: ASYNC110 - no event tells the time
        await asyncio.sleep(0)


@dataclass(slots=True)
class Sessions:
    """The collection. ``correct`` says whether a scan survives what vanishes."""

    correct: bool
    rng: random.Random
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)

    def create(self, title: str | None) -> dict[str, Any]:
        """A new session, complete before anybody can see it."""
        sid = f"ses_{secrets.token_hex(8)}"
        self.stored[sid] = {
            "id": sid,
            "title": title if title is not None else "New session",
            "time": {"created": time.time_ns() // 1_000_000},
        }
        return self.stored[sid]

    async def delete(self, sid: str) -> None:
        """Remove a session and its children; never says when that failed."""
        try:
            await self._scan()
        except Vanished:
            return  # the planted bug: swallowed, and the answer is still ``true``
        self.stored.pop(sid, None)

    async def _scan(self) -> None:
        """List every session, then read each to see whose child it is."""
        listed = tuple(self.stored)
        await pause(GAP_US)
        for sid in listed:
            if sid not in self.stored and not self.correct:
                raise Vanished(sid)
        await pause(self.rng.uniform(*READS_US))


async def answer(sessions: Sessions, method: str, path: str, body: bytes) -> Answer:
    """What one request gets."""
    parts = path.partition("?")[0].strip("/").split("/")
    match method, parts:
        case "GET", ["global", "health"]:
            return Answer(200, {"healthy": True})
        case "GET", ["session"]:
            return Answer(200, list(reversed(sessions.stored.values())))
        case "POST", ["session"]:
            return _create(sessions, body)
        case "GET", ["session", sid] if sid in sessions.stored:
            return Answer(200, sessions.stored[sid])
        case "PATCH", ["session", sid] if sid in sessions.stored:
            return _rename(sessions, sid, body)
        case "DELETE", ["session", sid]:
            await sessions.delete(sid)
            return Answer(200, True)
        case (("GET" | "PATCH"), ["session", sid]):
            return problem(404, "NotFoundError", f"no session {sid}")
        case _:
            return problem(404, "NotFoundError", f"no such call: {method} {path}")


def _title(body: bytes) -> str | Answer | None:
    """The title a body asks for, None when it names none, or the answer that refuses it."""
    try:
        asked = json.loads(body) if body.strip() else {}
    except ValueError:  # also what is no UTF-8
        return problem(400, "BadRequest", "the body is no JSON")
    if not isinstance(asked, dict):
        return problem(400, "BadRequest", "the body is no JSON object")
    title = asked.get("title")
    if title is not None and not isinstance(title, str):
        return problem(400, "BadRequest", "the title is no string")
    return title


def _create(sessions: Sessions, body: bytes) -> Answer:
    title = _title(body)
    return title if isinstance(title, Answer) else Answer(200, sessions.create(title))


def _rename(sessions: Sessions, sid: str, body: bytes) -> Answer:
    title = _title(body)
    if isinstance(title, Answer):
        return title
    if title is not None:
        sessions.stored[sid] = {**sessions.stored[sid], "title": title}
    return Answer(200, sessions.stored[sid])


class Client:
    """One connection: h11 on one side, asyncio's streams on the other."""

    def __init__(
        self, sessions: Sessions, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
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
        given = await answer(self._sessions, method, path, body)
        await self._send(request.method, given)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

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
        """Read on for a moment: closing on unread bytes would reset the answer away."""
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

    async def _send(self, method: bytes, given: Answer) -> None:
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


async def run(port: int, *, correct: bool) -> None:
    """Serve on loopback until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    sessions = Sessions(correct, random.Random())
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await asyncio.start_server(
        lambda reader, writer: Client(sessions, reader, writer).serve(), "127.0.0.1", port
    )
    bound = server.sockets[0].getsockname()[1]
    print(f"demo server listening on http://127.0.0.1:{bound}", flush=True)
    await stopped.wait()
    server.close()  # and not wait_closed: that waits for idle keep-alive clients


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="deadheat's demo session server")
    parser.add_argument("--port", type=int, required=True, help="0: any free one")
    parser.add_argument("--correct", action="store_true", help="without the planted race")
    args = parser.parse_args()
    try:
        asyncio.run(run(args.port, correct=args.correct))
    except (OSError, OverflowError) as error:  # taken; no port number
        raise SystemExit(f"demo server: port {args.port}: {error}") from None


if __name__ == "__main__":
    main()
