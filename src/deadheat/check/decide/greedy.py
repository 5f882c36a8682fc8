"""The greedy way: one pass over the events that builds a legal order, or gives up.

Most legal histories need no search. Reads are placed as soon as they fit, which
costs nothing, as they change nothing (Lowe 2017); writes as late as they may be
(``greedy_state``). Where that was a choice and the sweep ends in a dead end, it goes back to
a state saved on the way and makes some of the last choices the other way, the least
clear ones first, a few times.

Rules
- Sound: what it returns is a legal order in real time, step by step. Where it ends
  without having had a choice there is none (``greedy_state`` says why), nor where the session
  at which it ends is impossible by itself: most faults show so, and cost no full
  decision (``Conflict``). ``DeadEnd`` means that that has to look, and of a long
  history at which few operations first.
- Of histories that ``fragment`` gives to ``Decider.LIVES`` only. Gives up on an id of two creates.
- This is what every trial of a healthy server goes through: plain records, and
  branches on exact types instead of patterns, where each operation passes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from deadheat.check.decide.greedy_state import AFTER_ALL, NONE, REFUSED, GiveUp, GreedyState
from deadheat.check.decide.life_records import Conflict
from deadheat.check.decide.lifetimes import judge_alone
from deadheat.model.history import (
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
# The state is saved every so many answers, so that a choice can be made the other way. With no
# more of them than this the full decision is as cheap.
_SAVED = 32
# So many of these states are kept. Choices since the last but one are made the other way first: the
# wrong one is seldom older, but with a hundred calls open at once. Of 12 histories of 30,000 calls
# by 100 clients with 10 % lists 4 ended there with 2 kept, 2 with 3, 1 with 4 (without a choice).
_KEPT = 4
# Answers gone through again, for each one gone through: a history without a legal order, and one
# that this way does not lead through, must not cost much more for the attempt.
_RETRIES = 2.0
# Answers that may be gone through again before any: many calls begin at once at the beginning, and
# nothing is known then of what came before. Of 12 histories of 30,000 calls by 100 clients with
# 40 % lists 3 ended there with 0, 1 with 100, none with this.
_FIRST_RETRIES = 300
# Of so many answers before a dead end the reads say why it is one, mostly; in a history of many
# times as many they are worth a look by themselves.
_AROUND, _MANY = 300, 10


def sweep(
    operations: Sequence[Operation],
    existing: Iterable[str] = (),
    *,
    strict_delete: bool,
    snapshot: bool = True,
) -> tuple[int, ...] | DeadEnd:
    """The indices of a legal order, or the dead end that was reached.

    Raises ``Conflict`` when there is none, as every step was forced, or as the session at
    which it ends is impossible by itself. Not ``snapshot``: what lists show need not have been
    there at one instant; that it ends at one proves nothing then.
    """
    attempt = _GreedyRun(operations, existing, strict_delete=strict_delete)
    try:
        return attempt.run(snapshot=snapshot)
    except GiveUp:
        return attempt.around()


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """This way does not lead to a legal order.

    ``around``: if there is none of these operations either, that is a proof: all writes on some
    sessions, and some reads that show no others. Few of many, at the place of the dead end; or
    none.
    """

    around: tuple[Operation, ...] = ()
    existing: frozenset[str] = frozenset()  # of those sessions


class _SavedState(NamedTuple):
    """The state at one event; ``end`` and ``call`` are the next events."""

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


class _GreedyRun(GreedyState):
    __slots__ = (
        "calls",
        "ends",
        "failed",
        "known",
        "reached",
        "saved",
        "since",
        "straight",
        "there",
        "to_turn",
    )

    def __init__(
        self, operations: Sequence[Operation], existing: Iterable[str], *, strict_delete: bool
    ) -> None:
        super().__init__(operations, existing, strict_delete=strict_delete)
        self.calls: list[tuple[int, int]] = []  # of reads
        self.ends: list[tuple[int, int]] = []
        self.reached = 0
        self.failed = -1  # the answer at which the farthest dead end lay
        self.there: frozenset[str] = frozenset()  # the sessions there
        self.saved: list[_SavedState] = []
        # Sets of choices to make the other way, each behind what puts it in its turn.
        self.to_turn: list[tuple[int, float, int, frozenset[int]]] = []
        self.known: set[frozenset[int]] = set()  # those that are or were among them
        self.since = 0  # choices made up to here stay as they are
        self.straight = NONE  # those made the other way before the last place that was saved

    def run(self, *, snapshot: bool) -> tuple[int, ...]:
        self._read_writes()
        self.calls.sort()
        self.ends.sort()
        if self.untold:
            self.untold.sort(key=lambda i: self.ops[i].call_ns)
        self.calls.append((AFTER_ALL, -1))
        at = (0, 0)
        credit: float = _FIRST_RETRIES
        ended_at: dict[str, None] = {}  # sessions, since the farthest dead end
        while True:
            try:
                self._follow(*at)
            except GiveUp as stuck:
                found = () if stuck.session is None else (stuck.session,)
                if self.forced and snapshot and self.strict and not self.titled:
                    raise Conflict(found, (self.ops[self.ends[self.reached][1]].index,)) from None
                before = self.failed
                if self.reached > before:
                    credit += (self.reached - max(before, 0)) * _RETRIES
                    self.failed, self.there = self.reached, frozenset([*self.live, *found])
                    ended_at = {}
                    if before < 0:
                        self._judge(found)
                ended_at.update(dict.fromkeys(found))
                if not self.saved:
                    raise
                self._branch()
                there = len(self.order)
                place = self._next_place()
                if place is not None:
                    # Where all is open at once the way is long and no answer lies on it.
                    credit -= max(self.failed - place.end, there - place.placed, 1)
                if place is None or credit < 0:
                    self._judge(ended_at)  # not before: most dead ends are only wrong choices
                    raise
                at = self._go_back(place)
            else:
                ops = self.ops
                return tuple([ops[i].index for i in self.order])

    def around(self) -> DeadEnd:
        """The operations, around dead ends, that are worth a full decision first."""
        if self.titled or self.failed < _AROUND or len(self.ends) < _MANY * _AROUND:
            return DeadEnd()
        ops = self.ops
        reads = self._called(self.ends[self.failed - _AROUND][0])
        named = set(self.there)
        for i in reads:
            result: Any = ops[i].outcome.result  # type: ignore[union-attr]
            if type(result) is Listed:
                named.update(map(_SESSION, result.entries))
            else:
                named.add(str(ops[i].invocation.session))
        chosen = {*reads, *self.untold}
        for one in named:
            chosen.update(self._writes_on(one))
        known = frozenset(one for one in named if self.creates.get(one) == REFUSED)
        return DeadEnd(tuple([ops[i] for i in sorted(chosen)]), known)

    def _called(self, first_ns: int) -> list[int]:
        """The reads called from there on, until the farthest dead end."""
        calls, last_ns = self.calls, self.ends[self.failed][0]
        first, last = bisect_left(calls, (first_ns, -1)), bisect_left(calls, (last_ns + 1, -1))
        return [i for _, i in calls[first:last]]

    def _writes_on(self, session: str) -> list[int]:
        """All writes that are, or may be, on this session."""
        create = self.creates.get(session, REFUSED)
        made = [] if create == REFUSED else [create]
        return [*made, *self.renamed.get(session, ()), *self.deletes.get(session, ())]

    def _judge(self, sessions: Iterable[str]) -> None:
        """Raises ``Conflict`` if a session at the dead end is impossible by itself.

        By all its writes, and the reads called in its time so far: a read more or less makes
        nothing possible, and a look through all of a long history would be most of the cost.
        """
        for session in sessions:
            create = self.creates.get(session)
            if create is None:
                continue  # by which create it was made, the others have a say in
            ops, first_ns = self.ops, -AFTER_ALL
            if create != REFUSED:
                first_ns = min(ops[create].call_ns, ops[self.ends[self.failed][1]].call_ns)
            some = [ops[i] for i in [*self._writes_on(session), *self._called(first_ns)]]
            judge_alone(some, session, existing=create == REFUSED, strict_delete=self.strict)

    def _branch(self) -> None:
        """Note the sets of turned choices that differ from this one in one choice, the last.

        Those of a way that led farther come first, then those that were the least clear.
        """
        self._turn_one(range(self.since + 1, self.choices + 1), self.turned, self.reached)

    def _turn_one(self, choices: Iterable[int], turned: frozenset[int], reached: int) -> None:
        known, doubts = self.known, self.doubts
        for k in choices:
            if k not in turned:
                other = frozenset([one for one in turned if one < k] + [k])
                if other not in known:
                    known.add(other)
                    doubt = sum([doubts[one] for one in other])
                    heappush(self.to_turn, (-reached, doubt, -len(known), other))

    def _next_place(self) -> _SavedState | None:
        """Turn the next set of choices: the last saved place that lies on the way to them."""
        while not self.to_turn:
            if not self._reach_back():
                return None
        turned = self.turned = heappop(self.to_turn)[-1]
        saved, first = self.saved, self.saved[0].choices
        while len(saved) > 1:
            last = saved[-1]
            before = {k for k in turned if k <= last.choices}
            if len(before) < len(turned) and before == {k for k in last.turned if k > first}:
                break
            saved.pop()  # the way to it is not kept
        return saved[-1]

    def _reach_back(self) -> bool:
        """Allow choices to be changed that lie before the limit so far."""
        older = [place.choices for place in self.saved if place.choices < self.since]
        if not older:
            return False
        self._turn_one(range(older[-1] + 1, self.since + 1), self.straight, 0)
        self.since = older[-1]
        return True

    def _go_back(self, place: _SavedState) -> tuple[int, int]:
        """Restore the state of that place."""
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
        self.saved = self.saved[1 - _KEPT :]
        if self.saved:
            first = self.saved[0].choices
            self.turned = frozenset([k for k in self.turned if k > first])
        self.to_turn, self.known = [], set()
        self.straight = self.turned
        self.since = self.saved[-1].choices if self.saved else self.choices
        place = _SavedState(
            end, call, len(self.order), self.choices, self.turned,
            dict(self.live), len(self.gone), self.lost, dict(self.lists), gets,
        )  # fmt: skip
        self.saved.append(place)

    def _follow(self, first: int, c: int) -> None:
        """Go through the events from the ``first``th end and the ``c``th call on."""
        ops, done, live, order = self.ops, self.done, self.live, self.order
        calls, ends, titled, failed = self.calls, self.ends, self.titled, self.failed
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
        """Note what each write would do, when each read begins and each answer ends."""
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
                    if session in creates or asked.kind is not Kind.CREATE:
                        raise GiveUp
                    creates[session] = i
                    if asked.title is not None:
                        self.titled = True
                elif kind is Deleted:
                    deletes.setdefault(str(asked.session), []).append(i)
                elif kind is Absent:
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
            if title in self.loose:
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
