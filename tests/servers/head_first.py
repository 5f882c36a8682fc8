"""Boxes behind a bare socket, where each effect is one instant before the whole request is in.

    python -P tests/servers/head_first.py head|half --port N

``head``: a handler acts when it has the head, and only then reads the body, as with Go's net/http.
``half``: when it has half of the body. One thread and a dict, so it is linearizable.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's head says."""

    method: str
    name: str
    title: str
    length: int


def read_head(text: str) -> Head:
    """Of the bytes before the empty line."""
    first, *rows = text.split("\r\n")
    method, target, _ = first.split(" ")
    at = urlsplit(target)
    named = dict(row.lower().split(": ", 1) for row in rows if row)
    title = parse_qs(at.query).get("t", [""])[0]
    name = at.path.removeprefix("/boxes").strip("/")
    return Head(method, name, title, int(named.get("content-length", 0)))


class Boxes:
    """The collection."""

    def __init__(self, *, half: bool) -> None:
        self._half = half
        self._titles: dict[str, str] = {}

    def act(self, asked: Head) -> tuple[int, object]:
        """Status and answer."""
        titles, name = self._titles, asked.name
        if asked.method == "PUT":
            there = name in titles
            titles.setdefault(name, asked.title)
            return (409, None) if there else (201, None)
        if asked.method == "GET" and not name:
            return 200, [{"id": one, "t": title} for one, title in titles.items()]
        if name not in titles:
            return 404, None
        if asked.method == "GET":
            return 200, {"id": name, "t": titles[name]}
        if asked.method == "PATCH":
            titles[name] = asked.title
            return 204, None
        del titles[name]
        return 204, None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = read_head((await reader.readuntil(b"\r\n\r\n")).decode())
                before = head.length // 2 if self._half else 0
                await reader.readexactly(before)
                status, said = self.act(head)
                await reader.readexactly(head.length - before)
                body = b"" if said is None else json.dumps(said).encode()
                length = "" if status == 204 else f"content-length: {len(body)}\r\n"
                writer.write(f"HTTP/1.1 {status} X\r\n{length}\r\n".encode() + body)
                await writer.drain()
        writer.close()


async def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("acts_on", choices=("head", "half"))
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    boxes = Boxes(half=given.acts_on == "half")
    server = await asyncio.start_server(boxes.serve, "127.0.0.1", given.port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
