"""What is forced on lists: every relation found holds in every legal order, and is found."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.histories import Build, random_history
from tests.check.reference import some_order_is_legal

from deadheat.check.decide.legality import searched
from deadheat.check.decide.life_records import Conflict, NeedsSearch
from deadheat.check.decide.lifetimes import judge_lists, read_lives
from deadheat.check.decide.list_groups import place_nodes
from deadheat.check.decide.list_nodes import Nodes, build_nodes
from deadheat.check.decide.list_order import Placed, Stuck, search_orders
from deadheat.check.decide.list_steps import Steps
from deadheat.check.decide.registers import read_values
from deadheat.check.decide.saturation import Cycle, forced
from deadheat.check.decide.wing_gong import Order
from deadheat.model.history import Absent, History, Kind
from deadheat.model.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Iterator

BUDGET = 200_000
KINDS = (Kind.CREATE, Kind.CREATE, Kind.DELETE, *[Kind.LIST] * 5)


def nodes_of(history: History) -> Nodes | None:
    """What the order search gets; None where it is not asked."""
    try:
        lives = read_lives(history.operations, history.existing, strict_delete=True)
        values = read_values(lives)
        judge_lists(lives)
        return build_nodes(lives, values)
    except (Conflict, NeedsSearch):
        return None


def drawn(seeds: range, bend: float) -> Iterator[tuple[int, History, Nodes]]:
    for seed in seeds:
        rng = Random(seed)
        history = random_history(
            rng, rng.randint(6, 10), info=0.1, bend=bend, width=rng.choice([16, 30, 60]),
            drawn_from=KINDS, titles=rng.choice(["none", "none", "mixed"]),
            renames=rng.random() < 0.3,
        )  # fmt: skip
        nodes = nodes_of(history)
        if nodes is not None and len(nodes.start) > 2:
            yield seed, history, nodes


@pytest.mark.parametrize("many", [500, pytest.param(10_000, marks=pytest.mark.quality)])
def test_what_is_forced_holds_in_every_legal_order(many: int) -> None:
    relations = 0
    for seed, history, nodes in drawn(range(many), bend=0.05):
        if not isinstance(place_nodes(nodes, BUDGET), Placed):
            continue
        order = forced(nodes, list(range(len(nodes.start))))
        index = [op.index if op is not None else -1 for op in nodes.operation]
        for second, firsts in order.items():
            for first in firsts:
                if nodes.end[first] < nodes.start[second]:
                    continue  # by the clock
                turned = (index[second], index[first])
                assert not some_order_is_legal(history, Promises(), turned), (seed, turned)
                relations += 1
    assert relations > many // 8


@pytest.mark.parametrize("many", [1_000, pytest.param(10_000, marks=pytest.mark.quality)])
def test_a_circle_is_a_contradiction_and_no_legal_order_is_lost(many: int) -> None:
    circles = legal = 0
    for seed, history, nodes in drawn(range(5_000, 5_000 + many), bend=0.15):
        expected = isinstance(searched(history, Promises(), BUDGET), Order)
        every = list(range(len(nodes.start)))
        try:
            order = forced(nodes, every)
        except Cycle:
            assert not expected, seed
            circles += 1
            continue
        found = search_orders(Steps(nodes), BUDGET, order)
        assert isinstance(found, Placed) is expected, seed
        legal += expected
    assert circles > many // 125
    assert legal > many // 9


def test_it_finds_what_the_clock_and_the_lives_force() -> None:
    """Four lists at once: x died before, y is born after; each relation by another rule."""
    history = (
        Build()
        .create("x", 0, 1).create("y", 12, 90).delete("x", 9, 50)
        .list(10, 60, "x")            # before the two without x that began after x was sure
        .list(10, 60)
        .list(10, 60, "y")            # x is gone, so y is there: after the first two
        .list(10, 60, "x", "y")
    ).history  # fmt: skip
    nodes = nodes_of(history)
    assert nodes is not None
    shown = [sorted(str(token) for token in members) for members in nodes.members]
    x, none, y, both = (shown.index(what) for what in (["x"], [], ["y"], ["x", "y"]))
    with pytest.raises(Cycle):
        forced(nodes, [x, none, y, both])
    # x < none, as x lived before; none < y then, as x is dead and y not born.
    order = forced(nodes, [x, none, y])
    assert set(order[none]) == {x}
    assert set(order[y]) == {x, none}
    assert x not in order
    order = forced(nodes, [x, both, y])
    assert set(order[y]) == {x, both}
    assert set(order[both]) == {x}


def test_what_certainly_lived_at_the_end_comes_later() -> None:
    """A list misses y, which lives on after it: every list that shows y is behind it."""
    history = (
        Build()
        .create("y", 0, 40).list(5, 30).list(5, 30, "y").get("y", 50, 55, Absent())
        .delete("y", 45, 60)
    ).history  # fmt: skip
    nodes = nodes_of(history)
    assert nodes is not None
    missing, showing = sorted(range(2), key=lambda j: len(nodes.members[j]))
    assert forced(nodes, [0, 1]) == {showing: (missing,)}


def test_lists_apart_come_in_the_order_of_the_clock() -> None:
    history = Build().create("x", 0, 1).list(2, 3, "x").list(4, 5, "x").list(5, 6, "x").history
    nodes = nodes_of(history)
    assert nodes is not None
    assert forced(nodes, [0, 1, 2]) == {1: (0,), 2: (0,)}  # at one instant any order goes


def _knot(count: int, closed: int) -> History:
    """``count`` sessions and one list for each neighbouring pair of them, all at once.

    Consecutive ones: an order exists as long as the pairs do not close a ring.
    """
    build = Build()
    for n in range(count):
        build.create(f"s{n}", 0, 1_000)
    for n in range(count):
        build.delete(f"s{n}", 0.5, 2_000)
    for one, other in [(n, n + 1) for n in range(count - 1)] + [(count - 1, 0)] * closed:
        build.list(1, 900, f"s{one}", f"s{other}")
    return build.history


@pytest.mark.parametrize("count", [4, 6, 8])
def test_rings_of_lists_are_contradictions(count: int) -> None:
    for closed in (0, 1):
        nodes = nodes_of(_knot(count, closed))
        assert nodes is not None
        found = place_nodes(nodes, BUDGET)
        assert isinstance(found, Stuck if closed else Placed)


def test_a_relation_tells_who_is_dead_by_then() -> None:
    """y is sure to live when list 1 has ended, so 1 < 2; x is in 1 and not in 2, so 3 < 2."""
    history = (
        Build()
        .create("x", 0, 50).create("y", 5, 50)
        .list(10, 30, "x").list(10, 60, "y").list(10, 60, "x")
        .delete("x", 2, 90).delete("y", 40, 90)
    ).history  # fmt: skip
    nodes = nodes_of(history)
    assert nodes is not None
    one, two, three = (_number(nodes, n) for n in (2, 3, 4))
    assert _sets(forced(nodes, [0, 1, 2])) == {two: {one, three}}


def test_a_relation_tells_who_is_not_yet_born() -> None:
    """x is sure to have lived when list 2 began, so 1 < 2; y is in 2 and not in 1, so 1 < 3."""
    history = (
        Build()
        .create("x", 0, 12).create("y", 0, 50)
        .list(5, 60, "x").list(20, 60, "y").list(5, 60, "y")
        .delete("x", 1, 90).delete("y", 6, 90)
    ).history  # fmt: skip
    nodes = nodes_of(history)
    assert nodes is not None
    one, two, three = (_number(nodes, n) for n in (2, 3, 4))
    assert _sets(forced(nodes, [0, 1, 2])) == {two: {one}, three: {one}}


def _number(nodes: Nodes, index: int) -> int:
    return next(n for n, op in enumerate(nodes.operation) if op is not None and op.index == index)


def _sets(order: dict[int, tuple[int, ...]]) -> dict[int, set[int]]:
    return {second: set(firsts) for second, firsts in order.items()}
