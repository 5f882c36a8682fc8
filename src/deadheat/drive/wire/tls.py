"""TLS as a state machine without I/O: plain bytes in, records out, and the other way round.

Rules
- Nothing is sent or received here; ``take`` has what is to be sent, in order.
- Certificates are verified against the system's CAs. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
  name others, as for every program that uses OpenSSL; nothing switches verification off.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

from deadheat.errors import Untrusted


@lru_cache(maxsize=8)  # reading the system's CAs takes some 10 ms, and every lane needs them
def _context(_file: str | None, _folder: str | None, protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols([protocol])
    return context


def context(protocol: str) -> ssl.SSLContext:
    """A verifying context that offers one protocol by ALPN: ``http/1.1`` or ``h2``."""
    return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), protocol)


class Tls:
    """The client's side of one connection to ``host`` (a name or an address)."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._host = host
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._in, self._out, server_hostname=host)

    def shake(self) -> bool:
        """Continue the handshake; is it done? Raises ``Untrusted``, ``ssl.SSLError``."""
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as exc:
            raise Untrusted(
                f"The certificate of {self._host} is not trusted ({exc.verify_message}). "
                "Use a name that it is for, or name its CA's file: SSL_CERT_FILE=ca.pem deadheat …"
            ) from exc
        return True

    def take(self) -> bytes:
        """The bytes to send now."""
        return self._out.read()

    def feed(self, received: bytes) -> None:
        """Take bytes that arrived; empty: the other side closed."""
        if received:
            self._in.write(received)
        else:
            self._in.write_eof()

    def seal(self, plain: bytes) -> bytes:
        """The records that carry ``plain``, after what is still to be sent."""
        view = memoryview(plain)
        while view:
            view = view[self.object.write(view) :]
        return self.take()

    def open(self, max_bytes: int) -> bytes | None:
        """At most so many plain bytes; None: more must arrive first; empty: the end."""
        try:
            return self.object.read(max_bytes)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""  # whether an answer was whole is for HTTP to say, as on plain TCP
