"""A connection that can withhold the end of a request's head: TCP or a unix socket, TLS or none.

Rules
- Most servers run the handler once they have the head, whether the body is there or not. So what
  is held is the last byte of the head, and the whole body behind it; both leave in one write.
  Over TLS it is the last byte of the head's last record, which nobody can decrypt without.
- A request that is not held leaves in one write, too, head and body.
- The stream owns its socket. ``wrote_ns`` is taken before the write that completes a request's
  head and ``read_ns`` after each read: the truth that intervals are built from.
- A connection that the server has closed, or on which it speaks though nothing was asked, is sent
  no request: ``head_out`` says whether the head may have arrived.
- Bytes leave in the order in which they were handed in, also when some task had to wait.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.lowlevel
import httpcore

from deadheat.drive.wire.tls import Tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from deadheat.drive.wire.address import Address


# After so many reads that found bytes waiting, others get a turn first: a server that never stops
# sending would else keep every timeout from being noticed.
_READS_AT_ONCE = 32


class Arrivals(Protocol):
    """The gate as a stream sees it."""

    def arrived(self, lane: int, holder: HeldStream) -> None:
        """Note that this connection now holds that lane's request."""
        ...


class HeldStream(httpcore.AsyncNetworkStream):
    """A stream over a connected, non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._tls: Tls | None = None
        self._writes_left = 0
        self._pieces: list[bytes] = []
        self._gate: tuple[Arrivals, int] | None = None
        self._head_left: int | None = None  # bytes to send until the head is whole
        self._unsent = bytearray()
        self._held = b""
        self._flushing = anyio.Lock()
        self._reads_at_once = 0
        self.wrote_ns = 0
        self.read_ns = 0

    def begin(self, writes: int, gate: tuple[Arrivals, int] | None = None) -> None:
        """Announce a request of so many writes (1: head only, 2: with a body), the head first.

        Nothing leaves before the last of them. With ``gate`` (and its lane there) what completes
        the head is then held, and the gate told.
        """
        self._writes_left, self._gate, self._pieces = writes, gate, []
        self._head_left = None

    @property
    def head_out(self) -> bool:
        """May the server have the whole head of the latest request?"""
        return self._head_left is not None and self._head_left <= 0

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send ``buffer``, at once or with its request (``begin``)."""
        if not buffer:
            return
        if self._writes_left == 0:
            self._unsent += self.sealed(buffer)
            self.wrote_ns = time.monotonic_ns()
            await self._flush(timeout)
            return
        self._pieces.append(buffer)
        self._writes_left -= 1
        if self._writes_left:
            return
        head, *body = self._pieces
        self._pieces = []
        gate, self._gate = self._gate, None
        if self.over:
            raise httpcore.WriteError("the server has closed the connection")
        first, rest = self.sealed(head), self.sealed(b"".join(body))
        self._head_left = len(self._unsent) + len(first)
        if gate is None:
            self._unsent += first + rest
        else:
            self._unsent += first[:-1]
            self._held = first[-1:] + rest
        self.wrote_ns = time.monotonic_ns()
        await self._flush(timeout)
        if gate is not None:
            gate[0].arrived(gate[1], self)

    async def _flush(self, timeout: float | None) -> None:
        with _as_httpcore(httpcore.WriteTimeout, httpcore.WriteError), anyio.fail_after(timeout):
            async with self._flushing:
                while self._unsent:
                    try:
                        self._send()
                    except BlockingIOError:
                        await anyio.wait_writable(self._sock)

    def _send(self) -> None:
        sent = self._sock.send(self._unsent)
        del self._unsent[:sent]
        if self._head_left is not None:
            self._head_left -= sent

    @property
    def over(self) -> bool:
        """Has the server closed the connection, or sent something unasked?

        What comes over TLS unasked may be a ticket; there only the end tells.
        """
        try:
            waiting = self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not waiting or self._tls is None

    def prepare(self, lanes: Sequence[int]) -> None:
        """Do nothing: the bytes are ready."""

    def release(self, lanes: Sequence[int] = ()) -> int:
        """Send what was held back; the instant just before, in nanoseconds.

        A send that fails is no error here: the read that is already waiting reports it.
        Nothing held (any more) is none either: the call has failed. Nothing is sent where nobody
        would read it: the waiting read tells.
        """
        del lanes  # one connection, one lane
        held, self._held = self._held, b""
        if not held or self.over:
            return time.monotonic_ns()
        began_ns, spoken = self.wrote_ns, self.read_ns > self.wrote_ns
        released_ns = self.push(held)
        if spoken:  # over TLS, and maybe of this request: it may have begun before
            self.wrote_ns = began_ns
        return released_ns

    def push(self, ready: bytes) -> int:
        """Send ``ready`` (sealed, where there is TLS) at once; the instant just before.

        What does not fit into the socket's buffer is left for ``drain``.
        """
        self._unsent += ready
        pushed_ns = self.wrote_ns = time.monotonic_ns()
        try:
            self._send()
        except BlockingIOError:
            pass
        except OSError:
            # The connection is dead; closing our side wakes the reader, which then tells.
            with contextlib.suppress(OSError):  # closed, or never connected: nobody waits
                self._sock.shutdown(socket.SHUT_RD)
        return pushed_ns

    @property
    def pending(self) -> bool:
        """Is there anything that did not fit into the socket's buffer?"""
        return bool(self._unsent)

    async def drain(self) -> None:
        """Send the rest, as the server takes it in. Never raises: the waiting read does."""
        with contextlib.suppress(httpcore.WriteError):
            await self._flush(None)

    def sealed(self, plain: bytes) -> bytes:
        """``plain`` encrypted, where there is TLS. It must be sent, and in this order."""
        return plain if self._tls is None else self._tls.seal(plain)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most ``max_bytes``; empty at the end of the stream."""
        with _as_httpcore(httpcore.ReadTimeout, httpcore.ReadError), anyio.fail_after(timeout):
            if self._tls is None:
                return await self._receive(max_bytes)
            while (plain := self._tls.open(max_bytes)) is None:
                self._tls.feed(await self._receive(max_bytes))
            return plain

    def read_now(self, max_bytes: int) -> bytes | None:
        """The same without waiting; None: nothing has come. Raises ``httpcore.ReadError``."""
        with _as_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            try:
                received = self._sock.recv(max_bytes)
            except BlockingIOError:
                return None
            if self._tls is None:
                return received
            self._tls.feed(received)
            return self._tls.open(max_bytes)

    async def _receive(self, max_bytes: int) -> bytes:
        self._reads_at_once += 1
        if self._reads_at_once > _READS_AT_ONCE:
            await anyio.lowlevel.checkpoint()
        while True:
            try:
                received = self._sock.recv(max_bytes)
            except BlockingIOError:
                self._reads_at_once = 0
                await anyio.wait_readable(self._sock)
                continue
            self.read_ns = time.monotonic_ns()
            return received

    async def aclose(self) -> None:
        """Close the socket; a task that waits on it is woken."""
        self._held = b""
        if self._sock.fileno() >= 0:
            anyio.notify_closing(self._sock)
            self._sock.close()

    @property
    def readable(self) -> bool:
        """Is there anything to read? On an idle HTTP/1.1 connection: the server closed it."""
        if self._sock.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        return bool(poller.poll(0))

    def get_extra_info(self, info: str) -> Any:
        """The values that httpcore asks for."""
        match info:
            case "is_readable":
                return self.readable
            case "ssl_object":
                return None if self._tls is None else self._tls.object
            case _:
                return None

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> HeldStream:
        """This stream, encrypted from now on; closed if that fails. Raises ``Untrusted``."""
        tls = Tls(ssl_context, server_hostname or "")
        try:
            with (
                _as_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError),
                anyio.fail_after(timeout),
            ):
                await self._shake(tls)
        except BaseException:
            await self.aclose()  # nobody else knows it yet
            raise
        self._tls = tls
        return self

    async def _shake(self, tls: Tls) -> None:
        done = False
        while not done:
            done = tls.shake()
            self._unsent += tls.take()
            await self._flush(None)
            if not done:
                tls.feed(await self._receive(65_536))


class _as_httpcore(contextlib.AbstractContextManager[None]):  # noqa: N801 - read as a statement
    """A context that turns the errors inside into httpcore's."""

    def __init__(self, late: type[Exception], broken: type[Exception]) -> None:
        self._late, self._broken = late, broken

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, TimeoutError):
            raise self._late from exc
        if isinstance(exc, OSError | anyio.ClosedResourceError):  # ssl.SSLError is an OSError
            raise self._broken(str(exc)) from exc


