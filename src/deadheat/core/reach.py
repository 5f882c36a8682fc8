"""The state that the sweep builds: what is there, which calls are open, which reads wait.

Rules
- A write is made when its answer, or a read that is about to return, needs it. Before
  it takes from a list that waits what it shows, or adds what it lacks for good, that
  list is placed; where it may lack it again later that is a choice, and counted.
- Every step is legal where it is made; what cannot be made ends in ``GiveUp``.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from deadheat.core.history import Absent, Found, Kind, Listed, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AFTER_ALL = 1 << 70
REFUSED = -1
NONE: frozenset[int] = frozenset()
_ENTRY = attrgetter("session", "title")
# Lists that may wait at once: each is looked at before each write, and with more of them than
# this the first choice is mostly a wrong one. At 16 the sweep gave up on long histories of 30
# clients and 40 % lists (3.5 to 4.6 times the cost an operation of short ones, against 2.8 at 22);
# at 30 short ones of 100 clients cost half as much again.
_WAITING = 22


class GiveUp(Exception):
    """This history needs the full decision; with the session that the way ended at, if at one."""

    def __init__(self, session: str | None = None) -> None:
        self.session = session


class Reach:
    """Open calls and waiting reads by position in ``ops``; see the module's rules."""

    __slots__ = (
        "choices",
        "creates",
        "deletes",
        "done",
        "gets",
        "gone",
        "lists",
        "live",
        "loose",
        "now",
        "ops",
        "order",
        "reaching",
        "renamed",
        "renames",
        "strict",
        "titled",
        "turned",
        "untold",
    )

    def __init__(
        self, operations: Sequence[Operation], existing: Iterable[str], *, strict_delete: bool
    ) -> None:
        self.ops = operations
        self.strict = strict_delete
        self.now = -AFTER_ALL
        self.live: dict[str, str | None] = dict.fromkeys(existing)
        self.gone: set[str] = set()  # of those whose create nobody knows
        self.order: list[int] = []
        self.done = bytearray(len(operations))
        # Reads that do not fit yet. Of a list: what it shows, once that was needed.
        self.lists: dict[int, dict[str, str | None] | None] = {}
        self.gets: dict[str, list[int]] = {}
        self.reaching: set[int] = set()  # lists that the writes under way are made for
        # The writes, by what they would do; open from their call on.
        self.creates: dict[str, int] = {}
        self.loose: dict[str, int] = {}  # creates whose id nobody knows, by title
        self.untold: list[int] = []  # those without a title
        self.deletes: dict[str, list[int]] = {}
        self.renames: dict[tuple[str, str], int] = {}
        self.renamed: dict[str, list[int]] = {}  # with success, by session
        self.titled = False  # while nobody writes titles they say nothing
        for session in self.live:
            self.creates[session] = REFUSED
        # Choices made so far, and the one that is made the other way.
        self.choices = 0
        self.turned = NONE

    def _is_open(self, i: int) -> bool:
        return not self.done[i] and self.ops[i].call_ns <= self.now

    # -- does a read fit? ------------------------------------------------------------------

    def asked(self, i: int, session: str | None) -> None:
        """A read of one session that does not fit, or of a title that needs a closer look."""
        if self._fits(i):
            self._place(i)
        else:
            self.gets.setdefault(str(session), []).append(i)

    def listed(self, i: int) -> None:
        if self._fits(i):
            self._place(i)
            del self.lists[i]
        else:
            self.lists.setdefault(i, None)

    def _fits(self, i: int) -> bool:
        live, op = self.live, self.ops[i]
        result: Any = op.outcome.result  # type: ignore[union-attr]
        if type(result) is Listed:
            if len(result.entries) != len(live):
                return False
            shown = self._shown(i)
            if shown == live:
                return True
            return shown.keys() == live.keys() and all(
                self._carries(session, title) for session, title in shown.items()
            )
        session = str(op.invocation.session)
        if type(result) is Found:
            return session in live and self._carries(session, result.title)
        return session not in live

    def _shown(self, i: int) -> dict[str, str | None]:
        shown = self.lists.get(i)
        if shown is None:
            entries = self.ops[i].outcome.result.entries  # type: ignore[union-attr]
            shown = self.lists[i] = dict(map(_ENTRY, entries))
            if len(shown) != len(entries):
                raise GiveUp
        return shown

    def _carries(self, session: str, title: str | None) -> bool:
        """May the session, which lives, be shown with this title?"""
        if title is None or not self.titled:
            return True
        known = self.live[session]
        if known is None:  # any title that no call writes
            return (session, title) not in self.renames
        return known == title

    # -- returns ---------------------------------------------------------------------------

    def _place(self, i: int) -> None:
        self.done[i] = 1
        self.order.append(i)

    def returned(self, i: int) -> None:
        """The last instant for ``i``: make what it says true."""
        op = self.ops[i]
        result: Any = op.outcome.result  # type: ignore[union-attr]
        kind = type(result)
        if kind is Listed:
            self._reach_list(i)
        elif kind is Found:
            self._reach(str(op.invocation.session), result.title)
        elif kind is Absent:
            self._end(str(op.invocation.session))
        else:
            self._write(i)
        if not self.done[i]:
            raise GiveUp

    def _reach_list(self, i: int) -> None:
        """Change what keeps list ``i`` from fitting. Others may be placed on the way."""
        shown = self._shown(i)
        self.reaching.add(i)
        while not self.done[i]:  # what is placed on the way may change more
            extra = next((s for s in self.live if s not in shown), None)
            if extra is not None:
                self._end(extra)
                continue
            for session, title in shown.items():
                if session not in self.live or not self._carries(session, title):
                    self._reach(session, title)
                    break
            else:
                raise GiveUp
        self.reaching.discard(i)

    def _reach(self, session: str, title: str | None) -> None:
        """Make the session live under this title, by writes that are open."""
        if session not in self.live:
            create = self._maker(session, title)
            if create is None:
                raise GiveUp(session)
            known = self.ops[create].invocation.title
            self._born(session, known, create)
        if session in self.live and not self._carries(session, title):
            rename = self.renames.get((session, str(title)), REFUSED)
            if rename == REFUSED or not self._is_open(rename):
                raise GiveUp
            self._write(rename)

    def _maker(self, session: str, title: str | None) -> int | None:
        """An open call that may create the session."""
        create = self.creates.get(session)
        if create is not None:
            return create if create != REFUSED and self._is_open(create) else None
        if title is not None and title in self.loose:
            create = self.loose[title]
            return create if self._is_open(create) else None
        if self.titled:
            return None
        return next((i for i in self.untold if self._is_open(i)), None)

    def _end(self, session: str) -> None:
        unknown = -1
        for delete in self.deletes.get(session, ()):
            if self._is_open(delete):
                if type(self.ops[delete].outcome) is Ok:
                    self._write(delete)
                    return
                unknown = delete
        if unknown < 0:
            raise GiveUp(session)
        self._write(unknown)

    def _born(self, session: str, title: str | None, i: int) -> None:
        if self.lists:
            self._lists_before(session, None)
        if self.done[i]:
            return
        if session in self.live or session in self.gone:
            raise GiveUp(session)
        self.live[session] = title
        self._changed(i, session)

    def _write(self, i: int) -> None:
        if self.done[i]:
            return
        op = self.ops[i]
        asked = op.invocation
        kind = asked.kind
        if kind is Kind.CREATE:
            self._born(op.outcome.result.session, asked.title, i)  # type: ignore[union-attr]
            return
        session = str(asked.session)
        if session not in self.live:
            if kind is Kind.DELETE and not self.strict:
                self._place(i)  # somebody else had removed it
                return
            self._reach(session, None)  # its own create is still open
        if kind is Kind.DELETE and session in self.renamed:
            self._rename_before(session)
        if self.lists:
            self._lists_before(session, asked.title)
        if self.done[i]:
            return
        if session not in self.live:
            raise GiveUp(session)
        if kind is Kind.DELETE:
            del self.live[session]
            if session not in self.creates:
                self.gone.add(session)
        else:
            self.live[session] = asked.title
        self._changed(i, session)

    def _rename_before(self, session: str) -> None:
        """What was renamed with success was there by then."""
        for rename in self.renamed[session]:
            if self._is_open(rename) and session in self.live:
                self._write(rename)

    def _lists_before(self, session: str, title: str | None) -> None:
        """Place the lists that wait and would be wrong for good once ``session`` has changed."""
        if len(self.lists) > _WAITING:
            raise GiveUp
        lives = session in self.live
        for i in list(self.lists):
            if self.done[i] or i in self.reaching:
                continue
            shown = self._shown(i)
            if lives:
                spoilt = session in shown and (
                    title is None
                    or (shown[session] is not None and self._carries(session, shown[session]))
                )
                if spoilt:
                    self._reach_list(i)
            elif session not in shown:
                self._before_birth(session, i, shown)

    def _before_birth(self, session: str, i: int, shown: dict[str, str | None]) -> None:
        """Place list ``i``, which misses the session, if it comes before the create."""
        end = self.ops[i].return_ns or AFTER_ALL
        calls = [self.ops[d].call_ns for d in self.deletes.get(session, ()) if not self.done[d]]
        if not any(call <= end for call in calls):
            self._reach_list(i)  # it will still be there
        elif self._is_in_reach(shown):
            self.choices += 1
            if all(call > self.now for call in calls) is not (self.choices in self.turned):
                self._reach_list(i)

    def _is_in_reach(self, shown: dict[str, str | None]) -> bool:
        """Are the creates and deletes that lead to this list open?"""
        return all(
            session in self.live or self._maker(session, title) is not None
            for session, title in shown.items()
        ) and all(
            session in shown or any(map(self._is_open, self.deletes.get(session, ())))
            for session in self.live
        )

    def _changed(self, i: int, session: str) -> None:
        """A write has taken effect: reads that waited for it go directly behind it."""
        self._place(i)
        if session in self.gets:
            waiting = self.gets.pop(session)
            left = [read for read in waiting if not self._placed_now(read)]
            if left:
                self.gets[session] = left
        if self.lists:
            for read in [read for read in self.lists if self._placed_now(read)]:
                del self.lists[read]

    def _placed_now(self, i: int) -> bool:
        if not self.done[i] and self._fits(i):
            self._place(i)
        return bool(self.done[i])
