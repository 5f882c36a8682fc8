"""The outcome table: what a failed request says about whether the call happened.

Rules
- Exhaustive over httpx's ``RequestError`` tree; a test walks that tree. Only what certainly never
  reached the server is ``Fail``.
- httpcore's errors are told as httpx's. Once the head of a request is out, none says that nobody
  has got it.
"""

from __future__ import annotations

import httpcore
import httpx

from deadheat.model.history import Fail, Info, Outcome, Unknown

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
# Of these the table says that the request did not arrive.
_UNSENT = tuple(kind for kind, reason in _TABLE.items() if reason is None)

_AS_HTTPX: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ConnectionNotAvailable: httpx.LocalProtocolError,
}
OF_HTTPCORE = tuple(_AS_HTTPX)


class NeverSent(httpx.ConnectError):
    """The connection was gone before the request's head was whole: it cannot have been acted on."""


def outcome_of_error(exc: httpx.RequestError) -> Outcome:
    """``Fail`` when the request cannot have been acted on, ``Info`` otherwise."""
    for kind in type(exc).__mro__:
        if kind in _TABLE:
            reason = _TABLE[kind]
            name = type(exc).__name__
            return Fail(name) if reason is None else Info(reason, name)
    return Info(Unknown.RESET, type(exc).__name__)


def translated(exc: Exception, *, head_out: bool = False) -> httpx.TransportError:
    """httpx's error for httpcore's; ``head_out``: the request may have reached the server."""
    error = _AS_HTTPX.get(type(exc), httpx.NetworkError)(str(exc) or type(exc).__name__)
    return httpx.ProtocolError(str(error)) if head_out and isinstance(error, _UNSENT) else error
