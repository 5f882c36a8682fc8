"""Parents, children, forks: decided as by trying everything, named, proved, and lawful.

A share of the comparison with fixed seeds here; the whole behind ``quality``:
``pytest -m quality tests/check/test_families.py``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from tests.check.families import random_family, some_family_order_is_legal
from tests.check.histories import Build

from deadheat.check.checker import check
from deadheat.check.decide.legality import contradicts, legal
from deadheat.check.decide.wing_gong import Order, OutOfBudget
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import Follows, TakenAlong
from deadheat.model.history import (
    MAKING,
    READING,
    Absent,
    Created,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Operation,
    Renamed,
    Seen,
    Unknown,
)
from deadheat.model.promises import (
    CascadePromise,
    ChildrenPromise,
    DeletePromise,
    ForkPromise,
    Promises,
)
from deadheat.model.verdict import Anomaly, Diverged, Divergence, Linearizable

BUDGET = 2_000_000
GRADUAL = Promises(children=ChildrenPromise.CASCADE, cascade=CascadePromise.GRADUAL)
ATOMIC = Promises(children=ChildrenPromise.CASCADE)
ORPHAN = Promises(children=ChildrenPromise.ORPHAN)
NONE = Promises()


def _drawn(seed: int, least: int, most: int, lost: float = 0.0) -> tuple[History, Promises]:
    rng = Random(seed)
    promises = Promises(
        rng.choice(list(DeletePromise)),
        children=rng.choice(list(ChildrenPromise)),
        cascade=rng.choice(list(CascadePromise)),
        fork=rng.choice(list(ForkPromise)),
    )
    bend = rng.choice([0, 0, 0.1, 0.3])
    history = random_family(rng, rng.randint(least, most), promises, bend=bend)
    return _unanswered(history, lost, Random(-seed)), promises


def _unanswered(history: History, share: float, rng: Random) -> History:
    """That share of the calls without an answer, whatever they were (what makes a session keeps
    its answer: whose child it is, nobody would know)."""
    if not share:
        return history
    return replace(
        history,
        operations=tuple(
            replace(op, outcome=Info(Unknown.TIMEOUT), return_ns=None)
            if op.kind not in MAKING and rng.random() < share
            else op
            for op in history.operations
        ),
    )


def _compare(seeds: range, least: int, most: int, lost: float = 0.0) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        history, promises = _drawn(seed, least, most, lost)
        found = legal(history, promises, BUDGET)
        assert not isinstance(found, OutOfBudget), seed
        expected = some_family_order_is_legal(history, promises)
        assert isinstance(found, Order) is expected, f"seed {seed}: {found} under {promises}"
        seen["legal" if expected else "impossible"] += 1
        seen["families"] += any(op.invocation.parent for op in history.operations)
    return seen


def test_agrees_with_every_order_and_every_instant_of_a_cascade() -> None:
    seen = _compare(range(1_200), 3, 7)
    assert seen["impossible"] > 90
    assert seen["families"] > 600
    larger = _compare(range(200_100, 200_200), 8, 10)  # 200177: two deletes, one over before
    assert larger["impossible"] > 10
    unanswered = _compare(range(300_000, 300_600), 3, 8, 0.2)
    assert unanswered["impossible"] > 30
    assert unanswered["families"] > 300


@pytest.mark.quality
@pytest.mark.parametrize("lost", [0.0, 0.2])
def test_agrees_with_every_order_on_100_000(lost: float) -> None:
    print(lost, _compare(range(1_000_000, 1_100_000), 3, 8, lost))
    print(lost, _compare(range(2_000_000, 2_020_000), 8, 10, lost))


@pytest.mark.parametrize("many", [500, pytest.param(10_000, marks=pytest.mark.quality)])
def test_unknown_wider_or_forgotten_never_makes_a_divergence(many: int) -> None:
    tried = 0
    for seed in range(many):
        history, promises = _drawn(seed, 3, 9)
        if not isinstance(legal(history, promises, BUDGET), Order):
            continue
        rng = Random(seed)
        op = rng.choice(history.operations)
        wide = replace(
            op,
            call_ns=op.call_ns - rng.randrange(20),
            return_ns=None if op.return_ns is None else op.return_ns + rng.randrange(20),
        )
        changed: list[Operation | None] = [wide]
        if op.kind is not Kind.CREATE:  # of whose parent nothing is known without its answer
            changed.append(replace(op, outcome=Info(Unknown.TIMEOUT), return_ns=None))
        if op.kind in READING:
            changed.append(None)
        for new in changed:
            rest = tuple(new if one is op else one for one in history.operations)
            other = replace(history, operations=tuple(one for one in rest if one is not None))
            assert isinstance(legal(other, promises, BUDGET), Order), f"seed {seed}"
            tried += 1
    assert tried > many


@pytest.mark.parametrize("many", [500, pytest.param(10_000, marks=pytest.mark.quality)])
def test_a_weaker_promise_never_makes_a_divergence(many: int) -> None:
    for seed in range(many):
        history, promises = _drawn(seed, 3, 9)
        if not isinstance(legal(history, promises, BUDGET), Order):
            continue
        weaker = [
            replace(promises, children=ChildrenPromise.NONE),
            replace(promises, cascade=CascadePromise.GRADUAL),
            replace(promises, fork=ForkPromise.ANY),
            replace(promises, delete=DeletePromise.IDEMPOTENT),
        ]
        for other in weaker:
            assert isinstance(legal(history, other, BUDGET), Order), f"seed {seed}: {other}"


@pytest.mark.parametrize("many", [1_000, pytest.param(10_000, marks=pytest.mark.quality)])
def test_a_witness_contradicts_itself_and_its_proof_is_about_it(many: int) -> None:
    found = proofs = 0
    for seed in range(many):
        history, promises = _drawn(seed, 4, 10)
        verdict = check(history, promises)
        if not isinstance(verdict, Diverged):
            continue
        divergence = verdict.divergence
        kept = tuple(op for op in history.operations if op.index in divergence.witness)
        assert contradicts(History(kept), promises, BUDGET), f"seed {seed}"
        assert divergence.culprit in divergence.witness
        found += 1
        proofs += bool(divergence.proof)
    assert found > many // 10
    assert proofs > 0.7 * found


def _below(build: Build, session: str, parent: str, call: float, end: float) -> Build:
    return build.add(Invocation(Kind.CREATE, parent=parent), Created(session), call, end)


def _found(history: History, promises: Promises) -> Divergence:
    verdict = check(history, promises)
    assert isinstance(verdict, Diverged)
    return verdict.divergence


def _family() -> Build:
    build = Build().create("p", 0, 1)
    return _below(_below(build, "x", "p", 2, 3), "y", "p", 4, 5)


def test_a_child_that_outlives_the_delete_of_its_parent_is_an_orphan() -> None:
    history = _family().delete("p", 6, 8).list(9, 10, "y", rest=True).history
    found = _found(history, GRADUAL)
    assert found.anomaly is Anomaly.ORPHAN
    assert found.sessions == ("y", "p")
    assert found.counterfactual == Edit(How.NO_PARENT, 2, ("y",))
    constraints = [one.constraint for one in found.proof if isinstance(one, Follows)]
    assert TakenAlong("y") in [one.because for one in constraints]
    assert isinstance(check(history, NONE), Linearizable)
    stays = _family().delete("p", 6, 8).list(9, 10, "x", "y", rest=True).history
    assert isinstance(check(stays, ORPHAN), Linearizable)


def test_a_child_made_while_its_parent_goes_is_an_orphan_if_that_was_seen_after() -> None:
    def history(call: float) -> History:
        build = Build().create("p", 0, 1).delete("p", 2, 9)
        build = _below(build, "x", "p", 3, 4).get("p", call, call + 0.5, Found())
        return build.list(10, 11, "x", rest=True).history

    found = _found(history(5), GRADUAL)
    assert found.anomaly is Anomaly.ORPHAN
    assert found.proof
    assert isinstance(check(history(2), GRADUAL), Linearizable)


def test_an_orphan_is_one_also_where_a_list_of_children_had_shown_it() -> None:
    """Found as a torn list, and as a stale read, by searches of the planted race."""

    def history() -> Build:
        build = _below(Build().create("p", 0, 1), "x", "p", 2, 3).delete("p", 4, 12)
        return _below(build, "y", "p", 6, 7)

    below = Invocation(Kind.CHILDREN, "p")
    listed = history().add(below, Offspring((Seen("x"), Seen("y"))), 8, 9)
    assert _found(listed.list(14, 15, "y", rest=True).history, GRADUAL).anomaly is Anomaly.ORPHAN
    deleted = history().list(8, 9, "p", "x", "y").delete("y", 14, 15)
    assert _found(deleted.history, GRADUAL).anomaly is Anomaly.ORPHAN


def test_which_delete_took_a_child_that_vanished() -> None:
    """Nothing is wrong with the parent, which was refused and is there: its child is gone."""
    build = _family().list(6, 7, "p", "x", "y").delete("p", 8, 11, Absent()).delete("x", 9, 10)
    found = _found(build.list(12, 13, "p", rest=True).history, GRADUAL)
    assert found.anomaly is Anomaly.PARTIAL_CASCADE
    assert found.sessions[:2] == ("p", "y")


def test_a_rename_that_only_found_its_session_is_a_read_in_the_signature() -> None:
    def back(*, renamed: bool) -> tuple[str, ...]:
        build = Build().create("x", 0, 1, "old").delete("x", 2, 4)
        build = build.add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 2, 5)
        again = Invocation(Kind.RENAME, "x", "newer")
        shown = build.add(again, Renamed(), 6, 7) if renamed else build.list(6, 7, "x", rest=True)
        return _found(shown.history, GRADUAL).signature.calls

    assert back(renamed=True) == back(renamed=False) == ("create", "delete", "read")


def test_a_refused_delete_that_took_children_is_a_partial_cascade() -> None:
    history = (
        _family().delete("p", 6, 8, Absent()).list(9, 10, "p", "y", rest=True)
        .get("p", 11, 12, Found(), rest=True).history
    )  # fmt: skip
    assert _found(history, ATOMIC).anomaly is Anomaly.PARTIAL_CASCADE
    found = _found(history, GRADUAL)
    assert found.anomaly is Anomaly.PARTIAL_CASCADE
    assert found.sessions[:2] == ("p", "x")
    assert found.culprit == 3
    kinds = [op.kind for op in history.operations if op.index in found.witness]
    assert kinds.count(Kind.DELETE) == 1
    assert Kind.LIST in kinds


def test_a_refused_delete_that_took_nothing_is_a_wrong_status() -> None:
    history = _family().delete("p", 6, 8, Absent()).list(9, 10, "p", "x", "y", rest=True).history
    assert _found(history, GRADUAL).anomaly is Anomaly.WRONG_STATUS


def test_two_refused_deletes_of_what_is_there_are_a_wrong_status() -> None:
    """One fault that two calls met with; it is no slow create."""
    build = _family().delete("p", 6, 8, Absent()).delete("p", 6, 8, Absent())
    history = build.list(9, 10, "p", "x", "y").delete("p", 11, 12).list(13, 14, rest=True).history
    assert _found(history, GRADUAL).anomaly is Anomaly.WRONG_STATUS


def test_a_cascade_half_done_is_only_visible_if_it_is_promised_to_be_gradual() -> None:
    history = _family().delete("p", 6, 9).list(7, 8, "p", "y").list(10, 11, rest=True).history
    assert isinstance(check(history, GRADUAL), Linearizable)
    assert isinstance(check(history, NONE), Linearizable)
    found = _found(history, ATOMIC)
    assert found.anomaly is Anomaly.TORN_LIST
    assert _found(history, ORPHAN).anomaly is not Anomaly.TORN_LIST


def test_a_rename_that_brings_the_session_back_is_named_if_its_title_is_seen() -> None:
    def history(shown: str) -> History:
        return (
            Build().create("x", 0, 1, "old").delete("x", 2, 4)
            .add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 2, 5)
            .add(Invocation(Kind.LIST), Listed((Seen("x", shown),)), 6, 7, rest=True).history
        )  # fmt: skip

    found = _found(history("new"), GRADUAL)
    assert found.anomaly is Anomaly.GHOST  # nobody saw it gone
    assert found.counterfactual == Edit(How.NOT_CREATED_AGAIN, 2, ("x",))
    assert _found(history("old"), GRADUAL).counterfactual == Edit(How.EARLIER, 3, ("x",))


def test_children_shows_those_directly_below_and_nothing_of_a_parent_that_is_gone() -> None:
    def history(*shown: str) -> History:
        offspring = Offspring(tuple(Seen(session) for session in shown))
        return _family().add(Invocation(Kind.CHILDREN, "p"), offspring, 6, 7).history

    assert isinstance(check(history("x", "y"), GRADUAL), Linearizable)
    assert set(_found(history("x"), GRADUAL).sessions) == {"p", "y"}
    assert _found(history("x", "y", "p"), GRADUAL)
    gone = _family().delete("p", 6, 7).add(Invocation(Kind.CHILDREN, "p"), Offspring(()), 8, 9)
    assert isinstance(check(gone.history, ORPHAN), Linearizable)


def test_a_fork_needs_its_source_if_that_is_promised() -> None:
    build = Build().create("x", 0, 1).delete("x", 2, 3)
    history = build.add(Invocation(Kind.FORK, "x"), Created("f"), 4, 5).history
    assert _found(history, GRADUAL)
    assert isinstance(check(history, replace(GRADUAL, fork=ForkPromise.ANY)), Linearizable)


def test_a_child_of_an_unanswered_create_may_have_gone_with_its_parent() -> None:
    """Nobody saw its title, so nobody knows that it is the parent's: no alarm."""
    lost = Invocation(Kind.CREATE, title="t", parent="p")
    build = Build().create("p", 0, 1).add(lost, Info(Unknown.TIMEOUT), 2, None)
    history = build.list(3, 4, "p", "x").delete("p", 5, 6).list(7, 8, rest=True).history
    for promises in (GRADUAL, ATOMIC, NONE):
        assert isinstance(check(history, promises), Linearizable)
