"""Follows redirects on the same server, where they lead to the same session.

Rules
- Only an answer that the profile declares nothing of is followed, to the same scheme, host and
  port; with the same method and body (307, 308), or where a GET stays one (301, 302, 303).
- A call goes on only to a path that ends as the one it was sent to, so it names the same session;
  the list, which names none, to any.
- The call's interval goes from its first request to its last answer. What breaks behind a redirect
  is unknown: the server that redirects may have acted already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from deadheat.drive.wire.address import on_this_server
from deadheat.drive.wire.api import WireRequest
from deadheat.drive.wire.decoding import decoded
from deadheat.model.history import Kind, Ok, Undeclared

if TYPE_CHECKING:
    from deadheat.drive.wire.api import Send, Wire
    from deadheat.model.history import Invocation

# A slash added, a prefix, another: no API that is at rest needs more.
_MOST_HOPS = 3
_SAME_METHOD = frozenset({307, 308})
_OF_A_GET = frozenset({301, 302, 303, 307, 308})


async def answered(
    wire: Wire, base_url: str, invocation: Invocation, request: WireRequest, send: Send
) -> tuple[httpx.Response, int, int]:
    """The last answer to ``request``, ``call_ns`` and ``return_ns``. Raises what ``send`` does."""
    answer, call_ns, return_ns = await send(request)
    for _ in range(_MOST_HOPS):
        onward = _onward(base_url, invocation, request, answer)
        if onward is None or not _undeclared(wire, invocation, answer):
            break
        request = onward
        try:
            answer, _, return_ns = await send(request)
        except httpx.ConnectError as exc:
            raise httpx.ReadError(f"behind a redirect: {exc}") from exc
    return answer, call_ns, return_ns


def _onward(
    base_url: str, invocation: Invocation, asked: WireRequest, answer: httpx.Response
) -> WireRequest | None:
    """The request that this answer asks for; None: none that may be sent."""
    location = answer.headers.get("location")
    follows = _OF_A_GET if asked.method == "GET" else _SAME_METHOD
    if location is None or answer.status_code not in follows:
        return None
    path = on_this_server(base_url, asked.path, location)
    lists = invocation.kind is Kind.LIST
    if path is None or not (lists or _ends_alike(asked.path, path)):
        return None
    return WireRequest(asked.method, path, asked.body)


def _ends_alike(asked: str, path: str) -> bool:
    """``/carts/7`` and ``/v2/carts/7/``, but not ``/carts/8``; the query is the same."""
    (before, _, query), (after, _, other) = asked.partition("?"), path.partition("?")
    return query == other and after.rstrip("/").endswith(before.rstrip("/"))


def _undeclared(wire: Wire, invocation: Invocation, answer: httpx.Response) -> bool:
    location = answer.headers.get("location")
    outcome = decoded(wire, invocation, answer.status_code, answer.content, location)
    return isinstance(outcome, Ok) and isinstance(outcome.result, Undeclared)
