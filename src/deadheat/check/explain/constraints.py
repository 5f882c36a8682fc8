"""Derives what the answers of a witness force: which call comes before which, and why.

Rules
- One constraint for each relation between two of the witness's calls.
- An absence may have several reasons: it then gives a ``Choice``.
- What needs no relation at all (an id given twice, or never) is a step of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.names import freed_between, name_of
from deadheat.model.grounds import (
    Changed,
    Constraint,
    HadRemoved,
    HadTaken,
    LacksTitle,
    LeftAlone,
    MadeTwice,
    Missed,
    NeverGone,
    NoMaker,
    RealTime,
    Removed,
    SameId,
    Showed,
    ShowsTitle,
    ShowsTwice,
    TakenAlong,
    UnknownTitle,
)
from deadheat.model.history import (
    MAKING,
    READING,
    Absent,
    Created,
    Deleted,
    Exists,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    ancestors,
    parents_of,
    shown_sessions,
)
from deadheat.model.promises import ChildrenPromise, CreatePromise, DeletePromise

if TYPE_CHECKING:
    from deadheat.model.grounds import Because, Step
    from deadheat.model.history import History
    from deadheat.model.promises import Promises


Option: TypeAlias = tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A constraint of which one of ``options`` holds."""

    options: tuple[Option, ...]


