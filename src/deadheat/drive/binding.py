"""The record of one trial while it runs: symbols bound to ids, calls to operations.

Rules
- Symbols are bound as the creates answer; a call whose session never got an id, or whose id may
  be another client's by now, is left out, and the trial says so.
- Where a create may answer another client's session, that is read once before its first change, and
  outside the history: what races is what the program says.
- Only this module turns ``model.program`` calls into ``model.history`` invocations.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import anyio

from deadheat.drive.handshake import allowed
from deadheat.drive.wire.gate import Gate
from deadheat.model.history import (
    NAMING,
    Absent,
    Created,
    Deleted,
    Fail,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Place,
    Renamed,
    ancestors,
    parents_of,
    shown_sessions,
    shown_titles,
)
from deadheat.model.program import (
    Call,
    Create,
    Program,
    Recreate,
    Rename,
    Var,
    invocation_of,
    makes,
    needs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.drive.client import Reply
    from deadheat.drive.ownership import Ownership
    from deadheat.drive.wire.lane import LaneClient
    from deadheat.model.release import Release

# Of the settle time: when to look whether it has all come to rest already. Each look costs some
# requests, and most servers that say "within 2 s" mostly take some milliseconds.
_PARTS = (1 / 16, 1 / 4, 1)


class TrialSender(Protocol):
    """The part of the executor that a trial needs."""

    observer: LaneClient

    def lane(self, index: int) -> LaneClient:
        """The warm client of a lane."""
        ...

    async def afford(self, requests: int) -> None:
        """Wait until so many may be sent at once."""
        ...

    async def exchange(
        self, client: LaneClient, invocation: Invocation, held: tuple[Gate, int] | None = None
    ) -> Reply:
        """Send one call."""
        ...


class TrialRun:
    """One trial of ``program``, number ``number`` of its run."""

    def __init__(
        self,
        executor: TrialSender,
        program: Program,
        number: int,
        ownership: Ownership,
        settle_s: float = 0.0,
    ) -> None:
        self._settle_s = settle_s
        self._executor = executor
        self._program = program
        self._ownership = ownership
        self.number = number
        self.operations: list[Operation] = []
        self.ids: dict[Var, str] = {}
        self.tagged: set[str] = set()
        self.shown: set[str] = set()  # by any list, whichever client made it
        self.releases: list[tuple[Release, ...]] = []
        named = {needs(call) for call in program.calls()}
        self._only_children = frozenset(
            call.var
            for call in program.calls()
            if isinstance(call, Create) and call.parent is not None and call.var not in named
        )

    async def round(self, r: int) -> None:
        """Send one round and wait for all its answers."""
        lanes = self._program.rounds[r]
        await self._executor.afford(sum(map(len, lanes)))
        if len(lanes) == 1:
            for i, call in enumerate(lanes[0]):
                await self._read_first((r, 0, i), call)
                await self._place((r, 0, i), call, None)
            return
        for n, lane in enumerate(lanes):
            await self._read_first((r, n, 0), lane[0])
        gate = Gate([lane[0].offset_us for lane in lanes])
        async with anyio.create_task_group() as tasks:
            for n in range(len(lanes)):
                tasks.start_soon(self._lane, r, n, gate)
            self.releases.append(await gate.open())

    async def _lane(self, r: int, n: int, gate: Gate) -> None:
        first, *others = self._program.rounds[r][n]
        try:
            await self._place((r, n, 0), first, (gate, n))
        finally:
            gate.absent(n)  # when it failed before it could be held
        for i, call in enumerate(others, start=1):
            await self._read_first((r, n, i), call)
            if call.offset_us:
                await anyio.sleep(call.offset_us / 1e6)
            await self._place((r, n, i), call, None)

    async def _read_first(self, place: Place, call: Call) -> None:
        """Among others: read, once and before its first change, what a create answered."""
        invocation = self._bound(call, place)
        about = None if invocation is None else self._ownership.about(invocation)
        if invocation is None or about is None or not self._ownership.unread(about):
            return

        async def ask(read: Invocation) -> Outcome:
            await self._executor.afford(1)
            outcome, *_ = await self._executor.exchange(self._executor.lane(place[1]), read)
            return outcome

        await allowed(ask, self._ownership, invocation, self._settle_s)

    async def _place(self, place: Place, call: Call, held: tuple[Gate, int] | None) -> None:
        invocation = self._bound(call, place)
        if invocation is None or not self._ownership.may(invocation):
            return  # the trial says so: ``model.raced``
        lane = place[1]
        outcome = await self._record(self._executor.lane(lane), lane, invocation, held, place)
        known = invocation.session if invocation.kind in NAMING else None
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            known = outcome.result.session
        if known is not None and self._ownership.owns(known):
            made = makes(call)
            if made is not None:
                self.ids[made] = known
            elif isinstance(call, Recreate):
                self.tagged.add(known)

    def _bound(self, call: Call, place: Place) -> Invocation | None:
        match call:
            case Recreate(var):
                return self._ownership.create(self.number, var.name, kind=Kind.RECREATE)
            case Create(var):
                create = self._ownership.create(self.number, var.name)
                asked = invocation_of(call, self.ids)
                return None if asked is None else replace(create, parent=asked.parent)
            case Rename(var):
                title = self._ownership.title(self.number, f"{var.name} {_spelt(place)}")
                return invocation_of(call, self.ids, title)
            case _:
                return invocation_of(call, self.ids)

    async def _record(
        self,
        client: LaneClient,
        lane: int,
        invocation: Invocation,
        held: tuple[Gate, int] | None,
        place: Place | None,
    ) -> Outcome:
        outcome, call_ns, return_ns, status, _ = await self._executor.exchange(
            client, invocation, held
        )
        self.operations.append(
            Operation(
                index=len(self.operations),
                lane=lane,
                invocation=invocation,
                outcome=outcome,
                call_ns=call_ns,
                return_ns=return_ns,
                at_rest=place is None,
                place=place,
                status=status,
            )
        )
        if isinstance(outcome, Ok) and isinstance(outcome.result, Listed):
            self.shown |= outcome.result.sessions
            for entry in outcome.result.entries:
                # A create whose answer was lost is ours all the same: the tag says so.
                named = self._ownership.named_in_trial(entry.session, self.number)
                if named or self._ownership.of_trial(entry.title, self.number):
                    self._ownership.adopt(entry.session)
                    if self._ownership.owns(entry.session):
                        self.tagged.add(entry.session)
        return outcome

    async def look_for_tags(self) -> None:
        """Read the list, only to adopt what carries this trial's tag."""
        await self._record(self._executor.observer, 0, Invocation(Kind.LIST), None, None)

    async def read_at_rest(self) -> None:
        """Nothing is in flight: read the list, then each session.

        But for children that nothing else was asked about, where the list already says what
        was to be expected: families are large, and each request costs a race.
        """
        client, lane = self._executor.observer, max(self._program.concurrency, 1)
        await self._record(client, lane, Invocation(Kind.LIST), None, None)
        listed = shown_sessions(self.operations[-1])
        taken = self._taken()
        for var, session in self.ids.items():
            if var in self._only_children and (session in listed) is (session not in taken):
                continue
            await self._record(client, lane, Invocation(Kind.GET, session), None, None)

    async def settle(self, settle_s: float, *, patient: bool) -> int | None:
        """Wait for the settle time, if needed, and read again; returns the first of these reads."""
        began_s, since = time.monotonic(), 0
        for part in _PARTS[-1:] if patient else _PARTS:
            if not patient and self.looks_settled(since):
                break
            await anyio.sleep(max(0.0, began_s + settle_s * part - time.monotonic()))
            since = len(self.operations)
            await self.read_at_rest()
        return since or None

    def _taken(self) -> frozenset[str]:
        """The sessions that an acknowledged delete should have taken, itself or by cascade."""
        taken = {
            str(op.invocation.session) for op in self.operations if isinstance(op.result, Deleted)
        }
        for session, parent in parents_of(self.operations).items():  # in order of birth
            if parent in taken:
                taken.add(session)
        return frozenset(taken)

    def looks_settled(self, since: int = 0) -> bool:
        """Does every read at rest since that operation agree with the changes acknowledged?

        Only decides whether to wait for the target's settle time; the verdict is the checker's.
        """
        deleted = self._taken()
        live = set(self.ids.values()) - deleted
        last = self._last_titles()
        for op in self.operations[since:]:
            if op.at_rest:
                asked = {op.invocation.session} if op.kind is Kind.GET else live
                if shown_sessions(op) & deleted or not asked & live <= shown_sessions(op):
                    return False
                for session, title in shown_titles(op):
                    if title not in last.get(session, {title}):
                        return False
        return True

    def _last_titles(self) -> dict[str, set[str | None]]:
        """The titles that a renamed session may have in the end."""
        by_session: dict[str, list[Operation]] = {}
        for op in self.operations:
            refused = isinstance(op.outcome, Fail) or (
                isinstance(op.outcome, Ok) and not isinstance(op.outcome.result, Renamed)
            )
            if op.kind is Kind.RENAME and not refused:
                by_session.setdefault(str(op.invocation.session), []).append(op)
        return {
            session: {
                op.invocation.title
                for op in renames
                if op.return_ns is None or all(op.return_ns >= o.call_ns for o in renames)
            }
            for session, renames in by_session.items()
            if any(isinstance(op.outcome, Ok) for op in renames)
        }

    def lost_a_create(self) -> bool:
        """Was a create sent whose id is not known? (It may have been sent without an operation:
        a trial that is cut off has no record of what was in flight.)"""
        asked = sum(makes(call) is not None for call in self._program.calls())
        return asked > len(self.ids)

    def ours(self) -> set[str]:
        """The ids that this trial was given, or that a list showed under its tag."""
        return {*self.ids.values(), *self.tagged}

    def may_be_there(self) -> tuple[str, ...]:
        """Our sessions that the reads at rest do not prove to be gone, parents first."""
        ours = {**dict.fromkeys(self.ids.values()), **dict.fromkeys(sorted(self.tagged))}
        gone: set[str] = set()
        shown: set[str] = set()
        for op in self.operations:
            if not op.at_rest:
                continue
            shown |= shown_sessions(op)
            if isinstance(op.result, Absent):
                gone.add(str(op.invocation.session))
        unasked = {self.ids[var] for var in self._only_children if var in self.ids}
        gone |= unasked & self._taken()
        return tuple(s for s in ours if s not in gone or s in shown)

    def roots(self, sessions: Iterable[str]) -> tuple[str, ...]:
        """The sessions that have no ancestor among ``sessions``."""
        parents, among = parents_of(self.operations), frozenset(sessions)
        return tuple(s for s in sessions if among.isdisjoint(ancestors(s, parents)))


def _spelt(place: Place) -> str:
    return ".".join(str(n + 1) for n in place)
