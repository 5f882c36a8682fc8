"""HTTP/2: one TLS connection for all lanes, and the requests of a round in one packet.

After the single-packet attack (J. Kettle, *Smashing the state machine*, 2023), on h2, a state
machine without I/O. Needs the extra ``deadheat[http2]``.

Rules
- A held request is held whole: most servers run their application as soon as they have the
  headers, so nothing of those may leave before its instant. Ours are small; a round of them fits
  one packet. Of a body that is larger than the server's window, the rest follows as it opens.
- Stream ids and header compression depend on the order of sending, so a held request is
  encoded just before it leaves (``prepare``), never earlier.
- Whichever waiting lane has the lock reads, for all of them.
- A connection that is closed, or that the server is about to close, is replaced before the
  next request; what was in flight on it is unknown, and what was held is sent on another.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httpcore
import httpx

from deadheat.drive.wire import tls
from deadheat.drive.wire.bounds import AGAIN_AFTER_S, LARGEST_ANSWER
from deadheat.drive.wire.compression import packed_as, unpacked, without_packing
from deadheat.drive.wire.outcome import NeverSent, translated
from deadheat.drive.wire.stream import HeldStream, connect
from deadheat.errors import NoHttp2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deadheat.drive.wire.address import Address
    from deadheat.drive.wire.gate import Gate

_CHUNK = 65_536
# Larger than any list that is looked at: no answer waits for our acknowledgement of its half.
_WINDOW = LARGEST_ANSWER
# Never sent on: HTTP/2 says these in frames of its own (RFC 9113, 8.2.2).
_OF_HTTP1 = frozenset({b"host", b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and its answer. ``failed``: why there will be no answer."""

    headers: list[tuple[bytes, bytes]]
    unsent: bytes  # of the body
    stream_id: int | None = None
    wrote_ns: int = 0
    read_ns: int = 0
    status: int = 0
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    done: bool = False
    failed: httpx.RequestError | None = None

    @property
    def head_out(self) -> bool:
        """May the server have the headers?"""
        return self.wrote_ns > 0

    def fail(self, error: httpx.RequestError) -> None:
        """Wake the task that waits for it, with this error."""
        if not self.done:
            self.done, self.failed = True, error


