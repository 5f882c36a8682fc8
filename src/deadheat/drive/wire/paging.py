"""Reads a list in pages: several requests that are one call.

Rules
- Its interval goes from the first page's call to the last page's answer: never narrower than the
  truth. Only the first page can be held at a gate.
- The next page is on the same server, or the list is unknown: an answer must not send us elsewhere.
- Pages, their bytes and their time are bounded, and no page is read twice.
- Several pages are no snapshot: an entry that moves while they are read is missed though it was
  there all the time. Where the list must be right (``agreed``: at rest, and before anything is
  cleaned away) it is read until two readings in a row are the same, which then held at the instant
  between them (double collect: Afek et al., Atomic snapshots of shared memory, 1993).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.drive.wire.address import on_this_server
from deadheat.drive.wire.bounds import LARGEST_ANSWER
from deadheat.drive.wire.decoding import LARGEST_LIST, decoded, too_large
from deadheat.drive.wire.redirects import answered
from deadheat.model.history import Info, Kind, Listed, Offspring, Ok, Outcome, Seen, Unknown

if TYPE_CHECKING:
    from deadheat.drive.wire.api import PageWire, Send, Wire
    from deadheat.model.history import Invocation

LISTING = frozenset({Kind.LIST, Kind.CHILDREN})
# Readings until two agree. A server at rest needs two; one that others are busy on has two quiet
# moments in a row soon, or never.
_READINGS = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading all pages; ``status`` of the last."""

    outcome: Outcome
    call_ns: int
    return_ns: int
    status: int
    pages: int


async def read_list(
    wire: Wire, pages: PageWire, base_url: str, invocation: Invocation, send: Send,
    *, timeout_s: float, agreed: bool,
) -> Reading:  # fmt: skip
    """All pages of a list; no page is asked for after ``timeout_s``. Raises what ``send`` does."""
    before = await _read(wire, pages, base_url, invocation, send, timeout_s)
    if not agreed or before.pages == 1 or not isinstance(before.outcome, Ok):
        return before
    for _ in range(_READINGS - 1):
        again = await _read(wire, pages, base_url, invocation, send, timeout_s)
        if again.outcome == before.outcome or not isinstance(again.outcome, Ok):
            return replace(again, call_ns=before.call_ns)
        before = again
    return replace(before, outcome=Info(Unknown.UNCLEAR, "its pages changed as they were read"))


async def _read(
    wire: Wire,
    pages: PageWire,
    base_url: str,
    invocation: Invocation,
    send: Send,
    timeout_s: float,
) -> Reading:
    request = wire.encode(invocation)
    first = request.path
    give_up_at = time.monotonic() + timeout_s
    entries: list[Seen] = []
    read: set[str] = set()
    size, call_ns = 0, None
    while True:
        answer, called_ns, return_ns = await answered(wire, base_url, invocation, request, send)
        call_ns = called_ns if call_ns is None else call_ns
        read.add(request.path)
        size += len(answer.content)

        def ends(
            outcome: Outcome,
            call_ns: int = call_ns,
            return_ns: int = return_ns,
            status: int = answer.status_code,
        ) -> Reading:
            return Reading(outcome, call_ns, return_ns, status, len(read))

        outcome = decoded(wire, invocation, answer.status_code, answer.content)
        if not (isinstance(outcome, Ok) and isinstance(outcome.result, Listed | Offspring)):
            return ends(outcome)
        entries.extend(outcome.result.entries)
        if len(entries) > LARGEST_LIST:
            return ends(too_large(f"a list of {len(entries):,} entries", LARGEST_LIST))
        link = answer.links.get("next", {}).get("url")
        try:
            following = pages.following(
                invocation, request, len(outcome.result.entries), answer.content, link
            )
        except (LookupError, TypeError, ValueError):
            return ends(Info(Unknown.GARBLED, "a page of another shape"))
        if following is None:
            return ends(Ok(replace(outcome.result, entries=tuple(entries))))
        path = on_this_server(base_url, request.path, following)
        if path is None:
            return ends(Info(Unknown.GARBLED, "the next page is on another server"))
        if path in read:
            return ends(Info(Unknown.GARBLED, "the next page is one that was read already"))
        if len(read) >= pages.most:
            said = f"{first.partition('?')[0]} has more than {pages.most} pages"
            return ends(Info(Unknown.GARBLED, said))
        if size > LARGEST_ANSWER:
            return ends(Info(Unknown.GARBLED, "pages larger than 32 MiB together"))
        if time.monotonic() > give_up_at:
            said = f"its pages took longer than {timeout_s:g} s"
            return ends(Info(Unknown.UNCLEAR, said))
        request = replace(request, path=path)
