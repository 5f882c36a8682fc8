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

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
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
_NEVER = -1  # a rename that was refused
_ABOUT_ONE = frozenset({Kind.GET, Kind.DELETE, Kind.RENAME})  # what "absent" is about: its session
# Lists that may wait at once: each is looked at before each write, and with more of them than
# this the first choice is mostly a wrong one.
_WAITING = 16


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


class _Sweep:
    __slots__ = (
        "creates",
        "deletes",
        "done",
        "foreign",
        "gets",
        "gone",
        "lists",
        "live",
        "loose",
        "ops",
        "order",
        "reaching",
        "renames",
        "strict",
        "titled",
        "untold",
    )

    def __init__(
        self, operations: Sequence[Operation], existing: Iterable[str], *, strict_delete: bool
    ) -> None:
        self.ops = operations
        self.strict = strict_delete
        self.live: dict[str, str | None] = dict.fromkeys(existing)
        self.gone: set[str] = set()
        self.order: list[int] = []
        self.done = bytearray(len(operations))
        # Reads that do not fit yet. Of a list: what it shows, once that was needed.
        self.lists: dict[int, dict[str, str | None] | None] = {}
        self.gets: dict[str, list[int]] = {}
        self.reaching: set[int] = set()  # lists that the writes under way are made for
        # Writes that are open, by what they would do.
        self.creates: dict[str, int] = {}
        self.loose: dict[str, int] = {}  # creates whose id nobody knows, by title
        self.untold: list[int] = []  # those without a title
        self.deletes: dict[str, list[int]] = {}
        self.renames: dict[tuple[str, str], int] = {}
        # Does anybody write titles? While nobody does they say nothing.
        self.titled = bool(self.live)
        self.foreign: set[tuple[str, str]] = set()  # titles seen that no call may turn out to write

    def run(self) -> tuple[int, ...]:
        ops, done, live, order, lists = self.ops, self.done, self.live, self.order, self.lists
        calls: list[tuple[int, int]] = []
        ends: list[tuple[int, int]] = []
        for i, op in enumerate(ops):
            outcome = op.outcome
            what = type(outcome)
            if what is Ok:
                end = op.return_ns
                if end is not None:
                    ends.append((end, i))
                elif type(outcome.result) is not Created:  # type: ignore[union-attr]
                    raise _GiveUp
            elif what is not Info:
                continue
            calls.append((op.call_ns, i))
        calls.sort()
        ends.sort()
        calls.append((_AFTER_ALL, -1))
        coming = iter(calls)
        call, j = next(coming)
        for end, i in ends:
            while call <= end:  # at equal times calls come before returns
                op = ops[j]
                outcome = op.outcome
                if type(outcome) is not Ok:
                    self._unknown(j, op)
                    call, j = next(coming)
                    continue
                result: Any = outcome.result
                kind = type(result)
                if kind is Listed:
                    entries = result.entries
                    if len(entries) != len(live):
                        lists[j] = None
                    elif not self.titled and live.keys() == set(map(_SESSION, entries)):
                        done[j] = 1
                        order.append(op.index)
                    else:
                        self._listed(j)
                elif kind is Found:
                    asked = op.invocation.session
                    title = result.title
                    if asked in live and (title is None or not self.titled or title == live[asked]):
                        done[j] = 1
                        order.append(op.index)
                    else:
                        self._asked(j, asked)
                elif kind is Created:
                    self._create(j, op, result.session)
                elif kind is Deleted:
                    self._open(self.deletes, op.invocation.session, j)
                elif kind is Absent:
                    call_kind = op.invocation.kind
                    if call_kind not in _ABOUT_ONE:
                        raise _GiveUp
                    if call_kind is Kind.RENAME:
                        self._refused(op)
                    asked = op.invocation.session
                    if asked not in live:
                        done[j] = 1
                        order.append(op.index)
                    else:
                        self._asked(j, asked)
                elif kind is Renamed:
                    self._rename(j, op)
                else:
                    raise _GiveUp
                call, j = next(coming)
            if not done[i]:
                self._returned(i)
        return tuple(order)

    # -- calls -----------------------------------------------------------------------------

    def _unknown(self, i: int, op: Operation) -> None:
        kind = op.kind
        if kind is Kind.CREATE:
            if op.invocation.parent is not None:
                raise _GiveUp
            title = op.invocation.title
            if title is None:
                self.untold.append(i)
                return
            self._writes()
            if title in self.loose:
                raise _GiveUp
            self.loose[title] = i
        elif kind is Kind.DELETE:
            self._open(self.deletes, op.invocation.session, i)
        elif kind is Kind.RENAME:
            self._rename(i, op)
        elif kind is not Kind.GET and kind is not Kind.LIST:
            raise _GiveUp

    def _create(self, i: int, op: Operation, born: str) -> None:
        asked = op.invocation
        if asked.parent is not None or asked.kind is not Kind.CREATE:
            raise _GiveUp
        if born in self.creates or born in self.live or born in self.gone:
            raise _GiveUp
        if asked.title is not None:
            self._writes()
        self.creates[born] = i

    def _rename(self, i: int, op: Operation) -> None:
        session, title = op.invocation.session, op.invocation.title
        if session is None or title is None:
            raise _GiveUp
        self._writes()
        if (session, title) in self.foreign or (session, title) in self.renames:
            raise _GiveUp
        self.renames[session, title] = i

    def _refused(self, op: Operation) -> None:
        session, title = op.invocation.session, op.invocation.title
        if title is not None:
            self._writes()
            if (str(session), title) in self.foreign:
                raise _GiveUp
            self.renames.setdefault((str(session), title), _NEVER)

    def _writes(self) -> None:
        """Titles mean something from here on, and no answer so far can have shown one."""
        if not self.titled:
            if self.live or self.gone:
                raise _GiveUp
            self.titled = True

    @staticmethod
    def _open(opened: dict[str, list[int]], session: str | None, i: int) -> None:
        if session is None:
            raise _GiveUp
        opened.setdefault(session, []).append(i)

    def _asked(self, i: int, session: str | None) -> None:
        """A read of one session that does not fit, or of a title that needs a closer look."""
        if self._fits(i):
            self._place(i)
        else:
            self._open(self.gets, session, i)

    def _listed(self, i: int) -> None:
        if self._fits(i):
            self._place(i)
            del self.lists[i]
        else:
            self.lists.setdefault(i, None)

    # -- does a read fit? ------------------------------------------------------------------

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
        if known is None and (session, title) not in self.renames:
            self.foreign.add((session, title))
            return True
        return known == title

    # -- returns ---------------------------------------------------------------------------

    def _place(self, i: int) -> None:
        self.done[i] = 1
        self.order.append(self.ops[i].index)

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
        live, shown = self.live, self._shown(i)
        self.reaching.add(i)
        for session in [s for s in live if s not in shown]:
            if session in live:
                self._end(session)
        for session, title in shown.items():
            if self.done[i]:
                break
            if session not in live or not self._carries(session, title):
                self._reach(session, title)
        self.reaching.discard(i)

    def _reach(self, session: str, title: str | None) -> None:
        """Make the session live under this title, by writes that are open."""
        if session not in self.live:
            create = self.creates.get(session)
            if create is not None:
                if self.done[create]:
                    raise _GiveUp
                self._write(create)
            elif title in self.loose:
                self._born(session, title, self.loose.pop(title))
            elif self.untold and not self.titled:
                self._born(session, None, self.untold.pop())
            else:
                raise _GiveUp
        if session in self.live and not self._carries(session, title):
            rename = self.renames.get((session, str(title)))
            if rename is None or rename == _NEVER or self.done[rename]:
                raise _GiveUp
            self._write(rename)

    def _end(self, session: str) -> None:
        unknown = -1
        for delete in self.deletes.get(session, ()):
            if not self.done[delete]:
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
                first = session in shown and (title is None or shown[session] not in (title, None))
            else:
                first = session not in shown and not self._may_end(session)
            if first and self._is_in_reach(shown):
                self._reach_list(i)

    def _may_end(self, session: str) -> bool:
        return any(not self.done[delete] for delete in self.deletes.get(session, ()))

    def _is_in_reach(self, shown: dict[str, str | None]) -> bool:
        """Are the creates and deletes that lead to this list open?"""
        for session, title in shown.items():
            if session not in self.live:
                create = self.creates.get(session)
                if create is None:
                    if title not in self.loose and (self.titled or not self.untold):
                        return False
                elif self.done[create]:
                    return False
        return all(session in shown or self._may_end(session) for session in self.live)

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
