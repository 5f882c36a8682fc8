"""Witness, proof, name, first impossible answer, ladder: on histories small enough to read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.check.histories import MS, Build

from deadheat.check.checker import check
from deadheat.check.decide.greedy import DeadEnd
from deadheat.check.decide.legality import contradicts
from deadheat.check.decide.wing_gong import OutOfBudget
from deadheat.check.explain import levels as ladder
from deadheat.check.explain.explain import ASIDE
from deadheat.check.explain.levels import (
    Level,
    session_guarantees_hold,
    smallest_slack_ns,
    strongest_held,
)
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import (
    ByAnomaly,
    Constraint,
    Follows,
    Missed,
    RealTime,
    RuledOut,
    Showed,
    calls_named,
)
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Renamed,
    Result,
    Undeclared,
    Unknown,
)
from deadheat.model.promises import ChildrenPromise, DeletePromise, ListPromise, Promises, Shows
from deadheat.model.specification import model_for
from deadheat.model.verdict import Anomaly, Diverged, Divergence, Linearizable, Undecided

STRICT = Promises()
CASCADE = Promises(children=ChildrenPromise.CASCADE)


def _found(history: History, promises: Promises = STRICT) -> Divergence:
    verdict = check(history, promises)
    assert isinstance(verdict, Diverged)
    return verdict.divergence


GHOST = (
    Build().create("x", 0, 1).create("y", 1, 2).delete("x", 3, 6).delete("y", 3, 7)
    .list(4, 8, "x").get("x", 5, 9, Found())
    .list(20, 21, "x", rest=True).get("x", 22, 23, Found(), rest=True)
    .history
)  # fmt: skip

# The example of the note on the checker: two lists, of which no one order is right.
TORN = (
    Build().create("s58", 0, 2.1).list(4.6, 7.2).delete("s58", 5.2, 7.6)
    .list(5.4, 8.1, "s58", "s68").create("s68", 6.2, 7.5).delete("s68", 10.4, 11)
    .history
)  # fmt: skip


def test_a_ghost_is_shown_by_its_create_its_delete_and_a_read_at_rest() -> None:
    found = _found(GHOST)
    assert found.anomaly is Anomaly.GHOST
    ops = {op.index: op for op in GHOST.operations}
    kinds = ["rest" if ops[i].at_rest else ops[i].kind.value for i in found.witness]
    assert sorted(kinds) == ["create", "delete", "rest"]
    assert found.culprit == found.witness[-1]
    _, deleted, listed = found.witness
    assert found.counterfactual == Edit(How.NOTHING, deleted, ("x",))
    assert found.reason == ByAnomaly("x")
    assert found.proof == (
        Follows(Constraint(deleted, listed, RealTime())),
        Follows(Constraint(listed, deleted, Showed(listed, "x"))),
    )


def test_the_witness_contradicts_itself_and_no_read_of_it_can_be_spared() -> None:
    for history in (GHOST, TORN):
        found = _found(history)
        kept = tuple(op for op in history.operations if op.index in found.witness)
        assert contradicts(History(kept), STRICT, 10_000)
        for op in kept:
            if op.kind in (Kind.GET, Kind.LIST):
                rest = tuple(other for other in kept if other is not op)
                assert not contradicts(History(rest), STRICT, 10_000)


def test_a_torn_list_is_proved_by_a_circle() -> None:
    found = _found(TORN)
    assert found.anomaly is Anomaly.TORN_LIST
    assert 5 not in found.witness  # the delete that was called after all was over
    assert any(isinstance(step, RuledOut) for step in found.proof)
    assert Follows(Constraint(2, 1, Missed(1, "s58"))) in found.proof
    assert found.strongest_promise_held == Level.PER_SESSION


def test_the_first_impossible_answer_of_the_whole_may_come_before_the_witness_ends() -> None:
    found = _found(GHOST)
    assert found.first_impossible is not None
    late = Build().create("x", 0, 1).delete("x", 2, 3).list(4, 5, "x").list(9, 10, "x", rest=True)
    found = _found(late.history)
    assert (found.first_impossible, found.culprit) == (2, 3)


def test_a_list_is_set_against_what_it_had_to_show() -> None:
    ghost = Build().create("x", 0, 1).create("y", 0, 1).delete("x", 2, 3).list(4, 5, "x", "y")
    diffs = {diff.index: diff for diff in _found(ghost.history).lists}
    assert diffs[3].extra == ("x",)
    missing = Build().create("x", 0, 1).get("x", 1, 2, Found()).list(4, 5).history
    assert _found(missing).lists[0].missing == ("x",)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (Build().create("x", 0, 1).create("x", 2, 3), Anomaly.DUPLICATE_ID),
        (Build().list(0, 1, "x"), Anomaly.PHANTOM),
        (Build().create("x", 0, 1).list(2, 3, rest=True), Anomaly.LOST_CREATE),
        (
            Build().create("x", 0, 1).get("x", 2, 3, Found()).list(4, 5).get("x", 6, 7, Absent()),
            Anomaly.VANISHED,
        ),
        (
            Build().create("x", 0, 1).get("x", 2, 3, Absent()).list(4, 5, "x", rest=True),
            Anomaly.STALE_READ,
        ),
        (
            Build().create("x", 0, 1).get("x", 2, 3, Absent()).list(4, 5).list(9, 10, "x"),
            Anomaly.LATE,
        ),
        (
            Build().create("x", 0, 1).delete("x", 2, 3).list(4, 5).list(6, 7, "x", rest=True),
            Anomaly.RESURRECTION,
        ),
        (
            Build().create("x", 0, 1).delete("x", 2, 4).delete("x", 3, 5).list(6, 7, rest=True),
            Anomaly.DOUBLE_DELETE,
        ),
        (
            Build().create("x", 0, 1).delete("x", 2, 4, Absent()).list(6, 7, "x", rest=True),
            Anomaly.WRONG_STATUS,
        ),
        (
            Build()
            .create("x", 0, 1, "old")
            .add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 2, 3)
            .get("x", 4, 5, Found("old"), rest=True),
            Anomaly.LOST_UPDATE,
        ),
        (Build().create("x", 0, 1).list(2, 3, "x", "x"), Anomaly.TORN_LIST),
    ],
)
def test_names(build: Build, name: Anomaly) -> None:
    found = _found(build.history)
    assert found.anomaly is name
    assert found.proof
    assert {call for step in found.proof for call in calls_named(step)} <= set(found.witness)


def test_what_is_wrong_with_a_parent_is_not_told_of_its_child() -> None:
    """From a campaign on OpenCode 1.18.33: two deletes of a parent both said that they did it. Its
    later child, in which it shows as well, was said to be a ghost."""
    below = Invocation(Kind.CREATE, parent="z"), Invocation(Kind.CREATE, parent="c")
    history = (
        Build()
        .create("z", 0, 1)
        .delete("z", 8, 17)
        .delete("z", 7, 18)
        .list(19, 20)
        .add(below[0], Created("c"), 22, 23)
        .add(below[1], Created("d"), 30, 31)
        .list(32, 33, "d", "c", rest=True)
        .history
    )
    found = _found(history, CASCADE)
    assert found.anomaly is Anomaly.DOUBLE_DELETE
    assert found.sessions == ("z",)
    assert sorted(found.witness) == [0, 1, 2]
    assert found.signature.calls == ("create", "delete")


def test_a_rename_that_nobody_read_is_no_witness() -> None:
    def renamed(build: Build) -> Build:
        return build.add(Invocation(Kind.RENAME, "x", "new"), Renamed(), 2, 6)

    two_deletes = renamed(Build().create("x", 0, 1)).delete("x", 3, 5).delete("x", 4, 7)
    assert _found(two_deletes.history).witness == (0, 2, 3)
    seen = renamed(Build().create("x", 0, 1, "old")).get("x", 3, 4, Found("new"))
    back = seen.get("x", 5, 8, Found("old"), rest=True)
    assert 1 in _found(back.history).witness  # its title is what the answers are about


def test_an_unanswered_delete_stays_in_the_witness() -> None:
    """Without it the answers would prove more than they do."""
    build = (
        Build().create("x", 0, 1).add(Invocation(Kind.DELETE, "x"), Info(Unknown.TIMEOUT), 2, None)
    )
    history = build.list(3, 4).get("x", 5, 6, Found(), rest=True).history
    assert set(_found(history).witness) == {0, 1, 2, 3}


def test_unknown_creates_explain_as_many_sessions_as_there_are() -> None:
    lost = Invocation(Kind.CREATE)
    one = Build().add(lost, Info(Unknown.TIMEOUT), 0, None).list(2, 3, "x")
    assert isinstance(check(one.history, STRICT), Linearizable)
    two = Build().add(lost, Info(Unknown.TIMEOUT), 0, None).list(2, 3, "x", "y")
    assert _found(two.history).anomaly is Anomaly.PHANTOM


def test_a_title_says_which_unknown_create_it_was() -> None:
    def seen(title: str) -> History:
        build = Build().add(Invocation(Kind.CREATE, title="mine"), Info(Unknown.RESET), 0, None)
        return build.get("x", 2, 3, Found(title)).history

    assert isinstance(check(seen("mine"), STRICT), Linearizable)
    assert _found(seen("another")).anomaly is Anomaly.PHANTOM


def test_idempotent_deletes_both_succeed() -> None:
    history = Build().create("x", 0, 1).delete("x", 2, 3).delete("x", 4, 5).list(6, 7).history
    assert isinstance(check(history, Promises(DeletePromise.IDEMPOTENT)), Linearizable)
    assert _found(history).anomaly is Anomaly.DOUBLE_DELETE


def test_undeclared_answers_are_told_beside_the_contradiction() -> None:
    build = Build().create("x", 0, 1).delete("x", 2, 3).list(4, 5, "x")
    build.add(Invocation(Kind.GET, "x"), Undeclared(418), 6, 7, status=418)
    build.add(Invocation(Kind.LIST), Info(Unknown.SERVER_ERROR), 8, None, status=500)
    verdict = check(build.history, STRICT)
    assert isinstance(verdict, Diverged)
    assert [d.anomaly for d in verdict.all] == [
        Anomaly.GHOST, Anomaly.WRONG_STATUS, Anomaly.SERVER_ERROR,
    ]  # fmt: skip
    assert {d.signature.calls for d in verdict.also} == {("get 418",), ("list 500",)}


def test_eventual_reads_may_be_as_stale_as_promised() -> None:
    history = Build().create("x", 0, 1).get("x", 5, 6, Absent()).list(9, 9.5, "x").history
    assert smallest_slack_ns(history, STRICT, 10_000) == 4 * MS
    eventual = replace(STRICT, reads=Shows.EVENTUAL)
    assert isinstance(check(history, replace(eventual, slack_ns=4 * MS)), Linearizable)
    assert isinstance(check(history, replace(eventual, slack_ns=4 * MS - 1)), Diverged)
    assert isinstance(check(GHOST, eventual), Diverged)  # at rest nothing may be stale
    assert "within 4 ms" in str(replace(eventual, slack_ns=4 * MS))


def test_quiescent_reads_count_only_when_nothing_is_in_flight() -> None:
    quiescent = replace(STRICT, reads=Shows.QUIESCENT)
    racing = Build().create("x", 0, 1).create("y", 4, 9).list(5, 6, "y").history
    assert isinstance(check(racing, STRICT), Diverged)
    assert isinstance(check(racing, quiescent), Linearizable)
    assert isinstance(check(GHOST, quiescent), Diverged)


def test_a_list_per_session_need_not_be_one_moment() -> None:
    assert isinstance(check(TORN, replace(STRICT, list=ListPromise.PER_SESSION)), Linearizable)


def test_what_the_steps_did_not_do_for_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ladder is beside the point: it gets few steps, and says nothing rather than "none"."""
    asked: list[int] = []

    def never(_history: History, _promises: Promises, budget: int) -> OutOfBudget:
        asked.append(budget)
        return OutOfBudget(budget)

    two = Build().create("x", 0, 1).delete("x", 2, 3).list(4, 5, "x", rest=True).history
    assert strongest_held(two, STRICT, 10_000) is Level.SESSION
    broken = replace(two, operations=tuple(replace(op, lane=0) for op in two.operations))
    assert strongest_held(broken, STRICT, 10_000) is Level.NONE
    assert _found(broken).strongest_promise_held == Level.NONE.value
    monkeypatch.setattr(ladder, "legal", never)
    assert strongest_held(broken, STRICT, 10_000) is None
    assert smallest_slack_ns(broken, STRICT, 10_000) is None
    asked.clear()
    assert _found(broken).strongest_promise_held == ""
    assert asked
    assert max(asked) <= ASIDE


