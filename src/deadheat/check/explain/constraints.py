"""What each answer of a witness forces: which call comes before which, and why.

Rules
- One sentence for each relation, made of the witness's calls; sessions stand as
  ``{0}``, ``{1}`` …; a call that occurs more than once is numbered.
- An absence may have several reasons: it then gives a ``Choice``.
- What needs no relation at all (an id given twice, or never) is said directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.names import freed_between, name_of
from deadheat.model.history import (
    MAKING,
    READING,
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    ancestors,
    parents_of,
)
from deadheat.model.promises import ChildrenPromise, CreatePromise, DeletePromise

if TYPE_CHECKING:
    from deadheat.model.history import History
    from deadheat.model.promises import Promises


@dataclass(frozen=True, slots=True)
class Before:
    """``first`` comes before ``second`` (places in the witness), and why."""

    first: int
    second: int
    why: str


Option: TypeAlias = tuple[Before, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of ``options`` holds, because of ``fact``."""

    fact: str
    options: tuple[Option, ...]


class Facts:
    """What the answers of the witness force, one by one."""

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
        self.names = {session: f"{{{n}}}" for n, session in enumerate(sessions)}
        self.spelt = spell(self.ops, self.names)
        self.idempotent = promises.delete is DeletePromise.IDEMPOTENT
        self.per_session = not promises.snapshot
        self.start = min((op.call_ns for op in self.ops), default=0)
        self.forced: list[Before] = []
        self.choices: list[Choice] = []
        self.direct: list[str] = []
        self._real_time()
        self._repeated()
        if again:  # it has no single birth and end for its answers to lie between
            self._made_twice(promises)
            return
        for session in sessions:
            self._about(session)

    def at(self, instant_ns: int) -> str:
        return f"{(instant_ns - self.start) / 1e6:.1f} ms"

    def _real_time(self) -> None:
        for i, one in enumerate(self.ops):
            for j, two in enumerate(self.ops):
                if one.return_ns is not None and one.return_ns < two.call_ns:
                    why = (
                        f"{self.spelt[i]} had been answered ({self.at(one.return_ns)}) "
                        f"before {self.spelt[j]} was called ({self.at(two.call_ns)})"
                    )
                    self.forced.append(Before(i, j, why))

    def _repeated(self) -> None:
        for i, op in enumerate(self.ops):
            match op.outcome:
                case Ok(Listed() as listed) if len(listed.sessions) < len(listed.entries):
                    if not self.per_session:
                        self.direct = [f"{capital(self.spelt[i])} shows one session twice."]
                case _:
                    pass

    def _made_twice(self, promises: Promises) -> None:
        """Two creates that claim one name, or one id, and nothing that can have freed it."""
        made = [(i, op) for i, op in enumerate(self.ops) if _created(op) is not None]
        for n, (i, one) in enumerate(made):
            for j, other in made[n + 1 :]:
                same = _created(one) == _created(other)
                named = promises.create is not CreatePromise.NEW
                alike = named and name_of(one) == name_of(other) is not None
                told = same and promises.create is CreatePromise.IDEMPOTENT
                if not (same or alike) or told or freed_between(self.core, one, other):
                    continue
                what = "one session" if same else "a session each, of one name"
                said = f"{self.spelt[i]} and {self.spelt[j]} say that they made {what}"
                self.direct = [f"{said}, and nothing deleted it between them."]
                return

    def _about(self, session: str) -> None:
        if self.direct:
            return
        name = self.names[session]
        creates = [i for i, op in enumerate(self.ops) if _created(op) == session]
        if len(creates) > 1 or (creates and session in self.existing):
            prefix = f"{name} = "  # it is one id: no create of the two is the one to bear its name
            who = " and ".join(self.spelt[i].removeprefix(prefix) for i in creates)
            self.direct = [f"{who} answered the same id, {name}, and an id is given once."]
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
            if any(op.kind in MAKING and isinstance(op.outcome, Info) for op in self.ops):
                text = f"{self.spelt[(show or kills)[0]]} shows {name}, and no unanswered create"
                self.direct = [f"{text} is left that can have made it."]
            elif show or kills:
                verb = "shows" if show else "says that it deleted"
                self.direct = [
                    f"{self.spelt[(show or kills)[0]]} {verb} {name}, and nothing created it."
                ]
            return
        for i in show:
            self._shown(i, session, creates, kills)
        self._kills(name, creates, kills)
        self._cascades(session, creates, show)
        for i, op in enumerate(self.ops):
            if _lacks(op, session):
                self._missing(i, session, creates, kills, loose, show)
        self._titles(session, creates)

    def _takers(self, session: str) -> list[int]:
        """Deletes of those above it, which may have taken it."""
        if self.children is ChildrenPromise.ORPHAN:
            return []
        above = ancestors(session, self.parents)
        return [
            i
            for i, op in enumerate(self.ops)
            if op.kind is Kind.DELETE
            and op.invocation.session in above
            and (isinstance(op.outcome, Info) or _is(op, Deleted))
        ]

    def _cascades(self, session: str, creates: list[int], show: list[int]) -> None:
        """What was there when the delete of its parent took effect went with it."""
        parent = self.parents.get(session)
        if parent is None or self.idempotent or self.children is not ChildrenPromise.CASCADE:
            return
        if self._takers(parent):
            return  # then the parent itself may have gone before its delete
        for d in (i for i, op in enumerate(self.ops) if _of(op, parent, Deleted)):
            name, above = self.names[session], self.names.get(parent, "its parent")
            for c in creates:
                for i in show:
                    who, delete, made = self.spelt[i], self.spelt[d], self.spelt[c]
                    fact = f"{who} shows {name}, made below {above}"
                    spared = f"{delete} left {name} there, so it comes before {made}"
                    still = f"{who} shows {name}, which {delete} takes along, so it comes before it"
                    options = ((Before(d, c, spared),), (Before(i, d, still),))
                    self.choices.append(Choice(fact, options))

    def _shown(self, i: int, session: str, creates: list[int], kills: list[int]) -> None:
        name = self.names[session]
        for c in creates:
            why = f"{self.spelt[i]} shows {name}, so it comes after {self.spelt[c]}"
            self.forced.append(Before(c, i, why))
        for d in kills:
            self.forced.append(
                Before(i, d, f"{self.spelt[i]} shows {name}, so it comes before {self.spelt[d]}")
            )

    def _kills(self, name: str, creates: list[int], kills: list[int]) -> None:
        for d in kills:
            for c in creates:
                why = f"{self.spelt[d]} removed {name}, so it comes after {self.spelt[c]}"
                self.forced.append(Before(c, d, why))
            if self.idempotent:
                continue
            for other in kills:
                if other != d:
                    why = (
                        f"{self.spelt[other]} answered that it removed {name}, so it comes "
                        f"before {self.spelt[d]}, which removed it for good"
                    )
                    self.forced.append(Before(other, d, why))

    def _missing(
        self, i: int, session: str, creates: list[int], kills: list[int],
        loose: list[int], show: list[int],
    ) -> None:  # fmt: skip
        name, who = self.names[session], self.spelt[i]
        verb = "misses" if self.ops[i].kind is Kind.LIST else "does not find"
        options: list[Option] = []
        for c in creates:
            why = f"{who} {verb} {name}, so it comes before {self.spelt[c]}"
            options.append((Before(i, c, why),))
        for d in kills:
            why = f"{who} {verb} {name}, so it comes after {self.spelt[d]}"
            options.append((Before(d, i, why),))
        for d in loose if self.idempotent or not kills else []:
            why = f"{who} {verb} {name}, so {self.spelt[d]} had removed it by then"
            used = [Before(d, i, why)]
            used.extend(
                Before(s, d, f"{self.spelt[s]} shows {name}, so it comes before {self.spelt[d]}")
                for s in show
            )
            options.append(tuple(used))
        takers = self._takers(session) if self.idempotent or not kills else []
        for d in takers:
            end_ns = self.ops[i].return_ns
            if end_ns is not None and end_ns < self.ops[d].call_ns:
                continue
            why = f"{who} {verb} {name}, so {self.spelt[d]} had taken it by then, and"
            used = [Before(c, d, f"{why} comes after {self.spelt[c]}") for c in creates]
            used.extend(Before(s, d, f"{why} comes after {self.spelt[s]}") for s in show)
            used.extend(Before(s, i, f"{why} {self.spelt[s]} was before that") for s in show)
            if not used:
                return  # nothing speaks against it
            options.append(tuple(used))
        fact = f"{who} {verb} {name}"
        if not options:
            self.direct = [f"{fact}, which was there all the time: nothing deleted it."]
        elif len(options) == 1:
            tail = "" if kills or loose or takers else ": nothing deleted it"
            self.forced.extend(Before(b.first, b.second, b.why + tail) for b in options[0])
        else:
            self.choices.append(Choice(fact, tuple(options)))

    def _titles(self, session: str, creates: list[int]) -> None:
        name = self.names[session]
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
            for c in creates:
                why = f"{self.spelt[w]} changed {name}, so it comes after {self.spelt[c]}"
                self.forced.append(Before(c, w, why))
        for i, title in shown.items():
            mine = used.get(title)
            if mine is None and initial is not None and title != initial:
                self.direct = [
                    f"{self.spelt[i]} shows {name} under a title that nothing gave it (“{title}”)."
                ]
                return
            if mine is not None:
                why = f"{self.spelt[i]} shows the title of {self.spelt[mine]}, so it comes after it"
                self.forced.append(Before(mine, i, why))
            for w in used.values():
                if w == mine:
                    continue
                fact = f"{self.spelt[i]} does not show the title of {self.spelt[w]}"
                later = Before(i, w, f"{fact}, so it comes before it")
                if mine is None:
                    self.forced.append(later)
                    continue
                earlier = Before(w, mine, f"{fact}, so {self.spelt[mine]} came after that")
                self.choices.append(Choice(fact, ((later,), (earlier,))))

    def _took_effect(self, w: int, shown: dict[int, str], title: str | None) -> bool:
        return isinstance(self.ops[w].outcome, Ok) or title in shown.values()


