"""What must hold of any exact checker, as properties."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.check.histories import random_history
from tests.check.simulator import simulate

from deadheat.check.decide.legality import Impossible, legal
from deadheat.check.decide.wing_gong import Order
from deadheat.check.explain.minimal_core import prefix
from deadheat.model.history import (
    Absent,
    Created,
    History,
    Info,
    Kind,
    Listed,
    Ok,
    Operation,
    Seen,
    Unknown,
)
from deadheat.model.promises import (
    AbsentPromise,
    DeletePromise,
    ListPromise,
    Promises,
    Shows,
    UpdatePromise,
)

FIXED = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
BUDGET = 200_000

seeds = st.integers(min_value=0, max_value=2**32)
promised = st.builds(
    Promises,
    st.sampled_from(DeletePromise),
    st.sampled_from(ListPromise),
    st.just(Shows.LINEARIZABLE),
    get=st.sampled_from(Shows),
    update=st.sampled_from(UpdatePromise),
    status_on_absent=st.sampled_from(AbsentPromise),
)


def _history(seed: int, promises: Promises, bend: float = 0.15) -> History:
    rng = Random(seed)
    return random_history(
        rng,
        rng.randint(2, 14),
        info=rng.choice([0, 0.2]),
        bend=bend,
        titles=rng.choice(["none", "all"]),
        width=rng.choice([1, 6, 20]),
        renames=rng.random() < 0.5,
        idempotent=promises.delete is DeletePromise.IDEMPOTENT,
    )


def _is_legal(history: History, promises: Promises) -> bool:
    return isinstance(legal(history, promises, BUDGET), Order)


def _changed(history: History, index: int, **changes: object) -> History:
    return replace(
        history,
        operations=tuple(
            replace(op, **changes) if op.index == index else op  # type: ignore[arg-type]
            for op in history.operations
        ),
    )


@FIXED
@given(seeds, promised)
def test_a_run_of_the_model_is_legal(seed: int, promises: Promises) -> None:
    history = _history(seed, promises, bend=0)
    assert _is_legal(history, promises)


@FIXED
@given(seeds, promised, st.data())
def test_widening_an_interval_never_makes_a_divergence(
    seed: int, promises: Promises, data: st.DataObject
) -> None:
    history = _history(seed, promises)
    op = data.draw(st.sampled_from(history.operations))
    before, after = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
    wide = _changed(
        history,
        op.index,
        call_ns=op.call_ns - before,
        return_ns=None if op.return_ns is None else op.return_ns + after,
    )
    assert not _is_legal(history, promises) or _is_legal(wide, promises)


@FIXED
@given(seeds, promised, st.data())
def test_not_knowing_an_answer_never_makes_a_divergence(
    seed: int, promises: Promises, data: st.DataObject
) -> None:
    history = _history(seed, promises)
    op = data.draw(st.sampled_from(history.operations))
    unknown = _changed(history, op.index, outcome=Info(Unknown.TIMEOUT), return_ns=None)
    assert not _is_legal(history, promises) or _is_legal(unknown, promises)


@FIXED
@given(seeds, promised, st.data())
def test_forgetting_a_read_never_makes_a_divergence(
    seed: int, promises: Promises, data: st.DataObject
) -> None:
    history = _history(seed, promises)
    op = data.draw(st.sampled_from(history.operations))
    absent = (
        isinstance(op.outcome, Ok)
        and isinstance(op.outcome.result, Absent)
        and promises.status_on_absent is AbsentPromise.DECLARED  # else it may have done it
    )
    if op.kind in (Kind.GET, Kind.LIST) or absent:
        rest = tuple(other for other in history.operations if other is not op)
        less = replace(history, operations=rest)
        assert not _is_legal(history, promises) or _is_legal(less, promises)


@FIXED
@given(seeds, promised)
def test_names_of_ids_and_clients_and_the_clock_mean_nothing(seed: int, promises: Promises) -> None:
    history = _history(seed, promises)

    def named(session: str) -> str:
        return f"~{hash((seed, len(session))) % 7}{session[::-1]}"

    def changed(op: Operation) -> Operation:
        outcome = op.outcome
        if isinstance(outcome, Ok) and isinstance(outcome.result, Listed):
            shown = tuple(Seen(named(e.session), e.title) for e in outcome.result.entries)
            outcome = Ok(Listed(shown[::-1]))
        elif isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            outcome = Ok(Created(named(outcome.result.session)))
        session = op.invocation.session
        return replace(
            op,
            lane=-op.lane,
            invocation=replace(op.invocation, session=None if session is None else named(session)),
            outcome=outcome,
            call_ns=op.call_ns + 12_345,
            return_ns=None if op.return_ns is None else op.return_ns + 12_345,
        )

    other = History(tuple(changed(op) for op in reversed(history.operations)))
    assert _is_legal(history, promises) is _is_legal(other, promises)


@FIXED
@given(seeds, promised, st.data())
def test_legal_histories_are_closed_under_prefixes(
    seed: int, promises: Promises, data: st.DataObject
) -> None:
    history = _history(seed, promises)
    answered = sorted(
        (op for op in history.operations if op.return_ns is not None),
        key=lambda op: (op.return_ns or 0, op.index),
    )
    if answered and _is_legal(history, promises):
        count = data.draw(st.integers(1, len(answered)))
        assert _is_legal(prefix(history, answered[:count]), promises)


@FIXED
@given(seeds)
def test_a_weaker_promise_makes_fewer_alarms(seed: int) -> None:
    strong = Promises()
    history = _history(seed, strong, bend=0.3)
    if _is_legal(history, strong):
        for weak in (
            replace(strong, delete=DeletePromise.IDEMPOTENT),
            replace(strong, list=ListPromise.PER_SESSION),
            replace(strong, reads=Shows.QUIESCENT),
            replace(strong, reads=Shows.EVENTUAL, slack_ns=5),
            replace(strong, reads=Shows.EVENTUAL),
            replace(strong, list=ListPromise.EVENTUAL),
            replace(strong, get=Shows.EVENTUAL),
            replace(strong, update=UpdatePromise.NONE),
            replace(strong, status_on_absent=AbsentPromise.ANY),
        ):
            assert _is_legal(history, weak), weak


@FIXED
@given(seeds, st.floats(0, 0.3))
def test_a_right_server_is_never_accused(seed: int, info: float) -> None:
    run = simulate(Random(seed), None, info=info)
    assert not isinstance(legal(run.history, Promises(), BUDGET), Impossible)
