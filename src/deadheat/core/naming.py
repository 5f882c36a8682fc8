"""What a contradiction is called: the single edit that would make the history legal.

Rules
- The edits are tried on everything that the sessions concerned took part in, not on
  the witness alone, so that later answers can tell a slow effect from a lost one.
- Several may fit. The order in which they are tried is what the last word, the
  answers between and their number make likely; the first that fits names it, the
  others are said as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.core.divergence import Anomaly
from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
    Result,
    Seen,
    Unknown,
    shown_sessions,
)
from deadheat.core.legality import contradicts, split_list
from deadheat.core.witness import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deadheat.core.promises import Promises
    from deadheat.core.witness import Witness


@dataclass(frozen=True, slots=True)
class Repair:
    """The history would be legal if ``edit`` (ids as ``{0}`` …, about operation ``index``)."""

    anomaly: Anomaly
    edit: str
    index: int


@dataclass(frozen=True, slots=True)
class Story:
    """What a single session's answers say, in time."""

    born_by: int  # a create of it had been answered
    deletes: tuple[Operation, ...]
    seen: tuple[Operation, ...]  # answers that show it, its create apart
    missing: tuple[Operation, ...]  # reads and refused calls that do not

    @property
    def last_word_shows(self) -> bool:
        """Does the last answer about it show it?"""
        reads = [op for op in self.missing if op.kind in (Kind.GET, Kind.LIST)]
        last_seen = max((op.call_ns for op in self.seen), default=-1)
        last_missing = max((op.call_ns for op in reads), default=-1)
        return last_seen > last_missing


def name(witness: Witness, promises: Promises, budget: int) -> tuple[Repair, ...]:
    """The edits that fit, likeliest first; never empty."""
    history = _few(witness)
    sessions = witness.sessions

    def legal(operations: list[Operation]) -> bool:
        return not contradicts(replace(history, operations=tuple(operations)), promises, budget)

    fits: list[Repair] = []
    tried = _ranking(history, sessions)
    plain = None
    if tried[0] not in (Anomaly.PHANTOM, Anomaly.DUPLICATE_ID):
        plain = _without_titles(history)
    if plain is not None and not contradicts(plain, promises, budget):
        tried = tuple(dict.fromkeys((*_about_titles(history, witness.core), *tried)))
    core = {op.index for op in witness.core.operations}
    for anomaly in tried:
        for repair, operations in _edits(anomaly, history, sessions, core):
            if legal(operations):
                fits.append(repair)
                break
    if fits:
        return tuple(fits)
    return (Repair(tried[0], "no single edit", witness.culprit),)


def _few(witness: Witness) -> History:
    """All that concerns the sessions; of a long history the answers around the witness."""
    history = witness.concerned
    if len(history.operations) <= SMALL:
        return history
    core = {op.index for op in witness.core.operations}
    ordered = sorted(history.operations, key=lambda op: (op.call_ns, op.index))
    places = [n for n, op in enumerate(ordered) if op.index in core]
    low, high = min(places) - SMALL // 4, max(places) + SMALL // 4
    near = [
        op
        for n, op in enumerate(ordered)
        if low <= n <= high or op.index in core or op.kind not in (Kind.GET, Kind.LIST)
    ]
    # Of what lies between far apart witnesses, a sample is enough to name it.
    if len(near) > 2 * SMALL:
        step = len(near) // SMALL
        near = [
            op
            for n, op in enumerate(near)
            if n % step == 0 or op.index in core or op.kind not in (Kind.GET, Kind.LIST)
        ]
    return replace(history, operations=tuple(near))


