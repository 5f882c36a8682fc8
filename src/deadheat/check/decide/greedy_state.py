"""The state of the greedy way: what exists, which calls are open, which reads wait.

Rules
- A write is made when its answer, or a read that is about to return, needs it. Before
  it takes from a list that waits what it shows, or adds what it lacks for good, that
  list is placed; where it may lack it again later that is a choice, and counted.
- Every step is legal where it is made; what cannot be made ends in ``GiveUp``.
- ``forced``: no step so far had an alternative, so if there is a legal order, there is
  one that begins with what is placed. A read that fits takes nothing from any order. A
  write that is due comes before everything called later, and writes on other sessions
  can wait, but for lists: one that shows what a delete ends comes before it; one that
  misses what a create makes comes before it, or after an end that is called in its
  time. Only the latter leaves two ways, where what leads to the list is open already.
  Titles, deletes that may find nothing and lists that are no snapshots leave others.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from deadheat.model.history import Absent, Created, Found, Kind, Listed, Ok, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AFTER_ALL = 1 << 70
REFUSED = -1
NONE: frozenset[int] = frozenset()
_SESSION = attrgetter("session")
_ENTRY = attrgetter("session", "title")
# Does a list come before the birth of a session that it misses, or after its end? Before, when few
# changes lead to it and that end is called late in what is left of its time: when the changes but
# one are at most this many times the part of it that passes before. Of 2,421 such choices on the
# way through histories of 30 clients and 40 % lists 88 % are right so (no rule of these two numbers
# did better; "before" alone is right in 32 %, by the number of changes alone 85 %).
_LATE = 3
# A list that more changes lead to comes after, without a choice: each choice is one more to turn in
# vain. Of 120 histories of 1,000 and 3,000 calls (100 clients, some 30; 10 to 40 % lists) 114 are
# gone through with 12 here, 119 with 20, 118 without such a limit.
_FAR = 20
# Lists placed on the way to others, one within the other. With 100 clients some forty wait at once;
# each takes up to seven frames of Python's stack, which holds a thousand.
_NESTED = 64


class GiveUp(Exception):
    """This history needs the full decision. ``session``: where the way ended, if at one."""

    def __init__(self, session: str | None = None) -> None:
        self.session = session


class GreedyState:
    """Open calls and waiting reads by position in ``ops``; see the module's rules."""

    __slots__ = (
        "choices",
        "contents",
        "creates",
        "deletes",
        "done",
        "doubts",
        "forced",
        "gets",
        "gone",
        "lists",
        "live",
        "loose",
        "lost",
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
        self.gone: dict[str, None] = {}  # of those whose create is unknown, in order
        self.order: list[int] = []
        self.done = bytearray(len(operations))
        # Reads that do not fit yet. Of a list: what it shows.
        self.lists: dict[int, dict[str, str | None]] = {}
        self.contents: dict[int, dict[str, str | None]] = {}  # of every list that ever waited
        self.gets: dict[str, list[int]] = {}
        self.reaching: set[int] = set()  # lists that the writes under way are made for
        # The writes, by what they would do; open from their call on.
        self.creates: dict[str, int] = {}
        self.loose: dict[str, int] = {}  # creates whose id is unknown, by title
        self.untold: list[int] = []  # those without a title, by call; made from the first on
        self.lost = 0  # how many of them were made
        self.deletes: dict[str, list[int]] = {}
        self.renames: dict[tuple[str, str], int] = {}
        self.renamed: dict[str, list[int]] = {}  # with success, by session
        self.titled = False  # while no call writes titles they say nothing
        for session in self.live:
            self.creates[session] = REFUSED
        self.forced = True  # so far no step had an alternative
        # Choices made so far, how far each was from its opposite, and those made the other way.
        self.choices = 0
        self.doubts: dict[int, float] = {}
        self.turned = NONE

    def _is_open(self, i: int) -> bool:
        return not self.done[i] and self.ops[i].call_ns <= self.now

    # -- does a read fit? ------------------------------------------------------------------

    def asked(self, i: int, session: str | None) -> None:
        """Take a read of one session that does not fit, or whose title needs a closer look."""
        if self._fits(i):
            self._place(i)
        else:
            self.gets.setdefault(str(session), []).append(i)

    def listed(self, i: int) -> None:
        """Take a list that does not fit, or that shows titles."""
        shown = self.contents.get(i)
        if shown is None:
            entries = self.ops[i].outcome.result.entries  # type: ignore[union-attr]
            if self.titled:
                shown = dict(map(_ENTRY, entries))
            else:
                shown = dict.fromkeys(map(_SESSION, entries))
            if len(shown) != len(entries):
                raise GiveUp
            self.contents[i] = shown
        if self._is_shown(shown):
            self._place(i)
        else:
            self.lists[i] = shown

    def _fits(self, i: int) -> bool:
        live, op = self.live, self.ops[i]
        result: Any = op.outcome.result  # type: ignore[union-attr]
        session = str(op.invocation.session)
        if type(result) is Found:
            return session in live and self._carries(session, result.title)
        return session not in live

    def _is_shown(self, shown: dict[str, str | None]) -> bool:
        """Is exactly this shown now?"""
        live = self.live
        if shown.keys() != live.keys():
            return False
        if not self.titled or shown == live:
            return True
        return all(self._carries(session, title) for session, title in shown.items())

    def _carries(self, session: str, title: str | None) -> bool:
        """May the session, which exists, be shown with this title?"""
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
        """Make the answer of ``i`` true at its last instant."""
        op = self.ops[i]
        result: Any = op.outcome.result  # type: ignore[union-attr]
        kind = type(result)
        if kind is Listed:
            self._reach_list(i)
        elif kind is Created:
            self._born(result.session, op.invocation.title, i)
        elif kind is Found:
            self._reach(str(op.invocation.session), result.title)
        elif kind is Absent:
            self._end(str(op.invocation.session))
        else:
            self._write(i)
        if not self.done[i]:
            raise GiveUp

    def _reach_list(self, i: int) -> None:
        """Change what keeps list ``i`` from fitting. Other lists may be placed on the way."""
        live, done, titled, shown = self.live, self.done, self.titled, self.contents[i]
        self.reaching.add(i)
        if len(self.reaching) > _NESTED:
            self.forced = False
            raise GiveUp
        while not done[i]:  # what is placed on the way may change more
            for session in live:
                if session not in shown:
                    self._end(session)
                    break
            else:
                for session, title in shown.items():
                    if session not in live or (titled and not self._carries(session, title)):
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
            self._born(session, self.ops[create].invocation.title, create)
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
        if self.lost < len(self.untold) and self._is_open(self.untold[self.lost]):
            return self.untold[self.lost]
        return None

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
        if session in self.creates:
            if self.done[i]:
                return
        elif session in self.live:
            return
        elif title is None:
            made = self._maker(session, None)  # another may have been made by ``i`` on the way
            if made is None:
                raise GiveUp(session)
            i = made
            self.lost += 1
        if self.done[i] or session in self.live or session in self.gone:
            raise GiveUp(session)
        self.live[session] = title
        self._changed(i, session)

    def _write(self, i: int) -> None:
        """Make a delete or rename take effect."""
        if self.done[i]:
            return
        op = self.ops[i]
        asked = op.invocation
        kind = asked.kind
        session = str(asked.session)
        if session not in self.live:
            if kind is Kind.DELETE and not self.strict:
                self._place(i)  # another call had removed it
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
                self.gone[session] = None
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
        done, reaching = self.done, self.reaching
        lives = session in self.live
        first = None  # when it may end, after which it may be missed again
        for i, shown in list(self.lists.items()):
            if (session in shown) is not lives or done[i] or i in reaching:
                continue
            if lives:
                if title is None or (
                    shown[session] is not None and self._carries(session, shown[session])
                ):
                    self._reach_list(i)
                continue
            if first is None:
                first = self._may_end(session)
            if first > (self.ops[i].return_ns or 0):  # it will still be there
                self._reach_list(i)
            else:
                self._before_birth(i, shown, first)

    def _may_end(self, session: str) -> int:
        """When the first call begins that may end it, ns."""
        deletes = self.deletes.get(session, ())
        return min([self.ops[d].call_ns for d in deletes if not self.done[d]], default=AFTER_ALL)

    def _before_birth(self, i: int, shown: dict[str, str | None], first_ns: int) -> None:
        """Place list ``i``, which misses a session that may end from ``first_ns`` on, in its time,
        if it comes before the create."""
        differing = self.live.keys() ^ shown.keys()
        if len(differing) > _FAR:
            self.forced = False
        elif self._is_in_reach(differing, shown):
            self.forced = False
            self.choices += 1
            left_ns = (self.ops[i].return_ns or 0) - self.now
            until_ns = first_ns - self.now
            leaning = len(differing) - 1 - _LATE * until_ns / (left_ns or 1)
            before = until_ns > 0 and leaning <= 0
            self.doubts[self.choices] = abs(leaning)
            if before is not (self.choices in self.turned):
                self._reach_list(i)

    def _is_in_reach(self, sessions: Iterable[str], shown: dict[str, str | None]) -> bool:
        """Are the creates and deletes open that change whether these are there?"""
        for session in sessions:
            if session in self.live:
                if not any(map(self._is_open, self.deletes.get(session, ()))):
                    return False
            elif self._maker(session, shown[session]) is None:
                return False
        return True

    def _changed(self, i: int, session: str) -> None:
        """A write has taken effect: reads that waited for it go directly behind it."""
        self._place(i)
        if session in self.gets:
            waiting = self.gets.pop(session)
            left = [read for read in waiting if not self._placed_now(read)]
            if left:
                self.gets[session] = left
        lists = self.lists
        if lists:
            size = len(self.live)
            ready: list[int] = []
            for read, shown in lists.items():
                if len(shown) == size and self._is_shown(shown):
                    ready.append(read)
            for read in ready:
                self._place(read)
                del lists[read]

    def _placed_now(self, i: int) -> bool:
        if not self.done[i] and self._fits(i):
            self._place(i)
        return bool(self.done[i])
