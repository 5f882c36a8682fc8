"""A connection that can withhold the last byte of a request: TCP or a unix socket, TLS or none.

Rules
- A held request is complete but for one byte, so the server cannot act on it. Over TLS it is
  the last byte of the request's last record, which nobody can decrypt without.
- The stream owns its socket. ``wrote_ns`` is taken before each write and ``read_ns`` after
  each read: the truth that intervals are built from.
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

from deadheat.drive.tls import Tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from deadheat.drive.address import Address


# After so many reads that found bytes waiting, others get a turn first: a server that never stops
# sending would else keep every timeout from being noticed.
_READS_AT_ONCE = 32


class Arrivals(Protocol):
    """The gate, as a stream sees it."""

    def arrived(self, lane: int, holder: HeldStream) -> None:
        """This lane's request is held by that connection now."""
        ...


class HeldStream(httpcore.AsyncNetworkStream):
    """A stream over a connected, non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._tls: Tls | None = None
        self._writes_before_hold = 0
        self._gate: Arrivals | None = None
        self._lane = 0
        self._unsent = b""
        self._held = b""
        self._reads_at_once = 0
        self.wrote_ns = 0
        self.read_ns = 0

    def arm(self, gate: Arrivals, lane: int, writes: int) -> None:
        """Hold the last byte of the ``writes``-th write from now (1: head only, 2: with a body)."""
        self._gate, self._lane, self._writes_before_hold = gate, lane, writes

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``, or all but one byte when armed."""
        if not buffer:
            return
        # Answered before its last byte was out: that byte still belongs before anything new.
        self._unsent, self._held = self._unsent + self._held, b""
        sealed = buffer if self._tls is None else self._tls.seal(buffer)
        if self._gate is not None:
            self._writes_before_hold -= 1
            if self._writes_before_hold == 0:
                sealed, self._held = sealed[:-1], sealed[-1:]
        self._unsent += sealed
        self.wrote_ns = time.monotonic_ns()
        with _as_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
            await self._flush(timeout)
        if self._held and self._gate is not None:
            self._gate.arrived(self._lane, self)
            self._gate = None

    async def _flush(self, timeout: float | None) -> None:
        with anyio.fail_after(timeout):
            while self._unsent:
                try:
                    self._unsent = self._unsent[self._sock.send(self._unsent) :]
                except BlockingIOError:
                    await anyio.wait_writable(self._sock)

    def prepare(self, lanes: Sequence[int]) -> None:
        """Nothing is left to do: the byte is ready."""

    def release(self, lanes: Sequence[int] = ()) -> int:
        """Send the byte held back; the instant just before, in nanoseconds.

        A send that fails is no error here: the read that is already waiting reports it.
        Nothing held (any more) is none either: the call has failed, or was answered early.
        """
        del lanes  # one connection, one lane
        last, self._held = self._held, b""
        if not last:
            return time.monotonic_ns()
        return self.push(last)

    def push(self, ready: bytes) -> int:
        """Send ``ready`` (sealed, where there is TLS) at once; the instant just before."""
        self._unsent += ready
        self.wrote_ns = time.monotonic_ns()
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            pass  # the server reads nothing: it goes before the next write, or never
        except OSError:
            # One byte into an empty send buffer can only fail on a dead connection;
            # closing our side wakes the reader, which then tells.
            with contextlib.suppress(OSError):  # closed, or never connected: nobody waits
                self._sock.shutdown(socket.SHUT_RD)
        return self.wrote_ns

    def sealed(self, plain: bytes) -> bytes:
        """``plain`` as it travels. What is sealed must be sent, and in this order."""
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
        """What httpcore asks for."""
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
        """This stream itself, encrypted from now on; closed if that fails. Raises ``Untrusted``."""
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
    """What goes wrong inside becomes httpcore's error for it."""

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
    """One address after the other: ``localhost`` is ::1 first where few servers listen."""
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
