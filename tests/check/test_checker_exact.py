"""The checker against every order tried, and against the generic search.

A small part with a fixed seed here; the whole behind ``quality``:
``pytest -m quality tests/check/test_checker_exact.py``.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.histories import random_history
from tests.check.reference import flaw_of, some_order_is_legal
from tests.quality.generated import Cell, histories

from deadheat.check.checker import check
from deadheat.check.decide.greedy import DeadEnd, sweep
from deadheat.check.decide.legality import Impossible, decided, legal, searched, surroundings
from deadheat.check.decide.life_records import NeedsSearch
from deadheat.check.decide.lifetimes import read_lives
from deadheat.check.decide.registers import read_values
from deadheat.check.decide.wing_gong import Order, OutOfBudget
from deadheat.model.history import Kind
from deadheat.model.promises import DeletePromise, ListPromise, Promises
from deadheat.model.verdict import Diverged, Linearizable

if TYPE_CHECKING:
    from deadheat.model.history import History

BUDGET = 2_000_000
C, D, G, L, R = Kind.CREATE, Kind.DELETE, Kind.GET, Kind.LIST, Kind.RENAME


def _drawn(seed: int, most: int) -> tuple[History, Promises]:
    rng = Random(seed)
    promises = Promises(
        rng.choice(list(DeletePromise)),
        rng.choice([ListPromise.SNAPSHOT] * 3 + [ListPromise.PER_SESSION]),
    )
    history = random_history(
        rng,
        rng.randint(1, most),
        info=0.2,
        bend=rng.choice([0, 0.1, 0.3, 0.5]),
        titles=rng.choice(["none", "all", "mixed"]),
        width=rng.choice([1, 4, 8, 16, 40]),
        existing=True,
        renames=rng.random() < 0.5,
        idempotent=promises.delete is DeletePromise.IDEMPOTENT,
    )
    return history, promises


def _is_generic(history: History, promises: Promises) -> bool:
    try:
        read_values(
            read_lives(
                history.operations,
                history.existing,
                strict_delete=promises.delete is DeletePromise.EXACTLY_ONCE,
            )
        )
    except NeedsSearch:
        return True
    except Exception:  # noqa: BLE001 - a conflict is a decision
        return False
    return False


def _compare(seeds: range, most: int, *, by_hand: bool) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        history, promises = _drawn(seed, most)
        found = legal(history, promises, BUDGET)
        assert not isinstance(found, OutOfBudget), seed
        if by_hand:
            expected = some_order_is_legal(history, promises)
        else:
            reference = searched(history, promises, BUDGET)
            assert not isinstance(reference, OutOfBudget), seed
            expected = isinstance(reference, Order)
        assert isinstance(found, Order) is expected, f"seed {seed}: {found}"
        # The straight way ends nearly every legal history: the decision behind it is asked, too.
        behind = decided(history, promises, BUDGET)
        assert isinstance(behind, Order) is expected, f"seed {seed}: {behind}"
        for order in (found, behind):
            if isinstance(order, Order):
                assert not (flaw := flaw_of(order.order, history, promises)), f"{seed}: {flaw}"
        seen["legal" if expected else "impossible"] += 1
        seen["generic"] += _is_generic(history, promises)
        seen["straight"] += found != behind
    return seen


def test_agrees_with_every_order_tried_on_tiny_histories() -> None:
    seen = _compare(range(2_000), 8, by_hand=True)
    assert seen["impossible"] > 300  # both answers are tested, and nearly all by the fast path
    assert seen["legal"] > 1_000
    assert seen["generic"] < 200


def test_agrees_with_the_generic_search_on_larger_histories() -> None:
    seen = _compare(range(500_000, 501_000), 20, by_hand=False)
    assert seen["impossible"] > 200
    assert seen["legal"] > 400


def test_agrees_where_the_straight_way_turns_its_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    # So short a history is never gone through again otherwise.
    monkeypatch.setattr("deadheat.check.decide.greedy._SAVED", 1)
    monkeypatch.setattr("deadheat.check.decide.greedy._RETRIES", 20.0)
    seen = _compare(range(500_000, 500_500), 20, by_hand=False)
    assert seen["impossible"] > 100
    assert seen["legal"] > 200


def test_agrees_where_the_sessions_are_asked_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So short a history is never that hard otherwise; and who shows what is looked up at once."""
    monkeypatch.setattr("deadheat.check.decide.list_groups._EACH", 0)
    monkeypatch.setattr("deadheat.check.decide.list_groups._ALL", 1)
    monkeypatch.setattr("deadheat.check.decide.list_groups._ALL_OF_FEW", 1)
    monkeypatch.setattr("deadheat.check.decide.list_order.AT_ONCE", 0)
    for taken_in in (1, 2):
        monkeypatch.setattr("deadheat.check.decide.list_groups._TAKEN_IN", taken_in)
        seen = _compare(range(500_000 + taken_in, 500_800, 2), 20, by_hand=False)
        assert seen["impossible"] > 80
        assert seen["legal"] > 160
        for corner in ("titles", "unknown creates", "absent"):
            assert _cornered(corner, range(200))["impossible"] > 6


