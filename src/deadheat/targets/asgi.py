"""Serves an ASGI app for real: uvicorn on a free loopback port, in a thread of its own.

Rule: the socket is bound before the thread starts, so no other process can take the port, and the
server is gone when the context ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from deadheat.errors import StartFailed, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Start-up hooks of an app may open a database; more is a hang.
_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.005


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """The base URL of ``app`` while it is served.

    Raises ``UserError`` without uvicorn, ``StartFailed`` when the app does not come up.
    """
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise UserError(
            "An ASGI app is served by uvicorn, which is not installed. "
            "Install it: pip install 'deadheat[asgi]'."
        ) from None
    # With the protocol named: else asyncio leaves TCP_NODELAY off for what it accepts, and each
    # answer waits 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", access_log=False))
    thread = threading.Thread(
        target=server.run, args=([listening],), name="deadheat asgi", daemon=True
    )
    with listening:
        thread.start()
        try:
            _await(server, thread)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOPPED_WITHIN_S)
            if thread.is_alive():
                server.force_exit = True
                thread.join(_STOPPED_WITHIN_S)


def _await(server: Any, thread: threading.Thread) -> None:
    give_up_at = time.monotonic() + _READY_WITHIN_S
    while not server.started:
        if not thread.is_alive():
            raise StartFailed("The ASGI app ended while starting. Look at its startup hooks.")
        if time.monotonic() > give_up_at:
            raise StartFailed(
                f"The ASGI app was not ready within {_READY_WITHIN_S:g} s. "
                "Look at its startup hooks."
            )
        time.sleep(_LOOK_AGAIN_S)
