"""The right name and the right culprit, where look-alikes were told apart wrongly."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.check.custom_kinds import ARCHIVE, PEEK, Archive, own_call
from tests.check.histories import Build

from deadheat.check.checker import check
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import SameId, UnknownTitle
from deadheat.model.history import (
    Absent,
    Created,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Renamed,
    Result,
    Seen,
    Unknown,
    shown_sessions,
)
from deadheat.model.promises import CreatePromise, DeletePromise, Promises
from deadheat.model.verdict import Anomaly, Diverged, Divergence

IDEMPOTENT = Promises(delete=DeletePromise.IDEMPOTENT)
NAMED = Promises(create=CreatePromise.EXACTLY_ONCE)
NO_DELETE = Edit(How.NOTHING, 1, ("x",))


def found(build: Build, promises: Promises | None = None) -> Divergence:
    verdict = check(build.history, promises or Promises(), custom=Archive())
    assert isinstance(verdict, Diverged)
    return verdict.divergence


def titled(build: Build, call: float, end: float, title: str) -> Build:
    shown = Listed((Seen("x", title),))
    return build.add(Invocation(Kind.LIST), shown, call, end, rest=True)


def renamed(build: Build, call: float, end: float, title: str = "new") -> Build:
    return build.add(Invocation(Kind.RENAME, "x", title), Renamed(), call, end)


# -- gone, and seen to be gone ----------------------------------------------------------------


def write_back(look: Result | None = None) -> Build:
    """delete ‖ rename, both done; it is there afterwards, under the title that was written."""
    build = renamed(Build().create("x", 0, 1, "old").delete("x", 2, 5), 3, 8)
    if look is not None:
        build.get("x", 5.5, 6, look)
    return titled(build, 9, 10, "new").get("x", 11, 12, Found("new"), rest=True)


def test_what_nobody_saw_gone_is_a_ghost_whoever_brought_it_back() -> None:
    ghost = found(write_back(), IDEMPOTENT)
    assert ghost.anomaly is Anomaly.GHOST
    assert ghost.counterfactual == Edit(How.NOT_CREATED_AGAIN, 2, ("x",))
    back = found(write_back(Absent()), IDEMPOTENT)
    assert back.anomaly is Anomaly.RESURRECTION
    assert back.counterfactual == Edit(How.NOT_CREATED_AGAIN, 2, ("x",))


def test_it_is_one_finding_whether_somebody_saw_it_gone_or_not() -> None:
    signatures = {found(one, IDEMPOTENT).signature for one in (write_back(), write_back(Absent()))}
    assert {str(one) for one in signatures} == {"ghost (create, delete, read)"}


@pytest.mark.parametrize("seed", range(40))
def test_a_resurrection_is_only_what_an_answer_said_was_gone(seed: int) -> None:
    rng = Random(seed)
    build = Build().create("x", 0, 1, "old").delete("x", 2, 2 + rng.randrange(1, 8))
    for _ in range(rng.randrange(1, 4)):
        call = rng.randrange(2, 10)
        end = call + rng.randrange(1, 4)
        match rng.randrange(3):
            case 0:
                renamed(build, call, end)
            case 1:
                build.get("x", call, end, Absent() if rng.random() < 0.5 else Found())
            case _:
                build.list(call, end, *rng.choice([(), ("x",)]))
    build.list(20, 21, "x", rest=True)
    verdict = check(build.history, IDEMPOTENT)
    if isinstance(verdict, Diverged) and verdict.divergence.anomaly is Anomaly.RESURRECTION:
        looks = [op for op in build.history.operations if op.kind in (Kind.GET, Kind.LIST)]
        gone = [op for op in looks if "x" not in shown_sessions(op)]
        assert any(m.return_ns < op.call_ns for m in gone for op in looks)  # type: ignore[operator]


# -- custom calls -----------------------------------------------------------------------------


def marked_back(look: Result | None = None) -> Build:
    """delete ‖ archive, both done, and a rename after that, which finds it there."""
    build = Build().create("x", 0, 1, "old").delete("x", 2, 6)
    own_call(build, ARCHIVE, "x", 3, 7, "archived")
    if look is not None:
        build.get("x", 6.2, 6.6, look)
    return titled(renamed(build, 8, 9), 10, 11, "new")


@pytest.mark.parametrize(
    ("look", "anomaly"), [(None, Anomaly.GHOST), (Absent(), Anomaly.RESURRECTION)]
)
def test_a_custom_call_that_met_with_the_delete_brought_it_back(
    look: Result | None, anomaly: Anomaly
) -> None:
    back = found(marked_back(look), IDEMPOTENT)
    assert back.anomaly is anomaly
    assert back.counterfactual == Edit(How.NOT_CREATED_AGAIN, 2, ("x",))


def test_one_that_only_looks_or_met_nothing_is_not_blamed() -> None:
    build = Build().create("x", 0, 1, "old").delete("x", 2, 6)
    own_call(build, PEEK, "x", 3, 7, "live")
    assert found(titled(build, 10, 11, "old")).counterfactual == NO_DELETE
    build = Build().create("x", 0, 1, "old")
    own_call(build, ARCHIVE, "x", 1.2, 1.4, "archived").delete("x", 2, 6)
    assert found(titled(build, 10, 11, "old")).counterfactual == replace(NO_DELETE, call=2)


# -- two deletes ------------------------------------------------------------------------------


def two_deletes() -> Build:
    created = Build().add(Invocation(Kind.CREATE, "x", "old"), Created("x"), 0, 1)
    return created.delete("x", 2, 5).delete("x", 3, 12)


@pytest.mark.parametrize("promises", [Promises(), NAMED], ids=str)
def test_two_deletes_at_once_are_a_double_delete_whatever_reads_say(promises: Promises) -> None:
    flickers = two_deletes().list(5.2, 5.5).get("x", 13, 13.5, Found("old"))
    again = two_deletes().list(4, 4.5).get("x", 4.6, 4.8, Found("old")).get("x", 4.9, 5, Found())
    failed = two_deletes().add(Invocation(Kind.LIST), Info(Unknown.SERVER_ERROR), 4, None)
    for build in (two_deletes(), flickers, again, failed):
        one = found(build.list(20, 21, rest=True), promises)
        assert one.anomaly is Anomaly.DOUBLE_DELETE
        assert one.counterfactual == Edit(How.ABSENT, 1, ("x",))
        assert str(one.signature) == "double-delete (create, delete)"


def test_but_not_where_it_was_there_between_them() -> None:
    one = found(two_deletes().get("x", 6, 7, Found("old")).list(20, 21, rest=True))
    assert one.anomaly is Anomaly.GHOST


# -- a read that mixes what it reads ----------------------------------------------------------


@pytest.mark.parametrize("title", ["", "neither"])
def test_a_get_under_a_title_that_no_call_wrote_is_torn(title: str) -> None:
    build = Build().create("x", 0, 1, "old").delete("x", 3, 9).get("x", 4, 8, Found(title))
    torn = found(build.list(10, 11, rest=True))
    assert torn.anomaly is Anomaly.TORN_READ
    assert torn.counterfactual == Edit(How.WRITTEN, 2, ("x",))
    assert torn.proof == (UnknownTitle(2, "x", title),)
    assert str(torn.signature) == "torn-read (create, delete, get)"


def test_each_read_may_be_torn_and_a_list_too() -> None:
    build = Build().create("x", 0, 1, "old").get("x", 2, 3, Found("neither"))
    torn = found(titled(build, 4, 5, "nor"))
    assert torn.anomaly is Anomaly.TORN_READ
    assert torn.counterfactual == Edit(How.EACH_WRITTEN, 2, ("x",))


def test_an_old_title_is_stale_and_not_torn() -> None:
    build = renamed(Build().create("x", 0, 1, "old"), 2, 3).get("x", 4, 5, Found("old"))
    stale = found(titled(build, 6, 7, "new"))
    assert stale.anomaly is Anomaly.STALE_READ


def test_a_title_that_an_unanswered_call_may_have_written_is_none() -> None:
    build = Build().create("x", 0, 1, "old")
    build.add(Invocation(Kind.RENAME, "x", "new"), Info(Unknown.TIMEOUT), 2, None)
    titled(build, 4, 5, "new").get("x", 6, 7, Found("old"))
    assert found(build).anomaly is not Anomaly.TORN_READ


# -- one id, given twice ----------------------------------------------------------------------


def test_the_second_of_two_creates_that_answer_one_id_is_the_culprit() -> None:
    for second in (1, 3):
        twice = found(Build().create("x", 0, 2, "a").create("x", second, 4, "b"))
        assert twice.anomaly is Anomaly.DUPLICATE_ID
        assert twice.culprit == 1
        assert twice.proof == (SameId((0, 1), "x"),)


# -- what is one finding ----------------------------------------------------------------------


def test_which_of_two_creates_of_one_name_fails_is_chance() -> None:
    def failed(first: Kind, second: Kind) -> str:
        build = Build().add(Invocation(first, "x", "t"), Created("x"), 0, 9)
        build.add(Invocation(second, "x", "t"), Info(Unknown.SERVER_ERROR), 1, None, status=500)
        return str(found(build, NAMED).signature)

    said = {failed(Kind.CREATE, Kind.RECREATE), failed(Kind.RECREATE, Kind.CREATE)}
    assert said == {"server-error (create 500)"}