def test_the_straight_way_leads_through_long_histories() -> None:
    """With 100 clients some forty lists wait at once: each birth asks which come before it."""
    few, many = Cell(3_000, 10, 0.4, 0.0, faulty=False), Cell(1_000, 100, 0.4, 0.15, faulty=False)
    for history in histories(few, 3, 1) + histories(many, 5, 1):
        order = sweep(history.operations, strict_delete=True)
        assert isinstance(order, tuple)
        assert not flaw_of(order, history, Promises())


def _surrounded(monkeypatch: pytest.MonkeyPatch, seeds: range) -> Counter[str]:
    """What surrounds a dead end of a short history, against the generic search on all of it."""
    monkeypatch.setattr("deadheat.check.decide.greedy._AROUND", 2)
    monkeypatch.setattr("deadheat.check.decide.greedy._MANY", 0)
    monkeypatch.setattr("deadheat.check.decide.greedy.judge_alone", lambda *_, **__: None)
    seen: Counter[str] = Counter()
    for seed in seeds:
        rng = Random(seed)
        kinds = rng.choice([(C, D, L), (C, C, D, D, L, L, L), (C, D, L, L, G), (C, L, L, D, G)])
        history = random_history(
            rng, rng.randint(6, 14), info=rng.choice([0, 0.2, 0.4]), bend=rng.choice([0.05, 0.2]),
            titles=rng.choice(["none", "none", "mixed"]), width=rng.choice([8, 16, 40]),
            existing=True, drawn_from=(*kinds, R) if rng.random() < 0.3 else kinds,
        )  # fmt: skip
        # Not snapshots: that no step had an alternative would be a proof else.
        end = sweep(history.operations, history.existing, strict_delete=True, snapshot=False)
        if not isinstance(end, DeadEnd) or not 0 < len(end.around) < len(history.operations):
            continue
        found = surroundings(end, Promises(), BUDGET)
        if found is not None:
            assert isinstance(searched(history, Promises(), BUDGET), Impossible), seed
        seen["silent" if found is None else "impossible"] += 1
    return seen


def test_what_surrounds_a_dead_end_is_impossible_only_where_all_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = _surrounded(monkeypatch, range(800_000, 803_000))
    assert seen["impossible"] > 100
    assert seen["silent"] > 20


