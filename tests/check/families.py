"""Sessions below sessions: random histories, and a second opinion that takes nothing lazily.

The checker's model takes a child of a delete under way only when an answer needs it gone.
Here every instant at which each child may go is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.check.histories import bend_one

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
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
    Result,
    Seen,
    Unknown,
    parents_of,
)
from deadheat.model.promises import CascadePromise, ChildrenPromise, DeletePromise, ForkPromise

if TYPE_CHECKING:
    from random import Random

    from deadheat.model.promises import Promises


@dataclass(frozen=True)
class _State:
    live: frozenset[tuple[str, str | None]]
    dead: frozenset[str]
    begun: frozenset[int]  # deletes under way, by their place


def some_family_order_is_legal(history: History, promises: Promises) -> bool:
    """Try every order, every instant at which a delete begins and at which a child goes.

    Every create in ``history`` is answered.
    """
    ops = [
        op
        for op in history.operations
        if not (isinstance(op.outcome, Info) and op.kind in (Kind.GET, Kind.LIST, Kind.CHILDREN))
    ]
    parents = parents_of(ops)
    seen: set[tuple[frozenset[int], _State]] = set()

    def below(top: str, live: dict[str, str | None]) -> set[str]:
        """Live sessions below it, linked by live ones."""
        found: set[str] = set()
        layer = {top}
        while layer := {c for c, p in parents.items() if p in layer and c in live} - found:
            found |= layer
        return found

    def descends(session: str, top: str | None) -> bool:
        while (above := parents.get(session)) is not None:
            if above == top:
                return True
            session = above
        return False

    def without(state: _State, gone: set[str]) -> _State:
        live = frozenset((s, t) for s, t in state.live if s not in gone)
        return replace(state, live=live, dead=state.dead | gone)

    def taken(state: _State) -> list[_State]:
        """One child more has gone."""
        live = dict(state.live)
        cascade = promises.children is ChildrenPromise.CASCADE
        return [
            without(state, {child} | (below(child, live) if cascade else set()))
            for child in live
            if any(descends(child, ops[n].invocation.session) for n in state.begun)
        ]

    def effects(state: _State, n: int) -> list[_State]:
        op, live = ops[n], dict(state.live)
        session, title = op.invocation.session or "", op.invocation.title
        match op.outcome:
            case Ok(Created(born)):
                forks = op.kind is Kind.FORK and promises.fork is ForkPromise.NEEDS_SOURCE
                if born in live or born in state.dead or (forks and session not in live):
                    return []
                return [replace(state, live=state.live | {(born, title)})]
            case Ok(Deleted()) | Info() if op.kind is Kind.DELETE:
                ended = replace(state, begun=state.begun - {n})
                if session not in live:
                    fits = promises.delete is DeletePromise.IDEMPOTENT or isinstance(
                        op.outcome, Info
                    )
                    return [ended] if fits else []
                cascade = promises.children is ChildrenPromise.CASCADE
                return [without(ended, {session} | (below(session, live) if cascade else set()))]
            case Ok(Absent()):
                about = op.invocation.parent if op.kind is Kind.CREATE else session
                return [state] if about not in live else []
            case Ok(Found(shown)):
                return [state] if session in live and shown in (None, live[session]) else []
            case Ok(Renamed()) | Info():
                if session not in live:
                    return [] if isinstance(op.outcome, Ok) else [state]
                kept = {(s, t) for s, t in state.live if s != session}
                return [replace(state, live=frozenset(kept | {(session, title)}))]
            case Ok(Listed(entries)):
                return [state] if shows(entries, live, set(live)) else []
            case Ok(Offspring(entries)):
                there = {s for s in live if parents.get(s) == session}
                empty = not entries and session not in live
                return [state] if empty or shows(entries, live, there) else []
            case _:
                raise AssertionError(op)

    def shows(entries: tuple[Seen, ...], live: dict[str, str | None], there: set[str]) -> bool:
        ids = [e.session for e in entries]
        if sorted(ids) != sorted(there):
            return False
        return all(e.title in (None, live[e.session]) for e in entries)

    atomic = (
        promises.cascade is CascadePromise.ATOMIC and promises.children is ChildrenPromise.CASCADE
    )
    parts = promises.children is not ChildrenPromise.ORPHAN and not atomic

    def legal(left: frozenset[int], begun_once: frozenset[int], state: _State) -> bool:
        must = [n for n in left if ops[n].return_ns is not None]
        if not must:
            return True
        key = (left, state)
        if key in seen:
            return False
        seen.add(key)
        first_end = min(ops[n].return_ns or 0 for n in must)
        for n in sorted(left):
            if ops[n].call_ns > first_end:
                continue
            if any(legal(left - {n}, begun_once, after) for after in effects(state, n)):
                return True
            delete = ops[n].kind is Kind.DELETE and not _refused(ops[n])
            if parts and delete and n not in state.begun:
                begun = replace(state, begun=state.begun | {n})
                if legal(left, begun_once | {n}, begun):
                    return True
        return any(legal(left, begun_once, after) for after in taken(state))

    start = _State(frozenset((s, None) for s in history.existing), frozenset(), frozenset())
    return legal(frozenset(range(len(ops))), frozenset(), start)


def _refused(op: Operation) -> bool:
    return isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Absent)


def random_family(rng: Random, size: int, promises: Promises, *, bend: float) -> History:
    """``size`` operations of a collection with parents that keeps ``promises``, then bent.

    Children go at instants of their own while the delete of a parent is under way.
    """
    live: dict[str, str | None] = {}
    parents: dict[str, str] = {}
    known: list[str] = []
    operations: list[Operation] = []
    titled = rng.random() < 0.5
    going: list[tuple[int, str, tuple[str, ...]]] = []  # deletes to be finished: index, id, below
    width = rng.choice([1, 4, 8, 16])

    def below(top: str) -> list[str]:
        found = [c for c in live if parents.get(c) == top]
        return [*found, *(s for c in found for s in below(c))]

    def gone(session: str) -> None:
        for one in (session, *below(session)):
            if promises.children is ChildrenPromise.CASCADE or one == session:
                live.pop(one, None)

    def finish(n: int, session: str) -> None:
        op = operations[n]
        if session in live or promises.delete is DeletePromise.IDEMPOTENT:
            gone(session)
            result: Result = Deleted()
        else:
            result = Absent()
        end = instant + rng.randrange(width)
        lost = rng.random() < 0.1
        outcome = Info(Unknown.TIMEOUT) if lost else Ok(result)
        operations[n] = replace(op, outcome=outcome, return_ns=None if lost else end)

    def put(n: int, invocation: Invocation, result: Result, *, lost: bool = False) -> None:
        call, end = instant - rng.randrange(width), instant + rng.randrange(width)
        outcome = Info(Unknown.TIMEOUT) if lost else Ok(result)
        operations.append(Operation(n, n, invocation, outcome, call, None if lost else end))

    def look(session: str) -> str | None:
        return live[session] if titled and rng.random() < 0.6 else None

    instant = 0
    for n in range(size):
        instant = 4 * n + rng.randrange(4)
        for one in list(going):
            _, top, _ = one
            parts = promises.children is not ChildrenPromise.ORPHAN and (
                promises.children is ChildrenPromise.NONE
                or promises.cascade is CascadePromise.GRADUAL
            )
            for child in below(top) if parts else []:
                if rng.random() < 0.4 and child in live:
                    gone(child)
            if rng.random() < 0.5:
                going.remove(one)
                finish(one[0], top)
        kind = rng.choice(
            [Kind.CREATE] * 3
            + [Kind.DELETE] * 3
            + [Kind.GET, Kind.LIST, Kind.LIST, Kind.CHILDREN, Kind.RENAME, Kind.FORK]
        )
        if not known:
            kind = Kind.CREATE
        target = rng.choice(known) if known else ""
        title = f"t{n}" if titled else None
        born = f"s{n}"
        match kind:
            case Kind.CREATE:
                parent = target if known and rng.random() < 0.75 else None
                if parent is not None and parent not in live and rng.random() < 0.5:
                    put(n, Invocation(kind, None, title, parent), Absent())
                    continue
                live[born] = title
                known.append(born)
                if parent is not None and parent in live:
                    parents[born] = parent
                put(n, Invocation(kind, None, title, parent), Created(born))
            case Kind.FORK:
                if target not in live:
                    put(n, Invocation(kind, target, title), Absent())
                    continue
                live[born] = title
                known.append(born)
                put(n, Invocation(kind, target, title), Created(born))
            case Kind.DELETE:
                put(n, Invocation(kind, target), Absent())
                going.append((n, target, ()))
            case Kind.GET:
                there = target in live
                put(n, Invocation(kind, target), Found(look(target)) if there else Absent())
            case Kind.LIST:
                put(n, Invocation(kind), Listed(tuple(Seen(s, look(s)) for s in sorted(live))))
            case Kind.CHILDREN:
                shown = sorted(c for c in live if parents.get(c) == target)
                put(n, Invocation(kind, target), Offspring(tuple(Seen(s, look(s)) for s in shown)))
            case Kind.RENAME:
                there = target in live
                if there:
                    live[target] = title
                result: Result = Renamed() if there else Absent()
                put(n, Invocation(kind, target, title), result, lost=rng.random() < 0.15)
    for n, top, _ in going:
        finish(n, top)
    bent = [_bent(rng, op, known) if rng.random() < bend else op for op in operations]
    rng.shuffle(bent)
    return History(tuple(bent))


def _bent(rng: Random, op: Operation, known: list[str]) -> Operation:
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Offspring):
        chosen = rng.choice(known)
        shown = [e for e in op.outcome.result.entries if e.session != chosen]
        if len(shown) == len(op.outcome.result.entries):
            shown.append(Seen(chosen))
        return replace(op, outcome=Ok(Offspring(tuple(shown))))
    bent = bend_one(rng, op, known)
    if op.kind in (Kind.CREATE, Kind.FORK):  # an id given twice is the other suite's subject
        return replace(bent, outcome=op.outcome)
    return bent
