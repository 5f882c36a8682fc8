"""One pass over a history: what each session's own operations prove about its life.

Rules
- An id lives at most once: absent, live, deleted. Whatever the order, it came to
  be within ``[made, early]`` and went within ``[late, gone]``: ``early`` is the
  first instant by which somebody is sure to have seen it, ``late`` the last at
  which somebody still did. Where ``early < late`` it certainly lived in between.
- Sessions are independent (locality, Herlihy & Wing 1990), so what is impossible
  for one alone is found here; what only lists can tell is for ``list_order``.
- Of histories that ``fragment`` gives to ``Decider.LIVES`` only: none below another.
- Closed intervals on one clock: an operation takes effect at some instant of
  ``[call_ns, return_ns]``, several at one instant in any order.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from deadheat.check.decide.life_records import BEFORE, NEVER, Conflict, Life, Lives, NeedsSearch
from deadheat.check.decide.orphans import adopt
from deadheat.model.history import Absent, Created, Deleted, Found, Info, Kind, Listed, Ok, Renamed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deadheat.model.history import Operation

_SESSION, _CALL, _EARLY = attrgetter("session"), attrgetter("call_ns"), attrgetter("early")


def read_lives(
    operations: tuple[Operation, ...], existing: frozenset[str], *, strict_delete: bool
) -> Lives:
    """Every session's life. Raises ``Conflict`` when one alone is impossible, ``NeedsSearch``."""
    lives = Lives(operations)
    _gather(lives, existing)
    claimed = [life for life in lives.by_id.values() if life.created is not None or life.existing]
    if len(claimed) < len(lives.by_id):
        lives.orphans = [
            life
            for life in lives.by_id.values()
            if life.created is None
            and not life.existing
            and (life.answers or (strict_delete and life.deletes))
        ]
    if lives.orphans:
        adopt(lives, strict_delete=strict_delete)
        claimed += lives.orphans
    for life in claimed:
        if life.deletes or life.loose_deletes:
            _settle_end(life, strict_delete=strict_delete)
        else:
            life.late = NEVER
    for life in claimed:
        judge_life(life)
    return lives


def _gather(lives: Lives, existing: frozenset[str]) -> None:
    by_id = lives.by_id
    for session in sorted(existing):
        life = by_id[session] = Life(session)
        life.existing = True
        life.made = BEFORE
        life.early = BEFORE
    for op in lives.operations:
        outcome = op.outcome
        if type(outcome) is Ok:
            end = op.return_ns
            if end is None:
                _open(op, lives)
                continue
            result = outcome.result
            kind = type(result)
            if kind is Listed:
                lives.lists.append(op)
                call, index = op.call_ns, op.index
                for entry in result.entries:  # type: ignore[union-attr]
                    session = entry.session
                    life = by_id.get(session) or _new(by_id, session)
                    life.answers = True
                    if end < life.early:
                        life.early, life.early_by = end, index
                    if call > life.late:
                        life.late, life.late_by = call, index
                    if entry.title is not None and entry.title != life.title:
                        life.odd = True
                continue
            asked = op.invocation
            if kind is Created:
                session = result.session  # type: ignore[union-attr]
                life = by_id.get(session) or _new(by_id, session)
                _claim(life, op)
                if end < life.early:
                    life.early, life.early_by = end, op.index
                continue
            session = asked.session or ""
            life = by_id.get(session) or _new(by_id, session)
            if kind is Absent:
                life.missing.append(op)
            elif kind is Found:
                life.seen(op, end)
                title = result.title  # type: ignore[union-attr]
                if title is not None and title != life.title:
                    life.odd = True
            elif kind is Deleted:
                life.deletes.append(op)
            elif kind is Renamed:
                life.seen(op, end)
                life.renames.append(op)
            else:
                raise NeedsSearch
        elif type(outcome) is Info:
            _open(op, lives)


def _new(by_id: dict[str, Life], session: str) -> Life:
    life = by_id[session] = Life(session)
    return life


def _claim(life: Life, op: Operation) -> None:
    if life.existing:
        raise Conflict((life.session,), (op.index,))
    if life.created is not None:
        raise Conflict((life.session,), (life.created.index, op.index))
    life.created = op
    life.made = op.call_ns
    life.title = op.invocation.title
    if life.answers:  # seen before its create was read: look at the titles again
        life.odd = True


def _open(op: Operation, lives: Lives) -> None:
    """An operation without an answer: it may take effect at any later instant, or never."""
    kind, outcome = op.kind, op.outcome
    if kind is Kind.CREATE:
        if type(outcome) is Ok and type(outcome.result) is Created:  # cut: the id is known
            session = outcome.result.session
            _claim(lives.by_id.get(session) or _new(lives.by_id, session), op)
        else:
            lives.loose_creates.append(op)
        return
    session = op.invocation.session or ""
    if kind is Kind.DELETE:
        (lives.by_id.get(session) or _new(lives.by_id, session)).loose_deletes.append(op)
    elif kind is Kind.RENAME:
        (lives.by_id.get(session) or _new(lives.by_id, session)).loose_renames.append(op)
    elif kind is not Kind.GET and kind is not Kind.LIST:
        raise NeedsSearch


