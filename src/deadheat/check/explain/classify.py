"""Names a contradiction: by the single edit that would make the history legal.

Rules
- The edits are tried on everything that the sessions concerned took part in, not on
  the witness alone, so that later answers can tell a slow effect from a lost one.
- Several may fit. The order in which they are tried is what the last word, the
  answers between and their number make likely; the first that fits names it, the
  others are said as well.
- Where there is more than one fault, and so no single edit for all, they are tried on the
  witness. If none fits there either, none is named.
- It is a resurrection only if an answer said that it was gone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.check.decide.legality import permits
from deadheat.check.explain.minimal_core import SMALL, partial_cascade
from deadheat.check.explain.repairs import Repair, edits, is_result, repeats, unwritten
from deadheat.check.names import freed_between, name_of
from deadheat.model.edits import Edit, How
from deadheat.model.history import (
    CHANGING,
    NAMING,
    READING,
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Kind,
    Listed,
    Ok,
    Operation,
    Renamed,
    Result,
    Seen,
    ancestors,
    overlap,
    parents_of,
    shown_sessions,
    shown_titles,
)
from deadheat.model.promises import CreatePromise
from deadheat.model.verdict import Anomaly

if TYPE_CHECKING:
    from deadheat.check.decide.legality import Budget
    from deadheat.check.explain.minimal_core import Witness
    from deadheat.model.promises import Promises


@dataclass(frozen=True, slots=True)
class Story:
    """What the answers say about a single session, in time."""

    born_by: int  # a create of it had been answered
    deletes: tuple[Operation, ...]
    seen: tuple[Operation, ...]  # answers that show it, its create apart
    missing: tuple[Operation, ...]  # reads and refused calls that do not

    @property
    def last_word_shows(self) -> bool:
        """Does the last answer about the session show it?"""
        reads = [op for op in self.missing if op.kind in READING]
        last_seen = max((op.call_ns for op in self.seen), default=-1)
        last_missing = max((op.call_ns for op in reads), default=-1)
        return last_seen > last_missing


def name(
    whole: History,
    witness: Witness,
    promises: Promises,
    budget: Budget,
    custom: tuple[Operation, ...] = (),
) -> tuple[Witness, tuple[Repair, ...]]:
    """The edits that fit, likeliest first, never empty; and the witness that shows the first.

    ``whole``: the history that the witness was found in. Only a cascade that took something
    while its answer says it did nothing needs more of it than the witness has. ``custom``: custom
    calls that may have changed something; the rest is judged without them.
    """
    found = _fitting(witness, promises, budget, custom)
    for index in _refused_cascades(whole, witness, found[0]):
        wider = partial_cascade(whole, index, promises, budget)
        if wider is not None:
            edit = Edit(How.LEFT_ALONE, index, wider.sessions[:2])
            return wider, (Repair(Anomaly.PARTIAL_CASCADE, edit, index), *found)
    return witness, found


def _refused_cascades(whole: History, witness: Witness, first: Repair) -> tuple[int, ...]:
    """The refused deletes that may have taken something all the same."""
    match first.anomaly:
        case Anomaly.WRONG_STATUS:
            return (first.index,)
        case Anomaly.VANISHED | Anomaly.LOST_CREATE:  # as if a call had deleted it: which?
            parents = parents_of(whole.operations)
            above = {
                one
                for session in witness.sessions[: witness.main]
                for one in ancestors(session, parents)
            }
            return tuple(
                op.index
                for op in whole.operations
                if op.kind is Kind.DELETE
                and is_result(op, Absent)
                and op.invocation.session in above
            )
        case _:
            return ()


def _fitting(
    witness: Witness, promises: Promises, budget: Budget, custom: tuple[Operation, ...]
) -> tuple[Repair, ...]:
    if not witness.sessions:  # "it exists", of a title under which none was made
        return (Repair(Anomaly.IMPOSSIBLE, None, witness.culprit),)
    history = _few(witness)
    alike = _two_deletes(witness) and not _seen_between(history, witness.sessions[0])
    # Two deletes that met contradict each other, whatever else went wrong around them.
    parts = (witness.core, history) if alike else (history, witness.core)
    fits: tuple[Repair, ...] = ()
    for part in parts:
        fits = _fitting_in(part, witness, promises, budget, custom)
        if fits and not (alike and part is witness.core and not _claims(fits)):
            return fits
    tried = _tried(history, witness, promises, budget)
    return fits or (Repair(tried[0], None, witness.culprit),)


def _claims(fits: tuple[Repair, ...]) -> bool:
    return fits[0].anomaly is Anomaly.DOUBLE_DELETE


def _two_deletes(witness: Witness) -> bool:
    """Is it only a contradiction between overlapping deletes?"""
    deletes = [op for op in witness.core.operations if is_result(op, Deleted)]
    looks = [op for op in witness.core.operations if op.kind in READING]
    return (
        witness.main == 1
        and not looks
        and len({op.invocation.session for op in deletes}) == 1
        and any(overlap(one, two) for n, one in enumerate(deletes) for two in deletes[n + 1 :])
    )


def _seen_between(history: History, session: str) -> bool:
    """Is it shown after one delete of it was answered, and before the last one was?"""
    story = story_of(history, session)
    ends = [op.return_ns or op.call_ns for op in story.deletes]
    return any(min(ends) < op.call_ns <= max(ends) for op in story.seen)


def _tried(
    history: History, witness: Witness, promises: Promises, budget: Budget
) -> tuple[Anomaly, ...]:
    """The names to try, likeliest first."""
    sessions = witness.sessions
    tried = _ranking(history, sessions[: witness.main], promises)
    alone = not any(session in parents_of(history.operations) for session in sessions)
    if tried[0] is Anomaly.TORN_LIST and alone and _looked_at_rest(witness):
        tried = tuple(dict.fromkeys((Anomaly.STALE_READ, Anomaly.LATE, *tried)))
    plain = None
    if tried[0] not in (Anomaly.PHANTOM, Anomaly.DUPLICATE_ID, Anomaly.DOUBLE_CREATE):
        plain = _without_titles(history)
    if plain is not None and permits(plain, promises, budget):
        tried = tuple(dict.fromkeys((*_about_titles(history, witness.core), *tried)))
    return tried


def _fitting_in(
    history: History,
    witness: Witness,
    promises: Promises,
    budget: Budget,
    custom: tuple[Operation, ...],
) -> tuple[Repair, ...]:
    sessions = witness.sessions

    def legal(operations: list[Operation]) -> bool:
        return permits(replace(history, operations=tuple(operations)), promises, budget)

    fits: list[Repair] = []
    core = {op.index for op in witness.core.operations}
    for anomaly in _tried(history, witness, promises, budget):
        for repair, operations in edits(anomaly, history, sessions, core, custom):
            if legal(operations):
                fits.append(repair)
                break
    seen_gone = _seen_gone(story_of(history, witness.sessions[0]))
    named = (
        replace(one, anomaly=Anomaly.GHOST)
        if one.anomaly is Anomaly.RESURRECTION and not seen_gone
        else one
        for one in fits
    )
    first: dict[Anomaly, Repair] = {}
    for one in named:
        first.setdefault(one.anomaly, one)
    return tuple(first.values())


def _seen_gone(story: Story) -> bool:
    """Did an answer call it gone, after a delete was called and before it was shown?"""
    return bool(_back(story))


def _back(story: Story) -> list[Operation]:
    """The answers that show the session after one that called it gone."""
    if not story.deletes:
        return []
    first_delete = min(op.call_ns for op in story.deletes)
    gone = [op for op in story.missing if op.call_ns >= first_delete]
    return [op for op in story.seen if any(op.call_ns > (m.return_ns or 0) for m in gone)]


def _looked_at_rest(witness: Witness) -> bool:
    """Did every list of the witness run while no call changed anything?

    Two moments cannot be mixed then; what is old in it was old before the list was called.
    """
    lists = [op for op in witness.core.operations if op.kind is Kind.LIST]
    changes = [op for op in witness.concerned.operations if op.kind in CHANGING]
    return bool(lists) and not any(
        overlap(one, change) or repeats(one) for one in lists for change in changes
    )


def _few(witness: Witness) -> History:
    """The operations about these sessions; of a long history only those around the witness."""
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
        if low <= n <= high or op.index in core or op.kind not in READING
    ]
    # Of what lies between far apart witnesses, a sample is enough to name it.
    if len(near) > 2 * SMALL:
        step = len(near) // SMALL
        near = [
            op
            for n, op in enumerate(near)
            if n % step == 0 or op.index in core or op.kind not in READING
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
        result = op.result
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


def _ranking(
    history: History, sessions: tuple[str, ...], promises: Promises
) -> tuple[Anomaly, ...]:
    creators = [op.result.session for op in history.operations if isinstance(op.result, Created)]
    twice = len(set(creators)) < len(creators)
    if (twice and promises.one_life) or set(creators) & history.existing:
        return (Anomaly.DUPLICATE_ID,)
    if promises.create is not CreatePromise.NEW and _double(history):
        return (Anomaly.DOUBLE_CREATE, *_ranked(history, sessions, set(creators)))
    ranked = _ranked(history, sessions, set(creators))
    if promises.create is not CreatePromise.NEW and Anomaly.LOST_CREATE in ranked:
        # Of one that several calls claim to have made, none need be lost.
        before = ranked.index(Anomaly.LOST_CREATE)
        return tuple(dict.fromkeys((*ranked[:before], Anomaly.DOUBLE_CREATE, *ranked[before:])))
    if twice and promises.create is CreatePromise.NEW:  # it may come back, once it is free
        removed = any(op.kind is Kind.DELETE for op in history.operations)
        return (*ranked, Anomaly.DUPLICATE_ID) if removed else (Anomaly.DUPLICATE_ID, *ranked)
    return ranked


def _double(history: History) -> bool:
    """Did two creates of one name both answer that they made it, with no delete between?"""
    made = [op for op in history.operations if op.kind in NAMING and is_result(op, Created)]
    return any(
        name_of(one) == name_of(other) is not None and not freed_between(history, one, other)
        for n, one in enumerate(made)
        for other in made[n + 1 :]
    )


def _ranked(history: History, sessions: tuple[str, ...], creators: set[str]) -> tuple[Anomaly, ...]:
    shown = frozenset[str]().union(*map(shown_sessions, history.operations))
    first: tuple[Anomaly, ...] = ()
    parents = parents_of(history.operations)
    named = {op.invocation.session for op in history.operations if op.kind in NAMING}
    if set(sessions) & shown - creators - named - history.existing:
        first = (Anomaly.PHANTOM,)
    elif any(repeats(op) for op in history.operations):
        first = (Anomaly.TORN_LIST,)
    elif any(session in parents for session in sessions):
        first = (Anomaly.ORPHAN,) if _after_a_cascade(history, sessions) else ()
        first = (*first, Anomaly.TORN_LIST)
        if len(sessions) == 1:
            first = (*first, *_about_one(story_of(history, sessions[0])))
    elif len(sessions) == 1:
        first = _about_one(story_of(history, sessions[0]))
    else:
        first = (Anomaly.TORN_LIST, Anomaly.STALE_READ)
    rest = (
        Anomaly.TORN_LIST,
        Anomaly.STALE_READ,
        Anomaly.WRONG_STATUS,
        Anomaly.ORPHAN,
        Anomaly.LATE,
        Anomaly.LOST_UPDATE,
        Anomaly.GHOST,
        Anomaly.RESURRECTION,
        Anomaly.LOST_CREATE,
        Anomaly.VANISHED,
        Anomaly.DOUBLE_DELETE,
        Anomaly.DOUBLE_CREATE,
        Anomaly.PHANTOM,
    )
    return tuple(dict.fromkeys((*first, *rest)))


def _after_a_cascade(history: History, sessions: tuple[str, ...]) -> bool:
    """Is one of them shown, or deleted, after its parent's delete was answered?"""
    parents = parents_of(history.operations)
    for session in sessions:
        above = ancestors(session, parents)
        ends = [
            op.return_ns or 0
            for op in history.operations
            if is_result(op, Deleted) and op.invocation.session in above
        ]
        if ends and any(
            op.call_ns > min(ends) and (session in shown_sessions(op) or _removed(op, session))
            for op in history.operations
        ):
            return True
    return False


