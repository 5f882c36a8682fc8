"""The gate: hold back the last byte of each lane's request, then let them all go.

Rules
- A held request is complete but for one byte, so the server cannot act on it;
  the task that sent it is already waiting for the answer when the gate opens.
- Release is one tight loop over plain ``send`` calls, each at its offset. For a
  wait longer than ``_SPIN_NS`` the loop sleeps first, so that answers that
  arrive meanwhile are read in time.
- The stream owns its socket. ``wrote_ns`` is taken before each write and
  ``read_ns`` after each read: the truth that intervals are built from.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpcore

from deadheat.core.release import Release

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

# anyio.sleep on a busy 2-core machine wakes up to about 1 ms late; the rest is spun.
_SPIN_NS = 1_500_000
# A wait longer than this is mostly slept away, not spun: spinning keeps a core from the server,
# which on a busy 2-core machine then acts on the first byte only after the last one is out.
_NAP_NS = 100_000
# time.sleep wakes up about 60 µs late (50 µs of timer slack).
_NAP_LATE_NS = 80_000
# After so many reads that found bytes waiting, others get a turn first: a server that never stops
# sending would else keep every timeout from being noticed.
_READS_AT_ONCE = 32


class GatedStream(httpcore.AsyncNetworkStream):
    """A TCP stream that can withhold the last byte of a request."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._writes_before_hold = 0
        self._gate: Gate | None = None
        self._lane = 0
        self._held = b""
        self._reads_at_once = 0
        self.wrote_ns = 0
        self.read_ns = 0

    def arm(self, gate: Gate, lane: int, writes: int) -> None:
        """Hold the last byte of the ``writes``-th write from now (1: head only, 2: with a body)."""
        self._gate, self._lane, self._writes_before_hold = gate, lane, writes

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``, or all but one byte when armed."""
        if not buffer:
            return
        # Answered before its last byte was out: that byte still belongs before anything new.
        buffer, self._held = self._held + buffer, b""
        if self._gate is not None:
            self._writes_before_hold -= 1
            if self._writes_before_hold == 0:
                buffer, self._held = buffer[:-1], buffer[-1:]
        self.wrote_ns = time.monotonic_ns()
        try:
            with anyio.fail_after(timeout):
                while buffer:
                    try:
                        buffer = buffer[self._sock.send(buffer) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self._sock)
        except TimeoutError as exc:
            raise httpcore.WriteTimeout from exc
        except (OSError, anyio.ClosedResourceError) as exc:
            raise httpcore.WriteError(str(exc)) from exc
        if self._held and self._gate is not None:
            self._gate.arrived(self._lane, self)
            self._gate = None

    def release(self) -> int:
        """Send the byte held back; the instant just before, in nanoseconds.

        A send that fails is no error here: the read that is already waiting reports it.
        Nothing held (any more) is none either: the call has failed, or was answered early.
        """
        last, self._held = self._held, b""
        released_ns = time.monotonic_ns()
        if not last:
            return released_ns
        self.wrote_ns = released_ns
        try:
            self._sock.send(last)
        except OSError:
            # One byte into an empty send buffer can only fail on a dead connection;
            # closing our side wakes the reader, which then tells.
            with contextlib.suppress(OSError):  # closed, or never connected: nobody waits
                self._sock.shutdown(socket.SHUT_RD)
        return released_ns

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most ``max_bytes``; empty at the end of the stream."""
        try:
            with anyio.fail_after(timeout):
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
        except TimeoutError as exc:
            raise httpcore.ReadTimeout from exc
        except (OSError, anyio.ClosedResourceError) as exc:
            raise httpcore.ReadError(str(exc)) from exc

    async def aclose(self) -> None:
        """Close the socket; a task that waits on it is woken."""
        if self._sock.fileno() >= 0:
            anyio.notify_closing(self._sock)
            self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for: is the idle connection readable (then the server closed it)?"""
        if info == "is_readable":
            if self._sock.fileno() < 0:
                return True
            poller = select.poll()
            poller.register(self._sock, select.POLLIN)
            return bool(poller.poll(0))
        return None

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Not here: a TLS record cannot be split at its last byte."""
        del ssl_context, server_hostname, timeout
        raise httpcore.UnsupportedProtocol("the gate holds plain TCP only")


class GatedBackend(httpcore.AsyncNetworkBackend):
    """Opens ``GatedStream`` connections and remembers the last one."""

    def __init__(self) -> None:
        self.stream: GatedStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> GatedStream:
        """Connect with Nagle off, so that the last byte leaves at once."""
        del local_address
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                sock = await _first_that_answers(found, tuple(socket_options or ()))
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout from exc
        except (OSError, OverflowError) as exc:  # OverflowError: no port number
            raise httpcore.ConnectError(str(exc)) from exc
        self.stream = GatedStream(sock)
        return self.stream


async def _first_that_answers(found: Sequence[Any], options: tuple[Any, ...]) -> socket.socket:
    """One address after the other: ``localhost`` is ::1 first where few servers listen."""
    refused: OSError | None = None
    for family, kind, proto, _, address in found:
        sock = socket.socket(family, kind, proto)
        try:
            sock.setblocking(False)
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


class Gate:
    """Collects the held requests of one round, one a lane, and releases them.

    ``offsets_us``: for each lane, how long after the opening its byte goes out.
    """

    def __init__(self, offsets_us: Sequence[int]) -> None:
        self._offsets_us = tuple(offsets_us)
        self._missing = set(range(len(self._offsets_us)))
        self._held: list[tuple[int, int, GatedStream]] = []  # offset, lane
        self._all_here = anyio.Event()

    def arrived(self, lane: int, stream: GatedStream) -> None:
        """Called by a stream that holds its last byte now."""
        self._held.append((self._offsets_us[lane], lane, stream))
        self.absent(lane)

    def absent(self, lane: int) -> None:
        """This lane will not arrive (any more): its first call failed before it could be held."""
        self._missing.discard(lane)
        if not self._missing:
            self._all_here.set()

    async def open(self) -> tuple[Release, ...]:
        """Wait until every lane is held, then release each at its offset."""
        await self._all_here.wait()
        await anyio.lowlevel.checkpoint()  # lets the last writer reach its read
        releases: list[Release] = []
        opened_ns = time.monotonic_ns()
        for offset_us, lane, stream in sorted(self._held, key=lambda held: held[0]):
            wanted_ns = offset_us * 1_000
            left_ns = opened_ns + wanted_ns - time.monotonic_ns()
            if left_ns > _SPIN_NS:
                await anyio.sleep((left_ns - _SPIN_NS) / 1e9)
            _wait_until(opened_ns + wanted_ns)
            releases.append(Release(lane, wanted_ns, stream.release() - opened_ns))
        return tuple(releases)


def _wait_until(due_ns: int) -> None:
    """Block for at most ``_SPIN_NS``: asleep at first, then awake to meet the instant."""
    left_ns = due_ns - time.monotonic_ns()
    if left_ns > _NAP_NS:
        time.sleep((left_ns - _NAP_LATE_NS) / 1e9)
    while time.monotonic_ns() < due_ns:
        pass
