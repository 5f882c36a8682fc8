"""The straight way: one sweep over the events that builds a legal order, or gives up.

Most legal histories need no search. Reads are placed as soon as they fit, which
costs nothing, as they change nothing (Lowe 2017); writes as late as their answer,
or when a read that is about to return needs them. Before a write takes from a list
that waits what it shows, or adds what it lacks, that list is placed.

Rules
- Sound: what it returns is a legal order in real time, step by step. It never
  says that there is none; None means that the full decision has to look.
- Gives up on what it would have to think about: a title that is known here and not
  there, an id of two creates, a call that has to do with parents or forks.
- This is what every trial of a healthy server goes through: plain records, and
  branches on exact types instead of patterns, where each operation passes.
"""

from __future__ import annotations

from itertools import combinations
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SESSION = attrgetter("session")
_ENTRY = attrgetter("session", "title")
_AFTER_ALL = 1 << 70
_REFUSED = -1
_ABOUT_ONE = frozenset({Kind.GET, Kind.DELETE, Kind.RENAME})  # what "absent" is about: its session
# Lists that may wait at once: each is looked at before each write, and with more of them than
# this the first choice is mostly a wrong one.
_WAITING = 16


# The state is saved every so many answers, so that a choice can be made the other way.
_SAVED = 32
# Answers gone through again, for each one gone through: a history without a legal order, and one
# that this way does not lead through, must not cost much more for the attempt.
_RETRIES = 2.0


# Of this many choices, the last ones, every set is turned; of those before, one at a time.
_TOGETHER = 4
_NONE: frozenset[int] = frozenset()


class _GiveUp(Exception):
    """This history needs the full decision."""


def sweep(
    operations: Sequence[Operation], existing: Iterable[str] = (), *, strict_delete: bool
) -> tuple[int, ...] | None:
    """The indices of a legal order, or None when this way does not lead to one."""
    try:
        return _Sweep(operations, existing, strict_delete=strict_delete).run()
    except _GiveUp:
        return None


def _turns(first: int, last: int) -> list[frozenset[int]]:
    """Which choices to make the other way; those to try first stand last."""
    near = range(max(first, last - _TOGETHER + 1), last + 1)
    sets = [frozenset(some) for n in range(len(near), 0, -1) for some in combinations(near, n)]
    return [frozenset({one}) for one in range(first, near.start)] + sets


class _Place(NamedTuple):
    """Where the sweep was once; ``end`` and ``call`` are the next events."""

    end: int
    call: int
    placed: int
    choices: int
    live: dict[str, str | None]
    gone: frozenset[str]
    lists: dict[int, dict[str, str | None] | None]
    gets: dict[str, tuple[int, ...]]


