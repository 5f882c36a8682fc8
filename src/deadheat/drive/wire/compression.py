"""Compressed answers, unpacked within bounds: a few kilobytes may hold gigabytes.

Rules
- gzip and deflate, once: some servers compress whatever they are asked. deflate is zlib's format
  by the standard, and bare with some servers.
- What unpacks to more than ``most`` bytes, or not to its end, is no answer.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

# What zlib calls the three formats.
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
# Headers that tell of the body as it came, not as it is handed on.
_OF_THE_PACKED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


def packed_as(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The name of the body's compression, in lower case; empty: none."""
    said = [value for name, value in headers if name.lower() == b"content-encoding"]
    names = [one.strip().lower() for one in b",".join(said).decode("latin-1").split(",")]
    return ",".join(one for one in names if one not in ("", "identity"))


def without_packing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of the answer once it is unpacked."""
    return [(name, value) for name, value in headers if name.lower() not in _OF_THE_PACKED]


def unpacked(how: str, body: bytes, most: int) -> bytes:
    """The unpacked ``body``. Raises ``httpx.DecodingError``."""
    if not body:
        return b""
    try:
        match how:
            case "gzip" | "x-gzip":
                return _members(_GZIP, body, most)
            case "deflate":
                bare = body[0] & 0x0F != 8 or int.from_bytes(body[:2], "big") % 31 != 0
                return _members(_BARE if bare else _ZLIB, body, most)
            case _:
                raise httpx.DecodingError(f"compressed with {how[:40]}, which was not asked for")
    except zlib.error as exc:
        raise httpx.DecodingError(f"not {how}: {exc}") from exc


def _members(form: int, body: bytes, most: int) -> bytes:
    """Each gzip member in turn, as files may have several."""
    out = bytearray()
    while body:
        one = zlib.decompressobj(form)
        out += one.decompress(body, most - len(out) + 1)
        if len(out) > most:
            raise httpx.DecodingError(f"unpacks to more than {most >> 20} MiB")
        if not one.eof:
            raise httpx.DecodingError("a compressed answer that breaks off")
        body = one.unused_data
    return bytes(out)