def story_of(history: History, session: str) -> Story:
    """The answers about ``session``."""
    deletes: list[Operation] = []
    seen: list[Operation] = []
    missing: list[Operation] = []
    born_by = min((op.call_ns for op in history.operations), default=0)
    for op in sorted(history.operations, key=lambda op: (op.call_ns, op.index)):
        if not isinstance(op.outcome, Ok):
            continue
        result = op.outcome.result
        if isinstance(result, Created):
            born_by = (op.return_ns or op.call_ns) if result.session == session else born_by
            continue
        mine = op.invocation.session == session
        if isinstance(result, Listed):
            (seen if session in result.sessions else missing).append(op)
        elif mine and isinstance(result, Deleted):
            deletes.append(op)
        elif mine and isinstance(result, Absent):
            missing.append(op)
        elif mine:
            seen.append(op)
    return Story(born_by, tuple(deletes), tuple(seen), tuple(missing))


def _ranking(history: History, sessions: tuple[str, ...]) -> tuple[Anomaly, ...]:
    creators = [
        op.outcome.result.session
        for op in history.operations
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created)
    ]
    if len(set(creators)) < len(creators) or set(creators) & history.existing:
        return (Anomaly.DUPLICATE_ID,)
    shown = frozenset[str]().union(*map(shown_sessions, history.operations))
    first: tuple[Anomaly, ...] = ()
    if set(sessions) & shown - set(creators) - history.existing:
        first = (Anomaly.PHANTOM,)
    elif any(_repeats(op) for op in history.operations):
        first = (Anomaly.TORN_LIST,)
    elif len(sessions) == 1:
        first = _about_one(story_of(history, sessions[0]))
    else:
        first = (Anomaly.TORN_LIST, Anomaly.STALE_READ)
    rest = (
        Anomaly.TORN_LIST,
        Anomaly.STALE_READ,
        Anomaly.WRONG_STATUS,
        Anomaly.LATE,
        Anomaly.LOST_UPDATE,
        Anomaly.GHOST,
        Anomaly.RESURRECTION,
        Anomaly.LOST_CREATE,
        Anomaly.VANISHED,
        Anomaly.DOUBLE_DELETE,
        Anomaly.PHANTOM,
    )
    return tuple(dict.fromkeys((*first, *rest)))


def _about_one(story: Story) -> tuple[Anomaly, ...]:
    deletes, seen, missing = story.deletes, story.seen, story.missing
    gone_by = min((op.return_ns or 0 for op in deletes), default=None)
    if gone_by is not None:
        after = [op for op in seen if op.call_ns > gone_by]
        first_delete = min(op.call_ns for op in deletes)
        gone = [op for op in missing if op.call_ns >= first_delete]
        back = [
            op for op in seen if any(op.call_ns > (m.return_ns or 0) for m in gone)
        ]
        if back and (story.last_word_shows or len(back) > 1):
            return (Anomaly.RESURRECTION, Anomaly.GHOST, Anomaly.LATE, Anomaly.STALE_READ)
        if back:
            return (Anomaly.STALE_READ, Anomaly.RESURRECTION)
        if after and story.last_word_shows:
            return (Anomaly.GHOST, Anomaly.STALE_READ, Anomaly.LATE)
        if len(deletes) > 1:
            between = any(
                op.call_ns > gone_by and (op.return_ns or 0) < max(d.call_ns for d in deletes)
                for op in seen
            )
            first = (Anomaly.GHOST,) if between else (Anomaly.DOUBLE_DELETE,)
            return (*first, Anomaly.DOUBLE_DELETE, Anomaly.GHOST)
        if after:
            later = (Anomaly.LATE, Anomaly.STALE_READ)
            return later if len(after) > 1 else later[::-1]
    reads = [op for op in missing if op.kind in (Kind.GET, Kind.LIST)]
    if not seen and missing:
        return (Anomaly.LOST_CREATE, Anomaly.WRONG_STATUS, Anomaly.STALE_READ)
    if story.last_word_shows:
        early = [
            op
            for op in reads
            if op.call_ns > story.born_by and all(op.call_ns < s.call_ns for s in seen)
        ]
        if len(early) > 1:
            return (Anomaly.LATE, Anomaly.STALE_READ)
        return (Anomaly.WRONG_STATUS, Anomaly.STALE_READ, Anomaly.LATE)
    return (Anomaly.WRONG_STATUS, Anomaly.VANISHED, Anomaly.STALE_READ)


