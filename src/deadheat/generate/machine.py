"""The Hypothesis state machine that proposes programs.

Rules
- Its rules append symbolic calls and move the model of expected session state.
  Nothing is sent while Hypothesis draws, so what is drawn never depends on
  what a racy server answered (measured: otherwise ``FlakyStrategyDefinition``).
- A race is opened, filled and closed; calls drawn in between share its round.
  It cannot be closed before two lanes overlap with at least one change.
- ``finished(program)`` is called once for each program drawn to its end, and
  never for one that Hypothesis gave up on.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
)

from deadheat.core.program import (
    Call,
    Create,
    Delete,
    Get,
    List,
    Program,
    Var,
    canonical,
    overlapping_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Log-spaced, so that windows of 50 µs and of 4 ms are hit equally often; round, so that a
# found program reads well. 0 is one value of many: alone it would miss most windows
# (DESIGN §5: 1 % of trials at 0 against 12 % at 700 µs).
OFFSETS_US = (0, 20, 30, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000)

# More sessions than this spread the calls too thin to contend (the ghost needs two).
_MOST_SESSIONS = 6
_MOST_LANES = 5  # the reporter's own number; more lanes cost a round trip each and find no more
_LONGEST_LANE = 3


class Expected(StrEnum):
    """What the model expects of a session."""

    LIVE = "live"
    DELETED = "deleted"
    CONTENDED = "contended"  # changed in the race that is still open


class ProgramMachine(RuleBasedStateMachine):
    """Draws one program. Subclass and override ``finished`` to do something with it."""

    live = Bundle("live")  # created, and no delete asked for yet
    doomed = Bundle("doomed")  # some delete has been asked for
    offsets_us: ClassVar[tuple[int, ...]] = OFFSETS_US

    _lanes = st.integers(0, _MOST_LANES - 1)
    _offsets = st.runner().flatmap(lambda machine: st.sampled_from(machine.offsets_us))

    def __init__(self) -> None:
        super().__init__()
        self.expected: dict[Var, Expected] = {}
        self._rounds: list[tuple[tuple[Call, ...], ...]] = []
        self._race: list[list[Call]] | None = None
        self._born_in: dict[Var, int] = {}  # lane of the open race that creates the session

    # --- the model, as preconditions read it ------------------------------------------------

    def _racing(self) -> bool:
        return self._race is not None

    def _may_create(self) -> bool:
        return len(self.expected) < _MOST_SESSIONS and (self._racing() or self._after_race())

    def _may_open(self) -> bool:
        return not self._racing() and Expected.LIVE in self.expected.values()

    def _worthwhile(self) -> bool:
        race = self._race
        return race is not None and overlapping_pairs(_one_round(race)) > 0

    def _after_race(self) -> bool:
        return bool(self._rounds) and len(self._rounds[-1]) > 1

    def _may_read(self) -> bool:
        return self._racing() or self._after_race()

    def _may_delete(self) -> bool:
        """Outside a race only between races, and while another session is left to race on."""
        spare = sum(state is Expected.LIVE for state in self.expected.values()) > 1
        return self._racing() or (self._after_race() and spare)

    def _contended(self) -> bool:
        return self._racing() and Expected.CONTENDED in self.expected.values()

    # --- rules ------------------------------------------------------------------------------

    @initialize(target=live, count=st.integers(1, 3))
    def some_sessions(self, count: int) -> MultipleResults[Var]:
        """Sessions to race on, and the first race: before it nothing else is worth a request."""
        made = multiple(*(self._create(0, 0) for _ in range(count)))
        self._race = []
        return made

    @precondition(_may_open)
    @rule()
    def open_race(self) -> None:
        """From here on calls share one round."""
        self._race = []

    @precondition(_worthwhile)
    @rule()
    def close_race(self) -> None:
        """All lanes have answered before anything else is sent."""
        self._close()

    @precondition(_may_create)
    @rule(target=live, lane=_lanes, offset_us=_offsets)
    def create(self, lane: int, offset_us: int) -> Var:
        """A new session."""
        return self._create(lane, offset_us)

    @precondition(_may_delete)
    @rule(target=doomed, session=consumes(live), lane=_lanes, offset_us=_offsets)
    def delete(self, session: Var, lane: int, offset_us: int) -> Var:
        """Delete a session that nobody has asked to delete."""
        self._delete(session, lane, offset_us)
        return session

    @precondition(_racing)
    @rule(target=doomed, session=consumes(live), lane=_lanes, offset_us=_offsets)
    def delete_in_race(self, session: Var, lane: int, offset_us: int) -> Var:
        """The same, a second time: deletes are what most races are made of."""
        self._delete(session, lane, offset_us)
        return session

    @precondition(_contended)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def delete_again(self, session: Var, lane: int, offset_us: int) -> None:
        """Delete a session whose delete has been asked for already."""
        self._delete(session, lane, offset_us)

    @precondition(_may_read)
    @rule(session=live, lane=_lanes, offset_us=_offsets)
    def get(self, session: Var, lane: int, offset_us: int) -> None:
        """Read a session that should be there."""
        self._append(Get(session, offset_us), lane)

    @precondition(_may_read)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def get_doomed(self, session: Var, lane: int, offset_us: int) -> None:
        """Read a session that is going or gone."""
        self._append(Get(session, offset_us), lane)

    @precondition(_may_read)
    @rule(lane=_lanes, offset_us=_offsets)
    def list(self, lane: int, offset_us: int) -> None:
        """Read the whole collection."""
        self._append(List(offset_us), lane)

    @precondition(lambda self: not self._racing() and not self._may_create())
    @rule()
    def rest(self) -> None:
        """Nothing; some rule must always be possible."""

    # --- the program ------------------------------------------------------------------------

    def program(self) -> Program:
        """What has been drawn so far, in canonical form."""
        open_round = [tuple(tuple(lane) for lane in self._race)] if self._race else []
        return canonical(Program((*self._rounds, *open_round)))

    def finished(self, program: Program) -> None:
        """Called with each whole program; the default does nothing."""

    def teardown(self) -> None:
        """Hand the program over, unless Hypothesis aborted the drawing of it."""
        if sys.exc_info()[0] is None:
            self.finished(self.program())

    def _create(self, lane: int, offset_us: int) -> Var:
        var = Var(len(self.expected))
        self.expected[var] = Expected.LIVE
        lane = self._append(Create(var, offset_us), lane)
        if self._racing():
            self._born_in[var] = lane
        return var

    def _delete(self, session: Var, lane: int, offset_us: int) -> None:
        self.expected[session] = Expected.CONTENDED if self._racing() else Expected.DELETED
        self._append(Delete(session, offset_us), lane)

    def _append(self, call: Call, lane: int) -> int:
        """Put the call where it was drawn to go, or where its session is known; that lane."""
        race = self._race
        if race is None:
            self._rounds.append(((call,),))
            return 0
        born_in = None if isinstance(call, Create | List) else self._born_in.get(call.var)
        lane = _lane_with_room(race, lane) if born_in is None else born_in
        while len(race) <= lane:
            race.append([])
        race[lane].append(call)
        return lane

    def _close(self) -> None:
        if self._race:
            self._rounds.append(tuple(tuple(lane) for lane in self._race))
        self._race = None
        self._born_in.clear()
        for session, state in self.expected.items():
            if state is Expected.CONTENDED:
                self.expected[session] = Expected.DELETED


def _lane_with_room(race: list[list[Call]], lane: int) -> int:
    """``lane``, or the next one that is not full; a new one comes directly after the last."""
    lane = min(lane, len(race))
    others: tuple[int, ...] = (*range(lane, len(race)), *range(lane))
    for candidate in (lane, *others):
        if candidate == len(race) or len(race[candidate]) < _LONGEST_LANE:
            return candidate
    return len(race)


def _one_round(race: list[list[Call]]) -> Program:
    return Program((tuple(tuple(lane) for lane in race if lane),))


def kinds(program: Program) -> Iterator[str]:
    """For reports of make-up: the name of each call's class."""
    return (type(call).__name__ for call in program.calls())
