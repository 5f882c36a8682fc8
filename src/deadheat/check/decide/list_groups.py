"""Where do the lists stand? All sessions at once first, then a few at a time.

Rules
- A search that goes through takes one state a node. One that does not soon tries very many:
  then what is forced (``saturation``) may say why, or a few of the sessions.
- What is impossible for some sessions alone is impossible. Of few sessions most lists show
  the same, so there are few orders to try, however many the lists.
- An order that suits some is tried on the others, each alone: those that it does not suit are
  taken in, and the search begins anew. Where it suits them all it is the answer.
- Exact in both answers. Where each other session can live with the order and all together
  cannot (they push each other out of the lists' time) it has none: then all have to be searched.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from deadheat.check.decide.list_nodes import NOTHING, Nodes
from deadheat.check.decide.list_order import Placed, Stuck, Unfinished, search_orders
from deadheat.check.decide.list_steps import Steps
from deadheat.check.decide.saturation import Cycle, forced

if TYPE_CHECKING:
    from collections.abc import Collection

    from deadheat.check.decide.list_nodes import Token

# Lists around the point where the search failed that are compared pair by pair.
_NEARBY = 150
# With so few nodes what is forced is found sooner than the search tells that it is stuck.
_FEW = 16
# Steps in which the search goes through, or ends, nearly always: for each node, and for all.
_EACH, _ALL = 2, 50
_ALL_OF_FEW = 500
# Sessions taken in at once. Each more makes the next search longer, each fewer needs one more.
_TAKEN_IN = 2


def place_nodes(nodes: Nodes, budget: int) -> Placed | Stuck | Unfinished:
    """Search for an order of ``nodes``, in about ``budget`` steps (see ``search_orders``)."""
    count = len(nodes.start)
    if not count:
        return Placed((), 0)
    search = Steps(nodes)
    if search.lacking:
        return Stuck((), 0)
    order: dict[int, tuple[int, ...]] = {}
    every = tuple(range(count))
    if count <= _FEW:
        try:
            order = forced(nodes, every)
        except Cycle:
            return Stuck(every, 0)
    easy = min(budget, _ALL_OF_FEW if count <= _FEW else _EACH * count + _ALL)
    found = search_orders(search, easy, order)
    if not isinstance(found, Unfinished) or easy == budget:
        return found
    if count > _FEW:
        near = every[max(0, found.low - _NEARBY) : found.low + _NEARBY]
        try:
            order = forced(nodes, near)
        except Cycle:
            return Stuck(found.nodes, found.steps)
    few = _by_few(nodes, (budget - easy) // 2, found.nodes)
    spent = easy + few.steps
    if not isinstance(few, Unfinished):
        return few._replace(steps=spent)
    again = search_orders(search, budget - spent, order)
    return again._replace(steps=spent + again.steps)


def _by_few(nodes: Nodes, budget: int, near: tuple[int, ...]) -> Placed | Stuck | Unfinished:
    """An order of ``nodes``, begun with the sessions on which the nodes ``near`` differ."""
    sessions = sorted({_session(token) for token in nodes.index})
    spent = 0
    chosen: set[str] = set(_disputed(nodes, near)[:_TAKEN_IN])
    while True:
        part, kept = only(nodes, chosen)
        found = search_orders(Steps(part), budget - spent, {})
        spent += found.steps
        if isinstance(found, Stuck):
            return Stuck(tuple(kept[j] for j in found.nodes), spent)
        if isinstance(found, Unfinished):
            return Unfinished(spent, found.low, near)
        way = [kept[j] for j, _ in found.nodes if nodes.about[kept[j]] is None]
        unsuited: list[str] = []
        for session in sessions:
            if session in chosen:
                continue
            suits = _follow(nodes, {session}, way, budget - spent)
            spent += suits.steps
            if spent > budget:
                return Unfinished(spent, 0, near)
            if not isinstance(suits, Placed):
                unsuited.append(session)
                if len(unsuited) == _TAKEN_IN:
                    break
        if not unsuited:
            whole = _follow(nodes, sessions, way, budget - spent)
            spent += whole.steps
            return (
                whole._replace(steps=spent)
                if isinstance(whole, Placed)
                else Unfinished(spent, 0, near)
            )
        chosen.update(unsuited)


def _follow(
    nodes: Nodes, sessions: Collection[str], way: list[int], budget: int
) -> Placed | Stuck | Unfinished:
    """Can these sessions live with the lists in this order?"""
    part, kept = only(nodes, sessions)
    number = {old: new for new, old in enumerate(kept)}
    order: dict[int, tuple[int, ...]] = {
        number[second]: (number[first],) for first, second in pairwise(way)
    }
    return search_orders(Steps(part), budget, order)


def only(nodes: Nodes, sessions: Collection[str]) -> tuple[Nodes, list[int]]:
    """The nodes with nothing but these sessions in them, and which ones they were."""
    part = Nodes(nodes.lives)
    kept: list[int] = []
    known: dict[frozenset[Token], frozenset[Token]] = {NOTHING: NOTHING}
    mine = frozenset(token for token in nodes.index if _session(token) in sessions)
    for j, about in enumerate(nodes.about):
        if about is not None and about not in sessions:
            continue
        kept.append(j)
        members = nodes.members[j] & mine
        part.members.append(known.setdefault(members, members))
        part.start.append(nodes.start[j])
        part.end.append(nodes.end[j])
        part.about.append(about)
        part.wild.append(nodes.wild[j].intersection(sessions))
        part.operation.append(nodes.operation[j])
    part.index = [token for token in nodes.index if token in mine]
    part.number = {token: n for n, token in enumerate(part.index)}
    part.early = {token: nodes.early[token] for token in part.index}
    part.late = {token: nodes.late[token] for token in part.index}
    part.tokens = {
        session: nodes.tokens[session] for session in sessions if session in nodes.tokens
    }
    part.firsts = {one: first for one, first in nodes.firsts.items() if one in mine}
    part.gaps = {one: nodes.gaps[one] for one in sessions if one in nodes.gaps}
    part.zones = nodes.zones
    return part, kept


def _session(token: Token) -> str:
    return token if isinstance(token, str) else token[0]


def _disputed(nodes: Nodes, near: tuple[int, ...]) -> list[str]:
    """The sessions that some of these nodes show and some do not, by how evenly."""
    shown: dict[str, int] = {}
    for j in near:
        for session in {_session(token) for token in nodes.members[j]}:
            shown[session] = shown.get(session, 0) + 1
    half = len(near) / 2
    return sorted(shown, key=lambda session: (abs(shown[session] - half), session))
