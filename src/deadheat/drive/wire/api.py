"""The interface of an API's wire, which a profile or a target in Python implements.

Rule: nothing here sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from deadheat.model.history import Invocation, Outcome


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request: path relative to the base URL, JSON body as bytes or None."""

    method: str
    path: str
    body: bytes | None = None


class Wire(Protocol):
    """How calls become requests and answers become outcomes, for one API."""

    @property
    def name(self) -> str:
        """The profile's name, as in ``--profile``."""
        ...

    def encode(self, invocation: Invocation) -> WireRequest:
        """The request for this call."""
        ...

    def decode(
        self, invocation: Invocation, status: int, body: bytes, location: str | None = None
    ) -> Outcome:
        """What an answer means; undeclared statuses, errors and garbage have outcomes too.

        ``location``: its header of that name.
        """
        ...


class PageWire(Protocol):
    """How one API hands out a list in pages."""

    @property
    def most(self) -> int:
        """The largest number of pages to read."""
        ...

    def following(
        self, invocation: Invocation, asked: WireRequest, shown: int, body: bytes, link: str | None
    ) -> str | None:
        """The address of the page after this one; None: it was the last.

        ``shown``: how many entries it had. ``link``: its Link header's ``next``. Raises
        ``LookupError``, ``TypeError``, ``ValueError`` for an answer of another shape.
        """
        ...


# Sends one request: the answer, ``call_ns`` and ``return_ns``.
Send: TypeAlias = "Callable[[WireRequest], Awaitable[tuple[httpx.Response, int, int]]]"
