"""The executor: a program becomes a history, and nothing of a trial leaks into the next."""

from __future__ import annotations

import random
import threading
from itertools import pairwise

import pytest
from tests import opencode
from tests.programs import TWO_DELETES, A, B
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.check.checker import check
from deadheat.drive.executor import Execution, Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import Target
from deadheat.model.history import Created, Deleted, Kind, Ok
from deadheat.model.program import Create, Delete, Get, List, Program
from deadheat.model.promises import Promises
from deadheat.model.raced import UnracedReason
from deadheat.model.verdict import Linearizable

pytestmark = [pytest.mark.live, pytest.mark.anyio]


def executor(
    server: Scripted, *, settle_ms: int = 0, timeout_s: float = 5, again: bool = False
) -> Executor:
    target = Target("x", opencode.WIRE, settle_ms=settle_ms, timeout_s=timeout_s)
    return Executor(server.base_url, target, Ownership("run", alone=True, again=again))


def in_program(done: Execution) -> list[tuple[object, ...]]:
    return [(op.place, op.kind.value) for op in done.history.operations if not op.at_rest]


async def test_a_program_becomes_a_history() -> None:
    with Scripted(Crowd(random.Random(0), foreign=())) as server:
        async with executor(server) as running:
            await running.look_around()
            done = await running.run(TWO_DELETES)
    assert sorted(in_program(done)) == [
        ((0, 0, 0), "create"),
        ((1, 0, 0), "create"),
        ((2, 0, 0), "delete"),
        ((2, 1, 0), "delete"),
    ]
    ops = done.history.operations
    assert [op.index for op in ops] == list(range(len(ops)))
    assert min(op.call_ns for op in ops) == 0
    rest = [op for op in ops if op.at_rest]
    assert [op.kind for op in rest] == [Kind.LIST, Kind.GET, Kind.GET]
    last_ns = max(op.return_ns or 0 for op in ops if not op.at_rest)
    assert all(op.call_ns > last_ns for op in rest)
    assert all(op.lane == 2 for op in rest)
    assert isinstance(check(done.history, Promises()), Linearizable)
    ids = dict(done.sessions)
    for op in ops:
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
            assert op.outcome.result.session in ids.values()
    deletes = {op.place: op.invocation.session for op in ops if op.kind is Kind.DELETE}
    assert deletes == {(2, 0, 0): ids[A], (2, 1, 0): ids[B]}
    (releases,) = done.history.releases
    assert [(r.lane, r.wanted_ns) for r in releases] == [(0, 0), (1, 700_000)]
    assert all(r.achieved_ns >= r.wanted_ns for r in releases)
    assert done.unraced is None or done.unraced.why is UnracedReason.OFF_TIME
    assert done.requests == running.requests - 1  # the look around; nothing was left to clean


async def test_later_calls_of_a_lane_follow_their_answers() -> None:
    program = Program((((Create(A),),), ((Delete(A), Get(A, 200), List()), (List(),))))
    with Scripted(Crowd(random.Random(0), foreign=())) as server:
        async with executor(server) as running:
            done = await running.run(program)
    lane = [op for op in done.history.operations if op.place and op.place[:2] == (1, 0)]
    assert [op.kind for op in lane] == [Kind.DELETE, Kind.GET, Kind.LIST]
    for before, after in pairwise(lane):
        assert before.return_ns is not None
        assert after.call_ns >= before.return_ns
    assert lane[1].call_ns - (lane[0].return_ns or 0) >= 200_000


async def test_calls_on_a_session_that_was_never_made_are_left_out_and_said_so() -> None:
    def refuse(asked: Asked) -> Says | None:
        return Says(500, {"name": "Broken"}) if asked.method == "POST" else None

    crowd = Crowd(random.Random(0), foreign=(), refuses=refuse)
    with Scripted(crowd) as server:
        async with executor(server) as running:
            done = await running.run(TWO_DELETES)
    assert done.unraced is not None
    assert done.unraced.why is not UnracedReason.OFF_TIME
    assert sorted(in_program(done)) == [((0, 0, 0), "create"), ((1, 0, 0), "create")]


async def test_where_ids_come_back_no_late_read_can_show_what_had_one_before() -> None:
    """A trial begins when the last change before it, the handshake's too, has had its time."""
    program, settle_ms = Program((((Create(A),),),)), 50
    with Scripted(Crowd(random.Random(0), foreign=())) as server:
        async with executor(server, settle_ms=settle_ms, again=True) as running:
            await running.look_around()
            for _ in range(2):
                await running.run(program)
    creates = [n for n, asked in enumerate(server.asked) if asked.method == "POST"]
    assert len(creates) == 2
    for n in creates:
        before, create = server.asked[n - 1], server.asked[n]
        assert create.head_ns - before.complete_ns >= settle_ms * 1_000_000


async def test_a_ghost_that_refuses_to_go_is_left_behind_and_out_of_later_histories() -> None:
    stuck = "ses_made2"

    def keep(asked: Asked) -> Says | None:
        return Says() if asked.method == "DELETE" and asked.path.endswith(stuck) else None

    crowd = Crowd(random.Random(0), foreign=(), refuses=keep)
    with Scripted(crowd) as server:
        async with executor(server) as running:
            first = await running.run(TWO_DELETES)
            second = await running.run(TWO_DELETES)
    assert not isinstance(check(first.history, Promises()), Linearizable)
    assert isinstance(check(second.history, Promises()), Linearizable)
    assert running.left_behind == (stuck,)


async def test_a_cleaning_that_is_cut_off_makes_no_phantom_of_the_next_trial() -> None:
    never = threading.Event()
    blocked = 0

    def hang(asked: Asked) -> Says | None:
        nonlocal blocked
        if asked.method == "DELETE" and blocked < 1:
            blocked += 1
            return Says(after=never)
        return None

    crowd = Crowd(random.Random(0), foreign=(), refuses=hang)
    program = Program((((Create(A),),), ((List(),),)))
    with Scripted(crowd) as server:
        async with executor(server, timeout_s=3.0) as running:
            await running.run(program)
            second = await running.run(program)
        never.set()
    assert isinstance(check(second.history, Promises()), Linearizable)
    assert running.left_behind == ("ses_made1",)


async def test_a_target_that_settles_late_is_read_again() -> None:
    """Deletes answer at once and take effect after two more lists."""
    lists = 0
    later: list[str] = []

    def delayed(asked: Asked) -> Says | None:
        nonlocal lists
        if asked.method == "DELETE":
            later.append(asked.path.rpartition("/")[2])
            return Says()
        if asked.method == "GET" and asked.path.startswith("/session?"):
            lists += 1
            if lists > 1:
                for session in later:
                    crowd.stored.pop(session, None)
        return None

    crowd = Crowd(random.Random(0), foreign=(), refuses=delayed)
    with Scripted(crowd) as server:
        async with executor(server, settle_ms=1) as running:
            done = await running.run(TWO_DELETES)
    assert done.settled_from is not None
    early = [op for op in done.history.operations if op.at_rest and op.index < done.settled_from]
    late = done.history.operations[done.settled_from :]
    assert len(early) == len(late) == 3
    deleted = [op for op in done.history.operations if op.outcome == Ok(Deleted())]
    assert len(deleted) == 2


async def test_no_settle_time_means_one_look() -> None:
    with Scripted(Crowd(random.Random(0), foreign=())) as server:
        async with executor(server, settle_ms=50) as running:
            done = await running.run(TWO_DELETES)
    assert done.settled_from is None  # all was as it should be: nothing to wait for
