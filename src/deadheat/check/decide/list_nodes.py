"""What the order search has to place: lists, and the few calls that only lists can contradict.

Rules
- A list shows everything at one instant. A *pin* is a title that no list shows
  and that must have been current at some instant. Both are nodes.
- An answer "absent" about a listed session comes before its creation or after its
  deletion. It becomes a *gap* only where the lists decide which; else it is dropped.
- A node's window holds what its own members allow: created by then, not yet gone.
  ``early`` and ``late`` of a session are narrowed by the windows of its lists.
- A session that no node shows forbids its certain life to every list (a *zone*).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.decide.life_records import BEFORE, NEVER, Conflict, Life, Lives
from deadheat.model.history import Listed

if TYPE_CHECKING:
    from deadheat.check.decide.registers import Value
    from deadheat.model.history import Operation

Token: TypeAlias = "str | tuple[str, str | None]"  # a session, or one title of one session
NodeRow: TypeAlias = (  # start, end, index, members, about, wild, operation: see ``Nodes``
    "tuple[int, int, int, frozenset[Token], str | None, frozenset[str], Operation | None]"
)
NOBODY: frozenset[str] = frozenset()
NOTHING: frozenset[Token] = frozenset()  # what an empty list shows; compared by identity


class Nodes:
    """The input of the order search, by node number; nodes are sorted by ``start``."""

    __slots__ = (
        "about", "early", "end", "firsts", "gaps", "index", "late", "lives", "members",
        "number", "operation", "start", "tokens", "wild", "zones",
    )  # fmt: skip

    def __init__(self, lives: Lives) -> None:
        self.lives = lives
        self.start: list[int] = []
        self.end: list[int] = []
        self.members: list[frozenset[Token]] = []
        self.about: list[str | None] = []  # the session of a pin; None for a list
        self.wild: list[frozenset[str]] = []  # shown without a title though they have several
        self.operation: list[Operation | None] = []
        self.early: dict[Token, int] = {}
        self.late: dict[Token, int] = {}
        self.number: dict[Token, int] = {}  # in order of ``early``
        self.index: list[Token] = []
        self.tokens: dict[str, tuple[Token, ...]] = {}  # the titles of a session that has several
        self.firsts: dict[Token, Token] = {}  # title -> the one its session was made with
        self.gaps: dict[str, list[tuple[int, int]]] = {}
        self.zones: list[tuple[int, int]] = []  # open intervals, apart, ascending


def build_nodes(lives: Lives, values: dict[str, list[Value]]) -> Nodes:
    """The nodes of a history. Raises ``Conflict`` when a list has no instant at all."""
    nodes = Nodes(lives)
    by_id = lives.by_id
    rows: list[NodeRow] = []
    known: dict[frozenset[Token], frozenset[Token]] = {NOTHING: NOTHING}
    listed: set[Token] = set()
    for op in lives.lists:
        entries = op.outcome.result.entries  # type: ignore[union-attr]
        shown = [entry.session for entry in entries]
        members: frozenset[Token] = frozenset(shown)
        if len(members) != len(shown):
            raise Conflict([s for s in shown if shown.count(s) > 1], (op.index,))
        wild = NOBODY
        start, end = op.call_ns, op.return_ns or 0
        youngest = eldest = None
        if values:
            members, wild, written = _with_titles(op, members, values)
            start = max(start, written)
        members = known.setdefault(members, members)
        for session in shown:
            life = by_id[session]
            if life.made > start:
                start, youngest = life.made, life
            if life.gone < end:
                end, eldest = life.gone, life
        if start > end:
            raise _torn(op, youngest, eldest)
        listed |= members
        rows.append((start, end, op.index, members, None, wild, op))
    for session, titles in values.items():
        rows.extend(_pins(session, titles, by_id[session], listed))
        nodes.tokens[session] = tuple(v.token for v in titles)
        for value in titles[1:]:
            if titles[0].seen:
                nodes.firsts[value.token] = titles[0].token
    rows.sort(key=itemgetter(0, 1, 2))
    for start, end, _, members, about, wild, operation in rows:
        nodes.start.append(start)
        nodes.end.append(end)
        nodes.members.append(members)
        nodes.about.append(about)
        nodes.wild.append(wild)
        nodes.operation.append(operation)
    _bounds(nodes, values)
    _gaps_and_zones(nodes)
    return nodes


def _with_titles(
    op: Operation, members: frozenset[Token], values: dict[str, list[Value]]
) -> tuple[frozenset[Token], frozenset[str], int]:
    """The members with their titles, those shown without, and when the last could be written."""
    tokens: set[Token] = set(members)
    made = BEFORE
    wild: set[str] = set()
    if isinstance(op.result, Listed):
        for entry in op.result.entries:
            titles = values.get(entry.session)
            if titles is None:
                continue
            if entry.title is None:
                wild.add(entry.session)
            else:
                written = {v.token[1]: v for v in titles[1:]}
                value = written.get(entry.title, titles[0])
                tokens.add(value.token)
                made = max(made, value.made)
    return frozenset(tokens), frozenset(wild), made


def _pins(session: str, titles: list[Value], life: Life, listed: set[Token]) -> list[NodeRow]:
    pins: list[NodeRow] = []
    for value in titles:
        if value.token in listed or (value.initial and not value.seen):
            continue
        start, end = (
            (value.late, value.early) if value.late <= value.early else (value.early, value.early)
        )
        start, end = max(start, life.made), min(end, life.gone)
        members: frozenset[Token] = frozenset((session, value.token))
        pins.append((start, end, NEVER, members, session, NOBODY, None))
    return pins


def _torn(op: Operation, youngest: Life | None, eldest: Life | None) -> Conflict:
    found = [life for life in (youngest, eldest) if life is not None]
    causes = [op.index]
    if youngest is not None and youngest.created is not None:
        causes.append(youngest.created.index)
    if eldest is not None:
        causes.append(eldest.killer)
    return Conflict((life.session for life in found), causes)


def _bounds(nodes: Nodes, values: dict[str, list[Value]]) -> None:
    """``early`` and ``late`` of every shown token, narrowed by the windows of its nodes."""
    early, late, by_id = nodes.early, nodes.late, nodes.lives.by_id
    titles = {v.token: v for found in values.values() for v in found}
    for start, end, members in zip(nodes.start, nodes.end, nodes.members, strict=True):
        for token in members:
            if token in early:
                if end < early[token]:
                    early[token] = end
                if start > late[token]:
                    late[token] = start
            else:
                life: Life | Value = by_id[token] if isinstance(token, str) else titles[token]
                early[token] = min(end, life.early)
                late[token] = max(start, life.late)
    nodes.index = sorted(early, key=lambda token: (early[token], str(token)))
    nodes.number = {token: n for n, token in enumerate(nodes.index)}


def _gaps_and_zones(nodes: Nodes) -> None:
    early = nodes.early
    zones: list[tuple[int, int]] = []
    asked: list[Life] = []
    for session, life in nodes.lives.by_id.items():
        if session in early:
            if life.missing:
                asked.append(life)
        elif life.early < life.late and life.early < NEVER:
            zones.append((life.early, life.late))
    zones.sort()
    for one in zones:
        if nodes.zones and one[0] < nodes.zones[-1][1]:
            last = nodes.zones[-1]
            nodes.zones[-1] = (last[0], max(last[1], one[1]))
        else:
            nodes.zones.append(one)
    if not asked:
        return
    first: dict[str, int] = {life.session: NEVER for life in asked}
    last_end: dict[str, int] = {life.session: BEFORE for life in asked}
    for start, end, members in zip(nodes.start, nodes.end, nodes.members, strict=True):
        for session in first.keys() & members:
            first[session] = min(first[session], start)
            last_end[session] = max(last_end[session], end)
    for life in asked:
        session = life.session
        before = min(early[session], first[session])
        after = max(life.late, last_end[session])
        unsure = [
            (op.call_ns, NEVER if op.return_ns is None else op.return_ns)
            for op in life.missing
            if op.call_ns > before and (op.return_ns is not None and op.return_ns < after)
        ]
        if unsure:
            nodes.gaps[session] = sorted(unsure)
