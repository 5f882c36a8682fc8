"""Titles as registers: each is written once, so it is known which call wrote it.

Rules
- A value's life is an interval within its session's: seen in ``[early, late]``
  when ``early < late`` (a *forward* zone), else a moment anywhere in
  ``[late, early]``. The value that a session is made with comes first.
- For one session alone this decides: forward zones must not overlap, and no
  moment may lie strictly inside another's zone (Gibbons & Korach 1997, §4).
- Sessions whose titles cannot disagree (one writer, or no reader) have no
  values here; everything about them is in their ``Life``.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from deadheat.check.decide.life_records import BEFORE, NEVER, Conflict, NeedsSearch
from deadheat.check.decide.lifetimes import judge_life
from deadheat.model.history import Found, Listed, Ok, Operation

if TYPE_CHECKING:
    from deadheat.check.decide.life_records import Life, Lives


class Value:
    """One title of one session; instants in ns."""

    __slots__ = (
        "early", "early_by", "initial", "late", "late_by", "made", "seen", "token", "write",
    )  # fmt: skip

    def __init__(self, token: tuple[str, str | None], made: int, write: Operation | None) -> None:
        self.token = token
        self.made = made
        self.write = write
        self.early, self.early_by = NEVER, -1
        self.late, self.late_by = made, -1
        self.initial = False
        self.seen = False
        if write is not None:
            self.early_by = self.late_by = write.index

    def sight(self, op: Operation) -> None:
        """Take an answer that shows this value."""
        self.seen = True
        end = NEVER if op.return_ns is None else op.return_ns
        if end < self.early:
            self.early, self.early_by = end, op.index
        if op.call_ns > self.late:
            self.late, self.late_by = op.call_ns, op.index


def read_values(lives: Lives) -> dict[str, list[Value]]:
    """The values of every session that has more than one, the first one first.

    Raises ``Conflict`` when one session's titles contradict each other, ``NeedsSearch``
    when who wrote what is not known.
    """
    suspects = {
        life.session: life
        for life in lives.by_id.values()
        if (life.odd or life.renames or life.loose_renames)
        and (life.created is not None or life.existing or life in lives.orphans)
    }
    if not suspects:
        return {}
    sightings = _titled(lives, suspects)
    found: dict[str, list[Value]] = {}
    for session, life in suspects.items():
        values = _values_of(life, sightings[session])
        if values:
            _judge(session, values)
            for value in values[1:]:  # it lived when a title that was seen was written
                if value.made > life.late:
                    life.late, life.late_by = value.made, value.late_by
            judge_life(life)
            found[session] = values
    return found


def _titled(lives: Lives, wanted: dict[str, Life]) -> dict[str, list[tuple[str, Operation]]]:
    found: dict[str, list[tuple[str, Operation]]] = {session: [] for session in wanted}
    for op in lives.operations:
        if not isinstance(op.outcome, Ok) or op.return_ns is None:
            continue
        result = op.result
        if isinstance(result, Listed):
            for entry in result.entries:
                if entry.title is not None and entry.session in found:
                    found[entry.session].append((entry.title, op))
        elif isinstance(result, Found) and result.title is not None:
            session = op.invocation.session or ""
            if session in found:
                found[session].append((result.title, op))
    return found


def _values_of(life: Life, sightings: list[tuple[str, Operation]]) -> list[Value]:
    if not sightings:
        return []
    titles = {title for title, _ in sightings}
    first = Value((life.session, life.title), life.made, life.created)
    first.early, first.early_by = life.early, life.early_by
    first.initial = True
    by_title: dict[str, Value] = {}
    for op in (*life.renames, *life.loose_renames):
        title = op.invocation.title
        certain = isinstance(op.outcome, Ok) and op.return_ns is not None
        if title is None or title in by_title or title == life.title:
            raise NeedsSearch
        if certain or title in titles:
            value = by_title[title] = Value((life.session, title), op.call_ns, op)
            value.early = op.return_ns if certain and op.return_ns is not None else NEVER
    wild = life.title is None
    refused = {op.invocation.title for op in life.missing}
    for title, op in sightings:
        known = by_title.get(title)
        if known is not None:
            known.sight(op)
        elif title == life.title or (wild and title not in refused):
            first.sight(op)
        else:
            source = life.created.index if life.created is not None else op.index
            raise Conflict((life.session,), (source, op.index))
    if not by_title:
        return []
    return [first, *by_title.values()]


def _judge(session: str, values: list[Value]) -> None:
    for value in values:
        if value.early < value.made:
            raise Conflict((session,), (value.late_by, value.early_by))
    first = values[0]
    forward = sorted(
        (v for v in values if v.early < v.late and (v.seen or not v.initial)),
        key=lambda v: v.early,
    )
    for one, two in pairwise(forward):
        if two.early < one.late:
            raise Conflict((session,), (one.early_by, one.late_by, two.early_by, two.late_by))
    starts = [v.early for v in forward]
    for value in values:
        if first.seen and value is not first and value.early < first.late:
            raise Conflict((session,), (value.early_by, first.late_by))
        if value.early >= value.late:
            i = bisect_right(starts, value.late - 1) - 1  # the last that began before
            if i >= 0 and value.early < forward[i].late:
                one = forward[i]
                raise Conflict((session,), (one.early_by, one.late_by, value.late_by))


def points(values: list[Value]) -> list[tuple[int, Value]]:
    """An instant for the write of every value, in a legal order (``_judge`` passed)."""
    first = values[0]
    floor = first.late if first.seen else BEFORE
    forward = sorted((v for v in values[1:] if v.early < v.late), key=lambda v: v.early)
    starts = [v.early for v in forward]
    placed: list[tuple[int, int, int, Value]] = []
    for n, value in enumerate(values[1:]):
        if value.early < value.late:
            placed.append((value.early, 1, n, value))
            continue
        at = max(value.late, floor)
        i = bisect_right(starts, at - 1) - 1
        if i >= 0 and at < forward[i].late:
            at = forward[i].late
        placed.append((at, 0, n, value))
    placed.sort(key=lambda item: item[:3])
    return [(at, value) for at, _, _, value in placed]
