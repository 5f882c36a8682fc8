"""Sessions that live again: random histories, and a second opinion that tries every order.

Three ways to come back: under an id that the client chose, under a title that is the session's
name, under an id that the server gives out again. Nothing of ``model.specification`` is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.check.histories import bend_one

from deadheat.model.history import (
    NAMING,
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
    Ok,
    Operation,
    Outcome,
    Result,
    Seen,
    Unknown,
)
from deadheat.model.promises import CreatePromise, DeletePromise, IdPromise

if TYPE_CHECKING:
    from random import Random

    from deadheat.model.promises import Promises

State = tuple[frozenset[tuple[str, str | None]], frozenset[str]]  # who lives under what, who died


def some_order_is_legal(history: History, promises: Promises) -> bool:
    """Try every order of the calls, and for an unanswered create every id there is."""
    ops = [
        op
        for op in history.operations
        if not (isinstance(op.outcome, Info) and op.kind in (Kind.GET, Kind.LIST))
    ]
    ids = sorted({s for op in ops for s in _ids(op)})
    seen: set[tuple[frozenset[int], State]] = set()

    def after(op: Operation, state: State) -> list[State]:
        live, dead = dict(state[0]), state[1]
        asked, said = op.invocation, op.outcome
        result = said.result if isinstance(said, Ok) else None
        if op.kind in NAMING:
            return creates(asked, result, live, dead)
        session = str(asked.session)
        if op.kind is Kind.DELETE:
            there = session in live
            if result is None or isinstance(result, Deleted):
                once = promises.delete is DeletePromise.EXACTLY_ONCE
                if not there:
                    return [] if result is not None and once else [state]
                del live[session]
                return [(frozenset(live.items()), dead | {session})]
            return [] if there else [state]
        if isinstance(result, Listed):
            shown = [(e.session, e.title) for e in result.entries]
            fits = sorted(s for s, _ in shown) == sorted(live)
            return [state] if fits and all(t in (None, live[s]) for s, t in shown) else []
        if isinstance(result, Found):
            return [state] if session in live and result.title in (None, live[session]) else []
        return [] if session in live else [state]

    def creates(
        asked: Invocation, result: Result | None, live: dict[str, str | None], dead: frozenset[str]
    ) -> list[State]:
        state = (frozenset(live.items()), dead)
        named = promises.create is not CreatePromise.NEW
        holder: str | None = None
        if named and asked.session is not None:
            holder = asked.session if asked.session in live else None
        elif named:
            holder = next((s for s, t in live.items() if t == asked.title), None)
        if isinstance(result, Exists):
            return [] if holder is None else [state]
        if holder is not None:
            same = isinstance(result, Created) and result.session == holder
            told = result is None or (same and promises.create is CreatePromise.IDEMPOTENT)
            return [state] if told else []
        born: list[str] = []
        if isinstance(result, Created):
            born = [result.session]
        elif asked.session is not None:
            born = [asked.session]
        else:
            taken = {
                r.session
                for op in ops
                if isinstance(op.outcome, Ok) and isinstance(r := op.outcome.result, Created)
            }
            again = promises.ids is IdPromise.REUSED
            born = [s for s in ids if again or s not in taken]
            born += [f"unseen {asked.title}"] if named else []
        free = [
            s
            for s in born
            if s not in live
            and (promises.ids is IdPromise.REUSED or asked.session is not None or s not in dead)
        ]
        return [(frozenset({**live, s: asked.title}.items()), dead) for s in free]

    def legal(left: frozenset[int], state: State) -> bool:
        must = [n for n in left if ops[n].return_ns is not None]
        if not must:
            return True
        if (left, state) in seen:
            return False
        seen.add((left, state))
        first_end = min(ops[n].return_ns or 0 for n in must)
        return any(
            legal(left - {n}, nxt)
            for n in sorted(left)
            if ops[n].call_ns <= first_end
            for nxt in after(ops[n], state)
        )

    return legal(frozenset(range(len(ops))), (frozenset(), frozenset()))


def _ids(op: Operation) -> set[str]:
    found = {op.invocation.session} if op.invocation.session is not None else set()
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed):
        found |= op.outcome.result.sessions
    if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
        found.add(op.outcome.result.session)
    return found


def random_names(
    rng: Random, size: int, promises: Promises, *, chosen: bool, bend: float, lost: float
) -> History:
    """``size`` operations of a collection that keeps ``promises``, overlapping, then bent.

    ``chosen``: clients choose the ids. ``lost``: that share of the answers never came.
    """
    live: dict[str, str] = {}
    gone: list[str] = []
    known: list[str] = []
    operations: list[Operation] = []
    shows_titles = chosen or promises.create is not CreatePromise.NEW or rng.random() < 0.5
    width = rng.choice([1, 2, 4, 8])
    named = promises.create is not CreatePromise.NEW
    for n in range(size):
        instant = 10 * n
        kind = rng.choice([Kind.CREATE, Kind.CREATE, Kind.DELETE, Kind.DELETE, Kind.GET, Kind.LIST])
        result: Result
        if kind is Kind.CREATE:
            again = named and n and rng.random() < 0.6
            number = rng.randrange(3) if again else n
            title = f"t{number}"
            session = f"s{number}" if chosen else None
            asked = Invocation(Kind.RECREATE if again else kind, session, title)
            holder = next((s for s, t in live.items() if t == title), None) if named else None
            if holder is not None:
                once = promises.create is CreatePromise.EXACTLY_ONCE
                result = Exists() if once else Created(holder)
            else:
                reused = promises.ids is IdPromise.REUSED and gone and rng.random() < 0.6
                free = [s for s in gone if s not in live] if reused else []
                born = session or (rng.choice(free) if free else f"n{n}")
                live[born] = title
                known.append(born)
                result = Created(born)
        elif kind is Kind.LIST:
            shown = [Seen(s, t if shows_titles else None) for s, t in live.items()]
            asked, result = Invocation(kind), Listed(tuple(shown))
        else:
            session = rng.choice(known) if known else "s0"
            asked = Invocation(kind, session)
            if kind is Kind.GET:
                result = Found(live[session]) if session in live else Absent()
            elif session in live:
                del live[session]
                gone.append(session)
                result = Deleted()
            else:
                once = promises.delete is DeletePromise.EXACTLY_ONCE
                result = Absent() if once else Deleted()
        unheard = rng.random() < lost
        outcome: Outcome = Info(Unknown.TIMEOUT) if unheard else Ok(result)
        call, end = instant - 10 * rng.randrange(width), instant + 10 * rng.randrange(width) + 1
        lane = n
        operations.append(
            Operation(n, lane, asked, outcome, call, None if unheard else end, place=(0, lane, 0))
        )
    history = History(tuple(operations))
    while rng.random() < bend:
        n = rng.randrange(size)
        bent = _bent(rng, operations[n], known)
        history = replace(
            history, operations=(*history.operations[:n], bent, *history.operations[n + 1 :])
        )
        operations[n] = bent
    return history


def _bent(rng: Random, op: Operation, known: list[str]) -> Operation:
    if isinstance(op.outcome, Ok) and op.kind in NAMING and rng.random() < 0.5:
        session = op.invocation.session or rng.choice(known)
        result = Created(session) if isinstance(op.outcome.result, Exists) else Exists()
        return replace(op, outcome=Ok(result))
    if op.kind in NAMING and op.invocation.session is not None:
        return op  # it answers for the id that it was asked for, or is garbled
    return bend_one(rng, op, known)
