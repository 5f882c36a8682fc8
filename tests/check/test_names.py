"""Names and ids that come back: decided as by trying everything, named, and proved.

A share of the comparison with fixed seeds here; the whole behind ``quality``:
``pytest -m quality tests/check/test_names.py``.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.check.histories import Build
from tests.check.names import random_names, some_order_is_legal

from deadheat.check.checker import check
from deadheat.check.decide.legality import Impossible, legal
from deadheat.check.decide.wing_gong import Order
from deadheat.model.grounds import MadeTwice
from deadheat.model.history import (
    Created,
    Exists,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Seen,
    Unknown,
)
from deadheat.model.promises import CreatePromise, DeletePromise, IdPromise, Promises
from deadheat.model.verdict import Anomaly, Diverged, Divergence, Linearizable

BUDGET = 2_000_000
ONCE = Promises(create=CreatePromise.EXACTLY_ONCE)
SAME = Promises(create=CreatePromise.IDEMPOTENT)
REUSED = Promises(ids=IdPromise.REUSED)


def _drawn(seed: int, least: int, most: int) -> tuple[History, Promises]:
    rng = Random(seed)
    chosen = rng.random() < 0.4
    create = rng.choice(list(CreatePromise))
    if chosen and create is CreatePromise.NEW:
        create = CreatePromise.EXACTLY_ONCE
    promises = Promises(
        delete=rng.choice(list(DeletePromise)), create=create, ids=rng.choice(list(IdPromise))
    )
    history = random_names(
        rng,
        rng.randint(least, most),
        promises,
        chosen=chosen,
        bend=rng.choice([0, 0.5, 0.7]),
        lost=rng.choice([0, 0, 0.2]),
    )
    return history, promises


def _compared(seeds: range, least: int, most: int) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for seed in seeds:
        history, promises = _drawn(seed, least, most)
        found = legal(history, promises, BUDGET)
        assert isinstance(found, Order | Impossible), seed
        said = isinstance(found, Order)
        assert said is some_order_is_legal(history, promises), (seed, promises, history)
        verdicts["legal" if said else "not"] += 1
    return verdicts


def test_names_are_decided_as_by_trying_every_order() -> None:
    verdicts = _compared(range(3_000), 2, 7)
    assert min(verdicts["legal"], verdicts["not"]) > 375


@pytest.mark.quality
def test_names_are_decided_as_by_trying_every_order_at_length() -> None:
    for seeds, most in ((range(12_000, 112_000), 7), (range(112_000, 132_000), 10)):
        print(_compared(seeds, 2, most))


def _made(kind: Kind, session: str | None, title: str) -> Invocation:
    return Invocation(kind, session, title)


def _named(history: History, promises: Promises) -> Divergence:
    verdict = check(history, promises)
    assert isinstance(verdict, Diverged), verdict
    return verdict.divergence


def test_two_creates_of_one_chosen_id_that_both_made_it() -> None:
    first, again = _made(Kind.CREATE, "a", "t"), _made(Kind.RECREATE, "a", "t")
    history = Build().add(first, Created("a"), 0, 3).add(again, Created("a"), 1, 4).history
    found = _named(history, ONCE)
    assert found.anomaly is Anomaly.DOUBLE_CREATE
    assert found.witness == (0, 1)
    assert found.proof == (MadeTwice(0, 1, same=True),)
    assert isinstance(check(history, SAME), Linearizable)  # there, both may say so
    told = Build().add(first, Created("a"), 0, 3).add(again, Exists(), 1, 4).history
    assert isinstance(check(told, ONCE), Linearizable)


def test_two_sessions_under_one_title() -> None:
    first, again = _made(Kind.CREATE, None, "t"), _made(Kind.RECREATE, None, "t")
    build = Build().add(first, Created("n"), 0, 3).add(again, Created("m"), 1, 4)
    both = Listed((Seen("n", "t"), Seen("m", "t")))
    history = build.add(Invocation(Kind.LIST), both, 5, 6, rest=True).history
    found = _named(history, SAME)
    assert found.anomaly is Anomaly.DOUBLE_CREATE
    assert found.sessions == ("m", "n")
    assert found.proof == (MadeTwice(0, 1, same=False),)
    assert isinstance(check(history, Promises()), Linearizable)  # where names mean nothing
    met = Build().add(first, Created("n"), 0, 3).add(again, Created("n"), 1, 4).history
    assert isinstance(check(met, SAME), Linearizable)


def test_a_name_that_is_used_again_is_no_ghost() -> None:
    first, again = _made(Kind.CREATE, "a", "t"), _made(Kind.RECREATE, "a", "t")
    build = Build().add(first, Created("a"), 0, 1).delete("a", 2, 3).add(again, Created("a"), 4, 5)
    assert isinstance(check(build.list(6, 7, "a", rest=True).history, ONCE), Linearizable)


def test_a_ghost_is_one_also_where_names_may_be_used_again() -> None:
    first, again = _made(Kind.CREATE, "a", "t"), _made(Kind.RECREATE, "a", "t")
    build = Build().add(first, Created("a"), 0, 1).delete("a", 2, 3).add(again, Exists(), 4, 5)
    assert _named(build.list(6, 7, "a", rest=True).history, ONCE).anomaly is Anomaly.GHOST


def test_a_create_that_is_told_of_a_session_that_is_not_there() -> None:
    again = _made(Kind.RECREATE, "a", "t")
    history = Build().add(again, Exists(), 0, 1).list(2, 3, rest=True).history
    found = _named(history, ONCE)
    assert (found.anomaly, found.witness) == (Anomaly.WRONG_STATUS, (0,))


@pytest.mark.parametrize(
    ("promises", "anomaly"), [(REUSED, None), (Promises(), Anomaly.DUPLICATE_ID)]
)
def test_an_id_that_the_server_gives_again(promises: Promises, anomaly: Anomaly | None) -> None:
    build = Build().create("1", 0, 1).delete("1", 2, 3).create("1", 4, 5)
    verdict = check(build.list(6, 7, "1", rest=True).history, promises)
    assert (verdict.divergence.anomaly if isinstance(verdict, Diverged) else None) is anomaly


def test_an_id_given_twice_while_its_session_lives() -> None:
    history = Build().create("1", 0, 3).create("1", 1, 4).list(5, 6, "1", rest=True).history
    found = _named(history, REUSED)
    assert found.anomaly is Anomaly.DUPLICATE_ID
    assert found.proof


def test_a_ghost_whose_id_could_have_been_given_again() -> None:
    history = Build().create("1", 0, 1).delete("1", 2, 3).list(4, 5, "1", rest=True).history
    assert _named(history, REUSED).anomaly is Anomaly.GHOST
    lost = Build().create("1", 0, 1).delete("1", 2, 3)
    lost.add(Invocation(Kind.CREATE), Info(Unknown.TIMEOUT), 3, None)
    assert isinstance(check(lost.list(4, 5, "1", rest=True).history, REUSED), Linearizable)


@pytest.mark.parametrize("seed", [37, 46, 53])
def test_exists_of_a_title_that_nobody_made_is_told_without_a_session(seed: int) -> None:
    verdict = check(*_drawn(seed, 4, 10))
    assert isinstance(verdict, Diverged)
    found = verdict.divergence
    assert (found.anomaly, found.sessions) == (Anomaly.IMPOSSIBLE, ())
    assert found.counterfactual is None
    culprit = found.history.operations[found.culprit]
    assert culprit.outcome == Ok(Exists())
