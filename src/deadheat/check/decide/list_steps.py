"""One step of the order search: every way to place one more node.

Rules
- Placing a list brings to life what it shows and ends what it misses. Ends wait
  for everything that still shows the session; births wait for a create.
- Who misses what is not yet born must come before it must have been; who misses
  what no node shows keeps out of its certain life.
- A gap ("absent") before the birth wants it late, one after it wants it gone soon:
  both are tried, and only where a birth decides it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from deadheat.check.decide.life_records import BEFORE, NEVER
from deadheat.check.decide.list_nodes import NOBODY

if TYPE_CHECKING:
    from deadheat.check.decide.list_nodes import Nodes, Token

Gaps: TypeAlias = tuple[tuple[str, int], ...]
Trail: TypeAlias = "tuple[int, int, Trail] | None"


class State(NamedTuple):
    low: int  # first node not placed
    mask: int  # placed nodes from ``low`` on
    now: int  # instant of the last node, ns
    live: frozenset[Token]
    floor: int  # first token (by ``early``) not yet born
    born: int  # born tokens from ``floor`` on
    gaps: Gaps  # sessions whose lists must all come by an instant, ns
    trail: Trail


def with_node(low: int, mask: int, node: int) -> tuple[int, int]:
    """``low`` and ``mask`` with ``node`` placed, too."""
    mask |= 1 << (node - low)
    while mask & 1:
        mask >>= 1
        low += 1
    return low, mask


class Steps:
    """The steps that follow from placing a node, for one set of nodes."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.early = [nodes.early[token] for token in nodes.index]
        self.zone_starts = [zone[0] for zone in nodes.zones]
        self.pooled = nodes.lives.pooled
        self.instants: list[int] = []
        self.spare: list[int] = []
        self.lacking = bool(self.pooled) and self._count_creates()

    def holds(self, state: State, j: int) -> bool:
        """Can node ``j``, whose members exist, be placed here and now?"""
        about = self.nodes.about[j]
        if about is not None:
            return self._may_miss_titles(state.now, state.floor, state.born, about)
        return (
            self._out_of_zones(state.now) == state.now
            and self._may_miss(state.now, state.floor, state.born, NOBODY)
            and all(state.now <= bound for _, bound in state.gaps)
        )

    def children(
        self,
        state: State,
        j: int,
        pending: list[int],
        deadline: int,
        found: list[tuple[int, int, State]],
    ) -> None:
        """Append every way to place node ``j`` next, as ``(changes, instant, state)``."""
        nodes = self.nodes
        low, mask, now, live, floor, born, gaps, trail = state
        members = nodes.members[j]
        about = nodes.about[j]
        at = max(now, nodes.start[j])
        if about is None:
            wild = nodes.wild[j]
            if wild:
                members = members | {t for s in wild for t in nodes.tokens[s] if t in live}
            births = members - live
            deaths = live - members
            after = members
        else:
            wild = NOBODY
            births = members - live
            deaths = frozenset([t for t in nodes.tokens[about] if t in live and t not in members])
            after = (live - deaths) | members if deaths or births else live
        late = nodes.late
        for token in deaths:
            if late[token] > at:
                at = late[token]
        if at > deadline:
            return
        for token in deaths:
            for other in pending:
                if other != j and token in nodes.members[other]:
                    return
        if births:
            number = nodes.number
            for token in births:
                k = number[token] - floor
                if k < 0 or born >> k & 1:
                    return  # it came and went already
                born |= 1 << k
            if nodes.firsts and not self._in_turn(births, floor, born):
                return
        if self.pooled and births:
            at = self._enough_creates(at, floor, born)
        if about is None:
            at = self._out_of_zones(at)
            if not self._may_miss(at, floor, born, wild):
                return
        elif not self._may_miss_titles(at, floor, born, about):
            return
        if at > deadline:
            return
        for session, bound in gaps:
            if session in members and at > bound:
                return
        if deaths and gaps:
            gaps = tuple(gap for gap in gaps if gap[0] not in deaths)
        low, mask = with_node(low, mask, j)
        asked = births & nodes.gaps.keys() if nodes.gaps and births else ()
        kept = born
        while born & 1:
            born >>= 1
            floor += 1
        if not asked:
            found.append(
                (
                    len(births) + len(deaths),
                    at,
                    State(low, mask, at, after, floor, born, gaps, (j, at, trail)),
                )
            )
            return
        # Later births leave more "absent" answers before them, fewer for after.
        instants = {at}
        for one in asked:
            instants.update(call for call, _ in nodes.gaps[str(one)] if at < call <= deadline)
        if about is None:
            instants = {self._out_of_zones(instant) for instant in instants}
        for instant in sorted(instants):
            if instant > deadline or (
                about is None and not self._may_miss(instant, state.floor, kept, wild)
            ):
                continue
            if about is not None and not self._may_miss_titles(instant, state.floor, kept, about):
                continue
            if any(session in members and instant > bound for session, bound in gaps):
                continue
            bounds = self._bounds(asked, instant)
            if bounds is None:
                continue
            found.append(
                (
                    len(births) + len(deaths),
                    instant,
                    State(
                        low, mask, instant, after, floor, born,
                        tuple(sorted((*gaps, *bounds))), (j, instant, trail),
                    ),
                )
            )  # fmt: skip

    def _bounds(self, asked: frozenset[Token] | set[Token], instant: int) -> Gaps | None:
        """The latest end of each of ``asked``, if born now; None when that is impossible."""
        nodes = self.nodes
        bounds: list[tuple[str, int]] = []
        for session in asked:
            come = min(nodes.early[session], instant)
            ends = [end for call, end in nodes.gaps[str(session)] if call > come]
            if ends:
                bound = min(ends)
                if bound < nodes.late[session] or bound < instant:
                    return None
                bounds.append((str(session), bound))
        return tuple(bounds)

    def _out_of_zones(self, at: int) -> int:
        i = bisect_right(self.zone_starts, at - 1) - 1
        if i >= 0 and at < self.nodes.zones[i][1]:
            return self.nodes.zones[i][1]
        return at

    def _may_miss(self, at: int, floor: int, born: int, wild: frozenset[str]) -> bool:
        """May a list at ``at`` miss every token that is not born with it?"""
        early, count = self.early, len(self.early)
        free = ~born & (born + 1)
        k = floor + free.bit_length() - 1
        if k >= count or at <= early[k]:
            return True
        if not wild:
            return False
        while k < count and early[k] < at:
            token = self.nodes.index[k]
            if not born >> (k - floor) & 1 and not (isinstance(token, tuple) and token[0] in wild):
                return False
            k += 1
        return True

    def _may_miss_titles(self, at: int, floor: int, born: int, about: str) -> bool:
        for token in self.nodes.tokens[about]:
            k = self.nodes.number.get(token, -1)
            if k >= floor and not born >> (k - floor) & 1 and at > self.early[k]:
                return False
        return True

    def _in_turn(self, births: frozenset[Token] | set[Token], floor: int, born: int) -> bool:
        """Is the first title born before the others, and may those before end so soon?"""
        nodes = self.nodes
        for token in births:
            first = nodes.firsts.get(token)
            if first is not None:
                k = nodes.number[first] - floor
                if k >= 0 and not born >> k & 1:
                    return False
            if isinstance(token, tuple):
                by = nodes.early[token]
                for other in nodes.tokens[token[0]]:
                    k = nodes.number.get(other, -1)
                    if k < 0 or other == token:
                        continue
                    k -= floor
                    if (k < 0 or born >> k & 1) and nodes.late[other] > by:
                        return False
        return True

    def _count_creates(self) -> bool:
        """How many shared creates are to spare from each instant on; True when too few."""
        changes: dict[int, int] = {BEFORE: 0}
        for call in self.nodes.lives.pool:
            changes[call] = changes.get(call, 0) + 1
        for session, deadline in self.pooled.items():
            due = min(deadline, self.nodes.early.get(session, NEVER))
            changes[due] = changes.get(due, 0) - 1
        left = 0
        for instant in sorted(changes):
            left += changes[instant]
            self.instants.append(instant)
            self.spare.append(left)
        return min(self.spare) < 0

    def _enough_creates(self, at: int, floor: int, born: int) -> int:
        """The first instant from ``at`` on with a create for every orphan born or due by then.

        Who is due has one (``_count_creates``); who is born before it is due takes
        one of those to spare until then.
        """
        ahead = [
            self.early[k]
            for k in range(bisect_right(self.early, at), floor + born.bit_length())
            if (k < floor or born >> (k - floor) & 1) and self.nodes.index[k] in self.pooled
        ]
        if not ahead:
            return at
        first = bisect_right(self.instants, at) - 1
        for i in range(bisect_right(self.instants, max(ahead)) - 1, first - 1, -1):
            since = self.instants[i]
            if sum(due > since for due in ahead) > self.spare[i]:
                return self.instants[i + 1] if i + 1 < len(self.instants) else NEVER
        return at
