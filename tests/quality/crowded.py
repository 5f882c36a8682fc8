"""Histories in which many lists are open at once, of every fragment that the checker decides.

    python -m tests.quality.crowded --help
    python -m tests.quality.crowded --count 40 --fragment lists

What a sequential run of the collection answers, each answer with an interval around its
instant; then, in a half of them, with one fault. A run without one is legal by construction; of
the others the checker says whether the fault shows, and where that is feasible another hand does.
The script prints CPU times; exit code 1 where a legal one was refused, where one was undecided or
where one took longer than ``LONGEST_S``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from deadheat.check.checker import check
from deadheat.model.history import (
    FORBIDDEN,
    Absent,
    Answered,
    Created,
    Custom,
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
    Result,
    Seen,
    Unknown,
)
from deadheat.model.promises import (
    CascadePromise,
    ChildrenPromise,
    CreatePromise,
    DeletePromise,
    IdPromise,
    ListPromise,
    Promises,
)
from deadheat.model.verdict import Diverged, Linearizable, Undecided

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from deadheat.check.custom.calls import CustomCalls
    from deadheat.model.verdict import Verdict

# What issue 18 allows one history.
LONGEST_S = 10.0
FAULTS = ("ghost", "torn", "stale", "lost", "duplicate", "bent")
ARCHIVE, RESTORE = Custom("archive"), Custom("restore")


@dataclass(frozen=True)
class Archive:
    """``archive`` works once on a session that is there; lists may leave it out then."""

    hidden: bool

    def step(self, custom: Custom, there: bool, mark: Hashable) -> list[tuple[str, Hashable]]:
        if not there:
            return [("absent", mark)]
        if custom == RESTORE:
            return [("restored", None)] if mark else [("refused", mark)]
        return [("refused", mark)] if mark else [("archived", "away")]

    def refuses(self, kind: Kind, mark: Hashable) -> bool:
        return mark is not None and kind is Kind.RENAME

    def hides(self, mark: Hashable) -> bool:
        return mark is not None and self.hidden


@dataclass(frozen=True)
class Crowd:
    """What one history is like."""

    lists: int
    sessions: int
    shape: str  # "heap": all at once; "wide": intervals that reach far; "lanes": one client each
    titled: bool = False
    renames: bool = False
    info: float = 0.0
    existing: int = 0
    fault: str | None = None
    gets: int = 0
    promises: Promises = field(default_factory=Promises)
    families: bool = False
    chosen: bool = False  # clients choose the ids
    custom: Archive | None = None
    keeps: float = 0.2  # sessions that nobody deletes


FRAGMENTS: dict[str, str] = {
    "lists": "creates, deletes and lists, nobody looks at titles",
    "titled": "the same with titles",
    "renames": "titles that change",
    "unknown": "a fifth of the calls without an answer",
    "idempotent": "every delete succeeds",
    "per-session": "lists that are no snapshots",
    "reused": "ids that come back",
    "chosen": "ids that clients choose, and choose again",
    "named": "titles that are names",
    "families": "sessions below sessions, cascades",
    "own": "custom calls",
}


def crowd_of(fragment: str, rng: Random) -> Crowd:
    """A setting of this fragment."""
    shape = rng.choice(["heap", "heap", "wide", "lanes"])
    crowd = Crowd(
        lists=rng.randint(8, 24), sessions=rng.randint(5, 30), shape=shape,
        titled=rng.random() < 0.5, gets=rng.choice([0, 0, 4, 12]),
        existing=rng.choice([0, 0, 2]), fault=rng.choice([None, *rng.sample(FAULTS, 1)]),
        info=rng.choice([0, 0, 0.1]), keeps=rng.choice([0.0, 0.2, 0.6]),
    )  # fmt: skip
    plain = Promises()
    match fragment:
        case "lists":
            return replace(crowd, titled=False)
        case "titled":
            return replace(crowd, titled=True)
        case "renames":
            return replace(crowd, titled=True, renames=True)
        case "unknown":
            return replace(crowd, info=0.2)
        case "idempotent":
            return replace(crowd, promises=replace(plain, delete=DeletePromise.IDEMPOTENT))
        case "per-session":
            return replace(crowd, promises=replace(plain, list=ListPromise.PER_SESSION))
        case "reused":
            return replace(crowd, promises=replace(plain, ids=IdPromise.REUSED))
        case "chosen" | "named":
            made = rng.choice([CreatePromise.EXACTLY_ONCE, CreatePromise.IDEMPOTENT])
            promises = replace(plain, create=made)
            return replace(crowd, titled=True, chosen=fragment == "chosen", promises=promises)
        case "families":
            children = rng.choice(list(ChildrenPromise))
            cascade = rng.choice(list(CascadePromise))
            promises = replace(plain, children=children, cascade=cascade)
            return replace(crowd, families=True, promises=promises)
        case "own":
            return replace(crowd, custom=Archive(hidden=rng.random() < 0.5))
        case _:
            raise ValueError(fragment)


@dataclass
class _Session:
    title: str | None
    parent: str | None = None
    away: bool = False


class _Run:
    """One sequential run; every call takes effect at its own instant."""

    def __init__(self, rng: Random, crowd: Crowd) -> None:
        self.rng, self.crowd = rng, crowd
        self.live: dict[str, _Session] = {}
        self.past: list[dict[str, _Session]] = []
        self.gone: list[str] = []
        self.known: list[str] = []
        self.made = 0
        self.rows: list[tuple[Invocation, Result, int, int]] = []  # instant and lane
        self.instant = 0
        self.struck = False

    def run(self) -> History:
        crowd, rng = self.crowd, self.rng
        for n in range(crowd.existing):
            self.live[f"p{n}"] = _Session(None)
            self.known.append(f"p{n}")
        before = frozenset(self.live)
        plan = ["list"] * crowd.lists + ["get"] * crowd.gets
        for n in range(crowd.sessions):
            plan += [f"make {n}"]
        rng.shuffle(plan)
        waiting: list[tuple[int, str]] = []
        for n, what in enumerate(plan):
            self._act(what)
            if what.startswith("make") and rng.random() >= crowd.keeps:
                waiting.append((n + rng.randrange(1, len(plan)), f"end {what[5:]}"))
            if crowd.renames and what.startswith("make") and rng.random() < 0.4:
                waiting.append((n + rng.randrange(1, 8), f"rename {what[5:]}"))
            if crowd.custom is not None and what.startswith("make") and rng.random() < 0.5:
                waiting.append((n + rng.randrange(1, 8), f"own {what[5:]}"))
            for one in sorted(one for one in waiting if one[0] <= n):
                waiting.remove(one)
                self._act(one[1])
        for _, what in sorted(waiting):
            self._act(what)
        return History(tuple(self._operations()), before)

    def _strikes(self, fault: str) -> bool:
        late = self.instant > len(self.rows) // 4 + 4
        if self.crowd.fault == fault and not self.struck and late and self.rng.random() < 0.3:
            self.struck = True
            return True
        return False

    def _act(self, what: str) -> None:
        word, _, number = what.partition(" ")
        self.instant += 1
        lane = int(number) if number else -1
        match word:
            case "list":
                self._list(lane)
            case "get":
                session = self.rng.choice([*self.known, "s0"])
                found = self.live.get(session)
                asked = Invocation(Kind.GET, session)
                self._note(asked, Found(self._look(found)) if found else Absent(), lane)
            case "make":
                self._make(lane)
            case _ if self.known:
                mine = [s for s in self.known if s.endswith(f".{number}")] or self.known
                self._change(word, self.rng.choice(mine), lane)
        self.past.append({s: replace(one) for s, one in self.live.items()})

    def _note(self, asked: Invocation, result: Result, lane: int) -> None:
        self.rows.append((asked, result, self.instant, lane))

    def _look(self, session: _Session | None) -> str | None:
        return session.title if session is not None and self.crowd.titled else None

    def _list(self, lane: int) -> None:
        hidden = self.crowd.custom is not None and self.crowd.custom.hidden
        state = self.live
        if self._strikes("stale") and len(self.past) > 6:
            state = self.past[-self.rng.randrange(3, len(self.past))]
        shown = {s: one for s, one in state.items() if not (one.away and hidden)}
        if self._strikes("torn") and len(self.past) > 6:
            other = self.past[-self.rng.randrange(2, len(self.past))]
            mixed = {s: other.get(s) if ord(s[-1]) % 2 else shown.get(s) for s in {*shown, *other}}
            shown = {s: one for s, one in mixed.items() if one is not None}
        if self.crowd.families and self.known and self.rng.random() < 0.3:
            top = self.rng.choice(self.known)
            below = [s for s, one in shown.items() if one.parent == top]
            entries = tuple(Seen(s, self._look(shown[s])) for s in sorted(below))
            self._note(Invocation(Kind.CHILDREN, top), Offspring(entries), lane)
            return
        entries = tuple(Seen(s, self._look(one)) for s, one in sorted(shown.items()))
        self._note(Invocation(Kind.LIST), Listed(entries), lane)

    def _make(self, lane: int) -> None:
        crowd, rng = self.crowd, self.rng
        self.made += 1
        named = crowd.promises.create is not CreatePromise.NEW
        number = rng.randrange(max(1, crowd.sessions // 2)) if named else self.made
        title = f"t{number}" if crowd.titled else None
        session = f"s{self.made}.{lane}"
        kind = Kind.CREATE
        asked = Invocation(kind, None, title)
        if crowd.chosen:
            session = f"c{number}"
            asked = Invocation(kind, session, title)
        if named:
            holder = session if crowd.chosen and session in self.live else None
            if not crowd.chosen:
                holder = next((s for s, one in self.live.items() if one.title == title), None)
            if holder is not None:
                once = crowd.promises.create is CreatePromise.EXACTLY_ONCE
                self._note(asked, Exists() if once else Created(holder), lane)
                return
        if crowd.promises.ids is IdPromise.REUSED and self.gone and rng.random() < 0.6:
            free = [s for s in self.gone if s not in self.live]
            session = rng.choice(free) if free else session
        if self._strikes("duplicate") and self.live:
            session = rng.choice(sorted(self.live))
        parent = None
        if crowd.families and self.live and rng.random() < 0.6:
            parent = rng.choice(sorted(self.live))
            asked = replace(asked, parent=parent)
        if not self._strikes("lost"):
            self.live[session] = _Session(title, parent)
        self.known.append(session)
        self._note(asked, Created(session), lane)

    def _change(self, word: str, session: str, lane: int) -> None:
        crowd, found = self.crowd, self.live.get(session)
        if word == "own" and crowd.custom is not None:
            custom = ARCHIVE if self.rng.random() < 0.7 else RESTORE
            mark = "away" if found is not None and found.away else None
            said, after = crowd.custom.step(custom, found is not None, mark)[0]
            if found is not None:
                found.away = after is not None
            self._note(Invocation(Kind.CUSTOM, session, custom=custom), Answered(said), lane)
        elif word == "rename":
            title = f"r{len(self.rows)}"
            asked = Invocation(Kind.RENAME, session, title)
            if found is not None and found.away:
                self._note(asked, FORBIDDEN, lane)
                return
            if found is not None:
                found.title = title
            self._note(asked, Renamed() if found else Absent(), lane)
        else:
            asked = Invocation(Kind.DELETE, session)
            there = found is not None or crowd.promises.delete is DeletePromise.IDEMPOTENT
            self._note(asked, Deleted() if there else Absent(), lane)
            if found is not None and not self._strikes("ghost"):
                self._drop(session)

    def _drop(self, session: str) -> None:
        del self.live[session]
        self.gone.append(session)
        if self.crowd.promises.children is ChildrenPromise.CASCADE:
            for child in [s for s, one in self.live.items() if one.parent == session]:
                if child in self.live:
                    self._drop(child)

    def _operations(self) -> list[Operation]:
        crowd, rng = self.crowd, self.rng
        end = 10 * (self.instant + 2)
        reach = rng.choice([2, 6, 12, 30]) * 10
        last: dict[int, int] = {}
        found: list[Operation] = []
        following: dict[int, list[int]] = {}
        for _, _, instant, lane in self.rows:
            following.setdefault(lane, []).append(10 * instant)
        for n, (asked, result, instant, lane) in enumerate(self.rows):
            at = 10 * instant
            if crowd.shape == "wide" or (crowd.shape == "lanes" and lane >= 0):
                call, back = at - rng.randrange(reach), at + rng.randrange(reach)
            else:
                call, back = rng.randrange(10), end + rng.randrange(10)
            if crowd.shape == "lanes" and lane >= 0:  # one call of a lane after the other
                call = max(call, last.get(lane, -reach))
                later = [t for t in following[lane] if t > at]
                back = min(back, (at + later[0]) // 2) if later else back
                last[lane] = back + 1
            client = lane if crowd.shape == "lanes" and lane >= 0 else 1_000 + n
            changes = asked.kind not in (Kind.LIST, Kind.CHILDREN, Kind.GET)
            lost = changes and rng.random() < crowd.info
            outcome = Info(Unknown.TIMEOUT) if lost else Ok(result)
            if lost:
                client = 1_000 + n
            found.append(Operation(n, client, asked, outcome, call, None if lost else back))
        if crowd.fault == "bent":
            self._bend(found)
        rng.shuffle(found)
        return found

    def _bend(self, found: list[Operation]) -> None:
        """One entry more or less in one list."""
        lists = [n for n, op in enumerate(found) if op.kind is Kind.LIST]
        n = self.rng.choice(lists)
        outcome = found[n].outcome
        assert isinstance(outcome, Ok)
        assert isinstance(outcome.result, Listed)
        chosen = self.rng.choice(sorted({*self.known, *self.live}) or ["s0"])
        entries = [e for e in outcome.result.entries if e.session != chosen]
        if len(entries) == len(outcome.result.entries):
            entries.append(Seen(chosen))
        found[n] = replace(found[n], outcome=Ok(Listed(tuple(entries))))


def heap(rng: Random, lists: int, sessions: int, share: float, *, wrong: int = 2) -> History:
    """All at once, nobody looks at titles; each session is in about this ``share`` of the lists.

    ``wrong``: entries put in, or left out, where no order has them, mostly.
    """
    spans = [
        (begin, begin + 1 + int(rng.expovariate(1 / (share * lists))))
        for begin in (rng.randrange(lists) for _ in range(sessions))
    ]
    rows = [{n for n, (a, b) in enumerate(spans) if a <= row < b} for row in range(lists)]
    for _ in range(wrong):
        rng.choice(rows).symmetric_difference_update({rng.randrange(sessions)})
    rng.shuffle(rows)
    ends = [n for n, (_, b) in enumerate(spans) if b < lists or rng.random() < 0.5]
    return _at_once(sessions, ends, rows)


def knot(others: int, *, hub: bool, closed: bool) -> History:
    """Three lists of two of three sessions each, and ``others`` that show one of their own.

    ``closed``: no order has the three; without it there are but two of them. ``hub``: a session
    that all lists but one show.
    """
    x, y, z, top = others, others + 1, others + 2, others + 3
    rows = [{n} for n in range(others)] + [{x, y}, {y, z}] + [{x, z}] * closed
    rows = [row | {top} for row in rows] + [set()] if hub else rows
    return _at_once(others + 3 + hub, range(others + 3 + hub), rows)


def _at_once(sessions: int, ends: Iterable[int], rows: list[set[int]]) -> History:
    asked: list[tuple[Invocation, Result]] = [
        *((Invocation(Kind.CREATE), Created(f"s{n}")) for n in range(sessions)),
        *((Invocation(Kind.DELETE, f"s{n}"), Deleted()) for n in ends),
        *(
            (Invocation(Kind.LIST), Listed(tuple(Seen(f"s{n}") for n in sorted(row))))
            for row in rows
        ),
    ]
    return History(
        tuple(Operation(n, n, one, Ok(said), 0, 100) for n, (one, said) in enumerate(asked))
    )


@dataclass(frozen=True)
class Case:
    """One history, and how it is to be judged."""

    name: str
    crowd: Crowd
    history: History

    @property
    def custom(self) -> CustomCalls | None:
        return self.crowd.custom

    def judged(self) -> Verdict:
        return check(self.history, self.crowd.promises, custom=self.crowd.custom)


def case_of(fragment: str, seed: int, *, few: bool = False) -> Case:
    """The ``seed``th history of this fragment; ``few``: sessions, and lists."""
    rng = Random(f"{fragment} {seed}")
    crowd = crowd_of(fragment, rng)
    if few:
        crowd = replace(crowd, lists=rng.randint(8, 12), sessions=rng.randint(3, 8), gets=4)
    return Case(f"{fragment} {seed}", crowd, _Run(rng, crowd).run())


def main() -> int:
    """Judge some of each fragment, and print what it took."""
    parser = argparse.ArgumentParser(description="Histories with many lists at once, judged.")
    parser.add_argument("--count", type=int, default=40, help="histories of each fragment (40)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--few", action="store_true", help="8 to 12 lists, 3 to 8 sessions")
    parser.add_argument("--fragment", action="append", choices=list(FRAGMENTS))
    chosen = parser.parse_args()
    bad = 0
    for fragment in chosen.fragment or FRAGMENTS:
        said: Counter[str] = Counter()
        took: list[tuple[float, str]] = []
        for seed in range(chosen.first, chosen.first + chosen.count):
            case = case_of(fragment, seed, few=chosen.few)
            start = time.process_time()
            verdict = case.judged()
            spent = time.process_time() - start
            took.append((spent, case.name))
            legal = case.crowd.fault is None
            match verdict:
                case Undecided():
                    word = "undecided"
                case Diverged() if legal:
                    word = "WRONG"
                case Diverged():
                    word = "diverged"
                case Linearizable():
                    word = "legal"
            said[word] += 1
            if word in ("undecided", "WRONG") or spent > 1:
                print(f"  {case.name}: {word} {spent:.2f} s {case.crowd}", flush=True)
            bad += word in ("undecided", "WRONG") or spent > LONGEST_S
        took.sort(reverse=True)
        worst, name = took[0]
        middle = took[len(took) // 2][0]
        print(
            f"{fragment:<12} {dict(sorted(said.items()))}, CPU median {1e3 * middle:.0f} ms, "
            f"worst {worst:.2f} s ({name})",
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
