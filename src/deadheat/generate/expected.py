"""The program drawn so far, and the model of expected session state beside it.

Rules
- A call goes where it was drawn to go, or where its session is known: a lane cannot name what
  another lane of the same race only creates.
- ``finished(program)`` is called once for each program drawn to its end, and
  never for one that Hypothesis gave up on.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import ClassVar

from hypothesis.stateful import RuleBasedStateMachine

from deadheat.model.history import Custom, Kind
from deadheat.model.program import (
    Call,
    Create,
    Delete,
    Fork,
    Program,
    Recreate,
    Var,
    canonical,
    changes,
    makes,
    needs,
    overlapping_pairs,
    var_of,
)

# More sessions than this spread the calls too thin to contend (the ghost needs two).
_MOST_SESSIONS = 6
_LONGEST_LANE = 3


class Expected(StrEnum):
    """What the model expects to hold for a session."""

    LIVE = "live"
    DELETED = "deleted"
    CONTENDED = "contended"  # changed in the race that is still open


class DrawnSoFar(RuleBasedStateMachine):
    """The program and model that the rules of ``ProgramMachine`` append to. It has no rules."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.CREATE, Kind.DELETE, Kind.GET, Kind.LIST})
    families: ClassVar[bool] = False
    custom: ClassVar[tuple[Custom, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.expected: dict[Var, Expected] = {}
        self._rounds: list[tuple[tuple[Call, ...], ...]] = []
        self._race: list[list[Call]] | None = None
        self._born_in: dict[Var, int] = {}  # lane of the open race that creates the session
        self._family: dict[Var, tuple[Var, ...]] = {}  # made before the first race, by parent

    # --- the model, as preconditions read it ------------------------------------------------

    def _racing(self) -> bool:
        return self._race is not None

    def _may_create(self) -> bool:
        children = sum(map(len, self._family.values()))
        few = len(self.expected) - children < _MOST_SESSIONS
        return few and (self._racing() or self._after_race())

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

    def _has_family(self) -> bool:
        return self._racing() and bool(self._family)

    def _has_changed(self) -> bool:
        return self._has_family() and bool(self._changed_last())

    def _may_join(self) -> bool:
        return bool(self._family) and self._may_create()

    def _may_rename(self) -> bool:
        return Kind.RENAME in self.kinds and self._racing()

    def _may_recreate(self) -> bool:
        return Kind.RECREATE in self.kinds and self._may_read()

    def _may_call_custom(self) -> bool:
        return bool(self.custom) and self._may_read()

    def _may_fork(self) -> bool:
        return Kind.FORK in self.kinds and self._may_create()

    def _may_read_children(self) -> bool:
        return Kind.CHILDREN in self.kinds and self._may_read() and bool(self._family)

    def _contended(self) -> bool:
        return self._racing() and Expected.CONTENDED in self.expected.values()

    # --- for rules of your own --------------------------------------------------------------

    def racing(self) -> bool:
        """Is a race open? What is appended then overlaps with the other lanes."""
        return self._racing()

    def append(self, call: Call, lane: int = 0) -> None:
        """Add a call on a session that some rule has made, to the open race or as a round.

        In a race ``lane`` is where it should go; it goes where its session is known.
        """
        if makes(call) is not None:
            raise ValueError("the machine names what it makes: call create(…) or fork(…)")
        if isinstance(call, Delete):
            self._delete(call.var, lane, call.offset_us)
        else:
            self._append(call, lane)

    # --- the program ------------------------------------------------------------------------

    def program(self) -> Program:
        """What has been drawn so far, in canonical form."""
        open_round = [tuple(tuple(lane) for lane in self._race)] if self._race else []
        return canonical(Program((*self._rounds, *open_round)))

    def finished(self, program: Program) -> None:
        """Called with each whole program; the default does nothing."""

    def teardown(self) -> None:
        """Hand the program over, unless Hypothesis gave up drawing it."""
        if sys.exc_info()[0] is None:
            self.finished(self.program())

    def _next(self) -> Var:
        return Var(len(self.expected))

    def _parent(self, number: int) -> Var:
        heads = tuple(self._family)
        return heads[number % len(heads)]

    def _child(self, number: int) -> Var:
        below = tuple(child for family in self._family.values() for child in family)
        return below[number % len(below)]

    def _above(self, session: Var | None) -> Var | None:
        return next((top for top, below in self._family.items() if session in below), None)

    def _has_room(self, lane: int) -> bool:
        return self._race is not None and len(self._race[lane]) < _LONGEST_LANE

    def _changed_last(self) -> tuple[tuple[int, Call], ...]:
        """The lanes of the open race that end with a change in a family, and that call."""
        return tuple(
            (lane, calls[-1])
            for lane, calls in enumerate(self._race or ())
            if calls and changes(calls[-1]) and self._has_room(lane) and self._related(calls[-1])
        )

    def _related(self, call: Call) -> bool:
        if makes(call) is not None:
            return needs(call) is not None
        session = var_of(call)
        return session in self._family or self._above(session) is not None

    def _create(self, lane: int, offset_us: int, parent: Var | None = None) -> Var:
        return self._make(Create(self._next(), offset_us, parent), lane)

    def _make(self, call: Create | Fork, lane: int) -> Var:
        self.expected[call.var] = Expected.LIVE
        lane = self._append(call, lane)
        if self._racing():
            self._born_in[call.var] = lane
        return call.var

    def _delete(self, session: Var, lane: int, offset_us: int) -> None:
        self.expected[session] = Expected.CONTENDED if self._racing() else Expected.DELETED
        self._append(Delete(session, offset_us), lane)

    def _recreate(self, session: Var, lane: int, offset_us: int) -> None:
        if self.expected[session] is Expected.DELETED:
            self.expected[session] = Expected.CONTENDED if self._racing() else Expected.LIVE
        self._append(Recreate(session, offset_us), lane)

    def _append(self, call: Call, lane: int) -> int:
        """Put the call in its lane, or where its session is known; returns that lane."""
        race = self._race
        if race is None:
            self._rounds.append(((call,),))
            return 0
        needed = None if isinstance(call, Recreate) else needs(call)  # it needs the name only
        born_in = None if needed is None else self._born_in.get(needed)
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
