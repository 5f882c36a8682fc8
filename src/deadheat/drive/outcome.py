"""The outcome table: what a failed request says about whether the call happened.

Rule: exhaustive over httpx's ``RequestError`` tree; a test walks that tree. Only
what certainly never reached the server is ``Fail``.
"""

from __future__ import annotations

import httpx

from deadheat.core.history import Fail, Info, Outcome, Unknown

_TABLE: dict[type[httpx.RequestError], Unknown | None] = {
    httpx.ConnectError: None,
    httpx.ConnectTimeout: None,
    httpx.PoolTimeout: None,
    httpx.UnsupportedProtocol: None,
    httpx.LocalProtocolError: None,
    httpx.ProxyError: None,  # trust_env is off: no proxy is ever in the way
    httpx.ReadTimeout: Unknown.TIMEOUT,
    httpx.WriteTimeout: Unknown.TIMEOUT,
    httpx.TimeoutException: Unknown.TIMEOUT,
    httpx.ReadError: Unknown.RESET,
    httpx.WriteError: Unknown.RESET,
    httpx.CloseError: Unknown.RESET,
    httpx.NetworkError: Unknown.RESET,
    httpx.RemoteProtocolError: Unknown.RESET,
    httpx.ProtocolError: Unknown.RESET,
    httpx.TransportError: Unknown.RESET,
    httpx.DecodingError: Unknown.GARBLED,
    httpx.TooManyRedirects: Unknown.GARBLED,
    httpx.RequestError: Unknown.RESET,
}


def outcome_of_error(exc: httpx.RequestError) -> Outcome:
    """``Fail`` when the request cannot have been acted on, ``Info`` otherwise."""
    for kind in type(exc).__mro__:
        if kind in _TABLE:
            reason = _TABLE[kind]
            name = type(exc).__name__
            return Fail(name) if reason is None else Info(reason, name)
    return Info(Unknown.RESET, type(exc).__name__)