def _about_titles(history: History, core: History) -> tuple[Anomaly, ...]:
    """Only titles contradict each other: was the new one ever seen?"""
    shown = {
        title
        for op in history.operations
        if isinstance(op.outcome, Ok)
        for title in _titles(op.outcome.result)
    }
    renames = [op for op in core.operations if _is(op, Renamed)]
    if any(op.invocation.title not in shown for op in renames):
        return (Anomaly.LOST_UPDATE, Anomaly.LATE, Anomaly.STALE_READ)
    return (Anomaly.STALE_READ, Anomaly.LATE, Anomaly.LOST_UPDATE)


def _titles(result: Result) -> tuple[str | None, ...]:
    match result:
        case Found(title):
            return (title,)
        case Listed(entries):
            return tuple(entry.title for entry in entries)
        case _:
            return ()


def _without_titles(history: History) -> History | None:
    """As if nobody had looked at a title; None when nobody did."""
    operations: list[Operation] = []
    looked = False
    for op in history.operations:
        if isinstance(op.outcome, Ok) and any(_titles(op.outcome.result)):
            looked = True
            if isinstance(op.outcome.result, Listed):
                blank: Result = Listed(tuple(Seen(e.session) for e in op.outcome.result.entries))
            else:
                blank = Found()
            operations.append(replace(op, outcome=Ok(blank)))
        else:
            operations.append(op)
    return replace(history, operations=tuple(operations)) if looked else None


def _edits(
    anomaly: Anomaly, history: History, sessions: tuple[str, ...], core: set[int]
) -> Iterator[tuple[Repair, list[Operation]]]:
    """The edits that ``anomaly`` stands for, each with the history that it makes."""
    ops = list(history.operations)
    first = sessions[0]
    end = max((op.return_ns or op.call_ns for op in ops), default=0) + 1

    def without(op: Operation) -> list[Operation]:
        return [other for other in ops if other is not op]

    def swapped(op: Operation, new: Operation) -> list[Operation]:
        return [new if other is op else other for other in ops]

    def chosen(test: Callable[[Operation], bool]) -> list[Operation]:
        found = [op for op in ops if test(op)]
        return sorted(found, key=lambda op: (op.index not in core, op.index))[:40]

    def said(text: str, index: int) -> Repair:
        return Repair(anomaly, text, index)

    match anomaly:
        case Anomaly.DUPLICATE_ID:
            for op in chosen(lambda op: _is(op, Created)):
                yield said("the second create had answered an id of its own", op.index), []
        case Anomaly.PHANTOM:
            made = [
                _imagined(n, Kind.CREATE, None, ops[0].call_ns - end)
                for n, _ in enumerate(sessions)
            ]
            yield said("somebody had created {0}", -1), [*made, *ops]
        case Anomaly.GHOST:
            for op in chosen(lambda op: _is(op, Deleted)):
                yield said("delete({0}) had done nothing", op.index), without(op)
            none = [op for op in ops if not _is(op, Deleted)]
            if len(none) < len(ops) - 1:
                yield said("none of the deletes had done anything", -1), none
        case Anomaly.DOUBLE_DELETE:
            deletes = chosen(lambda op: _is(op, Deleted))
            for op in deletes if len(deletes) > 1 else []:
                absent = replace(op, outcome=Ok(Absent()))
                yield said("one of the deletes had answered “absent”", op.index), swapped(op, absent)
        case Anomaly.RESURRECTION:
            yield from _second_life(ops, first, said)
        case Anomaly.LOST_CREATE:
            for op in chosen(lambda op: _is(op, Created)):
                yield said("{0} = create() had done nothing", op.index), without(op)
        case Anomaly.VANISHED:
            gone = _imagined(0, Kind.DELETE, first, min(op.call_ns for op in ops))
            yield said("somebody had deleted {0}", -1), [*ops, gone]
        case Anomaly.WRONG_STATUS:
            for op in chosen(lambda op: _is(op, Absent) and op.kind is not Kind.GET):
                yield said(f"{op.kind}({{0}}) had not answered “absent”", op.index), without(op)
                if op.kind is Kind.DELETE:
                    done = replace(op, outcome=Ok(Deleted()))
                    yield said("delete({0}) had answered success", op.index), swapped(op, done)
        case Anomaly.STALE_READ:
            for op in chosen(lambda op: op.kind in (Kind.GET, Kind.LIST)):
                yield said(f"that {op.kind} had answered earlier", op.index), without(op)
        case Anomaly.TORN_LIST:
            for op in chosen(lambda op: op.kind is Kind.LIST and len(sessions) > 1):
                split = list(split_list(history, op.index).operations)
                yield said("that list had read each session on its own", op.index), split
            for op in chosen(lambda op: op.kind is Kind.LIST and _repeats(op)):
                yield said("that list had shown each session once", op.index), without(op)
        case Anomaly.LATE:
            # Slow, not lost: it is done by the time of the last answer.
            done_by = max(op.call_ns for op in ops) - 1
            for op in chosen(lambda op: _is(op, Deleted | Created | Renamed)):
                if op.return_ns is None or op.return_ns >= done_by:
                    continue
                slow = replace(op, return_ns=done_by)
                yield said(f"{_spelt(op)} had answered only once it was done", op.index), swapped(
                    op, slow
                )
        case Anomaly.LOST_UPDATE:
            for op in chosen(lambda op: _is(op, Renamed)):
                yield said("rename({0}) had done nothing", op.index), without(op)
        case _:
            return


