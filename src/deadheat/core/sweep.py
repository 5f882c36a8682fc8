"""The straight way: one sweep over the events that builds a legal order, or gives up.

Most legal histories need no search. Reads are placed as soon as they fit, which
costs nothing, as they change nothing (Lowe 2017); writes as late as they may be
(``reach``). Where that was a choice and the sweep ends in a dead end, it goes back to
a state saved on the way and makes some of the last choices the other way, the least
clear ones first, a few times.

Rules
- Sound: what it returns is a legal order in real time, step by step. Where it ends
  without having had a choice there is none (``reach`` says why), nor where the session
  at which it ends is impossible by itself: most faults show so, and cost no full
  decision (``Conflict``). None means that that has to look.
- Gives up on an id of two creates, and a call that has to do with parents or forks.
- This is what every trial of a healthy server goes through: plain records, and
  branches on exact types instead of patterns, where each operation passes.
"""

from __future__ import annotations

from heapq import heappop, heappush
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
from deadheat.core.lifetimes import Conflict, judge_alone
from deadheat.core.reach import AFTER_ALL, REFUSED, GiveUp, Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SESSION = attrgetter("session")
_ABOUT_ONE = frozenset({Kind.GET, Kind.DELETE, Kind.RENAME})  # what "absent" is about: its session
# The state is saved every so many answers, so that a choice can be made the other way. With no
# more of them than this the full decision is as cheap.
_SAVED = 32
# Answers gone through again, for each one gone through: a history without a legal order, and one
# that this way does not lead through, must not cost much more for the attempt.
_RETRIES = 2.0
# Answers that may be gone through again before any: many calls begin at once at the beginning, and
# nothing is known then of what came before. Of 12 histories of 30,000 calls by 100 clients with
# 40 % lists 3 ended there with 0, 1 with 100, none with this.
_FIRST_RETRIES = 300


def sweep(
    operations: Sequence[Operation],
    existing: Iterable[str] = (),
    *,
    strict_delete: bool,
    snapshot: bool = True,
) -> tuple[int, ...] | None:
    """The indices of a legal order, or None when this way does not lead to one.

    Raises ``Conflict`` when there is none, as every step was forced, or as the session at
    which it ends is impossible by itself. Not ``snapshot``: what lists show need not have been
    there at one instant; that it ends at one proves nothing then.
    """
    try:
        return _Sweep(operations, existing, strict_delete=strict_delete).run(snapshot=snapshot)
    except GiveUp:
        return None


class _Place(NamedTuple):
    """Where the sweep was once; ``end`` and ``call`` are the next events."""

    end: int
    call: int
    placed: int
    choices: int
    turned: frozenset[int]
    live: dict[str, str | None]
    gone: int  # how many
    lost: int
    lists: dict[int, dict[str, str | None]]
    gets: dict[str, tuple[int, ...]]


