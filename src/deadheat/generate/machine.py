"""The Hypothesis state machine that proposes programs.

Rules
- Its rules append symbolic calls and move the model of expected session state.
  Nothing is sent while Hypothesis draws, so what is drawn never depends on
  what a racy server answered (measured: otherwise ``FlakyStrategyDefinition``).
- A race is opened, filled and closed; calls drawn in between share its round.
  It cannot be closed before two lanes overlap with at least one change.
- Only calls that the target has are drawn (``kinds``, ``families``, ``custom``).
- ``finished(program)`` is called once for each program drawn to its end, and
  never for one that Hypothesis gave up on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
)

from deadheat.generate.expected import DrawnSoFar
from deadheat.model.program import (
    Children,
    CustomCall,
    Fork,
    Get,
    List,
    Program,
    Rename,
    Var,
    makes,
    needs,
    var_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Log-spaced, so that windows of 50 µs and of 4 ms are hit equally often; round, so that a
# found program reads well. 0 is one value of many: alone it would miss most windows
# (DESIGN §5: 1 % of trials at 0 against 12 % at 700 µs).
OFFSETS_US = (0, 20, 30, 50, 70, 100, 150, 200, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000)

_MOST_LANES = 5  # the reporter's own number; more lanes cost a round trip each and find no more

# Sessions below the first one. None in half of the programs, so that families do not drown the
# plain races; up to 16, as a longer cascade is a wider window (OpenCode 1.18.33 shows nothing with
# fewer than 4). Each child is a request before the race begins.
_CHILDREN = (*(0,) * 9, 1, 2, 3, 4, 5, 6, 8, 12, 16)
# And below the second one, where there is such a family.
_COUSINS = (*(0,) * 7, 1, 2, 4)


class ProgramMachine(DrawnSoFar):
    """Draws one program. Subclass and override ``finished`` to do something with it."""

    live = Bundle("live")  # created, and no delete asked for yet
    doomed = Bundle("doomed")  # some delete has been asked for
    offsets_us: ClassVar[tuple[int, ...]] = OFFSETS_US

    _numbers = st.integers(0, max(_CHILDREN) + max(_COUSINS) - 1)
    _lanes = st.integers(0, _MOST_LANES - 1)
    _after = st.sampled_from((None, None, True, False))
    _offsets = st.runner().flatmap(lambda machine: st.sampled_from(machine.offsets_us))

    # --- rules ------------------------------------------------------------------------------

    @initialize(
        target=live,
        count=st.integers(1, 3),
        children=st.sampled_from(_CHILDREN),
        cousins=st.sampled_from(_COUSINS),
    )
    def some_sessions(self, count: int, children: int, cousins: int) -> MultipleResults[Var]:
        """Sessions to race on, some with a family, and the first race.

        Before it nothing else is worth a request.
        """
        made = [self._create(0, 0) for _ in range(count)]
        for head, below in zip(made, (children, cousins), strict=False):
            if self.families and children and below:
                self._family[head] = tuple(self._create(0, 0, head) for _ in range(below))
        self._race = []
        return multiple(*made)

    @precondition(DrawnSoFar._may_open)
    @rule()
    def open_race(self) -> None:
        """From here on calls share one round."""
        self._race = []

    @precondition(DrawnSoFar._worthwhile)
    @rule()
    def close_race(self) -> None:
        """All lanes have answered before anything else is sent."""
        self._close()

    @precondition(DrawnSoFar._may_create)
    @rule(target=live, lane=_lanes, offset_us=_offsets)
    def create(self, lane: int, offset_us: int) -> Var:
        """A new session."""
        return self._create(lane, offset_us)

    @precondition(DrawnSoFar._may_delete)
    @rule(target=doomed, session=consumes(live), lane=_lanes, offset_us=_offsets)
    def delete(self, session: Var, lane: int, offset_us: int) -> Var:
        """Delete a session whose delete was not asked for yet."""
        self._delete(session, lane, offset_us)
        return session

    @precondition(DrawnSoFar._racing)
    @rule(target=doomed, session=consumes(live), lane=_lanes, offset_us=_offsets)
    def delete_in_race(self, session: Var, lane: int, offset_us: int) -> Var:
        """The same, a second time: deletes are what most races are made of."""
        self._delete(session, lane, offset_us)
        return session

    @precondition(DrawnSoFar._contended)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def delete_again(self, session: Var, lane: int, offset_us: int) -> None:
        """Delete a session whose delete has been asked for already."""
        self._delete(session, lane, offset_us)

    @precondition(DrawnSoFar._may_read)
    @rule(session=live, lane=_lanes, offset_us=_offsets)
    def get(self, session: Var, lane: int, offset_us: int) -> None:
        """Read a session that should be there."""
        self._append(Get(session, offset_us), lane)

    @precondition(DrawnSoFar._may_read)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def get_doomed(self, session: Var, lane: int, offset_us: int) -> None:
        """Read a session that is going or gone."""
        self._append(Get(session, offset_us), lane)

    @precondition(DrawnSoFar._may_read)
    @rule(lane=_lanes, offset_us=_offsets)
    def list(self, lane: int, offset_us: int) -> None:
        """Read the whole collection."""
        self._append(List(offset_us), lane)

    @precondition(DrawnSoFar._may_join)
    @rule(target=live, parent=live, lane=_lanes, offset_us=_offsets)
    def create_below(self, parent: Var, lane: int, offset_us: int) -> Var:
        """A new session below one that should be there."""
        return self._create(lane, offset_us, parent)

    @precondition(DrawnSoFar._may_join)
    @rule(target=live, parent=doomed, lane=_lanes, offset_us=_offsets)
    def create_below_doomed(self, parent: Var, lane: int, offset_us: int) -> Var:
        """A new session below one that is going or gone."""
        return self._create(lane, offset_us, parent)

    @precondition(lambda self: self._has_family() and self._may_create())
    @rule(target=live, number=_numbers, lane=_lanes, offset_us=_offsets, head=_after, wait=_offsets)
    def create_in_family(
        self, number: int, lane: int, offset_us: int, head: bool | None, wait: int
    ) -> Var:
        """One more child; half of the time its maker looks: at the parent, or at the child."""
        made = self._create(lane, offset_us, self._parent(number))
        if head is not None and self._has_room(self._born_in[made]):
            self._append(Get(self._parent(number) if head else made, wait), self._born_in[made])
        return made

    @precondition(DrawnSoFar._has_family)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def delete_parent(self, number: int, lane: int, offset_us: int) -> None:
        """Delete the head of a family: what is below it is at stake, too."""
        self._delete(self._parent(number), lane, offset_us)

    @precondition(DrawnSoFar._has_family)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def delete_child(self, number: int, lane: int, offset_us: int) -> None:
        """Delete one of a family."""
        self._delete(self._child(number), lane, offset_us)

    @precondition(DrawnSoFar._has_family)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def delete_child_too(self, number: int, lane: int, offset_us: int) -> None:
        """The same, a second time: as for ``delete_in_race``."""
        self._delete(self._child(number), lane, offset_us)

    @precondition(DrawnSoFar._has_family)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def get_child(self, number: int, lane: int, offset_us: int) -> None:
        """Read one of a family."""
        self._append(Get(self._child(number), offset_us), lane)

    @precondition(DrawnSoFar._has_family)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def get_parent(self, number: int, lane: int, offset_us: int) -> None:
        """Read the head of a family."""
        self._append(Get(self._parent(number), offset_us), lane)

    @precondition(DrawnSoFar._has_changed)
    @rule(number=_numbers, head=st.booleans(), offset_us=_offsets)
    def look_after(self, number: int, head: bool, offset_us: int) -> None:
        """After a change of a family, the same client reads that session, or the one above.

        What it sees after its own change settles an order.
        """
        ends = self._changed_last()
        lane, last = ends[number % len(ends)]
        above = needs(last) if makes(last) is not None else self._above(var_of(last))
        read = above if head and above is not None else var_of(last)
        if read is not None:
            self._append(Get(read, offset_us), lane)

    @precondition(DrawnSoFar._may_read_children)
    @rule(number=_numbers, lane=_lanes, offset_us=_offsets)
    def children(self, number: int, lane: int, offset_us: int) -> None:
        """Read who is below the head of a family."""
        self._append(Children(self._parent(number), offset_us), lane)

    @precondition(DrawnSoFar._may_rename)
    @rule(session=live, lane=_lanes, offset_us=_offsets)
    def rename(self, session: Var, lane: int, offset_us: int) -> None:
        """Give a session another title."""
        self._append(Rename(session, offset_us), lane)

    @precondition(DrawnSoFar._may_rename)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def rename_doomed(self, session: Var, lane: int, offset_us: int) -> None:
        """The same for a session that is going or gone."""
        self._append(Rename(session, offset_us), lane)

    @precondition(DrawnSoFar._may_recreate)
    @rule(session=live, lane=_lanes, offset_us=_offsets)
    def recreate(self, session: Var, lane: int, offset_us: int) -> None:
        """Create under the name of a session that should be there, or is being made."""
        self._recreate(session, lane, offset_us)

    @precondition(DrawnSoFar._may_recreate)
    @rule(session=doomed, lane=_lanes, offset_us=_offsets)
    def recreate_doomed(self, session: Var, lane: int, offset_us: int) -> None:
        """The same under the name of one that is going or gone."""
        self._recreate(session, lane, offset_us)

    # Hypothesis orders rules by their names: another name here draws other programs of a seed.
    @precondition(DrawnSoFar._may_call_custom)
    @rule(session=live, number=_numbers, lane=_lanes, offset_us=_offsets)
    def call_own(self, session: Var, number: int, lane: int, offset_us: int) -> None:
        """A custom call on a session that should be there."""
        self._append(CustomCall(self.custom[number % len(self.custom)], session, offset_us), lane)

    @precondition(DrawnSoFar._may_call_custom)
    @rule(session=live, number=_numbers, lane=_lanes, offset_us=_offsets)
    def call_own_too(self, session: Var, number: int, lane: int, offset_us: int) -> None:
        """The same, a second time: a custom call that is declared should be tried often."""
        self._append(CustomCall(self.custom[number % len(self.custom)], session, offset_us), lane)

    @precondition(DrawnSoFar._may_call_custom)
    @rule(session=doomed, number=_numbers, lane=_lanes, offset_us=_offsets)
    def call_own_on_doomed(self, session: Var, number: int, lane: int, offset_us: int) -> None:
        """The same on one that is going or gone."""
        self._append(CustomCall(self.custom[number % len(self.custom)], session, offset_us), lane)

    @precondition(DrawnSoFar._may_fork)
    @rule(target=live, source=live, lane=_lanes, offset_us=_offsets)
    def fork(self, source: Var, lane: int, offset_us: int) -> Var:
        """A copy of a session that should be there."""
        return self._make(Fork(self._next(), source, offset_us), lane)

    @precondition(DrawnSoFar._may_fork)
    @rule(target=live, source=doomed, lane=_lanes, offset_us=_offsets)
    def fork_doomed(self, source: Var, lane: int, offset_us: int) -> Var:
        """A copy of a session that is going or gone."""
        return self._make(Fork(self._next(), source, offset_us), lane)

    @precondition(lambda self: not self._racing() and not self._may_create())
    @rule()
    def rest(self) -> None:
        """Do nothing; some rule must always be possible."""


def kinds(program: Program) -> Iterator[str]:
    """The class name of each call, for statistics of the drawn programs."""
    return (type(call).__name__ for call in program.calls())
