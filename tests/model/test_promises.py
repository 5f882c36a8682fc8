"""Weaker promises: what each excuses, and what it does not."""

from __future__ import annotations

import pytest
from tests.check.histories import Build

from deadheat.check.checker import check
from deadheat.check.explain.placements import alternatives
from deadheat.model.history import (
    Absent,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Renamed,
    Seen,
    Undeclared,
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
from deadheat.model.verdict import Anomaly, Diverged, Linearizable

STALE_LIST = (
    Build().create("a", 0, 1).create("b", 2, 3).list(4, 5, "b").list(8, 9, "a", "b", rest=True)
)  # fmt: skip
STALE_GET = Build().create("a", 0, 1).get("a", 2, 3, Absent()).list(5, 6, "a", rest=True)
LOST_TITLE = (
    Build()
    .create("a", 0, 1, "old")
    .add(Invocation(Kind.RENAME, "a", "new"), Renamed(), 2, 3)
    .get("a", 5, 6, Found("old"), rest=True)
)
ODD_ABSENCE = (
    Build()
    .create("a", 0, 1)
    .delete("a", 2, 3)
    .get("a", 4, 5, Undeclared(400))
    .list(6, 7, rest=True)
)
WRONG_ABSENCE = (
    Build().create("a", 0, 1).get("a", 2, 3, Absent()).list(6, 7, "a", rest=True)
)  # fmt: skip


@pytest.mark.parametrize(
    ("history", "weak"),
    [
        (
            STALE_LIST,
            Promises(list=ListPromise.EVENTUAL),
        ),
        (STALE_GET, Promises(get=Shows.EVENTUAL)),
        (LOST_TITLE, Promises(update=UpdatePromise.NONE)),
        (ODD_ABSENCE, Promises(status_on_absent=AbsentPromise.ANY)),
        (WRONG_ABSENCE, Promises(status_on_absent=AbsentPromise.ANY)),
    ],
)  # fmt: skip
def test_what_a_weaker_promise_excuses(history: Build, weak: Promises) -> None:
    assert isinstance(check(history.history, Promises()), Diverged)
    assert isinstance(check(history.history, weak), Linearizable)


def ghost() -> History:
    built = Build().create("a", 0, 1, "t").delete("a", 2, 3)
    shown = Listed((Seen("a", "t"),))
    return built.add(Invocation(Kind.LIST), shown, 5, 6, rest=True).history


@pytest.mark.parametrize(
    "weak",
    [
        Promises(list=ListPromise.EVENTUAL),
        Promises(get=Shows.EVENTUAL),
        Promises(update=UpdatePromise.NONE),
        Promises(status_on_absent=AbsentPromise.ANY),
        Promises(
            DeletePromise.IDEMPOTENT,
            ListPromise.EVENTUAL,
            get=Shows.EVENTUAL,
            update=UpdatePromise.NONE,
            status_on_absent=AbsentPromise.ANY,
        ),
    ],
    ids=str,
)
def test_a_ghost_at_rest_is_one_under_each_of_them(weak: Promises) -> None:
    verdict = check(ghost(), weak)
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.GHOST
    assert not verdict.divergence.proof  # its times would mislead
    assert not alternatives(verdict.divergence, weak).longest


def test_a_list_of_the_past_is_not_one_of_the_future() -> None:
    early = Build().list(0, 1, "a").create("a", 2, 3)
    assert isinstance(check(early.history, Promises(list=ListPromise.EVENTUAL)), Diverged)


def test_an_unclear_answer_is_no_fault_of_the_server() -> None:
    busy = Info(Unknown.UNCLEAR)
    for gone in (True, False):
        built = Build().create("a", 0, 1)
        built.add(Invocation(Kind.DELETE, "a"), busy, 2, None, status=503)
        built.list(5, 6, *(() if gone else ("a",)), rest=True)
        assert isinstance(check(built.history, Promises()), Linearizable)


def test_they_are_said() -> None:
    said = str(Promises(list=ListPromise.EVENTUAL, update=UpdatePromise.NONE))
    assert "list eventual" in said
    assert "update none" in said
    assert "absent" not in said
    assert "status on absent any" in str(Promises(status_on_absent=AbsentPromise.ANY))
