"""Finds single edits that would make a contradictory history legal, by the anomaly they name.

Rules
- An edit changes one call, what is known of one session, or one kind of call wherever
  it was answered; nothing else.
- What may have brought a session back is whatever may change one, custom calls as well, and had
  not ended when its delete was called; what met with the delete comes first.
- Edits are only made here; whether the result is legal is the checker's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.check.names import name_of
from deadheat.check.weakening import split_lists
from deadheat.model.edits import Edit, How
from deadheat.model.history import (
    MAKING,
    NAMING,
    READING,
    Absent,
    Created,
    Deleted,
    Exists,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    Seen,
    Unknown,
    overlap,
    shown_sessions,
    shown_titles,
)
from deadheat.model.verdict import Anomaly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Repair:
    """The edit that would make the history legal (None: none was found).

    ``index``: the operation that it is about, -1 where it is none in particular.
    """

    anomaly: Anomaly
    edit: Edit | None
    index: int


def edits(
    anomaly: Anomaly,
    history: History,
    sessions: tuple[str, ...],
    core: set[int],
    custom: tuple[Operation, ...] = (),
) -> Iterator[tuple[Repair, list[Operation]]]:
    """The edits for ``anomaly``, each with the edited history.

    ``custom``: custom calls that may have changed something, which the history is without.
    """
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

    def by(how: How, op: Operation) -> Repair:
        """A repair of one call."""
        session = op.invocation.session or min(shown_sessions(op), default="")
        about = session if session in sessions else first
        return Repair(anomaly, Edit(how, op.index, (about,)), op.index)

    def of(how: How, op: Operation | None = None) -> Repair:
        """A repair of what is known of the first session, or of several calls like ``op``."""
        if op is None:
            return Repair(anomaly, Edit(how, None, (first,)), -1)
        return Repair(anomaly, Edit(how, op.index, (first,)), op.index)

    match anomaly:
        case Anomaly.DUPLICATE_ID:
            for op in chosen(lambda op: is_result(op, Created)):
                yield by(How.OWN_ID, op), []
        case Anomaly.DOUBLE_CREATE:
            for op in chosen(lambda op: op.kind in NAMING and is_result(op, Created)):
                if not any(name_of(op) == name_of(other) is not None for other in without(op)):
                    continue
                met = replace(op, outcome=Ok(Exists()))
                yield by(How.EXISTS, op), swapped(op, met)
                if op.invocation.session is None:  # one of two sessions, to be seen in lists
                    nameless = replace(op, invocation=replace(op.invocation, title=None))
                    yield by(How.THE_OTHERS, op), swapped(op, nameless)
        case Anomaly.PHANTOM:
            made = [
                _imagined(n, Kind.CREATE, None, ops[0].call_ns - end)
                for n, _ in enumerate(sessions)
            ]
            yield of(How.CREATED), [*made, *ops]
            ended = [
                _imagined(len(made) + n, Kind.DELETE, session, ops[0].call_ns)
                for n, session in enumerate(sessions)
            ]
            yield of(How.CREATED_AND_DELETED), [*made, *ops, *ended]
        case Anomaly.GHOST:
            yield from _revived(ops, first, custom, by, met=True)
            for op in chosen(lambda op: is_result(op, Deleted)):
                yield by(How.NOTHING, op), without(op)
            none = [op for op in ops if not is_result(op, Deleted)]
            if len(none) < len(ops) - 1:
                yield of(How.NO_DELETE), none
        case Anomaly.DOUBLE_DELETE:
            deletes = chosen(lambda op: is_result(op, Deleted))
            for op in deletes if len(deletes) > 1 else []:
                absent = swapped(op, replace(op, outcome=Ok(Absent())))
                yield by(How.ABSENT, op), absent
        case Anomaly.RESURRECTION:
            yield from _revived(ops, first, custom, by, met=True)
            yield from _second_life(ops, first, of(How.CREATED_AGAIN))
            yield from _revived(ops, first, custom, by, met=False)
        case Anomaly.ORPHAN:
            for op in chosen(
                lambda op: is_result(op, Created) and op.invocation.parent is not None
            ):
                rootless = replace(op, invocation=replace(op.invocation, parent=None))
                # So no list of its parent's children would have shown it.
                apart = [_not_below(other, op) for other in swapped(op, rootless)]
                yield by(How.NO_PARENT, op), apart
        case Anomaly.LOST_CREATE:
            for op in chosen(lambda op: is_result(op, Created)):
                yield by(How.NOTHING, op), without(op)
        case Anomaly.VANISHED:
            gone = _imagined(0, Kind.DELETE, first, min(op.call_ns for op in ops))
            yield of(How.DELETED), [*ops, gone]
        case Anomaly.WRONG_STATUS:
            for op in chosen(lambda op: is_result(op, Absent) and op.kind is not Kind.GET):
                yield by(How.NOT_ABSENT, op), without(op)
                if op.kind is Kind.DELETE:
                    done = replace(op, outcome=Ok(Deleted()))
                    yield by(How.SUCCESS, op), swapped(op, done)
            for op in chosen(lambda op: is_result(op, Exists)):
                yield by(How.NOT_EXISTS, op), without(op)
            refused = [op for op in ops if is_result(op, Absent) and op.kind is Kind.DELETE]
            if len(refused) > 1:  # one fault, and more than one delete that met with it
                others = [op for op in ops if op not in refused]
                yield of(How.NO_DELETE_ABSENT, refused[0]), others
        case Anomaly.STALE_READ:
            for op in chosen(lambda op: op.kind in READING):
                yield by(How.EARLIER, op), without(op)
            for kind in (Kind.LIST, Kind.GET):  # one view is stale, and was looked at again
                same = [op for op in ops if op.kind is kind]
                if len(same) > 1:
                    others = [op for op in ops if op.kind is not kind]
                    yield of(How.EACH_EARLIER, same[-1]), others
        case Anomaly.TORN_LIST:
            for op in chosen(lambda op: op.kind is Kind.LIST and len(sessions) > 1):
                split = list(split_lists(history, op.index).operations)
                yield by(How.IN_PARTS, op), split
            if len(sessions) > 1:
                split = list(split_lists(history).operations)
                yield of(How.EACH_IN_PARTS), split
            for op in chosen(lambda op: op.kind is Kind.LIST and repeats(op)):
                yield by(How.ONCE, op), without(op)
        case Anomaly.TORN_READ:
            torn = unwritten(history)
            wrong = chosen(lambda op: any(index == op.index for index, _ in torn))
            for op in wrong:
                yield by(How.WRITTEN, op), swapped(op, _blank(op, torn))
            if len(wrong) > 1:
                yield of(How.EACH_WRITTEN, wrong[0]), [_blank(op, torn) for op in ops]
        case Anomaly.LATE:
            # Slow, not lost: it is done by the time of the last answer.
            done_by = max(op.call_ns for op in ops) - 1
            for op in chosen(lambda op: is_result(op, Deleted | Created | Renamed)):
                if op.return_ns is None or op.return_ns >= done_by:
                    continue
                slow = replace(op, return_ns=done_by)
                yield by(How.ON_TIME, op), swapped(op, slow)
        case Anomaly.LOST_UPDATE:
            for op in chosen(lambda op: is_result(op, Renamed)):
                yield by(How.NOTHING, op), without(op)
        case _:
            return


def _second_life(
    ops: list[Operation], session: str, repair: Repair
) -> Iterator[tuple[Repair, list[Operation]]]:
    """The history in which later sightings of a deleted session are another session."""
    again = session + "\0again"
    ends = sorted({op.return_ns for op in ops if op.return_ns is not None and _lacks(op, session)})
    for since in ends[:40]:
        edited = [_readdressed(op, session, again) if op.call_ns > since else op for op in ops]
        reborn = _imagined(0, Kind.CREATE, None, since)
        yield repair, [*edited, reborn]


def _revived(
    ops: list[Operation],
    session: str,
    custom: tuple[Operation, ...],
    by: Callable[[How, Operation], Repair],
    *,
    met: bool,
) -> Iterator[tuple[Repair, list[Operation]]]:
    """The history in which some call made what is seen later, at best one that ``met`` it."""
    again = session + "\0again"
    deletes = [op for op in ops if op.invocation.session == session and is_result(op, Deleted)]
    since = min((op.call_ns for op in deletes), default=0)
    shown = {title for op in ops for one, title in shown_titles(op) if one == session}

    # A title that no call has seen is no sign that it was written back.
    renames = [
        op for op in ops if is_result(op, Renamed) and (not shown or op.invocation.title in shown)
    ]
    causes = [
        op
        for op in (*renames, *custom)
        if op.invocation.session == session
        and (op.return_ns is None or op.return_ns >= since)
        and any(overlap(op, delete) for delete in deletes) is met
    ]
    for cause in causes[:40]:
        later = cause.return_ns
        edited = [
            _readdressed(op, session, again)
            if (op.kind in READING and op.call_ns > cause.call_ns)
            or (later is not None and op.call_ns > later)
            else op
            for op in ops
            if op is not cause
        ]
        reborn = _imagined(0, Kind.CREATE, None, cause.call_ns)
        yield by(How.NOT_CREATED_AGAIN, cause), [*edited, reborn]


def unwritten(history: History) -> frozenset[tuple[int, str]]:
    """The reads that show a session under a title that no call has written, with the session.

    Nothing is said of a session whose first title is unknown.
    """
    written: dict[str, set[str | None]] = {}
    lost = {
        op.invocation.title
        for op in history.operations
        if op.kind in MAKING and isinstance(op.outcome, Info)
    }
    for op in history.operations:
        result = op.result
        session = result.session if isinstance(result, Created) else op.invocation.session
        if session is not None and op.kind in (*NAMING, Kind.RENAME, Kind.FORK):
            named = op.kind is not Kind.FORK
            written.setdefault(session, set()).add(op.invocation.title if named else None)
    return frozenset(
        (op.index, session)
        for op in history.operations
        for session, title in shown_titles(op)
        if session in written
        and not {title, None} & (written[session] | lost)
        and session not in history.existing
    )


def _blank(op: Operation, torn: frozenset[tuple[int, str]]) -> Operation:
    """The history without reading titles that no call wrote."""
    match op.result:
        case Found() if (op.index, op.invocation.session) in torn:
            return replace(op, outcome=Ok(Found()))
        case Listed(entries) | Offspring(entries) as listed:
            kept = tuple(Seen(e.session) if (op.index, e.session) in torn else e for e in entries)
            return replace(op, outcome=Ok(replace(listed, entries=kept)))
        case _:
            return op


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
    return op.invocation.session == session and is_result(op, Absent)


def _not_below(op: Operation, made: Operation) -> Operation:
    """``op`` without the session that ``made`` made, if it lists children."""
    outcome = op.outcome
    if not isinstance(outcome, Ok) or not isinstance(outcome.result, Offspring):
        return op
    if not isinstance(made.result, Created):
        return op
    session = made.result.session
    entries = tuple(e for e in outcome.result.entries if e.session != session)
    return replace(op, outcome=Ok(Offspring(entries)))


def _imagined(n: int, kind: Kind, session: str | None, call_ns: int) -> Operation:
    """An invented call."""
    return Operation(-2 - n, -1, Invocation(kind, session), Info(Unknown.TIMEOUT), call_ns, None)


def is_result(op: Operation, result: object) -> bool:
    """Was it answered with a result of this type?"""
    return isinstance(op.result, result)  # type: ignore[arg-type]


def repeats(op: Operation) -> bool:
    """Does the list show an entry twice?"""
    if not isinstance(op.result, Listed):
        return False
    return len(op.result.sessions) < len(op.result.entries)
