"""Is there an order of the lists that every session can live with?

Rules
- Given the order and the instants of the nodes, sessions are independent, and each
  does best by coming as late and going as early as it may. Given the order, the
  earliest instants are best, as all that is left to obey are upper bounds.
- So the search is over orders only, depth first. What lies ahead depends on the
  nodes placed, the instant reached and the gaps left for later: a set of nodes
  reached again no earlier is cut.
- A list that shows what is there anyway is placed without a branch.
- The one exponent is the number of lists pending at once that contradict each
  other; ``budget`` bounds the node sets tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deadheat.core.lifetimes import BEFORE, NEVER
from deadheat.core.saturation import Circle, forced
from deadheat.core.steps import State, Steps, with_node

if TYPE_CHECKING:
    from deadheat.core.nodes import Nodes
    from deadheat.core.steps import Gaps, Trail


class Placed(NamedTuple):
    """An order was found: ``(node, instant)``, first to last."""

    nodes: tuple[tuple[int, int], ...]


class Stuck(NamedTuple):
    """None exists; the nodes at the deepest point where the search failed."""

    nodes: tuple[int, ...]


class Spent(NamedTuple):
    """The budget ended first."""

    steps: int


# Lists around the point where the search failed that are compared pair by pair.
NEARBY = 150
# With so few nodes what is forced is found sooner than the search tells that it is stuck.
FEW = 16


def place_nodes(nodes: Nodes, budget: int) -> Placed | Stuck | Spent:
    """Search for an order of ``nodes``; ``budget`` counts the states looked at."""
    count = len(nodes.start)
    if not count:
        return Placed(())
    search = Steps(nodes)
    if search.lacking:
        return Stuck(())
    if count <= FEW:
        every = tuple(range(count))
        try:
            found = search_orders(search, budget, forced(nodes, every))
        except Circle:
            return Stuck(every)
        return Spent(found.steps) if isinstance(found, Deep) else found
    # A search that goes through takes one state a node. One that does not soon tries
    # very many: then it pays to find out first what is forced.
    easy = min(budget, 2 * count + 50)
    found = search_orders(search, easy, {})
    if not isinstance(found, Deep) or easy == budget:
        return Spent(found.steps) if isinstance(found, Deep) else found
    near = range(max(0, found.low - NEARBY), min(count, found.low + NEARBY))
    try:
        order = forced(nodes, list(near))
    except Circle:
        return Stuck(found.nodes)
    again = search_orders(search, budget - easy, order)
    return Spent(easy + again.steps) if isinstance(again, Deep) else again


class Deep(NamedTuple):
    """The budget ended; how far the search had come at best."""

    steps: int
    low: int
    nodes: tuple[int, ...]


def search_orders(
    search: Steps, budget: int, order: dict[int, tuple[int, ...]]
) -> Placed | Stuck | Deep:
    """Search depth first; ``order``: nodes that must come before another, whatever else holds."""
    nodes = search.nodes
    count = len(nodes.start)
    start, end, members, about = nodes.start, nodes.end, nodes.members, nodes.about
    memo: dict[tuple[int, int, Gaps], int] = {}
    stack = [State(0, 0, BEFORE, frozenset(), 0, 0, (), None)]
    steps = 0
    deepest = -1
    stuck_at: tuple[int, ...] = ()
    while stack:
        state = stack.pop()
        low, mask, now, live, floor, born, gaps, trail = state
        key = (low, mask, gaps)
        if memo.get(key, NEVER) <= now:
            continue
        memo[key] = now
        steps += 1
        if steps > budget:
            return Deep(steps - 1, deepest, stuck_at)
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
            return Placed(_unwound(trail))
        if low > deepest:
            deepest, stuck_at = low, tuple(pending)
        if now > deadline:
            continue
        again = -1
        for j in pending:
            if start[j] > now:
                break
            if (members[j] is live if about[j] is None else members[j] <= live) and search.holds(
                state, j
            ):
                again = j
                break
        if again >= 0:
            low, mask = with_node(low, mask, again)
            stack.append(State(low, mask, now, live, floor, born, gaps, (again, now, trail)))
            continue
        children: list[tuple[int, int, State]] = []
        for j in pending:
            if start[j] <= deadline and not (j in order and _waits(order[j], low, mask)):
                search.children(state, j, pending, deadline, children)
        if len(children) > 1:
            children.sort(key=_cheapest_last)
        stack.extend([child[2] for child in children])
    return Stuck(stuck_at)


def _waits(firsts: tuple[int, ...], low: int, mask: int) -> bool:
    """Is one that must come first not placed yet?"""
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
