"""The address of a server, from its URL: ``http://``, ``https://`` or ``http+unix://``.

Rules
- Everything but a socket's path is httpx's: the host, the port, user and password.
- The socket's path is percent-encoded in the place of the host, as curl's and requests'
  users write it: ``http+unix://%2Frun%2Fserver.sock``. httpx is told ``http://localhost``.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from deadheat.model.release import Via

SCHEMES = ("http", "https", "http+unix")
# Servers take some 8 KiB of address, and httpx refuses 64: what is longer leads nowhere.
_LONGEST = 32 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address. ``base_url``: httpx's. ``socket_path``: connect to this file instead."""

    base_url: str
    socket_path: str | None = None

    @property
    def via(self) -> Via:
        """The transport below HTTP/1.1."""
        if self.socket_path is not None:
            return Via.UNIX
        return Via.TLS if self.base_url.startswith("https://") else Via.TCP


def address_of(url: str) -> Address:
    """The parts of a URL. Raises ``ValueError`` for one without a server."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"no scheme of {', '.join(SCHEMES)}")
    if parts.scheme != "http+unix":
        if not parts.hostname:
            raise ValueError("no host")
        if not _is_host(parts.netloc, parts.hostname):
            raise ValueError("no host that can be told from its port")
        return Address(parts.geturl().rstrip("/"))
    user, at, place = parts.netloc.rpartition("@")  # not ``hostname``, which is in lower case
    path = unquote(place)
    if not path.startswith("/") or "\0" in path:
        raise ValueError("no absolute path of a socket, with %2F for each /")
    return Address(f"http://{user}{at}localhost{parts.path}".rstrip("/"), path)


def on_this_server(base_url: str, asked: str, following: str) -> str | None:
    """The path (with its query) below ``base_url``; None: it is on another server."""
    base = address_of(base_url).base_url.rstrip("/")
    try:
        ours, there = urlsplit(base), urlsplit(urljoin(base + asked, following))
        same = (ours.scheme, ours.hostname, _port(ours.scheme, ours.port)) == (
            there.scheme, there.hostname, _port(there.scheme, there.port)
        )  # fmt: skip
    except ValueError:
        return None
    if not same or there.username is not None or not there.path.startswith(f"{ours.path}/"):
        return None
    path = there.path.removeprefix(ours.path)
    said = path + there.query
    if not said.isascii() or not said.isprintable() or " " in said or len(said) > _LONGEST:
        return None
    return f"{path}?{there.query}" if there.query else path


def _is_host(netloc: str, host: str) -> bool:
    """Is the place just this host, in brackets or not, and perhaps a port?"""
    place = netloc.rpartition("@")[2].lower()
    written = f"[{host}]" if ":" in host else host
    after = place.removeprefix(written)
    return (
        place.startswith(written) and after[:1] in ("", ":") and not after[1:].strip("0123456789")
    )


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)