def test_nothing_surrounds_a_dead_end_of_a_legal_history_that_is_impossible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dead ends are rare there; without a way back there are some."""
    monkeypatch.setattr("deadheat.check.decide.greedy._RETRIES", 0.0)
    monkeypatch.setattr("deadheat.check.decide.greedy._FIRST_RETRIES", 0)
    monkeypatch.setattr("deadheat.check.decide.greedy._MANY", 0)
    ends = 0
    for answers in (2, 10, 50):
        monkeypatch.setattr("deadheat.check.decide.greedy._AROUND", answers)
        for clients, info in ((10, 0.4), (30, 0.15), (100, 0.0), (100, 0.15)):
            for history in histories(Cell(400, clients, 0.4, info, faulty=False), 10, answers):
                end = sweep(history.operations, strict_delete=True)
                if isinstance(end, DeadEnd) and end.around:
                    assert surroundings(end, Promises(), BUDGET) is None
                    ends += 1
    assert ends > 30


def test_a_fault_in_a_long_history_is_proved_by_what_surrounds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proved = 0
    for history in histories(Cell(7_000, 30, 0.4, 0.15, faulty=True), 3, 1):
        with monkeypatch.context() as alone:
            alone.setattr("deadheat.check.decide.legality.decided", lambda *_: None)
            found = legal(history, Promises(), BUDGET)
        assert isinstance(found, Impossible | None)
        proved += found is not None
    assert proved >= 2  # of six all but one, whose dead end lies behind the fault


@pytest.mark.quality
def test_what_surrounds_dead_ends_of_100_000(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _surrounded(monkeypatch, range(5_000_000, 5_100_000))
    print(seen)
    assert seen["impossible"] > 5_000
    assert seen["silent"] > 2_000


@pytest.mark.quality
def test_agrees_with_every_order_tried_on_100_000() -> None:
    seen = _compare(range(1_000_000, 1_100_000), 8, by_hand=True)
    print(seen)
    assert seen["impossible"] > 15_000


@pytest.mark.quality
def test_agrees_with_the_generic_search_on_20_000() -> None:
    seen = _compare(range(2_000_000, 2_020_000), 20, by_hand=False)
    print(seen)
    assert seen["impossible"] > 4_000


# Where mutants of the checker survived: titles half looked at, creates nobody heard
# of, answers "absent" beside many lists; and what the straight way may prove impossible
# ("forced"). Titles, information lost, kinds drawn.
CORNERS = {
    "titles": ("mixed", 0.1, (C, L, L, L, R, R, R, D), 0.1),
    "unknown creates": ("none", 0.5, (C, C, C, L, L, L, G), 0.1),
    "forced": ("none", 0.2, (C, C, D, D, L, L, L, G), 0.1),
    "absent": ("none", 0.05, (C, D, D, G, G, L, L, L), 0.35),
    "all titles": ("all", 0.1, (C, L, L, R, R, G, D, L), 0.15),
}


def _cornered(corner: str, seeds: range) -> Counter[str]:
    titles, info, kinds, bend = CORNERS[corner]
    seen: Counter[str] = Counter()
    for seed in seeds:
        rng = Random(seed)
        history = random_history(
            rng, rng.randint(4, 10), info=info, bend=bend, titles=titles,
            width=rng.choice([8, 16, 30]), drawn_from=kinds, existing=True,
        )  # fmt: skip
        found = legal(history, Promises(), BUDGET)
        expected = isinstance(searched(history, Promises(), BUDGET), Order)
        assert isinstance(found, Order) is expected, f"seed {seed}: {found}"
        behind = decided(history, Promises(), BUDGET)
        assert isinstance(behind, Order) is expected, f"seed {seed}: {behind}"
        for order in (found, behind):
            if isinstance(order, Order):
                assert not (flaw := flaw_of(order.order, history, Promises())), f"{seed}: {flaw}"
        seen["legal" if expected else "impossible"] += 1
        seen["generic"] += _is_generic(history, Promises())
    return seen


@pytest.mark.parametrize("corner", CORNERS)
def test_agrees_in_the_corners(corner: str) -> None:
    seen = _cornered(corner, range(400))
    assert seen["impossible"] > 12
    assert seen["generic"] < 200


@pytest.mark.quality
@pytest.mark.parametrize("corner", CORNERS)
def test_agrees_in_the_corners_of_20_000(corner: str) -> None:
    print(corner, _cornered(corner, range(100_000, 120_000)))


def test_check_gives_the_same_answer_and_explains_it() -> None:
    for seed in range(300):
        history, promises = _drawn(seed, 12)
        verdict = check(history, promises)
        found = legal(history, promises, BUDGET)
        assert isinstance(verdict, Diverged) is isinstance(found, Impossible)
        if isinstance(verdict, Linearizable):
            assert isinstance(found, Order)
            assert verdict.order == found.order
