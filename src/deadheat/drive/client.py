"""Sends calls to an API and understands their answers: the one way in which that is done.

Rules
- Nothing is sent that ``Ownership`` does not permit, and it hears what came of everything.
- A call is as many requests as it takes: pages of a list, redirects. Only the first of them can be
  held at a gate. Each is counted, watched, and paid for (``Target.max_rps``), but for those of a
  round, which has been paid for as a whole.
- A create is not cut off where only its answer tells what it made (``cut_off``).
- An answer becomes an outcome here, without the secrets that were sent.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio
import httpx

from deadheat.drive.cut_off import finished
from deadheat.drive.handshake import spared
from deadheat.drive.wire.decoding import decoded
from deadheat.drive.wire.outcome import outcome_of_error
from deadheat.drive.wire.paging import LISTING, read_list
from deadheat.drive.wire.rate_limit import RequestRate
from deadheat.drive.wire.redirects import answered
from deadheat.model.history import Ok, Outcome

if TYPE_CHECKING:
    from deadheat.drive.ownership import Ownership
    from deadheat.drive.retries import Retries
    from deadheat.drive.target import Target
    from deadheat.drive.watch import Watch
    from deadheat.drive.wire.api import WireRequest
    from deadheat.drive.wire.gate import Gate
    from deadheat.drive.wire.lane import LaneClient
    from deadheat.model.history import Invocation


class Reply(NamedTuple):
    """The reply to a call. ``return_ns`` None: it may yet take effect. ``status`` None: no answer.

    ``answer``: the last one, as it was; or why there is none.
    """

    outcome: Outcome
    call_ns: int
    return_ns: int | None
    status: int | None
    answer: httpx.Response | httpx.RequestError


class ApiClient:
    """Sends calls to the API of ``target`` at ``base_url``, through any of its lanes.

    ``wire`` may be replaced: a draft of a profile changes while it is tried.
    """

    def __init__(
        self,
        target: Target,
        base_url: str,
        ownership: Ownership,
        *,
        ends_s: float | None = None,
    ) -> None:
        self._ends_s = ends_s
        self.wire = target.wire
        self.requests = 0
        self.watch: Watch | None = None
        self._target = target
        self._base_url = base_url
        self._ownership = ownership
        self._rate = None if target.max_rps is None else RequestRate(target.max_rps)

    async def afford(self, requests: int) -> None:
        """Wait until so many may be sent at once."""
        if self._rate is not None:
            await anyio.sleep(self._rate.wait_s(requests, time.monotonic()))

    async def ask(self, lane: LaneClient, invocation: Invocation) -> Outcome:
        """The outcome of a call outside a race."""
        return (await self.call(lane, invocation)).outcome

    async def ask_patiently(
        self, retries: Retries, lane: LaneClient, invocation: Invocation
    ) -> Reply:
        """The last reply to this very call; its outcome is what all of them come to together."""
        ask = partial(self.ask, lane)
        last: Reply | None = None

        async def send() -> Outcome:
            nonlocal last
            if last is not None and (
                done := await spared(ask, self._ownership, invocation, last.outcome)
            ):
                return done
            last = await self.call(lane, invocation)
            return last.outcome

        outcome = await retries.ask(lane, invocation, send)
        assert last is not None
        return last._replace(outcome=outcome)

    async def call(
        self,
        lane: LaneClient,
        invocation: Invocation,
        held: tuple[Gate, int] | None = None,
        *,
        races: bool = False,
    ) -> Reply:
        """Send one call. ``races``: in a round; else a list is read until its pages agree.

        Raises ``ForeignSession`` before anything is sent.
        """
        # A managed server takes all that is left with it.
        if self._target.launch is None and self._ownership.only_its_answer_tells(invocation):
            return await finished(
                lambda: self._call(lane, invocation, held, races=races), self._ends_s
            )
        return await self._call(lane, invocation, held, races=races)

    async def _call(
        self,
        lane: LaneClient,
        invocation: Invocation,
        held: tuple[Gate, int] | None,
        *,
        races: bool,
    ) -> Reply:
        started_ns = time.monotonic_ns()
        wire, pages = self.wire, self._target.pages
        latest: httpx.Response | None = None

        async def send(request: WireRequest) -> tuple[httpx.Response, int, int]:
            nonlocal held, latest
            now, held = held, None
            sent = await self.send(lane, request, now, paid=races)
            latest = sent[0]
            return sent

        outcome: Outcome | None = None
        with self._ownership.sending(invocation, lane):
            try:
                if pages is not None and invocation.kind in LISTING:
                    read = await read_list(
                        wire,
                        pages,
                        self._base_url,
                        invocation,
                        send,
                        timeout_s=self._target.timeout_s,
                        agreed=not races,
                    )
                    outcome, call_ns, return_ns = read.outcome, read.call_ns, read.return_ns
                else:
                    request = wire.encode(invocation)
                    _, call_ns, return_ns = await answered(
                        wire, self._base_url, invocation, request, send
                    )
            except httpx.RequestError as exc:
                outcome = outcome_of_error(exc)
                self._ownership.answered(invocation, outcome)
                return Reply(outcome, started_ns, None, None, exc)
        assert latest is not None
        if outcome is None:
            location = latest.headers.get("location")
            outcome = decoded(wire, invocation, latest.status_code, latest.content, location)
        outcome = self._target.mask.outcome(outcome)
        self._ownership.answered(invocation, outcome)
        known = return_ns if isinstance(outcome, Ok) else None
        return Reply(outcome, call_ns, known, latest.status_code, latest)

    async def send(
        self,
        lane: LaneClient,
        request: WireRequest,
        held: tuple[Gate, int] | None = None,
        *,
        paid: bool = False,
        watched: bool = True,
    ) -> tuple[httpx.Response, int, int]:
        """One request, whatever it does: its answer, ``call_ns`` and ``return_ns``."""
        self.requests += 1
        if self._rate is not None and not paid:
            await self.afford(1)
        watch = self.watch if watched else None
        if watch is None:
            return await lane.send(request.method, request.path, request.body, held)
        call = watch.began()
        try:
            return await lane.send(request.method, request.path, request.body, held)
        finally:
            watch.ended(call)
