"""When a change shows: each value of that promise against a server that uses all of its freedom,
against every order tried, and with a fault under it that must be found all the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.histories import MS, Build, random_history
from tests.check.lagging import LaggingServer, explained

from deadheat.check.checker import check
from deadheat.check.decide.legality import contradicts, legal
from deadheat.check.decide.wing_gong import Order, OutOfBudget
from deadheat.model.history import Absent, Found, Info, Invocation, Kind, Ok, Renamed
from deadheat.model.promises import DeletePromise, ListPromise, Promises, Shows
from deadheat.model.verdict import Anomaly, Diverged, Linearizable

if TYPE_CHECKING:
    from deadheat.model.history import History

BUDGET = 2_000_000
SETTLED = Promises(reads=Shows.SETTLED, slack_ns=250 * MS)
EVENTUAL = Promises(reads=Shows.EVENTUAL)
AXIS = [Promises(), SETTLED, EVENTUAL]


def _drawn(seed: int) -> tuple[History, Promises]:
    rng = Random(seed)
    promises = Promises(
        rng.choice(list(DeletePromise)),
        rng.choice(list(ListPromise)),
        rng.choice([Shows.LINEARIZABLE, Shows.SETTLED, Shows.SETTLED, Shows.EVENTUAL]),
        get=rng.choice([Shows.LINEARIZABLE, Shows.LINEARIZABLE, Shows.EVENTUAL]),
    )
    if promises.reads is Shows.SETTLED:
        promises = replace(promises, slack_ns=rng.choice([1, 4, 12, 40]))
    history = random_history(
        rng,
        rng.randint(2, 8),
        info=rng.choice([0, 0.2]),
        bend=rng.choice([0, 0.2, 0.5]),
        titles=rng.choice(["none", "all", "mixed"]),
        width=rng.choice([1, 4, 8, 16]),
        existing=True,
        renames=True,
        idempotent=promises.delete is DeletePromise.IDEMPOTENT,
    )
    last = sorted(history.operations, key=lambda op: op.call_ns)[-rng.randrange(1, 4) :]
    operations = tuple(
        replace(op, at_rest=op in last and op.kind in (Kind.GET, Kind.LIST))
        for op in history.operations
        if not (op.kind is Kind.CREATE and isinstance(op.outcome, Info))
    )
    return replace(history, operations=operations), promises


def _one_create_each(history: History) -> bool:
    made = [op.outcome.result for op in history.operations if isinstance(op.outcome, Ok)]
    created = [one for one in made if type(one).__name__ == "Created"]
    return len(set(created)) == len(created)


@pytest.mark.parametrize("many", [2_000, pytest.param(20_000, marks=pytest.mark.quality)])
def test_agrees_with_every_order_tried(many: int) -> None:
    seen = {True: 0, False: 0}
    for seed in range(many):
        history, promises = _drawn(seed)
        if not history.operations or not _one_create_each(history) or promises.snapshot:
            continue
        found = legal(history, promises, BUDGET)
        assert not isinstance(found, OutOfBudget), seed
        expected = explained(history, promises)
        assert isinstance(found, Order) is expected, f"seed {seed}: {promises} {found}"
        seen[expected] += 1
    assert min(seen.values()) > many // 8


@pytest.mark.parametrize("settle_ns", [3, 10, 30, 100, None])
def test_a_server_that_uses_all_of_its_time_is_right(settle_ns: int | None) -> None:
    shows = Shows.EVENTUAL if settle_ns is None else Shows.SETTLED
    promises = Promises(reads=shows, slack_ns=settle_ns)
    differs = 0
    for seed in range(400):
        history = LaggingServer(Random(seed), settle_ns).program(14)
        assert isinstance(check(history, promises), Linearizable), seed
        differs += contradicts(history, Promises(), BUDGET)
    assert differs > 100  # it is not right by a stronger promise


@pytest.mark.parametrize("settle_ns", [3, 10, 30])
def test_a_server_that_takes_longer_than_it_says_is_wrong(settle_ns: int) -> None:
    promises = Promises(reads=Shows.SETTLED, slack_ns=settle_ns)
    found = 0
    for seed in range(200):
        history = LaggingServer(Random(seed), 3 * settle_ns + 10).program(14)
        found += contradicts(history, promises, BUDGET)
    assert found > 50


def ghost(promises: Promises) -> History:
    """It never goes: also long after the settle time it is there."""
    late = 3 + 2 * (promises.slack_ns or 0) / MS
    built = Build().create("x", 0, 1).delete("x", 2, 3)
    return built.list(late, late + 1, "x", rest=True).get("x", late + 2, late + 3, Found(),
        rest=True).history  # fmt: skip


def lost_create(promises: Promises) -> History:
    late = 3 + 2 * (promises.slack_ns or 0) / MS
    built = Build().create("x", 0, 1).create("y", 0, 1)
    return built.list(late, late + 1, "y", rest=True).get("x", late + 2, late + 3, Absent(),
        rest=True).history  # fmt: skip


def lost_rename(promises: Promises) -> History:
    late = 5 + 2 * (promises.slack_ns or 0) / MS
    built = Build().create("x", 0, 1, "old")
    built.add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 2, 3)
    return built.get("x", late, late + 1, Found("old"), rest=True).history


@pytest.mark.parametrize("promises", AXIS, ids=str)
def test_what_never_shows_is_found_whatever_time_it_is_given(promises: Promises) -> None:
    for made, anomaly in (
        (ghost, Anomaly.GHOST),
        (lost_create, Anomaly.LOST_CREATE),
        (lost_rename, Anomaly.LOST_UPDATE),
    ):
        verdict = check(made(promises), promises)
        assert isinstance(verdict, Diverged)
        assert verdict.divergence.anomaly is anomaly


@pytest.mark.parametrize("promises", AXIS, ids=str)
def test_time_excuses_the_past_and_not_what_never_was(promises: Promises) -> None:
    phantom = Build().create("x", 0, 1).list(2, 3, "x", "y").history
    early = Build().list(0, 1, "x").create("x", 2, 3).history
    twice = Build().create("x", 0, 1).delete("x", 2, 3).delete("x", 4, 5).history
    for history in (phantom, early, twice):
        assert isinstance(check(history, promises), Diverged)


def test_what_the_settle_time_excuses_and_the_moment_after_it() -> None:
    def read_at(ms: float) -> History:
        return Build().create("x", 0, 1).delete("x", 2, 3).get("x", ms, ms + 1, Found()).history

    assert isinstance(check(read_at(253), SETTLED), Linearizable)
    assert isinstance(check(read_at(254), SETTLED), Diverged)


def test_views_need_not_agree_before_it_is_over() -> None:
    """A list misses it while its delete is under way, and a get shows it long after that."""
    built = Build().create("x", 0, 1).list(-1, 2, "x").delete("x", 300, 330)
    built.list(301, 302).get("x", 570, 571, Found()).list(572, 573).list(600, 601, rest=True)
    assert isinstance(check(built.history, SETTLED), Linearizable)
    assert isinstance(check(built.get("x", 602, 603, Found()).history, SETTLED), Diverged)


def test_other_calls_look_too() -> None:
    """Until it shows, what was made is not there to be deleted, and what was deleted is renamed."""
    early = Build().create("x", 0, 1).delete("x", 2, 3, Absent()).list(400, 401, "x")
    late = Build().create("x", 0, 1, "old").delete("x", 2, 3)
    late.add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 4, 5).list(400, 401)
    for built in (early, late):
        assert isinstance(check(built.history, SETTLED), Linearizable)
        assert isinstance(check(built.history, Promises()), Diverged)


def test_changes_keep_their_order_however_late_they_show() -> None:
    built = Build().create("x", 0, 1, "old")
    built.add(Invocation(Kind.RENAME, "x", "one"), Renamed(), 2, 3)
    built.add(Invocation(Kind.RENAME, "x", "two"), Renamed(), 4, 5)
    built.get("x", 400, 401, Found("one"))
    assert isinstance(check(built.history, SETTLED), Diverged)
