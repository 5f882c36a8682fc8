"""Finds which lists must come before which, by forced relations, until nothing new follows.

Rules
- Only lists whose windows share an instant need a relation of their own; the others
  have the one that the clock gives them.
- A list that misses a session which certainly lived when it began comes after that
  session's death, so after every list that shows it; one that misses a session which
  certainly lived when it ended comes before every list that shows it. Any relation
  found says the same of the sessions that only one of the two shows.
- Sound, not complete: a circle is a contradiction, none is no promise. The order
  search uses what is found to leave out hopeless branches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deadheat.check.decide.list_nodes import Nodes, Token


class Cycle(Exception):
    """The forced relations contradict each other."""


def forced(nodes: Nodes, chosen: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The nodes that must come before each of the ``chosen`` ones.

    Raises ``Cycle``. Time grows with the square of their number.
    """
    plain = [j for j in chosen if nodes.about[j] is None and not nodes.wild[j]]
    tokens: dict[Token, int] = {}
    showing: list[int] = []  # by token: the lists that show it, as bits
    members: list[int] = []  # by list: the tokens it shows, as bits
    for n, j in enumerate(plain):
        bits = 0
        for token in nodes.members[j]:
            k = tokens.setdefault(token, len(showing))
            if k == len(showing):
                showing.append(0)
            showing[k] |= 1 << n
            bits |= 1 << k
        members.append(bits)
    before = [0] * len(plain)
    dead = [0] * len(plain)  # by list: the tokens known to have died before it
    unborn = [0] * len(plain)
    work: list[tuple[int, int]] = []

    def add(firsts: int, seconds: int) -> None:
        """All of ``firsts`` come before all of ``seconds`` (bits)."""
        while seconds:
            low = seconds & -seconds
            seconds ^= low
            second = low.bit_length() - 1
            new = firsts & ~before[second]
            if new & low:
                raise Cycle
            before[second] |= new
            while new:
                one = new & -new
                work.append((one.bit_length() - 1, second))
                new ^= one

    for n, j in enumerate(plain):
        start, end = nodes.start[j], nodes.end[j]
        for token, k in tokens.items():
            if members[n] >> k & 1:
                continue
            if nodes.early[token] < start:
                dead[n] |= 1 << k
                add(showing[k], 1 << n)
            elif end < nodes.late[token]:
                unborn[n] |= 1 << k
                add(1 << n, showing[k])
        ended = sum(1 << m for m, other in enumerate(plain) if nodes.end[other] < start)
        add(ended, 1 << n)
    while work:
        i, j = work.pop()
        if before[i] >> j & 1:
            raise Cycle
        add(before[i] | 1 << i, 1 << j)
        fresh = members[i] & ~members[j] & ~dead[j]
        dead[j] |= fresh
        while fresh:
            low = fresh & -fresh
            fresh ^= low
            add(showing[low.bit_length() - 1], 1 << j)
        fresh = members[j] & ~members[i] & ~unborn[i]
        unborn[i] |= fresh
        while fresh:
            low = fresh & -fresh
            fresh ^= low
            add(1 << i, showing[low.bit_length() - 1])
    return {
        plain[n]: tuple(plain[m] for m in range(len(plain)) if mask >> m & 1)
        for n, mask in enumerate(before)
        if mask
    }
