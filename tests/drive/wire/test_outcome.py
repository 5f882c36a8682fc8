"""The outcome table against httpx's own tree of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx
import pytest

from deadheat.drive.wire.outcome import _AS_HTTPX, _TABLE, outcome_of_error, translated
from deadheat.model.history import Fail, Info, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(kind: type[httpx.RequestError]) -> Iterator[type[httpx.RequestError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__.partition(".")[0] == "httpx":  # httpx_sse raises one for its streams
            yield from tree(below)


KINDS = sorted(set(tree(httpx.RequestError)), key=lambda kind: kind.__name__)
NEVER_SENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError",
    "ProxyError",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_request_error_has_a_row_of_its_own(kind: type[httpx.RequestError]) -> None:
    assert kind in _TABLE
    outcome = outcome_of_error(kind("x"))
    assert isinstance(outcome, Fail) == (kind.__name__ in NEVER_SENT)
    if isinstance(outcome, Info):
        timeout = issubclass(kind, httpx.TimeoutException)
        assert (outcome.reason is Unknown.TIMEOUT) == timeout
        assert outcome.detail == kind.__name__


def test_an_error_of_tomorrow_is_unknown_and_never_taken_for_unsent() -> None:
    class Novel(httpx.RequestError):
        """Not in httpx yet."""

    class NovelConnect(httpx.ConnectError):
        """A finer one."""

    assert outcome_of_error(Novel("x")) == Info(Unknown.RESET, "Novel")
    assert outcome_of_error(NovelConnect("x")) == Fail("NovelConnect")


def test_every_httpcore_error_is_translated() -> None:
    def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
        below = kind.__subclasses__()
        if not below:
            yield kind
        for one in below:
            yield from leaves(one)

    roots = (
        httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError,
        httpcore.ProxyError, httpcore.UnsupportedProtocol, httpcore.ConnectionNotAvailable,
    )  # fmt: skip
    for root in roots:
        for kind in leaves(root):
            assert kind in _AS_HTTPX, kind


@pytest.mark.parametrize("kind", _AS_HTTPX, ids=lambda kind: kind.__name__)
def test_nothing_says_that_nobody_has_got_it_once_its_head_is_out(kind: type[Exception]) -> None:
    assert isinstance(outcome_of_error(translated(kind("x"), head_out=True)), Info)
