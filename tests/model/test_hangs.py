"""A call without an answer: when it is a hang, and when it proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.check.histories import Build

from deadheat.check.checker import check
from deadheat.model.grounds import Unanswered
from deadheat.model.hangs import answers_nobody, hangs
from deadheat.model.history import Control, History, Info, Invocation, Kind, Unknown
from deadheat.model.promises import Promises
from deadheat.model.verdict import Anomaly, Diverged, Linearizable

MS = 1_000_000
BOUND = 1_000 * MS
# Called at 10 ms, so its bound ends at 1,010 ms.
QUICK = Control(BOUND, 1_020 * MS, 1_025 * MS, "GET /session with 200")


def waiting(*controls: Control, reason: Unknown = Unknown.TIMEOUT) -> History:
    """Two creates, then a delete of each without an answer."""
    built = Build().create("a", 0, 2).create("b", 3, 5)
    for session in ("a", "b"):
        built.add(Invocation(Kind.DELETE, session), Info(reason), 10, None)
    return replace(built.history, controls=controls)


def test_others_were_answered_meanwhile() -> None:
    (one,) = hangs(waiting(QUICK))
    assert one.anomaly is Anomaly.HANG
    assert one.witness == (0, 1, 2, 3)
    assert one.culprit == 3
    assert one.sessions == ("a", "b")
    assert one.signature.calls == ("delete",)
    assert one.reason == Unanswered(control=0)
    verdict = check(waiting(QUICK), Promises())
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.HANG


@pytest.mark.parametrize(
    "control",
    [
        replace(QUICK, return_ns=None),  # nobody was answered
        replace(QUICK, return_ns=1_121 * MS),  # slowly: the machine, or the whole server
        replace(QUICK, call_ns=1_009 * MS),  # the bound had not passed yet
    ],
)
def test_a_slow_server_does_not_hang(control: Control) -> None:
    assert hangs(waiting(control)) == ()
    assert isinstance(check(waiting(control), Promises()), Linearizable)
    assert hangs(waiting(control, QUICK)) != ()


def test_without_a_control_request_or_where_the_connection_broke_nothing_is_known() -> None:
    assert hangs(waiting()) == ()
    assert hangs(waiting(QUICK, reason=Unknown.RESET)) == ()


def test_the_silence_of_the_control_request_is_told() -> None:
    assert not answers_nobody(waiting(QUICK))
    assert answers_nobody(waiting(replace(QUICK, return_ns=None)))


@pytest.mark.parametrize("by_ns", [-500 * MS, 7, 10**12])
def test_shifting_the_clock_changes_nothing(by_ns: int) -> None:
    for control in (QUICK, replace(QUICK, call_ns=1_009 * MS)):
        history = waiting(control)
        moved = replace(
            history,
            operations=tuple(
                replace(
                    op,
                    call_ns=op.call_ns + by_ns,
                    return_ns=None if op.return_ns is None else op.return_ns + by_ns,
                )
                for op in history.operations
            ),
            controls=tuple(
                replace(one, call_ns=one.call_ns + by_ns, return_ns=(one.return_ns or 0) + by_ns)
                for one in history.controls
            ),
        )
        assert [one.reason for one in hangs(moved)] == [one.reason for one in hangs(history)]