class Facts:
    """Derives the constraints of a witness, answer by answer."""

    def __init__(
        self, core: History, sessions: tuple[str, ...], promises: Promises, *, again: bool
    ) -> None:
        self.ops = tuple(
            sorted(
                (op for op in core.operations if not _mute(op)),
                key=lambda op: (op.call_ns, op.index),
            )
        )
        self.core = core
        self.existing = core.existing
        self.parents = parents_of(self.ops)
        self.children = promises.children
        self.idempotent = promises.delete is DeletePromise.IDEMPOTENT
        self.per_session = not promises.snapshot
        self.forced: list[Constraint] = []
        self.choices: list[Choice] = []
        self.direct: Step | None = None
        self._real_time()
        self._repeated()
        if again:  # it has no single birth and end for its answers to lie between
            self._made_twice(promises)
            return
        for session in sessions:
            self._about(session)

    def _before(self, first: int, second: int, because: Because) -> Constraint:
        """A constraint between two places in the witness."""
        return Constraint(self.ops[first].index, self.ops[second].index, because)

    def _real_time(self) -> None:
        for i, one in enumerate(self.ops):
            for j, two in enumerate(self.ops):
                if one.return_ns is not None and one.return_ns < two.call_ns:
                    self.forced.append(self._before(i, j, RealTime()))

    def _repeated(self) -> None:
        for op in self.ops:
            match op.outcome:
                case Ok(Listed() as listed) if len(listed.sessions) < len(listed.entries):
                    if not self.per_session:
                        self.direct = ShowsTwice(op.index)
                case _:
                    pass

    def _made_twice(self, promises: Promises) -> None:
        """Two creates that claim one name, or id, with nothing that can have freed it."""
        made = [op for op in self.ops if _created(op)]
        for n, one in enumerate(made):
            for other in made[n + 1 :]:
                same = _created(one) == _created(other)
                named = promises.create is not CreatePromise.NEW
                alike = named and name_of(one) == name_of(other) is not None
                told = same and promises.create is CreatePromise.IDEMPOTENT
                if not (same or alike) or told or freed_between(self.core, one, other):
                    continue
                self.direct = MadeTwice(one.index, other.index, same)
                return

    def _about(self, session: str) -> None:
        if self.direct is not None:
            return
        creates = [i for i, op in enumerate(self.ops) if _created(op) == session]
        if len(creates) > 1 or (creates and session in self.existing):
            self.direct = SameId(tuple(self.ops[i].index for i in creates), session)
            return
        show = [i for i, op in enumerate(self.ops) if _shows(op, session)]
        kills = [i for i, op in enumerate(self.ops) if _of(op, session, Deleted)]
        loose = [
            i
            for i, op in enumerate(self.ops)
            if op.kind is Kind.DELETE
            and op.invocation.session == session
            and isinstance(op.outcome, Info)
        ]
        if not creates and session not in self.existing:
            lost = any(op.kind in MAKING and isinstance(op.outcome, Info) for op in self.ops)
            if show or kills:
                self.direct = NoMaker(self.ops[(show or kills)[0]].index, session, lost)
            return
        for i in show:
            self._shown(i, session, creates, kills)
        self._kills(session, creates, kills)
        self._cascades(session, creates, show)
        for i, op in enumerate(self.ops):
            if _lacks(op, session):
                self._missing(i, session, creates, kills, loose, show)
        self._titles(session, creates)

    def _takers(self, session: str) -> list[int]:
        """The deletes above the session that may have taken it."""
        if self.children is ChildrenPromise.ORPHAN:
            return []
        above = ancestors(session, self.parents)
        return [
            i
            for i, op in enumerate(self.ops)
            if op.kind is Kind.DELETE
            and op.invocation.session in above
            and (isinstance(op.outcome, Info) or isinstance(op.result, Deleted))
        ]

    def _cascades(self, session: str, creates: list[int], show: list[int]) -> None:
        """The constraints of a cascade: what existed when the parent's delete came is gone."""
        parent = self.parents.get(session)
        if parent is None or self.idempotent or self.children is not ChildrenPromise.CASCADE:
            return
        if self._takers(parent):
            return  # then the parent itself may have gone before its delete
        for d in (i for i, op in enumerate(self.ops) if _of(op, parent, Deleted)):
            for c in creates:
                for i in show:
                    spared = self._before(d, c, LeftAlone(session))
                    still = self._before(i, d, TakenAlong(session))
                    self.choices.append(Choice(((spared,), (still,))))

    def _shown(self, i: int, session: str, creates: list[int], kills: list[int]) -> None:
        shows = Showed(self.ops[i].index, session)
        self.forced.extend(self._before(c, i, shows) for c in creates)
        self.forced.extend(self._before(i, d, shows) for d in kills)

    def _kills(self, session: str, creates: list[int], kills: list[int]) -> None:
        for d in kills:
            removed = Removed(self.ops[d].index, session)
            self.forced.extend(self._before(c, d, removed) for c in creates)
            if self.idempotent:
                continue
            for other in kills:
                if other != d:
                    too = Removed(self.ops[other].index, session)
                    self.forced.append(self._before(other, d, too))

    def _missing(
        self, i: int, session: str, creates: list[int], kills: list[int],
        loose: list[int], show: list[int],
    ) -> None:  # fmt: skip
        by = self.ops[i].index
        misses = Missed(by, session)
        options: list[Option] = [(self._before(i, c, misses),) for c in creates]
        options.extend((self._before(d, i, misses),) for d in kills)
        for d in loose if self.idempotent or not kills else []:
            shown = (self._before(s, d, Showed(self.ops[s].index, session)) for s in show)
            options.append((self._before(d, i, HadRemoved(session)), *shown))
        takers = self._takers(session) if self.idempotent or not kills else []
        for d in takers:
            end_ns = self.ops[i].return_ns
            if end_ns is not None and end_ns < self.ops[d].call_ns:
                continue
            taken = HadTaken(by, self.ops[d].index, session)
            used = [self._before(c, d, taken) for c in (*creates, *show)]
            used.extend(self._before(s, i, taken) for s in show)
            if not used:
                return  # nothing speaks against it
            options.append(tuple(used))
        if not options:
            self.direct = NeverGone(by, session)
        elif len(options) > 1:
            self.choices.append(Choice(tuple(options)))
        elif kills or loose or takers:
            self.forced.extend(options[0])
        else:
            alone = Missed(by, session, undeleted=True)
            self.forced.extend(self._before(i, c, alone) for c in creates)

    def _titles(self, session: str, creates: list[int]) -> None:
        writes = {
            self.ops[i].invocation.title: i
            for i, op in enumerate(self.ops)
            if op.kind is Kind.RENAME
            and op.invocation.session == session
            and not _of(op, session, Absent)
        }
        initial = self.ops[creates[0]].invocation.title if creates else None
        shown = {i: t for i, op in enumerate(self.ops) if (t := _title(op, session)) is not None}
        used = {title: w for title, w in writes.items() if self._took_effect(w, shown, title)}
        for w in used.values():
            self.forced.extend(self._before(c, w, Changed(session)) for c in creates)
        for i, title in shown.items():
            mine = used.get(title)
            if mine is None and initial is not None and title != initial:
                self.direct = UnknownTitle(self.ops[i].index, session, title)
                return
            if mine is not None:
                self.forced.append(self._before(mine, i, ShowsTitle()))
            for w in used.values():
                if w == mine:
                    continue
                lacks = LacksTitle(self.ops[i].index, self.ops[w].index)
                later = self._before(i, w, lacks)
                if mine is None:
                    self.forced.append(later)
                    continue
                self.choices.append(Choice(((later,), (self._before(w, mine, lacks),))))

    def _took_effect(self, w: int, shown: dict[int, str], title: str | None) -> bool:
        return isinstance(self.ops[w].outcome, Ok) or title in shown.values()


def _mute(op: Operation) -> bool:
    return isinstance(op.outcome, Info) and op.kind in READING


def _created(op: Operation) -> str:
    match op.outcome:
        case Ok(Created(session)):
            return session
        case _:
            return ""


def _of(op: Operation, session: str, result: type[Deleted | Absent]) -> bool:
    return op.invocation.session == session and isinstance(op.result, result)


def _shows(op: Operation, session: str) -> bool:
    told_by_a_create = isinstance(op.result, Created | Exists)
    return not told_by_a_create and session in shown_sessions(op)


def _lacks(op: Operation, session: str) -> bool:
    match op.outcome:
        case Ok(Listed() as listed):
            return session not in listed.sessions
        case Ok(Absent()):
            about = op.invocation.parent if op.kind is Kind.CREATE else op.invocation.session
            return about == session
        case _:
            return False


def _title(op: Operation, session: str) -> str | None:
    match op.outcome:
        case Ok(Listed(entries) | Offspring(entries)):
            return next((e.title for e in entries if e.session == session), None)
        case Ok(Found(title)) if op.invocation.session == session:
            return title
        case _:
            return None
