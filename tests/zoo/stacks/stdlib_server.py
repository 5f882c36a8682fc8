"""http.server: HTTP/1.0, one connection after the other; with THREADS=1 a thread each, one lock."""

import contextlib
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

THREADS = bool(os.environ.get("THREADS"))
lock = threading.Lock()
carts: dict[int, str] = {}
made = 0


class Handler(BaseHTTPRequestHandler):
    """Each step under the lock."""

    def _body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if status != 204:
            self.wfile.write(json.dumps(body).encode())

    def _id(self):
        return int(self.path.rpartition("/")[2])

    @contextlib.contextmanager
    def _looked(self, sid):
        """Is it there? Nobody comes between that and the change, but in the racy twin."""
        racy = "X-Racy" in self.headers
        with contextlib.nullcontext() if racy else lock:
            found = sid in carts
            if found and racy:
                time.sleep(0.003)
            yield found

    def do_GET(self):
        with lock:
            shown = [{"id": sid, "name": name} for sid, name in list(carts.items())]
        if self.path == "/carts":
            self._answer(200, {"items": shown})
            return
        one = [cart for cart in shown if cart["id"] == self._id()]
        self._answer(200, one[0]) if one else self._answer(404, {})

    def do_POST(self):
        global made
        name = self._body()["name"]
        with lock:
            made += 1
            sid = made
            carts[sid] = name
        self._answer(201, {"id": sid, "name": name})

    def do_PATCH(self):
        sid, name = self._id(), self._body()["name"]
        with self._looked(sid) as found:
            if found:
                carts[sid] = name
        self._answer(200, {"id": sid, "name": name}) if found else self._answer(404, {})

    def do_DELETE(self):
        sid = self._id()
        with self._looked(sid) as found:
            if found:
                carts.pop(sid, None)
        self._answer(204 if found else 404, {})

    def log_message(self, *_words):
        """Nothing."""


kind = ThreadingHTTPServer if THREADS else HTTPServer
kind(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
