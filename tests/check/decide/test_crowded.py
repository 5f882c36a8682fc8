"""Many lists open at once: decided, in a bounded number of steps, and rightly."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.reference import flaw_of
from tests.quality.crowded import case_of, heap, knot

from deadheat.check.checker import DEFAULT_BUDGET, check
from deadheat.check.decide.greedy import DeadEnd, _GreedyRun, sweep
from deadheat.check.decide.legality import Impossible, decided, legal
from deadheat.check.decide.life_records import Conflict
from deadheat.check.decide.lifetimes import read_lives
from deadheat.check.decide.list_groups import place_nodes
from deadheat.check.decide.list_nodes import Nodes, build_nodes
from deadheat.check.decide.list_order import Placed, Stuck, Unfinished
from deadheat.check.decide.registers import read_values
from deadheat.check.decide.wing_gong import Order
from deadheat.check.weakening import weakened
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged, Linearizable, Undecided

if TYPE_CHECKING:
    from deadheat.model.history import History

PLAIN = ("lists", "titled", "renames", "unknown", "per-session")


def nodes_of(history: History) -> Nodes:
    lives = read_lives(history.operations, history.existing, strict_delete=True)
    return build_nodes(lives, read_values(lives))


@pytest.mark.parametrize("fragment", PLAIN)
def test_a_run_of_the_collection_is_legal_and_the_order_shows_it(fragment: str) -> None:
    legal_ones = bent = 0
    for seed in range(40):
        case = case_of(fragment, seed)
        promises = case.crowd.promises
        found = legal(case.history, promises, DEFAULT_BUDGET)
        behind = decided(weakened(case.history, promises), promises, DEFAULT_BUDGET)
        assert type(found) is type(behind), case.name
        if isinstance(found, Order):
            flaw = flaw_of(found.order, case.history, promises)
            assert not flaw, f"{case.name}: {flaw}"
        else:
            assert isinstance(found, Impossible), case.name
            assert case.crowd.fault is not None, case.name
        legal_ones += case.crowd.fault is None
        bent += isinstance(found, Impossible)
    assert legal_ones > 8
    assert bent > 2


def test_both_ways_agree_where_two_entries_of_the_lists_are_wrong() -> None:
    """The straight way says nothing, or what the search says; most of these are impossible."""
    impossible = 0
    for seed in range(120):
        rng = Random(seed)
        history = heap(rng, rng.randint(8, 24), rng.randint(5, 30), rng.choice([0.03, 0.1, 0.4]))
        try:
            nodes = nodes_of(history)
        except Conflict:
            continue
        found = place_nodes(nodes, DEFAULT_BUDGET)
        assert not isinstance(found, Unfinished), seed
        verdict = legal(history, Promises(), DEFAULT_BUDGET)
        assert isinstance(verdict, Order) is isinstance(found, Placed), seed
        impossible += isinstance(found, Stuck)
    assert impossible > 50


@pytest.mark.parametrize("hub", [False, True])
@pytest.mark.parametrize("others", [6, 12, 20, 24])
def test_lists_that_have_nothing_to_do_with_it_cost_no_power_of_two(
    others: int, *, hub: bool
) -> None:
    """Three lists contradict each other; every order of the others was tried (millions of sets)."""
    for closed, verdict in ((True, Stuck), (False, Placed)):
        found = place_nodes(nodes_of(knot(others, hub=hub, closed=closed)), DEFAULT_BUDGET)
        assert isinstance(found, verdict)
        assert found.steps < 4_000


def test_the_straight_way_ends_where_all_is_open_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It turned choices without an end there: no answer lay on the way, so none was paid for."""
    ways = 0
    follow = _GreedyRun._follow

    def counted(self: _GreedyRun, first: int, c: int) -> None:
        nonlocal ways
        ways += 1
        follow(self, first, c)

    monkeypatch.setattr(_GreedyRun, "_follow", counted)
    ends = 0
    for seed in range(20):
        history = heap(Random(seed), 24, 30, 0.2)
        ways = 0
        try:
            ends += isinstance(sweep(history.operations, strict_delete=True), DeadEnd)
        except Conflict:
            continue
        assert ways < 40, seed
    assert ends > 10


def test_hundreds_of_lists_at_once_are_no_crash() -> None:
    """Each list placed on the way to another is some frames of the stack."""
    verdict = check(heap(Random(0), 400, 30, 0.1, wrong=0), Promises())
    assert isinstance(verdict, Linearizable | Diverged | Undecided)


@pytest.mark.parametrize("budget", [1, 10, 100, 1_000])
def test_the_budget_is_kept(budget: int) -> None:
    for seed in range(20):
        history = heap(Random(seed), 20, 20, 0.1)
        try:
            found = place_nodes(nodes_of(history), budget)
        except Conflict:
            continue
        # What one state may add: its nodes, each tried once, twice over (all, then a few).
        assert found.steps <= budget + 4 * 20 + 4


@pytest.mark.parametrize("fragment", ["idempotent", "reused", "chosen", "named", "families", "own"])
def test_what_only_the_generic_search_decides_is_decided_too(fragment: str) -> None:
    """Eight to twelve lists at once; several of these ended undecided, or after seconds."""
    for seed in range(12):
        case = case_of(fragment, seed, few=True)
        verdict = case.judged()
        assert not isinstance(verdict, Undecided), case.name
        assert isinstance(verdict, Linearizable) or case.crowd.fault is not None, case.name