def test_session_guarantees() -> None:
    def lane(*answers: Result) -> History:
        build = Build().create("x", 0, 1)
        for n, answer in enumerate(answers):
            build.add(Invocation(Kind.GET, "x"), answer, 10 + 2 * n, 11 + 2 * n, lane=0)
        return build.history

    assert session_guarantees_hold(lane(Found(), Found()))
    assert not session_guarantees_hold(lane(Absent()))  # read your writes
    deleted = lane(Found(), Absent(), Found()).operations
    other = replace(deleted[1], index=9, lane=7, invocation=Invocation(Kind.DELETE, "x"))
    other = replace(other, outcome=Info(Unknown.TIMEOUT), call_ns=0, return_ns=None)
    assert session_guarantees_hold(History((*deleted[:3], other)))
    assert not session_guarantees_hold(History((*deleted, other)))  # gone, then back


def test_a_model_of_ones_own_decides_alone() -> None:
    history = Build().create("x", 0, 1).delete("x", 2, 3).delete("x", 4, 5).list(6, 7).history
    lax = model_for(history, Promises(DeletePromise.IDEMPOTENT))
    assert isinstance(check(history, STRICT, model=lax), Linearizable)
    strict = model_for(history, STRICT)
    verdict = check(history, Promises(DeletePromise.IDEMPOTENT), model=strict)
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.IMPOSSIBLE
    assert verdict.divergence.culprit == 2
    assert verdict.divergence.witness == (0, 1, 2)