async def connect(
    address: Address,
    host: str,
    port: int,
    timeout: float | None = None,
    options: Iterable[Any] = (),
) -> HeldStream:
    """Connect, without TLS yet. Raises httpcore's ``ConnectTimeout`` and ``ConnectError``."""
    try:
        with anyio.fail_after(timeout):
            if address.socket_path is not None:
                found: Sequence[Any] = (
                    (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", address.socket_path),
                )
            else:
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return HeldStream(await _first_that_answers(found, tuple(options)))
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout from exc
    except (OSError, OverflowError) as exc:  # OverflowError: no port number
        raise httpcore.ConnectError(str(exc)) from exc


async def _first_that_answers(found: Sequence[Any], options: tuple[Any, ...]) -> socket.socket:
    """Try each address in turn: ``localhost`` is ::1 first where few servers listen."""
    refused: OSError | None = None
    for family, kind, proto, _, address in found:
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
            if family != socket.AF_UNIX:  # Nagle off, so that the last byte leaves at once
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option in options:
                sock.setsockopt(*option)
            await _connect(sock, address)
        except OSError as exc:
            sock.close()
            refused = refused or exc
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise refused or OSError("the host has no address")


async def _connect(sock: socket.socket, address: Any) -> None:
    try:
        sock.connect(address)
    except BlockingIOError:
        await anyio.wait_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connection refused or unreachable") from None