def _second_life(
    ops: list[Operation], session: str, said: Callable[[str, int], Repair]
) -> Iterator[tuple[Repair, list[Operation]]]:
    """As if what is seen after it was gone were another session."""
    again = session + "\0again"
    ends = sorted({op.return_ns for op in ops if op.return_ns is not None and _lacks(op, session)})
    for since in ends[:40]:
        edited = [_readdressed(op, session, again) if op.call_ns > since else op for op in ops]
        reborn = _imagined(0, Kind.CREATE, None, since)
        yield said("something had created {0} again", -1), [*edited, reborn]


def _readdressed(op: Operation, old: str, new: str) -> Operation:
    invocation, outcome = op.invocation, op.outcome
    if invocation.session == old:
        return replace(op, invocation=replace(invocation, session=new))
    if isinstance(outcome, Ok) and isinstance(outcome.result, Listed):
        entries = tuple(
            Seen(new, e.title) if e.session == old else e for e in outcome.result.entries
        )
        return replace(op, outcome=Ok(Listed(entries)))
    return op


def _lacks(op: Operation, session: str) -> bool:
    if op.kind is Kind.LIST:
        return isinstance(op.outcome, Ok) and session not in shown_sessions(op)
    return op.invocation.session == session and _is(op, Absent)


def _imagined(n: int, kind: Kind, session: str | None, call_ns: int) -> Operation:
    """A call that nobody is known to have made."""
    return Operation(
        -2 - n, -1, Invocation(kind, session), Info(Unknown.TIMEOUT), call_ns, None
    )


def _is(op: Operation, result: object) -> bool:
    return isinstance(op.outcome, Ok) and isinstance(op.outcome.result, result)  # type: ignore[arg-type]


def _repeats(op: Operation) -> bool:
    if not isinstance(op.outcome, Ok) or not isinstance(op.outcome.result, Listed):
        return False
    return len(op.outcome.result.sessions) < len(op.outcome.result.entries)


def _spelt(op: Operation) -> str:
    return "{0} = create()" if op.kind is Kind.CREATE else f"{op.kind}({{0}})"