def test_a_budget_that_ends_is_never_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    # So few lists are found to contradict each other without a step of the search: on the
    # straight way, and behind it.
    assert isinstance(check(TORN, STRICT, budget=1), Diverged)
    monkeypatch.setattr("deadheat.check.decide.legality.sweep", lambda *_, **__: DeadEnd())
    assert isinstance(check(TORN, STRICT, budget=1), Diverged)
    monkeypatch.setattr("deadheat.check.decide.list_groups._FEW", 0)
    assert isinstance(check(TORN, STRICT, budget=1), Undecided)


def test_a_call_that_only_looked_is_a_read_in_the_signature() -> None:
    """The second delete of one session finds it still there, or again; a 404 changes nothing."""
    cases: tuple[tuple[tuple[Result, ...], tuple[str, ...]], ...] = (
        ((Deleted(),), ("create", "delete")),
        ((Deleted(), Deleted()), ("create", "delete", "read")),
        ((Absent(),), ("create", "read")),
        ((), ("create",)),
    )
    for answers, kinds in cases:
        build = Build().create("x", 0, 1)
        for n, answer in enumerate(answers):
            build.delete("x", 2 + 2 * n, 3 + 2 * n, answer)
        history = build.history
        witness = tuple(op.index for op in history.operations)
        one = Divergence(history, Anomaly.GHOST, witness, witness[-1], ("x",), ByAnomaly())
        assert one.signature.calls == kinds
