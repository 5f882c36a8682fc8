"""One lane's client: httpx over exactly one warm connection, which the gate can hold.

Rules
- Never more than one connection at a time, never a retry, never a redirect,
  never a proxy: one call is one request.
- An idle connection that the server has closed is replaced before it is used.
- An answer larger than ``_LARGEST_ANSWER`` bytes is cut off and counts as garbled, and so does
  a compressed one, which nobody asked for: a few kilobytes may unpack to gigabytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import httpcore
import httpx

from deadheat.drive.gate import Gate, GatedBackend, GatedStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A list of 10,000 OpenCode sessions is about 3 MB; ten times that is no session list.
_LARGEST_ANSWER = 32 * 1024 * 1024

_AS_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ConnectionNotAvailable: httpx.LocalProtocolError,
}


def _translated(exc: Exception) -> httpx.TransportError:
    return _AS_HTTPX.get(type(exc), httpx.NetworkError)(str(exc) or type(exc).__name__)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.aiter_stream():
                size += len(chunk)
                if size > _LARGEST_ANSWER:
                    raise httpx.DecodingError("answer larger than 32 MiB")
                yield chunk
        except tuple(_AS_HTTPX) as exc:
            raise _translated(exc) from exc

    async def aclose(self) -> None:
        await self._response.aclose()


class LaneTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one httpcore connection whose socket the gate may hold."""

    def __init__(self, origin: httpx.URL) -> None:
        self._origin = httpcore.URL(
            scheme=origin.raw_scheme, host=origin.raw_host, port=origin.port, target=b"/"
        ).origin
        self._backend = GatedBackend()
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self._armed: tuple[Gate, int] | None = None

    @property
    def stream(self) -> GatedStream | None:
        """The connection's stream, once there is one."""
        return self._backend.stream

    def arm(self, gate: Gate, lane: int) -> None:
        """Hold the next request at ``gate``, as its lane number ``lane``."""
        self._armed = (gate, lane)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises ``httpx.TransportError`` only."""
        armed, self._armed = self._armed, None
        try:
            connection = await self._ready(request)
            stream = self._backend.stream
            body = await request.aread()
            if armed is not None and stream is not None:
                stream.arm(*armed, writes=2 if body else 1)
            response = await connection.handle_async_request(_for_core(request))
        except tuple(_AS_HTTPX) as exc:
            raise _translated(exc) from exc
        if any(name.lower() == b"content-encoding" for name, _ in response.headers):
            await response.aclose()
            raise httpx.DecodingError("a compressed answer, though none was asked for")
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def _ready(self, request: httpx.Request) -> httpcore.AsyncHTTPConnection:
        current = self._connection
        if current is not None and (current.is_closed() or current.has_expired()):
            await current.aclose()
            self._connection = current = None
        if current is None:
            timeout = request.extensions.get("timeout", {}).get("connect")
            host, port = self._origin.host.decode(), self._origin.port
            await self._backend.connect_tcp(host, port, timeout)
            current = httpcore.AsyncHTTPConnection(self._origin, network_backend=_Prepared(self))
            self._connection = current
        return current

    async def aclose(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()
            self._connection = None


class _Prepared(httpcore.AsyncNetworkBackend):
    """Hands httpcore the stream that is already connected, so that it can be armed before use."""

    def __init__(self, transport: LaneTransport) -> None:
        self._transport = transport

    async def connect_tcp(self, *_args: object, **_kwargs: object) -> GatedStream:
        stream = self._transport.stream
        if stream is None:
            raise httpcore.ConnectError("no connection")
        return stream


def _for_core(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


class LaneClient:
    """One client of the server: at most one call in flight."""

    def __init__(self, base_url: str, timeout_s: float, auth: httpx.Auth | None = None) -> None:
        self._transport = LaneTransport(httpx.URL(base_url))
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=self._transport,
            timeout=timeout_s,
            headers={"accept-encoding": "identity"},
            trust_env=False,  # a proxy variable must not take loopback traffic
            follow_redirects=False,
            auth=auth,
        )

    @property
    def stream(self) -> GatedStream | None:
        """See ``LaneTransport.stream``."""
        return self._transport.stream

    async def send(
        self, method: str, path: str, body: bytes | None, held: tuple[Gate, int] | None = None
    ) -> tuple[httpx.Response, int, int]:
        """One request, held at a gate (as its lane number …) when ``held`` is given.

        Returns the whole answer with ``call_ns`` and ``return_ns`` as DESIGN §4
        defines them. Raises ``httpx.RequestError``.
        """
        if held is not None:
            self._transport.arm(*held)
        headers = {} if body is None else {"content-type": "application/json"}
        before_ns = time.monotonic_ns()
        try:
            with anyio.fail_after(self._timeout_s):
                answer = await self._http.request(method, path, content=body, headers=headers)
        except TimeoutError as exc:
            raise httpx.ReadTimeout(f"no whole answer within {self._timeout_s:g} s") from exc
        stream = self.stream
        after_ns = time.monotonic_ns()
        if stream is None or not before_ns <= stream.wrote_ns <= stream.read_ns <= after_ns:
            return answer, before_ns, after_ns
        return answer, stream.wrote_ns, stream.read_ns

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()
