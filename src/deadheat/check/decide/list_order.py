"""Searches for an order of the lists that every session allows.

Rules
- Given the order and the instants of the nodes, sessions are independent, and each
  does best by coming as late and going as early as it may. Given the order, the
  earliest instants are best, as all that is left to obey are upper bounds.
- So the search is over orders only, depth first. What lies ahead depends on the
  nodes placed, the instant reached and the gaps left for later: a set of nodes
  reached again no earlier is cut.
- A list that shows what is there anyway is placed without a branch.
- Once it takes long: a list comes next only if it shows all that lives and is still to be shown.
- The one exponent is the number of lists pending at once that contradict each
  other; ``budget`` bounds the nodes tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deadheat.check.decide.life_records import BEFORE, NEVER
from deadheat.check.decide.list_nodes import NOTHING
from deadheat.check.decide.list_steps import State, Steps, with_node

if TYPE_CHECKING:
    from deadheat.check.decide.list_nodes import Nodes, Token
    from deadheat.check.decide.list_steps import Gaps, Trail


class Placed(NamedTuple):
    """An order was found: ``(node, instant)``, first to last."""

    nodes: tuple[tuple[int, int], ...]
    steps: int


class Stuck(NamedTuple):
    """No order exists; the nodes at the deepest point where the search failed."""

    nodes: tuple[int, ...]
    steps: int


class Unfinished(NamedTuple):
    """The budget ended; how far the search had come at best."""

    steps: int
    low: int
    nodes: tuple[int, ...]


# Nodes looked at for the price of one tried (0.2 and 6 µs).
LOOKS = 32
# Steps until it pays to know who shows what; most searches end before.
AT_ONCE = 200


def search_orders(
    search: Steps, budget: int, order: dict[int, tuple[int, ...]]
) -> Placed | Stuck | Unfinished:
    """Search depth first; ``order``: nodes that must come before others in any case.

    A step is one node tried, or some that were looked at.
    """
    nodes = search.nodes
    count = len(nodes.start)
    start, end, members, about = nodes.start, nodes.end, nodes.members, nodes.about
    memo: dict[tuple[int, int, Gaps], int] = {}
    stack = [State(0, 0, BEFORE, NOTHING, 0, 0, (), None)]
    steps = 0
    deepest = -1
    stuck_at: tuple[int, ...] = ()
    shown_bits: ShownBits | None = None
    while stack:
        state = stack.pop()
        low, mask, now, live, floor, born, gaps, trail = state
        key = (low, mask, gaps)
        if memo.get(key, NEVER) <= now:
            continue
        memo[key] = now
        steps += 1
        if steps > budget:
            return Unfinished(steps - 1, deepest, stuck_at)
        # The nodes that may come next: begun before any other must have ended.
        pending: list[int] = []
        deadline = NEVER
        j, rest = low, mask
        while j < count and start[j] <= deadline:
            if not rest & 1:
                pending.append(j)
                if end[j] < deadline:
                    deadline = end[j]
            rest >>= 1
            j += 1
        if not pending:
            return Placed(_unwound(trail), steps)
        if low > deepest:
            deepest, stuck_at = low, tuple(pending)
        if now > deadline:
            continue
        steps += len(pending) // LOOKS
        again = -1
        for j in pending:
            if start[j] > now:
                break
            if j in order and _waits(order[j], low, mask):
                continue
            if (members[j] is live if about[j] is None else members[j] <= live) and search.holds(
                state, j
            ):
                again = j
                break
        if again >= 0:
            low, mask = with_node(low, mask, again)
            stack.append(State(low, mask, now, live, floor, born, gaps, (again, now, trail)))
            continue
        chosen = [
            j for j in pending if start[j] <= deadline
            and not (j in order and _waits(order[j], low, mask))
        ]  # fmt: skip
        if len(chosen) > 1 and steps > AT_ONCE:
            if shown_bits is None:
                shown_bits = ShownBits(nodes)
            chosen = shown_bits.fitting(chosen, live, low, mask)
        children: list[tuple[int, int, State]] = []
        for j in chosen:
            search.children(state, j, pending, deadline, children)
        steps += len(chosen)
        if len(children) > 1:
            children.sort(key=_cheapest_last)
        stack.extend([child[2] for child in children])
    return Stuck(stuck_at, steps)


class ShownBits:
    """What each node shows, as bits: excludes nodes that cannot come next before they are tried."""

    def __init__(self, nodes: Nodes) -> None:
        self.number = number = {token: n for n, token in enumerate(nodes.early)}
        self.showing = [0] * len(number)  # by token: the nodes that show it
        self.shown: list[int] = []  # by node: the tokens that it shows
        self.asked: list[int] = []  # by node: the tokens of which it says whether they live
        self.plain = 0  # the lists that say it of all of them
        everything = (1 << len(number)) - 1
        for j, members in enumerate(nodes.members):
            shown = 0
            for token in members:
                k = number[token]
                shown |= 1 << k
                self.showing[k] |= 1 << j
            session = nodes.about[j]
            asked = everything if session is None else self._titles(nodes, session)
            for wild in nodes.wild[j]:
                asked &= ~self._titles(nodes, wild)
            self.shown.append(shown)
            self.asked.append(asked)
            if asked == everything:
                self.plain |= 1 << j

    def _titles(self, nodes: Nodes, session: str) -> int:
        return sum(1 << self.number[t] for t in nodes.tokens[session] if t in self.number)

    def fitting(self, chosen: list[int], live: frozenset[Token], low: int, mask: int) -> list[int]:
        """The ``chosen`` nodes that show all that lives and is still to be shown.

        None at a dead end: of two lists that are left each lacks something of that which the
        other shows, so each has to come before the other.
        """
        placed = mask << low | (1 << low) - 1
        number, showing, shown, asked = self.number, self.showing, self.shown, self.asked
        needed = ahead = 0
        for token in live:
            k = number[token]
            left = showing[k] & ~placed
            if left:
                needed |= 1 << k
                ahead |= left
        if not needed:
            return chosen
        ahead &= self.plain
        parts: set[int] = set()
        while ahead:
            last = ahead.bit_length() - 1
            ahead ^= 1 << last
            parts.add(shown[last] & needed)
        before = needed
        for part in sorted(parts, key=int.bit_count, reverse=True):
            if part & ~before:
                return []
            before = part
        return [j for j in chosen if not needed & asked[j] & ~shown[j]]


def _waits(firsts: tuple[int, ...], low: int, mask: int) -> bool:
    """Must another node, not placed yet, come first?"""
    return any(first >= low and not mask >> (first - low) & 1 for first in firsts)


def _cheapest_last(child: tuple[int, int, State]) -> tuple[int, int]:
    return (-child[0], -child[1])


def _unwound(trail: Trail) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    while trail is not None:
        node, now, trail = trail
        found.append((node, now))
    found.reverse()
    return tuple(found)