def _removed(op: Operation, session: str) -> bool:
    return is_result(op, Deleted) and op.invocation.session == session


def _about_one(story: Story) -> tuple[Anomaly, ...]:
    deletes, seen, missing = story.deletes, story.seen, story.missing
    gone_by = min((op.return_ns or 0 for op in deletes), default=None)
    if gone_by is not None:
        after = [op for op in seen if op.call_ns > gone_by]
        back = _back(story)
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
    reads = [op for op in missing if op.kind in READING]
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
    """The anomalies, likeliest first, where only titles contradict: was the new one ever seen?"""
    torn = unwritten(history)
    core_shows = ((op.index, session) for op in core.operations for session, _ in shown_titles(op))
    if not torn.isdisjoint(core_shows):
        return (Anomaly.TORN_READ, Anomaly.STALE_READ, Anomaly.LOST_UPDATE)
    shown = {title for op in history.operations for title in _titles(op.result)}
    renames = [op for op in core.operations if is_result(op, Renamed)]
    if any(op.invocation.title not in shown for op in renames):
        return (Anomaly.LOST_UPDATE, Anomaly.LATE, Anomaly.STALE_READ)
    return (Anomaly.STALE_READ, Anomaly.LATE, Anomaly.LOST_UPDATE)


def _titles(result: Result | None) -> tuple[str | None, ...]:
    match result:
        case Found(title):
            return (title,)
        case Listed(entries):
            return tuple(entry.title for entry in entries)
        case _:
            return ()


def _without_titles(history: History) -> History | None:
    """The history without any title read; None when no title was read."""
    operations: list[Operation] = []
    looked = False
    for op in history.operations:
        if any(t is not None for t in _titles(op.result)):
            looked = True
            if isinstance(op.result, Listed):
                blank: Result = Listed(tuple(Seen(e.session) for e in op.result.entries))
            else:
                blank = Found()
            operations.append(replace(op, outcome=Ok(blank)))
        else:
            operations.append(op)
    return replace(history, operations=tuple(operations)) if looked else None