class _Sweep(Reach):
    __slots__ = ("calls", "ends", "known", "reached", "saved", "to_turn")

    def __init__(
        self, operations: Sequence[Operation], existing: Iterable[str], *, strict_delete: bool
    ) -> None:
        super().__init__(operations, existing, strict_delete=strict_delete)
        self.calls: list[tuple[int, int]] = []  # of reads
        self.ends: list[tuple[int, int]] = []
        self.reached = 0
        self.saved: list[_Place] = []
        # Sets of choices to make the other way, each behind what puts it in its turn.
        self.to_turn: list[tuple[int, float, int, frozenset[int]]] = []
        self.known: set[frozenset[int]] = set()  # those that are or were among them

    def run(self, *, snapshot: bool) -> tuple[int, ...]:
        self._read_writes()
        self.calls.sort()
        self.ends.sort()
        if self.untold:
            self.untold.sort(key=lambda i: self.ops[i].call_ns)
        self.calls.append((AFTER_ALL, -1))
        at = (0, 0)
        failed = -1
        credit: float = _FIRST_RETRIES
        while True:
            try:
                self._follow(*at, failed)
            except GiveUp as stuck:
                if self.forced and snapshot and self.strict and not self.titled:
                    found = () if stuck.session is None else (stuck.session,)
                    raise Conflict(found, (self.ops[self.ends[self.reached][1]].index,)) from None
                # Looked at the first time and the last: each time would be once more through
                # all operations, and most dead ends of a long history are only wrong choices.
                if failed < 0:
                    self._judge(stuck.session)
                if not self.saved:
                    raise
                self._branch()
                if self.reached > failed:
                    credit += (self.reached - max(failed, 0)) * _RETRIES
                    failed = self.reached
                place = self._next_place()
                if place is not None:
                    credit -= failed - place.end
                if place is None or credit < 0:
                    self._judge(stuck.session)
                    raise
                at = self._go_back(place)
            else:
                ops = self.ops
                return tuple([ops[i].index for i in self.order])

    def _judge(self, session: str | None) -> None:
        """Is the session that the way ended at impossible by itself? Raises ``Conflict`` then."""
        if session is not None:
            known = self.creates.get(session) == REFUSED
            judge_alone(self.ops, session, existing=known, strict_delete=self.strict)

    def _branch(self) -> None:
        """Note the sets of turned choices that differ from this one in one choice, the last.

        Those of a way that led farther come first, then those that were the least clear.
        """
        turned, known, doubts = self.turned, self.known, self.doubts
        for k in range(self.saved[0].choices + 1, self.choices + 1):
            if k not in turned:
                other = frozenset([one for one in turned if one < k] + [k])
                if other not in known:
                    known.add(other)
                    doubt = sum([doubts[one] for one in other])
                    heappush(self.to_turn, (-self.reached, doubt, -len(known), other))

    def _next_place(self) -> _Place | None:
        """Turn the next set of choices: the last saved place that lies on the way to them."""
        if not self.to_turn:
            return None
        turned = self.turned = heappop(self.to_turn)[-1]
        last = self.saved[-1]
        if max(turned) > last.choices and last.turned == {k for k in turned if k <= last.choices}:
            return last
        del self.saved[1:]  # the way to those behind is not kept
        return self.saved[0]

    def _go_back(self, place: _Place) -> tuple[int, int]:
        """As it was at this place."""
        for i in self.order[place.placed :]:
            self.done[i] = 0
        del self.order[place.placed :]
        self.live, self.lists = dict(place.live), dict(place.lists)
        while len(self.gone) > place.gone:
            self.gone.popitem()  # the last
        self.lost = place.lost
        self.gets = {session: list(reads) for session, reads in place.gets.items()}
        self.reaching = set()
        self.choices = place.choices
        return place.end, place.call

    def _save(self, end: int, call: int) -> None:
        gets = {session: tuple(reads) for session, reads in self.gets.items()}
        self.saved = self.saved[-1:]
        if self.saved:
            first = self.saved[0].choices
            self.turned = frozenset([k for k in self.turned if k > first])
        self.to_turn, self.known = [], set()
        place = _Place(
            end, call, len(self.order), self.choices, self.turned,
            dict(self.live), len(self.gone), self.lost, dict(self.lists), gets,
        )  # fmt: skip
        self.saved.append(place)

    def _follow(self, first: int, c: int, failed: int) -> None:
        """Go through the events from the ``first``th end and the ``c``th call on."""
        ops, done, live, order = self.ops, self.done, self.live, self.order
        calls, ends, titled = self.calls, self.ends, self.titled
        call, j = calls[c]
        for e in range(first, len(ends)):
            end, i = ends[e]
            if not e % _SAVED and e > failed and len(ends) > _SAVED:
                self._save(e, c)
            while call <= end:  # at equal times calls come before returns
                op = ops[j]
                result: Any = op.outcome.result  # type: ignore[union-attr]
                kind = type(result)
                if kind is Listed:
                    entries = result.entries
                    if (
                        not titled
                        and len(entries) == len(live)
                        and (live.keys() == set(map(_SESSION, entries)))
                    ):
                        done[j] = 1
                        order.append(j)
                    else:
                        self.listed(j)
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
                        self.asked(j, session)
                c += 1
                call, j = calls[c]
            if not done[i]:
                self.now = end
                self.reached = e
                self.returned(i)

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
                    raise GiveUp
                if kind is Found or kind is Listed:
                    calls.append((op.call_ns, i))
                elif kind is Created:
                    session = result.session  # type: ignore[union-attr]
                    if (
                        session in creates
                        or asked.parent is not None
                        or asked.kind is not Kind.CREATE
                    ):
                        raise GiveUp
                    creates[session] = i
                    if asked.title is not None:
                        self.titled = True
                elif kind is Deleted:
                    deletes.setdefault(str(asked.session), []).append(i)
                elif kind is Absent:
                    if asked.kind not in _ABOUT_ONE:
                        raise GiveUp
                    calls.append((op.call_ns, i))
                    if asked.title is not None:
                        self._writes_title(asked, REFUSED)
                elif kind is Renamed:
                    self._writes_title(asked, i)
                    self.renamed.setdefault(str(asked.session), []).append(i)
                else:
                    raise GiveUp
            elif type(outcome) is Info:
                self._unknown(i, asked)

    def _unknown(self, i: int, asked: Invocation) -> None:
        kind = asked.kind
        if kind is Kind.CREATE:
            title = asked.title
            if asked.parent is not None or title in self.loose:
                raise GiveUp
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
            raise GiveUp

    def _writes_title(self, asked: Invocation, i: int) -> None:
        key = (str(asked.session), str(asked.title))
        if asked.title is None or key in self.renames:
            raise GiveUp
        self.titled = True
        self.renames[key] = i