class Multiplexed:
    """One open connection."""

    def __init__(self, stream: HeldStream) -> None:
        self._stream = stream
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding=None)
        )
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._open: dict[int, Exchange] = {}  # by stream
        self._held: dict[int, Exchange] = {}  # by lane
        self._leaving: deque[tuple[bytes, list[Exchange]]] = deque()
        self._reading = anyio.Lock()
        self._broken = False

    # -- the gate's side: see ``gate.Holder`` ------------------------------------------------

    def prepare(self, lanes: Sequence[int]) -> None:
        """Encode and seal the requests of these lanes, to leave together."""
        leaving = [exchange for lane in lanes if (exchange := self._held.pop(lane, None))]
        encoded = [exchange for exchange in leaving if self._encode(exchange)]
        self._leaving.append((self._stream.sealed(self._h2.data_to_send()), encoded))

    def release(self, lanes: Sequence[int]) -> int:
        """Send what ``prepare`` made of these lanes; the instant just before."""
        del lanes  # in the order of ``prepare``
        frames, exchanges = self._leaving.popleft()
        if self._broken or self._stream.over:
            self._broken = True
            for exchange in exchanges:
                exchange.fail(NeverSent("the server has closed the connection"))
            return time.monotonic_ns()
        released_ns = self._stream.push(frames)
        for exchange in exchanges:
            exchange.wrote_ns = released_ns
        return released_ns

    @property
    def readable(self) -> bool:
        """Has anything arrived that was not read yet?"""
        return self._stream.readable

    @property
    def pending(self) -> bool:
        """Is there anything that did not fit into the socket's buffer?"""
        return self._stream.pending

    async def drain(self) -> None:
        """Send the rest of it, as the server takes it in."""
        await self._stream.drain()

    # -- the lanes' side -----------------------------------------------------------------------

    def usable(self) -> bool:
        """May another request be sent? Reads what the server has sent meanwhile."""
        try:
            while not (self._broken or self._open):
                received = self._stream.read_now(_CHUNK)
                if received is None:
                    break
                self._take(received)
        except httpcore.ReadError as exc:
            self._break(translated(exc))
        return not self._broken

    async def ask(self, exchange: Exchange, held: tuple[Gate, int] | None) -> None:
        """Send one request, and wait for the whole answer. Raises ``httpx.RequestError``."""
        try:
            if held is not None:
                gate, lane = held
                self._held[lane] = exchange
                gate.arrived(lane, self)
            elif self._encode(exchange):
                exchange.wrote_ns = time.monotonic_ns()
                await self._flush()
            while not exchange.done:
                async with self._reading:
                    if not exchange.done:
                        await self._read()
        finally:
            self._forget(exchange)
        if exchange.failed is not None:
            raise exchange.failed

    def _encode(self, exchange: Exchange) -> bool:
        """Queue its frames. False: it cannot be sent, and its waiting task has been told."""
        try:
            exchange.stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(
                exchange.stream_id, exchange.headers, end_stream=not exchange.unsent
            )
        except h2.exceptions.ProtocolError as exc:
            exchange.fail(httpx.LocalProtocolError(str(exc)))
            return False
        self._open[exchange.stream_id] = exchange
        self._encode_body(exchange)
        return True

    def _encode_body(self, exchange: Exchange) -> None:
        """As much of its body as the server's window has room for, behind the headers."""
        number = exchange.stream_id or 0
        try:
            while exchange.unsent and number in self._open:
                room = self._h2.local_flow_control_window(number)
                size = min(room, self._h2.max_outbound_frame_size)
                if size <= 0:
                    return
                piece, exchange.unsent = exchange.unsent[:size], exchange.unsent[size:]
                self._h2.send_data(number, piece, end_stream=not exchange.unsent)
        except h2.exceptions.ProtocolError as exc:  # it has its headers: it may have acted
            exchange.fail(httpx.WriteError(str(exc)))

    async def _flush(self) -> None:
        try:
            await self._stream.write(self._h2.data_to_send())
        except httpcore.WriteError as exc:
            self._break(translated(exc))

    async def _read(self) -> None:
        try:
            received = await self._stream.read(_CHUNK)
        except httpcore.ReadError as exc:
            self._break(translated(exc))
            return
        self._take(received)
        await self._flush()

    def _take(self, received: bytes) -> None:
        if not received:
            self._break(httpx.RemoteProtocolError("the server closed the connection"))
            return
        try:
            for event in self._h2.receive_data(received):
                self._note(event)
        except h2.exceptions.ProtocolError as exc:
            self._break(httpx.RemoteProtocolError(str(exc)))

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self._break(httpx.RemoteProtocolError("the server ended the connection"))
            return
        if isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            for waiting in self._open.values():
                self._encode_body(waiting)
        exchange = self._open.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if exchange is None:
            return
        match event:
            case h2.events.ResponseReceived():
                for name, value in event.headers:
                    if name == b":status" and not re.fullmatch(rb"[1-9][0-9]{2}", value):
                        exchange.fail(httpx.RemoteProtocolError("an answer without a status"))
                    elif name == b":status":
                        exchange.status = int(value)
                    else:
                        exchange.answer_headers.append((bytes(name), bytes(value)))
            case h2.events.DataReceived():
                exchange.body += event.data
                if len(exchange.body) > LARGEST_ANSWER:
                    exchange.fail(httpx.DecodingError("answer larger than 32 MiB"))
            case h2.events.StreamEnded():
                exchange.read_ns = self._stream.read_ns
                exchange.done = True
            case h2.events.StreamReset():
                exchange.fail(httpx.RemoteProtocolError(f"stream reset ({event.error_code})"))
            case _:
                pass

    def _break(self, error: httpx.RequestError) -> None:
        """Tell all waiting tasks that nothing more will come."""
        self._broken = True
        for exchange in self._open.values():
            exchange.fail(error)
        for exchange in self._held.values():
            exchange.fail(NeverSent(str(error)))

    def _forget(self, exchange: Exchange) -> None:
        """Note that its lane waits no more. After a timeout the server is told to stop."""
        self._held = {lane: held for lane, held in self._held.items() if held is not exchange}
        if exchange.stream_id is None:
            return
        self._open.pop(exchange.stream_id, None)
        answered = exchange.done and exchange.failed is None and not exchange.unsent
        if not answered and not self._broken:
            try:
                self._h2.reset_stream(exchange.stream_id, h2.errors.ErrorCodes.CANCEL)
            except h2.exceptions.ProtocolError:
                return  # closed already
            self._stream.push(self._stream.sealed(self._h2.data_to_send()))

    async def aclose(self) -> None:
        """Close the socket."""
        self._broken = True
        await self._stream.aclose()


