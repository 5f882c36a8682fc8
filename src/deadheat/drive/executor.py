"""Runs one program against a live server and returns what happened.

Rules
- One warm client a lane, kept for the whole campaign, and one more, the
  observer, for the reads at rest and for cleaning up. The observer's connection
  is its own, also where the lanes share one (HTTP/2).
- Every request passes ``exchange``, which asks ``Ownership`` first.
- Ids that were there before, or that an earlier trial left behind, are not part
  of a history. On a server that others use too, neither is any unknown id.
- Where the target has an event stream somebody listens to it, and each trial ends with a flush
  (``marker``); a call that waits for too long is watched (``watch``), and ends its trial.
- What a trial made is cleaned away after it; what refuses to go is left behind,
  counted, and out of every later history. Where a delete may take its time
  (``Target.settle_ms``) a later trial looks whether it has gone; where ids come back, too, none
  begins before that time is over, as a late read would show the session that had its id before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
import httpx

from deadheat.drive.binding import TrialRun
from deadheat.drive.client import ApiClient
from deadheat.drive.end_of_run import leave_nothing
from deadheat.drive.events.listener import Listener
from deadheat.drive.events.observer import StreamObserver
from deadheat.drive.handshake import allowed
from deadheat.drive.trial_history import history_of
from deadheat.drive.watch import Watch, given_up_after_s
from deadheat.drive.wire.address import address_of
from deadheat.drive.wire.api import WireRequest
from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import NoHttp2
from deadheat.model.history import Absent, Fail, Invocation, Kind, Listed, Ok, Outcome, Undeclared
from deadheat.model.promises import AbsentPromise
from deadheat.model.raced import unraced

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from anyio.abc import TaskGroup

    from deadheat.drive.client import Reply
    from deadheat.drive.ownership import Ownership
    from deadheat.drive.retries import Retries
    from deadheat.drive.target import Target
    from deadheat.drive.wire.gate import Gate
    from deadheat.drive.wire.http2 import SharedConnection
    from deadheat.model.history import History, Stream
    from deadheat.model.program import Program, Var
    from deadheat.model.raced import Unraced

# A session that survives this many deletes, one after the other, is left behind. Parents go
# first and mostly take their children along; two rounds are for those that stay.
_CLEANING_ROUNDS = 3
# To look for so many, one list costs less than a read of each.
_LIST_RATHER_THAN_GET = 3
# After Ctrl-C: enough for a few deletes, and short enough not to be pressed again.
_LAST_CLEANING_S = 1.0
# At the end of all, on another user's server: long enough for a busy one.
_LEAVING_S = 5.0


def _shared_connections(base_url: str, target: Target) -> tuple[SharedConnection, ...]:
    """Two HTTP/2 connections, if the target asks for HTTP/2. Raises ``NoHttp2``."""
    if not target.http2:
        return ()
    try:
        from deadheat.drive.wire.http2 import SharedConnection
    except ModuleNotFoundError as exc:
        raise NoHttp2(
            f"--http2 needs the package {exc.name}. Install it: pip install 'deadheat[http2]'"
        ) from exc
    address = address_of(base_url)
    return SharedConnection(address), SharedConnection(address)


@dataclass(frozen=True, slots=True)
class Execution:
    """One program, run once.

    ``sessions`` binds the program's symbols to ids. ``settled_from``: the index of the first
    read made after the target's settle time, or None when it was not waited for.
    """

    program: Program
    history: History
    sessions: tuple[tuple[Var, str], ...]
    requests: int
    settled_from: int | None

    @property
    def unraced(self) -> Unraced | None:
        """Why this trial did not race; None: it did (``model.raced``)."""
        return unraced(self.program, self.history)


class Executor:
    """Sends programs to one server. An async context manager, used by one task at a time.

    ``tasks``: where its listener and its watch run; without, it has neither.
    """

    def __init__(
        self,
        base_url: str,
        target: Target,
        ownership: Ownership,
        tasks: TaskGroup | None = None,
        *,
        ends_s: float | None = None,
    ) -> None:
        self._base_url = base_url
        self._target = target
        self._timeout_s = target.timeout_s
        self._api = ApiClient(target, base_url, ownership, ends_s=ends_s)
        self._watch: Watch | None = None
        self._stream: StreamObserver | None = None
        if tasks is not None:
            self._timeout_s = given_up_after_s(target.timeout_s)
            self._control = LaneClient(base_url, target.timeout_s, headers=target.headers)
            self._watch = Watch(target.timeout_s, self._ask_control, tasks)
            self._api.watch = self._watch
            if target.events is not None:
                self._stream = StreamObserver(
                    Listener(base_url, target.events, tasks, target.headers),
                    self._ask,
                    self.disregard,
                    ownership.create(0, "marker"),
                )
        self._ownership = ownership
        self._lanes: list[LaneClient] = []
        # One connection for the lanes, one for the observer; none with HTTP/1.1.
        self._shared = _shared_connections(base_url, target)
        self.observer = self._client(1)
        self._outside: set[str] = set()
        self._trial = 0
        self.left_behind: tuple[str, ...] = ()
        self._settle_s = target.settle_ms / 1_000
        self._going: list[tuple[float, tuple[str, ...]]] = []  # to be gone by, deleted sessions
        self._rested_s: float | None = None  # when the latest trial had been cleaned away

    def _client(self, which: int) -> LaneClient:
        through = self._shared[which].lane() if self._shared else None
        return LaneClient(
            self._base_url, self._timeout_s, shared=through, headers=self._target.headers
        )

    @property
    def requests(self) -> int:
        """The number of requests sent."""
        return self._api.requests

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            try:
                with anyio.move_on_after(_LAST_CLEANING_S):
                    await self.deafen()
            finally:
                await self._close()

    async def _close(self) -> None:
        if self._watch is not None:
            self._watch.end()
            await self._control.aclose()
        for client in (self.observer, *self._lanes):
            await client.aclose()
        for connection in self._shared:
            await connection.aclose()

    async def leave_nothing(self) -> None:
        """Delete what this run may have left: a create that was cut off may still be done."""

        unsaid = self._target.promises.status_on_absent is AbsentPromise.ANY
        with anyio.move_on_after(_LEAVING_S):
            await leave_nothing(self.ask, self._ownership, unsaid=unsaid)

    async def hears(self) -> bool:
        """Does the event stream announce a create and a delete?"""
        stream = self._stream
        return stream is not None and await stream.begin() and await stream.flush() is not None

    async def deafen(self) -> None:
        """Stop listening to the event stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
            if self._target.launch is None:  # a managed server takes the marker with it
                await stream.remove()

    async def answers(self, within_s: float) -> bool:
        """Is the control request answered within that time?"""
        if self._watch is None:
            return True
        try:
            with anyio.move_on_after(within_s):
                await self._ask_control()
                return True
        except httpx.RequestError:
            pass
        return False

    async def _ask(self, invocation: Invocation) -> Outcome:
        """Send a call about a marker, unless it may be gone and its id be another session's."""
        if not await self._allowed(invocation):
            return Fail("it may be gone")
        outcome = await self.ask(invocation)
        if invocation.kind is Kind.DELETE and isinstance(outcome, Ok):
            self._ownership.released([str(invocation.session)])  # a marker, which nothing races
        return outcome

    async def _allowed(self, invocation: Invocation) -> bool:
        if invocation.session is None or not self._ownership.unread(invocation.session):
            return self._ownership.may(invocation)
        return await allowed(self.ask, self._ownership, invocation, self._settle_s)

    async def _ask_control(self) -> str:
        launch = self._target.launch
        path = None if launch is None else launch.probe
        if path is None:
            path = self._target.wire.encode(Invocation(Kind.LIST)).path
        request = WireRequest("GET", path)
        answer, *_ = await self._api.send(self._control, request, watched=False)
        return f"GET {path.partition('?')[0]} with {answer.status_code}"

    def lane(self, index: int) -> LaneClient:
        """The warm client of a lane."""
        while len(self._lanes) <= index:
            self._lanes.append(self._client(0))
        return self._lanes[index]

    async def look_around(self) -> Outcome:
        """Note every session that exists: none is ours. Returns the list's outcome."""
        outcome = await self.ask(Invocation(Kind.LIST))
        if isinstance(outcome, Ok) and isinstance(outcome.result, Listed):
            self._outside |= outcome.result.sessions
            self._ownership.shun(outcome.result.sessions)
        return outcome

    def disregard(self, session: str) -> None:
        """Leave this session out of every history."""
        self._outside.add(session)

    async def run(
        self, program: Program, *, patient: bool = False, listen: bool = True
    ) -> Execution:
        """Run ``program`` once, wait for rest, read, clean up.

        What does not look settled is read again after the target's settle time;
        ``patient``: so is what looks settled, as something late may undo it.
        ``listen``: to the event stream, where the target has one.
        """
        await self._forgotten()
        self._trial += 1
        requests_before = self.requests
        run = TrialRun(self, program, self._trial, self._ownership, self._settle_s)
        settled_from: int | None = None
        stream: Stream | None = None
        listener = self._stream if listen else None
        if self._watch is not None:
            self._watch.controls.clear()
        if listener is not None:
            await listener.begin()  # a stream that was connected again makes a marker
        elif self._stream is not None:
            await self._stream.rest()
        outside = frozenset(self._outside)
        try:
            for r in range(len(program.rounds)):
                await run.round(r)
                if self._waited():
                    break
            if not self._waited():
                await run.read_at_rest()
            if not self._waited() and self._settle_s:
                settled_from = await run.settle(self._settle_s, patient=patient)
            if listener is not None:
                ours = frozenset(run.ids.values())
                stream = listener.said_of(ours)
                if not self._waited():
                    stream = await listener.end(run.operations, ours, self._target.promises)
            if not self._waited() or self._target.launch is None:
                with anyio.move_on_after(self._target.timeout_s):
                    await self._clean(run)
                self._rested_s = time.monotonic()
        except BaseException:
            if self._target.launch is None:  # a managed server takes all that is left with it
                with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_CLEANING_S):
                    await self._clean_in_a_hurry(run)
            raise
        return Execution(
            program,
            # An id that this trial was given is its own, also where a server gives out freed ids
            # again; what becomes of that within one trial is the checker's business.
            history_of(
                run,
                self._target,
                self._ownership,
                outside - run.ours(),
                stream,
                () if self._watch is None else self._watch.controls,
            ),
            tuple(sorted(run.ids.items())),
            self.requests - requests_before,
            settled_from,
        )

    async def _forgotten(self) -> None:
        """Where ids come back and reads are late: wait until old sessions no longer show."""
        if self._settle_s and self._ownership.again:
            rested_s = time.monotonic() if self._rested_s is None else self._rested_s
            await anyio.sleep(max(0.0, rested_s + self._settle_s - time.monotonic()))

    def exchange(
        self, client: LaneClient, invocation: Invocation, held: tuple[Gate, int] | None = None
    ) -> Coroutine[None, None, Reply]:
        """Send one call through a lane of a round, or through the observer.

        Raises ``ForeignSession`` before anything is sent.
        """
        races = client is not self.observer
        return self._api.call(client, invocation, held, races=races)

    async def afford(self, requests: int) -> None:
        """Wait until so many may be sent at once (``Target.max_rps``)."""
        await self._api.afford(requests)

    async def ask(self, invocation: Invocation) -> Outcome:
        """The outcome of a call through the observer."""
        return await self._api.ask(self.observer, invocation)

    async def ask_patiently(self, retries: Retries, invocation: Invocation) -> Outcome:
        """The same, repeated after a hiccup."""
        return (await self._api.ask_patiently(retries, self.observer, invocation)).outcome

    async def _clean(self, run: TrialRun) -> None:
        # First of all, as cleaning may be cut off. Also what is gone: a late effect of this
        # trial may show in the lists of a later one.
        self._outside.update(run.ours(), run.shown)
        ours, remaining = run.ours(), run.may_be_there()
        try:
            if self._settle_s:
                remaining = await self._deleted(remaining, run.roots(remaining))
                self._going.append((time.monotonic() + self._settle_s, remaining))
                remaining = await self._overdue()
                ours |= set(remaining)
            for number in range(_CLEANING_ROUNDS):
                if not remaining:
                    break
                first = remaining if number or self._settle_s else run.roots(remaining)
                remaining = await self._deleted(remaining, first)
            if remaining and self._target.reset is not None:
                await self._api.send(self.observer, self._target.reset)
                remaining = await self._still_there(remaining)
        finally:
            going = {session for _, sessions in self._going for session in sessions}
            self._ownership.released(ours.difference(remaining, going))
            self.left_behind += tuple(s for s in remaining if s not in self.left_behind)

    async def _deleted(self, sessions: tuple[str, ...], first: tuple[str, ...]) -> tuple[str, ...]:
        """Delete ``first``, whose cascades may take the rest; returns those still there."""
        for session in first:
            await self._delete(session)
        return await self._still_there(sessions)

    async def _delete(self, session: str) -> None:
        delete = Invocation(Kind.DELETE, session)
        if await self._allowed(delete):  # else its id may be another's by now
            await self.ask(delete)

    async def _overdue(self) -> tuple[str, ...]:
        """The sessions that should have gone by now and have not."""
        now_s = time.monotonic()
        due = [s for by_s, sessions in self._going if by_s <= now_s for s in sessions]
        self._going = [(by_s, sessions) for by_s, sessions in self._going if by_s > now_s]
        late = await self._still_there(tuple(due))
        self._ownership.released(set(due).difference(late))
        return late

    async def _clean_in_a_hurry(self, run: TrialRun) -> None:
        """The trial was cut off: a create may have been in flight, so look for its tag."""
        if run.lost_a_create():
            await run.look_for_tags()
        await self._clean(run)

    async def _still_there(self, sessions: tuple[str, ...]) -> tuple[str, ...]:
        if len(sessions) >= _LIST_RATHER_THAN_GET:
            outcome = await self.ask(Invocation(Kind.LIST))
            if isinstance(outcome, Ok) and isinstance(outcome.result, Listed):
                return tuple(s for s in sessions if s in outcome.result.sessions)
        return tuple([s for s in sessions if not await self._is_gone(s)])

    async def _is_gone(self, session: str) -> bool:
        outcome = await self.ask(Invocation(Kind.GET, session))
        if isinstance(outcome, Ok) and isinstance(outcome.result, Undeclared):
            return self._target.promises.status_on_absent is AbsentPromise.ANY
        return isinstance(outcome, Ok) and isinstance(outcome.result, Absent)

    def _waited(self) -> bool:
        """Has a call of this trial waited too long? The next calls would mostly wait, too."""
        return self._watch is not None and bool(self._watch.controls)