class _Sweep:
    __slots__ = (
        "calls",
        "choices",
        "creates",
        "deletes",
        "done",
        "ends",
        "gets",
        "gone",
        "lists",
        "live",
        "loose",
        "now",
        "ops",
        "order",
        "reached",
        "reaching",
        "renames",
        "saved",
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
        self.now = -_AFTER_ALL
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
        self.titled = False  # while nobody writes titles they say nothing
        self.calls: list[tuple[int, int]] = []  # of reads
        self.ends: list[tuple[int, int]] = []
        for session in self.live:
            self.creates[session] = _REFUSED
        # Choices made so far, and the one that is made the other way.
        self.choices = 0
        self.turned = _NONE
        self.reached = 0
        self.saved: list[_Place] = []

    def run(self) -> tuple[int, ...]:
        self._read_writes()
        self.calls.sort()
        self.ends.sort()
        self.calls.append((_AFTER_ALL, -1))
        at = (0, 0)
        to_turn: list[frozenset[int]] = []
        failed = -1
        credit = 0.0
        while True:
            try:
                self._follow(*at, failed)
            except _GiveUp:
                if self.reached > failed:  # farther than ever: other choices than those before
                    credit += (self.reached - max(failed, 0)) * _RETRIES
                    failed = self.reached
                    to_turn = _turns(self.saved[0].choices + 1, self.choices)
                if not to_turn:
                    raise
                self.turned = to_turn.pop()
                self.saved = [one for one in self.saved if one.choices < min(self.turned)]
                credit -= failed - self.saved[-1].end
                if credit < 0:
                    raise
                at = self._go_back()
            else:
                ops = self.ops
                return tuple([ops[i].index for i in self.order])

    def _go_back(self) -> tuple[int, int]:
        """As it was at the last saved place."""
        place = self.saved[-1]
        for i in self.order[place.placed :]:
            self.done[i] = 0
        del self.order[place.placed :]
        self.live, self.gone = dict(place.live), set(place.gone)
        self.lists = dict(place.lists)
        self.gets = {session: list(reads) for session, reads in place.gets.items()}
        self.reaching = set()
        self.choices = place.choices
        return place.end, place.call

    def _save(self, end: int, call: int) -> None:
        gets = {session: tuple(reads) for session, reads in self.gets.items()}
        place = _Place(
            end, call, len(self.order), self.choices,
            dict(self.live), frozenset(self.gone), dict(self.lists), gets,
        )  # fmt: skip
        self.saved = [*self.saved[-1:], place]

    def _follow(self, first: int, c: int, failed: int) -> None:
        """Go through the events from the ``first``th end and the ``c``th call on."""
        ops, done, live, order, lists = self.ops, self.done, self.live, self.order, self.lists
        calls, ends, titled = self.calls, self.ends, self.titled
        call, j = calls[c]
        for e in range(first, len(ends)):
            end, i = ends[e]
            if not e % _SAVED and e > failed:
                self.turned = _NONE
                self._save(e, c)
            while call <= end:  # at equal times calls come before returns
                op = ops[j]
                result: Any = op.outcome.result  # type: ignore[union-attr]
                kind = type(result)
                if kind is Listed:
                    entries = result.entries
                    if len(entries) != len(live):
                        lists[j] = None
                    elif not titled and live.keys() == set(map(_SESSION, entries)):
                        done[j] = 1
                        order.append(j)
                    else:
                        self._listed(j)
                else:
                    session = op.invocation.session
                    if kind is Found:
                        title = result.title
                        fits = session in live and (
                            title is None or not titled or title == live[session]
                        )
                    else:
                        fits = session not in live
                    if fits:
                        done[j] = 1
                        order.append(j)
                    else:
                        self._asked(j, session)
                c += 1
                call, j = calls[c]
            if not done[i]:
                self.now = end
                self.reached = e
                self._returned(i)

    def _read_writes(self) -> None:
        """What each write would do; when each read begins, and each answer ends."""
        calls, ends, creates, deletes = self.calls, self.ends, self.creates, self.deletes
        for i, op in enumerate(self.ops):
            outcome = op.outcome
            asked = op.invocation
            if type(outcome) is Ok:
                result = outcome.result
                kind = type(result)
                end = op.return_ns
                if end is not None:
                    ends.append((end, i))
                elif kind is not Created:
                    raise _GiveUp
                if kind is Found or kind is Listed:
                    calls.append((op.call_ns, i))
                elif kind is Created:
                    session = result.session  # type: ignore[union-attr]
                    if (
                        session in creates
                        or asked.parent is not None
                        or asked.kind is not Kind.CREATE
                    ):
                        raise _GiveUp
                    creates[session] = i
                    if asked.title is not None:
                        self.titled = True
                elif kind is Deleted:
                    deletes.setdefault(str(asked.session), []).append(i)
                elif kind is Absent:
                    if asked.kind not in _ABOUT_ONE:
                        raise _GiveUp
                    calls.append((op.call_ns, i))
                    if asked.title is not None:
                        self._writes_title(asked, _REFUSED)
                elif kind is Renamed:
                    self._writes_title(asked, i)
                else:
                    raise _GiveUp
            elif type(outcome) is Info:
                self._unknown(i, asked)

    def _unknown(self, i: int, asked: Invocation) -> None:
        kind = asked.kind
        if kind is Kind.CREATE:
            title = asked.title
            if asked.parent is not None or title in self.loose:
                raise _GiveUp
            if title is None:
                self.untold.append(i)
            else:
                self.titled = True
                self.loose[title] = i
        elif kind is Kind.DELETE:
            self.deletes.setdefault(str(asked.session), []).append(i)
        elif kind is Kind.RENAME:
            self._writes_title(asked, i)
        elif kind is not Kind.GET and kind is not Kind.LIST:
            raise _GiveUp

    def _writes_title(self, asked: Invocation, i: int) -> None:
        key = (str(asked.session), str(asked.title))
        if asked.title is None or key in self.renames:
            raise _GiveUp
        self.titled = True
        self.renames[key] = i

    def _is_open(self, i: int) -> bool:
        return not self.done[i] and self.ops[i].call_ns <= self.now

    # -- does a read fit? ------------------------------------------------------------------

    def _asked(self, i: int, session: str | None) -> None:
        """A read of one session that does not fit, or of a title that needs a closer look."""
        if self._fits(i):
            self._place(i)
        else:
            self.gets.setdefault(str(session), []).append(i)

    def _listed(self, i: int) -> None:
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
                raise _GiveUp
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

    def _returned(self, i: int) -> None:
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
            raise _GiveUp

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
                raise _GiveUp
        self.reaching.discard(i)

    def _reach(self, session: str, title: str | None) -> None:
        """Make the session live under this title, by writes that are open."""
        if session not in self.live:
            create = self._maker(session, title)
            if create is None:
                raise _GiveUp
            known = self.ops[create].invocation.title
            self._born(session, known, create)
        if session in self.live and not self._carries(session, title):
            rename = self.renames.get((session, str(title)), _REFUSED)
            if rename == _REFUSED or not self._is_open(rename):
                raise _GiveUp
            self._write(rename)

    def _maker(self, session: str, title: str | None) -> int | None:
        """An open call that may create the session."""
        create = self.creates.get(session)
        if create is not None:
            return create if create != _REFUSED and self._is_open(create) else None
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
            raise _GiveUp
        self._write(unknown)

    def _born(self, session: str, title: str | None, i: int) -> None:
        if self.lists:
            self._lists_before(session, None)
        if self.done[i]:
            return
        if session in self.live or session in self.gone:
            raise _GiveUp
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
        if self.lists:
            self._lists_before(session, asked.title)
        if self.done[i]:
            return
        if session not in self.live:
            raise _GiveUp
        if kind is Kind.DELETE:
            del self.live[session]
            if session not in self.creates:
                self.gone.add(session)
        else:
            self.live[session] = asked.title
        self._changed(i, session)

    def _lists_before(self, session: str, title: str | None) -> None:
        """Place the lists that wait and would be wrong for good once ``session`` has changed."""
        if len(self.lists) > _WAITING:
            raise _GiveUp
        lives = session in self.live
        for i in list(self.lists):
            if self.done[i] or i in self.reaching:
                continue
            shown = self._shown(i)
            if lives:
                spoilt = session in shown and (title is None or shown[session] not in (title, None))
                if spoilt:
                    self._reach_list(i)
            elif session not in shown:
                self._before_birth(session, i, shown)

    def _before_birth(self, session: str, i: int, shown: dict[str, str | None]) -> None:
        """Place list ``i``, which misses the session, if it comes before the create."""
        end = self.ops[i].return_ns or _AFTER_ALL
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