class SharedConnection:
    """The connection that all lanes share, opened when it is first needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._current: Multiplexed | None = None
        self._opening = anyio.Lock()

    async def current(self) -> Multiplexed:
        """A usable connection. Raises ``httpx.TransportError``, ``Untrusted``, ``NoHttp2``."""
        async with self._opening:
            if self._current is not None and not self._current.usable():
                await self.aclose()
            if self._current is None:
                self._current = await self._opened()
            return self._current

    async def _opened(self) -> Multiplexed:
        url = httpx.URL(self._address.base_url)
        try:
            stream = await connect(self._address, url.host, url.port or 443)
            await stream.start_tls(tls.context("h2"), url.host)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
            raise translated(exc) from exc
        if stream.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            await stream.aclose()
            raise NoHttp2(
                f"The server at {url.host}:{url.port or 443} does not speak HTTP/2. "
                "Leave --http2 out."
            )
        return Multiplexed(stream)

    def lane(self) -> Http2Lane:
        """A transport for one lane."""
        return Http2Lane(self)

    async def aclose(self) -> None:
        """Close it, if there is one."""
        current, self._current = self._current, None
        if current is not None:
            await current.aclose()


class Http2Lane(httpx.AsyncBaseTransport):
    """An httpx transport through the shared connection."""

    def __init__(self, shared: SharedConnection) -> None:
        self._shared = shared
        self._armed: tuple[Gate, int] | None = None
        self.stamps: Exchange | None = None

    def arm(self, gate: Gate, lane: int) -> None:
        """Hold the next request at ``gate``, as its lane number ``lane``."""
        self._armed = (gate, lane)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises ``httpx.RequestError``, ``Untrusted``, ``NoHttp2``."""
        armed, self._armed = self._armed, None
        body = await request.aread()
        for pause_s in (*AGAIN_AFTER_S, None):
            self.stamps = exchange = Exchange(_frame_headers(request), body)
            try:
                connection = await self._shared.current()
                await connection.ask(exchange, armed)
            except httpx.ConnectError:  # it did not arrive
                may_again = armed is None or armed[0].lost(armed[1])
                if pause_s is None or not may_again:
                    raise
                await anyio.sleep(pause_s)
            else:
                break
        headers, content = exchange.answer_headers, bytes(exchange.body)
        if how := packed_as(headers):
            headers, content = without_packing(headers), unpacked(how, content, LARGEST_ANSWER)
        return httpx.Response(
            exchange.status,
            headers=headers,
            stream=httpx.ByteStream(content),
            extensions={"http_version": b"HTTP/2"},
        )


def _frame_headers(request: httpx.Request) -> list[tuple[bytes, bytes]]:
    url = request.url
    return [
        (b":method", request.method.encode()),
        (b":authority", url.netloc),
        (b":scheme", url.raw_scheme),
        (b":path", url.raw_path),
        *(
            (name.lower(), value)
            for name, value in request.headers.raw
            if name.lower() not in _OF_HTTP1
        ),
    ]
