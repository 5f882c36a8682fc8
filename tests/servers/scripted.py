"""A server whose every answer a test writes: blocking sockets, one thread a connection.

Rule: it notes what it received and when, byte by byte, so that a test can look at the wire
itself. Ends with its ``with`` block.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Asked:
    """One whole request. When its head, and then its last byte, was in hand."""

    connection: int
    method: str
    path: str
    body: bytes
    head_ns: int
    complete_ns: int


@dataclass(frozen=True, slots=True)
class Says:
    """An answer. ``raw`` instead of status and body; ``close`` the connection after it.

    ``pieces``: these instead of all that, for ever if need be, and then it is closed.
    """

    status: int = 200
    body: Any = True
    raw: bytes | None = None
    close: bool = False
    after: threading.Event | None = None  # waits for it before answering
    pieces: Iterable[bytes] | None = None

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        content = json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(content)}\r\n\r\n"
        return head.encode() + content


@dataclass(slots=True)
class Line:
    """One connection: what came in on it so far."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)


class Scripted:
    """``answer(request)`` says what each request gets. ``early`` answers before one is whole.

    ``path``: of a unix socket to listen on. ``context``: speak TLS.
    """

    def __init__(
        self,
        answer: Callable[[Asked], Says],
        early: Callable[[bytes], bytes | None] | None = None,
        *,
        path: Path | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._answer = answer
        self._early = early
        self._context = context
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port: int = self._listener.getsockname()[1]
            self.base_url = f"http{'s' * (context is not None)}://127.0.0.1:{self.port}"
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.base_url = f"http+unix://{quote(str(path), safe='')}"
        self.asked: list[Asked] = []
        self.lines: list[Line] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def close_door(self) -> None:
        """Listen no more; what is connected goes on."""
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __exit__(self, *_: object) -> None:
        self.close_door()
        for line in self.lines:
            self.hang_up(line)
        for thread in self._threads:
            thread.join(5)

    def hang_up(self, line: Line) -> None:
        """Close one connection from our side."""
        with contextlib.suppress(OSError):  # closed already
            line.sock.shutdown(socket.SHUT_RDWR)

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.lines.append(Line(sock))
            self._start(self._serve, len(self.lines) - 1)

    def _serve(self, number: int) -> None:
        line = self.lines[number]
        if self._context is not None:
            line.sock = self._context.wrap_socket(line.sock, server_side=True)
        done, head_ns = 0, 0
        with line.sock:
            while True:
                try:
                    piece = line.sock.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                now_ns = time.monotonic_ns()
                line.received += piece
                if not head_ns and b"\r\n\r\n" in line.received[done:]:
                    head_ns = now_ns
                if self._early is not None:
                    at_once = self._early(bytes(line.received[done:]))
                    if at_once is not None:
                        line.sock.sendall(at_once)
                while (whole := _whole(bytes(line.received[done:]))) is not None:
                    size, method, path, body = whole
                    done += size
                    asked = Asked(number, method, path, body, head_ns, now_ns)
                    head_ns = now_ns if b"\r\n\r\n" in line.received[done:] else 0
                    with self._lock:
                        self.asked.append(asked)
                        says = self._answer(asked)
                    if says.after is not None:
                        says.after.wait(10)
                    try:
                        for out in says.pieces or (says.encoded(),):
                            line.sock.sendall(out)
                    except OSError:
                        return
                    if says.close or says.pieces is not None:
                        return


def _whole(received: bytes) -> tuple[int, str, str, bytes] | None:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return None
    length = 0
    for row in head.split(b"\r\n")[1:]:
        name, _, value = row.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if len(rest) < length:
        return None
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    return len(head) + 4 + length, method, path, rest[:length]