def spell(ops: tuple[Operation, ...], names: dict[str, str]) -> list[str]:
    """Each call as texts name it, with a number where two would read the same."""

    def plain(op: Operation) -> str:
        name = names.get(op.invocation.session or "", "?")
        rest = " at rest" if op.at_rest else ""
        match op.kind:
            case Kind.CREATE:
                above = op.invocation.parent
                below = "" if above is None else f"parent={names.get(above, '?')}"
                return f"{_result(op, names)}create({below})"
            case Kind.FORK:
                return f"{_result(op, names)}fork({name})"
            case Kind.RECREATE:
                if op.invocation.session is None:  # known by its title: another one may be made
                    return f"{_result(op, names)}recreate()"
                return f"recreate({name})"
            case Kind.LIST:
                return f"the list{rest}"
            case Kind.RENAME:
                return f"rename({name}, {op.invocation.title})"
            case Kind.OWN if op.invocation.own is not None and op.invocation.own.argument:
                return f"{op.called}({name}, {op.invocation.own.argument}){rest}"
            case _:
                return f"{op.called}({name}){rest}"

    texts = [plain(op) for op in ops]
    spelt = []
    for n, text in enumerate(texts):
        if texts.count(text) == 1:
            spelt.append(text)
        else:
            number = texts[: n + 1].count(text)
            spelt.append(text.replace("the list", "list") + f" #{number}")
    return spelt


def _result(op: Operation, names: dict[str, str]) -> str:
    made = _created(op)
    return f"{names.get(made, 'another')} = " if made else ""


def _mute(op: Operation) -> bool:
    return isinstance(op.outcome, Info) and op.kind in READING


def _created(op: Operation) -> str:
    match op.outcome:
        case Ok(Created(session)):
            return session
        case _:
            return ""


def _of(op: Operation, session: str, result: type[Deleted | Absent]) -> bool:
    return op.invocation.session == session and _is(op, result)


def _is(op: Operation, result: type[Deleted | Absent]) -> bool:
    return isinstance(op.outcome, Ok) and isinstance(op.outcome.result, result)


def _shows(op: Operation, session: str) -> bool:
    match op.outcome:
        case Ok(Listed() | Offspring() as listed):
            return session in listed.sessions
        case Ok(Found() | Renamed()):
            return op.invocation.session == session
        case _:
            return False


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


def capital(text: str) -> str:
    """The text as a sentence begins; a call keeps its spelling."""
    return text[:1].upper() + text[1:] if text.startswith(("the ", "list ")) else text
