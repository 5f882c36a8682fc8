"""A session server that ends at the fourth delete: the rehearsal lives, the first race kills it.

Run by path: ``mortal.py PORT``.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORED: dict[str, str] = {}
DELETES = 0


class Answers(BaseHTTPRequestHandler):
    """The session API, just."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence."""

    def _say(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """Create."""
        title = json.loads(self.rfile.read(int(self.headers["content-length"])))["title"]
        session = f"ses_{len(STORED)}x{os.getpid()}"
        STORED[session] = title
        self._say(200, {"id": session, "title": title})

    def do_GET(self) -> None:
        """Get and list."""
        session = self.path.partition("?")[0].removeprefix("/session").strip("/")
        if not session:
            self._say(200, [{"id": s, "title": t} for s, t in STORED.items()])
        elif session in STORED:
            self._say(200, {"id": session, "title": STORED[session]})
        else:
            self._say(404, {})

    def do_DELETE(self) -> None:
        """Delete; and die of it."""
        global DELETES
        DELETES += 1
        if DELETES == 4:
            print("giving up", flush=True)
            os._exit(3)
        gone = STORED.pop(self.path.rpartition("/")[2], None)
        self._say(200 if gone is not None else 404, gone is not None)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers)
    print("listening", flush=True)
    server.serve_forever()