def _settle_end(life: Life, *, strict_delete: bool) -> None:
    """``d1``: first instant at which it may go; ``gone``: by then it has; ``late``, ``early``."""
    deletes = life.deletes
    if deletes and strict_delete:
        if len(deletes) > 1:
            raise Conflict((life.session,), (deletes[0].index, deletes[1].index))
        op = deletes[0]
        life.deleted = op
        life.d1, life.gone, life.killer = op.call_ns, _end(op), op.index
    elif deletes:
        life.d1 = min(op.call_ns for op in deletes)
        first = min(deletes, key=_end)
        # A success before the creation says nothing, one after it ends the life: when it
        # may be either (the id was guessed), only the search knows.
        if life.d1 <= life.early and not life.existing:
            raise NeedsSearch
        life.deleted = first
        life.gone, life.killer = _end(first), first.index
        for op in life.loose_deletes:
            life.d1 = min(life.d1, op.call_ns)
    elif life.loose_deletes:
        life.d1 = min(op.call_ns for op in life.loose_deletes)
    if life.gone < life.early:
        life.early, life.early_by = life.gone, life.killer
    life.late = max(life.late, life.d1, life.made)


def judge_life(life: Life) -> None:
    """Raise ``Conflict`` when what is known of the session is impossible by itself."""
    if life.late > life.gone:
        raise Conflict((life.session,), (life.killer, life.late_by))
    if life.early < life.made:
        source = life.created.index if life.created is not None else life.early_by
        raise Conflict((life.session,), (source, life.early_by))
    early, late = life.early, life.late
    if early < late:
        for op in life.missing:
            if early < op.call_ns and _end(op) < late:
                raise Conflict((life.session,), (life.early_by, op.index, life.late_by))


def judge_alone(
    operations: Sequence[Operation], session: str, *, existing: bool, strict_delete: bool
) -> None:
    """Raise ``Conflict`` when this session is impossible by itself, lists included.

    What ``read_lives`` and ``judge_lists`` find of it, without a look at the others; nothing
    where that depends on them.
    """
    life = Life(session)
    if existing:
        life.existing = True
        life.made = life.early = BEFORE
    missing = life.missing
    for op in operations:
        outcome = op.outcome
        if type(outcome) is Ok:
            result = outcome.result
            kind = type(result)
            if kind is Listed:
                for entry in result.entries:  # type: ignore[union-attr]
                    if entry.session == session:
                        life.seen(op, op.return_ns or 0)
                        break
                else:
                    missing.append(op)
            elif kind is Created:
                if result.session == session:  # type: ignore[union-attr]
                    _claim(life, op)
                    if op.return_ns is not None and op.return_ns < life.early:
                        life.early, life.early_by = op.return_ns, op.index
            elif op.invocation.session == session:
                if kind is Absent:
                    missing.append(op)
                elif kind is Deleted:
                    life.deletes.append(op)
                else:
                    life.seen(op, op.return_ns or 0)
        elif op.invocation.session == session and op.kind is Kind.DELETE and type(outcome) is Info:
            life.loose_deletes.append(op)
    if life.created is None and not existing:
        return  # by which create it was made, the others have a say in
    try:
        _settle_end(life, strict_delete=strict_delete)
    except NeedsSearch:
        return
    judge_life(life)


def judge_lists(lives: Lives) -> None:
    """Raise ``Conflict`` when a list misses a session that certainly lived all the while."""
    certain = [life for life in lives.by_id.values() if life.early < life.late]
    if not certain:
        return
    certain.sort(key=_EARLY)
    lists = sorted(lives.lists, key=_CALL)
    active: dict[str, Life] = {}
    i, n = 0, len(certain)
    for op in lists:
        call = op.call_ns
        while i < n and certain[i].early < call:
            active[certain[i].session] = certain[i]
            i += 1
        if not active:
            continue
        missed = active.keys() - shown(op)
        for session in sorted(missed) if missed else ():
            life = active[session]
            if life.late <= call:
                del active[session]
            elif _end(op) < life.late:
                raise Conflict((session,), (life.early_by, op.index, life.late_by))


def shown(op: Operation) -> frozenset[str]:
    """The ids of an answered list."""
    return frozenset(map(_SESSION, op.outcome.result.entries))  # type: ignore[union-attr]


def _end(op: Operation) -> int:
    return NEVER if op.return_ns is None else op.return_ns
