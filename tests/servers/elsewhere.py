"""The bundled demo's sessions elsewhere: behind TLS, on a unix socket, over HTTP/2.

    python -P tests/servers/elsewhere.py tcp   --port N            [--correct]
    python -P tests/servers/elsewhere.py tls   --port N --cert PEM [--correct]
    python -P tests/servers/elsewhere.py http2 --port N --cert PEM [--correct]
    python -P tests/servers/elsewhere.py unix  --socket PATH       [--correct]

``--cert``: one file with the key and the certificate chain. HTTP/2 is hypercorn's, serving an
ASGI application over the same ``answer`` as the others. Prints ``listening`` when it does.
``GET /session/ses_now`` answers with ``received_ns``, the instant on the machine's monotonic
clock at which the server acts on it; over HTTP/2 ``POST /session/ses_now`` does, too, with the
instant at which the application is called: it has the headers then, and maybe no body.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path, with -P

from hypercorn.asyncio import serve
from hypercorn.config import Config

from deadheat.targets.demo import server as demo_server
from deadheat.targets.demo.session_http import Connection, Session, answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


# Five times the demo's own window: here the way is tested, not the search, and a busy machine
# must show the race too.
demo_server.GAP_US = 3_000


class Timed(demo_server.DemoSessions):
    """The demo's sessions, and one that is always there and tells the time."""

    async def get(self, sid: str) -> Session:
        """One session."""
        if sid != "ses_now":
            return await super().get(sid)
        return {"id": sid, "received_ns": time.monotonic_ns()}


def application(sessions: Timed) -> Callable[..., Awaitable[None]]:
    """The session API as an ASGI application."""

    async def app(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            while (event := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{event['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        called_ns = time.monotonic_ns()
        body, more = b"", scope["method"] in ("POST", "PATCH")
        while more:  # only what has a body waits for it, as applications do
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        target = scope["raw_path"].decode()
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode()
        given = await answer(sessions, scope["method"], target, body)
        said = given.body
        if (scope["method"], target) == ("POST", "/session/ses_now"):
            said = {"head_ns": called_ns, "length": len(body)}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": given.status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    return app


async def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("tcp", "tls", "http2", "unix"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--socket")
    parser.add_argument("--cert")
    parser.add_argument("--correct", action="store_true")
    given = parser.parse_args()
    sessions = Timed(given.correct, random.Random())
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Awaitable[None]:
        return Connection(sessions, reader, writer).serve()

    if given.way == "http2":
        config = Config()
        config.bind = [f"127.0.0.1:{given.port}"]
        config.certfile = config.keyfile = given.cert
        config.alpn_protocols = ["h2", "http/1.1"]
        config.graceful_timeout = 0.1
        config.loglevel = "WARNING"
        print("listening", flush=True)
        await serve(application(sessions), config, shutdown_trigger=stopped.wait)
        return
    if given.way == "unix":
        server = await asyncio.start_unix_server(served, given.socket)
    else:
        context = None
        if given.way == "tls":
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(given.cert)
        server = await asyncio.start_server(served, "127.0.0.1", given.port, ssl=context)
    print("listening", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
