"""Custom calls for the checker's tests, and every order tried by another hand.

``every_order`` shares nothing with ``check.custom.calls``: it has its own words for the collection
and its marks, and tries each order that real time allows, with and without each unanswered call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.check.histories import Build

from deadheat.model.history import (
    FORBIDDEN,
    Absent,
    Answered,
    Created,
    Custom,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Result,
    Seen,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Hashable
    from random import Random

ARCHIVE, RESTORE, PEEK = Custom("archive"), Custom("restore"), Custom("peek", pure=True)


@dataclass(frozen=True)
class Archive:
    """``archive`` works once, ``restore`` undoes it, ``peek`` only looks.

    ``forbids``: the kinds that an archived session refuses. ``hidden``: lists leave it out.
    ``loose``: a second ``archive`` may also say that it did it.
    """

    forbids: frozenset[Kind] = frozenset()
    hidden: bool = False
    loose: bool = False

    def step(self, custom: Custom, there: bool, mark: Hashable) -> list[tuple[str, Hashable]]:
        if not there:
            return [("absent", mark)]
        match custom.name:
            case "archive" if mark is None:
                return [("archived", "put away")]
            case "archive":
                again: list[tuple[str, Hashable]] = [("archived", mark)] if self.loose else []
                return [("refused", mark), *again]
            case "restore":
                return [("restored", None)] if mark is not None else [("refused", None)]
            case _:
                return [("live" if mark is None else "archived", mark)]

    def refuses(self, kind: Kind, mark: Hashable) -> bool:
        return mark is not None and kind in self.forbids

    def hides(self, mark: Hashable) -> bool:
        return mark is not None and self.hidden


def own_call(
    build: Build, custom: Custom, session: str, call: float, end: float | None, said: str
) -> Build:
    """One custom call; ``end`` None: without an answer."""
    outcome = Info(Unknown.TIMEOUT) if end is None else Ok(Answered(said))
    return build.add(Invocation(Kind.CUSTOM, session, custom=custom), outcome, call, end)


def random_own_history(rng: Random, kinds: Archive, size: int, *, strict: bool) -> History:
    """A legal run of two or three sessions, every call with room around its instant; then bent."""
    build = Build()
    state: dict[str, bool] = {}  # there, and archived?
    known = [f"s{n}" for n in range(rng.randint(1, 2))]
    for session in known:
        build.create(session, 0, 1)
        state[session] = False
    for n in range(size):
        at = 10.0 + 4 * n
        call, end = at - rng.choice((0, 3, 9, 17)), at + rng.choice((0, 3, 9, 17)) + 0.5
        session = rng.choice(known)
        match rng.randrange(8):
            case 0 if len(known) < 3:
                born = f"s{len(known)}"
                known.append(born)
                state[born] = False
                build.create(born, call, end)
            case 1:
                shown = [s for s, away in state.items() if not (away and kinds.hidden)]
                if rng.random() < 0.2:
                    shown = [s for s in shown if rng.random() < 0.6]
                build.list(call, end, *shown)
            case 2 | 3:
                _plain(rng, build, kinds, state, session, call, end, strict=strict)
            case _:
                custom = rng.choice((ARCHIVE, ARCHIVE, RESTORE, PEEK))
                options = kinds.step(
                    custom, session in state, "put away" if state.get(session) else None
                )
                word, mark = rng.choice(options)
                lost = rng.random() < 0.15
                if session in state and not (lost and rng.random() < 0.5):
                    state[session] = mark is not None
                if rng.random() < 0.15:
                    word = rng.choice(("archived", "refused", "restored", "live", "absent"))
                own_call(build, custom, session, call, None if lost else end, word)
    return build.history


def _plain(
    rng: Random, build: Build, kinds: Archive, state: dict[str, bool], session: str,
    call: float, end: float, *, strict: bool,
) -> None:  # fmt: skip
    kind = rng.choice((Kind.GET, Kind.DELETE, Kind.DELETE))
    result: Result = Found() if kind is Kind.GET else Deleted()
    if session not in state and (strict or kind is Kind.GET):
        result = Absent()
    if state.get(session) and kind in kinds.forbids:
        result = FORBIDDEN
    elif kind is Kind.DELETE:
        state.pop(session, None)
    if rng.random() < 0.1:
        result = rng.choice((result, Absent(), FORBIDDEN))
    lost = kind is Kind.DELETE and rng.random() < 0.1
    outcome = Info(Unknown.TIMEOUT) if lost else Ok(result)
    build.add(Invocation(kind, session), outcome, call, None if lost else end)


def every_order(history: History, kinds: Archive, *, strict: bool, per_session: bool) -> bool:
    """Is there an order that explains every answer?"""
    ops = [op for op in history.operations if not (op.return_ns is None and _looks(op))]
    if per_session:
        ops = [part for op in ops for part in _parts(op, history)]
    return _goes_on(tuple(ops), (), kinds, strict)


def _looks(op: Operation) -> bool:
    custom = op.invocation.custom
    return op.kind in (Kind.GET, Kind.LIST) or (custom is not None and custom.pure)


def _parts(op: Operation, history: History) -> list[Operation]:
    """A list as one look at each session, for each its own instant."""
    if op.kind is not Kind.LIST or not isinstance(op.outcome, Ok):
        return [op]
    assert isinstance(op.outcome.result, Listed)
    shown = op.outcome.result.sessions
    ids = {
        o.outcome.result.session
        for o in history.operations
        if isinstance(o.outcome, Ok) and isinstance(o.outcome.result, Created)
    }
    looks = Invocation(Kind.LIST, None)
    return [
        replace(
            op,
            invocation=replace(looks, session=s),
            outcome=Ok(Listed((Seen(s),) if s in shown else ())),
        )
        for s in sorted(ids)
    ]


Sessions = tuple[tuple[str, bool], ...]  # there, and archived?


def _goes_on(left: tuple[Operation, ...], now: Sessions, kinds: Archive, strict: bool) -> bool:
    sure = [op for op in left if op.return_ns is not None]
    if not sure:
        return True
    deadline = min(op.return_ns for op in sure if op.return_ns is not None)
    for op in left:
        if op.call_ns > deadline:
            continue
        rest = tuple(other for other in left if other is not op)
        for after in _after(op, dict(now), kinds, strict):
            if _goes_on(rest, tuple(sorted(after.items())), kinds, strict):
                return True
    return False


def _after(
    op: Operation, now: dict[str, bool], kinds: Archive, strict: bool
) -> list[dict[str, bool]]:
    """What may be the case after ``op`` and its answer."""
    session = op.invocation.session or ""
    away = now.get(session, False)
    said = op.outcome.result if isinstance(op.outcome, Ok) else None
    if op.invocation.custom is not None:
        return _after_own(op.invocation.custom, session, now, kinds, said)
    match op.kind:
        case Kind.CREATE:
            assert isinstance(said, Created)
            return [] if said.session in now else [{**now, said.session: False}]
        case Kind.LIST:
            assert isinstance(said, Listed)
            seen = {s for s, gone in now.items() if not (gone and kinds.hidden)}
            asked = {session} if session else seen | said.sessions
            return [now] if said.sessions == seen & asked else []
        case Kind.GET:
            forbidden = away and Kind.GET in kinds.forbids
            right: Result = FORBIDDEN if forbidden else Found() if session in now else Absent()
            return [now] if said == right else []
        case _:
            if away and Kind.DELETE in kinds.forbids:
                return [now] if said in (FORBIDDEN, None) else []
            without = {s: gone for s, gone in now.items() if s != session}
            if said is None:
                return [without]
            fits = said == Deleted() if session in now or not strict else False
            nothing = said == Absent() and session not in now
            return [without] if fits or nothing else []


def _after_own(
    custom: Custom, session: str, now: dict[str, bool], kinds: Archive, said: Result | None
) -> list[dict[str, bool]]:
    def fits(*words: str) -> bool:
        return said is None or said in [Answered(word) for word in words]

    if session not in now:
        return [now] if fits("absent") else []
    away = now[session]
    if custom.name == "peek":
        return [now] if fits("archived" if away else "live") else []
    if custom.name == "archive":
        words = (
            (("refused", "archived") if kinds.loose else ("refused",)) if away else ("archived",)
        )
        return [{**now, session: True}] if fits(*words) else []
    return [{**now, session: False}] if fits("restored" if away else "refused") else []
