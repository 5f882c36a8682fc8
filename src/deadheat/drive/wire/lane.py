"""One lane's client: httpx over exactly one warm connection, which the gate can hold.

Rules
- Never more than one connection at a time, never a redirect (``wire.redirects``), never a proxy:
  one call is one request. It is sent again only if the server cannot have had its whole head, and
  in a race only before the gate opens.
- An idle connection that the server has closed is replaced before it is used, and so, in a
  round, before anything is released; so is one after an error of the server: uvicorn and others
  close it a moment later, unsaid, and what was sent meanwhile would be lost.
- No cookie that an answer sets is sent back: each client would have its own, and on a server that
  keeps a collection for each cookie every lane would see another one. A profile's header names it.
- HTTP/1.1 has a connection for each lane; HTTP/2 (``drive.wire.http2``) one for all of them.
- An answer larger than ``LARGEST_ANSWER`` bytes is cut off and counts as garbled; so is one that
  unpacks to more. None is asked to be compressed, but some servers do it all the same.
"""

from __future__ import annotations

import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Protocol

import anyio
import httpcore
import httpx

from deadheat.drive.wire import tls
from deadheat.drive.wire.address import Address, address_of
from deadheat.drive.wire.bounds import AGAIN_AFTER_S, LARGEST_ANSWER
from deadheat.drive.wire.compression import packed_as, unpacked, without_packing
from deadheat.drive.wire.outcome import OF_HTTPCORE, NeverSent, translated
from deadheat.drive.wire.stream import HeldStream, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from deadheat.drive.wire.gate import Gate
    from deadheat.drive.wire.http2 import Http2Lane

# What a connection that broke raises.
_BROKEN = (
    httpcore.ConnectError,
    httpcore.ReadError,
    httpcore.WriteError,
    httpcore.RemoteProtocolError,
)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.aiter_stream():
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    raise httpx.DecodingError("answer larger than 32 MiB")
                yield chunk
        except OF_HTTPCORE as exc:
            raise translated(exc, head_out=True) from exc

    async def aclose(self) -> None:
        await self._response.aclose()


class Stamps(Protocol):
    """When a request's head became whole (taken just before), and when its answer was read."""

    wrote_ns: int
    read_ns: int

    @property
    def head_out(self) -> bool:
        """May the server have the whole head?"""
        ...


class LaneTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one httpcore connection whose socket the gate may hold."""

    def __init__(self, address: Address) -> None:
        url = httpx.URL(address.base_url)
        self._address = address
        self._origin = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/"
        ).origin
        self._stream: HeldStream | None = None
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self._armed: tuple[Gate, int] | None = None
        self._failed = False  # an error of the server was the last answer

    @property
    def stamps(self) -> HeldStream | None:
        """The stamps of the connection's stream, once there is one."""
        return self._stream

    def arm(self, gate: Gate, lane: int) -> None:
        """Hold the next request at ``gate``, as its lane number ``lane``."""
        self._armed = (gate, lane)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises ``httpx.TransportError``, and ``Untrusted`` over TLS."""
        armed, self._armed = self._armed, None
        response = await self._answered(request, armed)
        body = _Body(response)
        if not (how := packed_as(response.headers)):
            return httpx.Response(
                response.status,
                headers=response.headers,
                stream=body,
                extensions=response.extensions,
            )
        try:
            packed = b"".join([piece async for piece in body])
        finally:
            await body.aclose()
        return httpx.Response(
            response.status,
            headers=without_packing(response.headers),
            stream=httpx.ByteStream(unpacked(how, packed, LARGEST_ANSWER)),
        )

    async def _answered(
        self, request: httpx.Request, armed: tuple[Gate, int] | None
    ) -> httpcore.Response:
        writes = 2 if await request.aread() else 1
        failed: httpx.TransportError = NeverSent("")
        for pause_s in (*AGAIN_AFTER_S, None):
            stream = None
            try:
                connection, stream = await self._ready(request)
                stream.begin(writes, armed)
                response = await connection.handle_async_request(_for_core(request))
                if stream.head_out:
                    self._failed = response.status >= 500
                    return response
                # Said before the head was whole (a server that is tired of waiting, or has too
                # much to do): no answer to this request.
                await response.aclose()
                failed = NeverSent("the server spoke before it was asked")
            except OF_HTTPCORE as exc:
                head_out = stream is not None and stream.head_out
                failed = translated(exc, head_out=head_out)
                if head_out:
                    raise failed from exc
                if not isinstance(exc, _BROKEN):
                    raise failed from exc
                if not isinstance(exc, httpcore.ConnectError):
                    failed = NeverSent(str(exc))
            await self.aclose()
            may_again = armed is None or armed[0].lost(armed[1])
            if pause_s is None or not may_again:
                break
            await anyio.sleep(pause_s)
        raise failed

    async def _ready(
        self, request: httpx.Request
    ) -> tuple[httpcore.AsyncHTTPConnection, HeldStream]:
        current, stream = self._connection, self._stream
        if current is not None and (self._failed or current.is_closed() or current.has_expired()):
            await current.aclose()
            self._connection = current = None
        if current is None or stream is None:
            timeout = request.extensions.get("timeout", {}).get("connect")
            host, port = self._origin.host.decode(), self._origin.port
            self._stream = stream = await connect(self._address, host, port, timeout)
            current = httpcore.AsyncHTTPConnection(
                self._origin,
                ssl_context=tls.context("http/1.1") if self._origin.scheme == b"https" else None,
                network_backend=_Connected(stream),
            )
            self._connection, self._failed = current, False
        return current, stream

    async def aclose(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()
            self._connection = None


class _Connected(httpcore.AsyncNetworkBackend):
    """Hands httpcore the stream that is already connected, so that it can be armed before use."""

    def __init__(self, stream: HeldStream) -> None:
        self._stream = stream

    async def connect_tcp(self, *_args: object, **_kwargs: object) -> HeldStream:
        return self._stream


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
    """One client of the server: at most one call in flight.

    ``url``: as ``drive.wire.address`` reads it. ``shared``: an HTTP/2 lane to go through instead.
    ``headers``: sent with every request. ``latest``: its last answer's status and ``Retry-After``;
    None: no answer came. ``offered_cookie``: has any answer set one?
    """

    def __init__(
        self,
        url: str,
        timeout_s: float,
        shared: Http2Lane | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        address = address_of(url)
        self._transport: LaneTransport | Http2Lane = shared or LaneTransport(address)
        self._timeout_s = timeout_s
        self.latest: tuple[int, str | None] | None = None
        self.offered_cookie = False
        self._http = httpx.AsyncClient(
            base_url=address.base_url,
            transport=self._transport,
            timeout=timeout_s,
            headers=[("accept-encoding", "identity"), *headers],
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,  # a proxy variable must not take loopback traffic
            follow_redirects=False,
        )

    @property
    def stamps(self) -> Stamps | None:
        """When its latest request was whole, and when its answer was read."""
        return self._transport.stamps

    @property
    def may_have_reached(self) -> bool:
        """May the server have the whole head of its latest request?"""
        return self.stamps is not None and self.stamps.head_out

    async def send(
        self, method: str, path: str, body: bytes | None, held: tuple[Gate, int] | None = None
    ) -> tuple[httpx.Response, int, int]:
        """Send one request, held at a gate (as that lane number) when ``held`` is given.

        Returns the whole answer with ``call_ns`` and ``return_ns`` as DESIGN §4
        defines them. Raises ``httpx.RequestError``; over TLS ``Untrusted`` and ``NoHttp2``.
        """
        if held is not None:
            self._transport.arm(*held)
        headers = {} if body is None else {"content-type": "application/json"}
        self.latest = None
        before_ns = time.monotonic_ns()
        try:
            with anyio.fail_after(self._timeout_s):
                answer = await self._http.request(method, path, content=body, headers=headers)
        except TimeoutError as exc:
            if self.stamps is not None and not self.stamps.head_out:
                raise NeverSent(f"not sent within {self._timeout_s:g} s") from exc
            raise httpx.ReadTimeout(f"no complete answer within {self._timeout_s:g} s") from exc
        self.latest = (answer.status_code, answer.headers.get("retry-after"))
        self.offered_cookie |= "set-cookie" in answer.headers
        stamps = self.stamps
        after_ns = time.monotonic_ns()
        if stamps is None or not before_ns <= stamps.wrote_ns <= stamps.read_ns <= after_ns:
            return answer, before_ns, after_ns
        return answer, stamps.wrote_ns, stamps.read_ns

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()
