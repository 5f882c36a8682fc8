"""The event stream of a live server: what is heard, flushed, dropped and connected again."""

from __future__ import annotations

import contextlib
import random
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from tests import opencode
from tests.programs import TWO_DELETES
from tests.servers.crowd import Crowd
from tests.servers.registry import BY_NAME
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive.events import listener as listening
from deadheat.drive.live import LiveTarget, open_target
from deadheat.drive.target import Target
from deadheat.model.history import Change, History, Info, Invocation, Kind, shown_sessions
from deadheat.model.program import Create, Program, Var
from deadheat.model.promises import EventPromise, Promises
from deadheat.model.verdict import Anomaly, Diverged, Linearizable
from deadheat.run.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.executor import Execution
    from deadheat.drive.wire.api import WireRequest

pytestmark = [pytest.mark.live, pytest.mark.anyio]

ONCE = Promises(events=EventPromise.EXACTLY_ONCE)
HEAD = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n"
CONNECTED = b'data: {"type": "server.connected", "properties": {}}\n\n'


@pytest.fixture(autouse=True)
def no_news_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is too slow for a stream to begin, or for what it says: these all say it."""
    monkeypatch.setattr(listening, "_BEGINS_WITHIN_S", 60.0)
    monkeypatch.setattr(listening, "HEARD_WITHIN_S", 60.0)


def said(history: History) -> list[tuple[Change, str]]:
    assert history.stream is not None
    return [(one.change, one.session) for one in history.stream.announcements]


async def test_each_change_is_heard_and_the_stream_is_flushed() -> None:
    async with open_target(BY_NAME["missing-event"].target(correct=True), "run") as live:
        assert live.promises.events is EventPromise.EXACTLY_ONCE
        for _ in range(3):
            done, death = await live.execute(TWO_DELETES)
            assert isinstance(judge(done, death, live.promises), Linearizable)
            ids = dict(done.sessions).values()
            assert sorted(said(done.history)) == sorted(
                (change, one) for change in (Change.CREATED, Change.DELETED) for one in ids
            )
            assert done.history.stream is not None
            assert done.history.stream.flushed_ns is not None
            ops = done.history.operations
            assert done.history.stream.flushed_ns > max(op.return_ns or 0 for op in ops)


async def test_a_target_without_a_stream_promises_nothing_of_it() -> None:
    """The crowd answers 404 to everything that it does not know."""
    with Scripted(Crowd(random.Random(0))) as server:
        target = Target(
            "x", opencode.WIRE, base_url=server.base_url, promises=ONCE, exclusive=False,
            events=opencode.EVENTS,
        )  # fmt: skip
        async with open_target(target, "run") as live:
            assert live.promises.events is EventPromise.NONE
            done, _ = await live.execute(TWO_DELETES)
            assert done.history.stream is None


class Loose:
    """A crowd with an event stream on a socket of its own, which a test may break off."""

    def __init__(self) -> None:
        self.crowd = Crowd(random.Random(0))
        self.server: Scripted | None = None
        self.streams: list[int] = []
        self.silent: Callable[[str], bool] = lambda _event: False

    def __call__(self, asked: Asked) -> Says:
        if asked.path == "/event":
            self.streams.append(asked.connection)
            return Says(raw=HEAD + CONNECTED)
        before = dict(self.crowd.stored)
        says = self.crowd(asked)
        for change, ids in (
            ("created", self.crowd.stored.keys() - before.keys()),
            ("deleted", before.keys() - self.crowd.stored.keys()),
        ):
            for session in ids:
                self.tell(change, session)
        return says

    def tell(self, change: str, session: str) -> None:
        event = f'{{"type": "session.{change}", "properties": {{"info": {{"id": "{session}"}}}}}}'
        if self.server is not None and self.streams and not self.silent(event):
            with contextlib.suppress(OSError):  # broken off
                self.server.lines[self.streams[-1]].sock.sendall(f"data: {event}\n\n".encode())

    def target(self) -> Target:
        assert self.server is not None
        return Target(
            "x", opencode.WIRE, base_url=self.server.base_url, promises=ONCE, exclusive=False,
            events=opencode.EVENTS,
        )  # fmt: skip

    def break_off(self) -> None:
        assert self.server is not None
        self.server.hang_up(self.server.lines[self.streams[-1]])


async def _run(live: LiveTarget) -> Execution:
    done, death = await live.execute(TWO_DELETES)
    assert death is None
    return done


async def test_a_dropped_stream_is_no_finding_and_is_heard_again() -> None:
    loose = Loose()
    with Scripted(loose) as server:
        loose.server = server
        async with open_target(loose.target(), "run") as live:
            assert isinstance(judge(await _run(live), None, live.promises), Linearizable)
            deletes = 0

            def breaks(event: str) -> bool:
                nonlocal deletes
                deletes += "deleted" in event
                if deletes == 1:
                    loose.break_off()
                return deletes >= 1

            loose.silent = breaks
            broken = await _run(live)
            assert broken.history.stream is not None
            assert broken.history.stream.flushed_ns is None
            assert isinstance(judge(broken, None, live.promises), Linearizable)
            loose.silent = lambda _event: False
            again = await _run(live)
            assert again.history.stream is not None
            assert again.history.stream.flushed_ns is not None
            assert len(said(again.history)) == 4
            assert len(loose.streams) == 2
    assert set(loose.crowd.stored) == set(loose.crowd.foreign)  # the marker has gone, too


async def test_a_trial_may_go_without_and_the_next_listens_again() -> None:
    async with open_target(BY_NAME["missing-event"].target(correct=True), "run") as live:
        for listen in (True, False, False, True, False, True):
            done, death = await live.execute(TWO_DELETES, listen=listen)
            assert isinstance(judge(done, death, live.promises), Linearizable)
            if listen:
                assert len(said(done.history)) == 4
                assert done.history.stream is not None
                assert done.history.stream.flushed_ns is not None
            else:
                assert done.history.stream is None


@pytest.mark.parametrize("before", [1, 2], ids=["makes a marker", "deletes the marker"])
async def test_the_marker_of_a_stream_connected_again_is_in_no_history(before: int) -> None:
    """OpenCode 1.2.1 ends its stream every minute or two; the first trial after it listed the
    marker that the new connection had made, and that was reported as a phantom."""
    loose = Loose()
    with Scripted(loose) as server:
        loose.server = server
        async with open_target(loose.target(), "run") as live:
            for _ in range(before):
                await _run(live)
            loose.break_off()
            while len(loose.streams) == 1:  # the break is noticed before the next trial or in it
                done = await _run(live)
            assert len(loose.streams) == 2
            listed = [op for op in done.history.operations if op.kind is Kind.LIST]
            assert listed
            ours = set(dict(done.sessions).values())
            assert all(shown_sessions(op) <= ours for op in listed)
            assert isinstance(judge(done, None, live.promises), Linearizable)


async def test_a_marker_that_may_be_gone_is_left_alone() -> None:
    """Seen on a busy machine: the right to delete it was over, and the run ended with exit 4."""
    loose = Loose()
    with Scripted(loose) as server:
        loose.server = server
        async with open_target(loose.target(), "run") as live:
            await _run(live)
            (marker,) = set(loose.crowd.stored) - set(loose.crowd.foreign)
            assert live._executor is not None
            live._executor._ownership.released([marker])
            for _ in range(3):
                done = await _run(live)
                assert isinstance(judge(done, None, live.promises), Linearizable)
    assert set(loose.crowd.stored) == set(loose.crowd.foreign)  # its title proved it ours


class Failing:
    """A wire that no call can be put on any more, once it ``fails``."""

    name = opencode.WIRE.name
    decode = staticmethod(opencode.WIRE.decode)
    fails = False

    def encode(self, invocation: Invocation) -> WireRequest:
        if self.fails:
            raise LookupError(invocation.kind)
        return opencode.WIRE.encode(invocation)


async def test_every_connection_is_closed_also_where_the_cleaning_fails() -> None:
    """Two sockets of a run that ended so were left open, and were the next one's failure."""
    loose, wire = Loose(), Failing()

    async def ends_badly() -> None:
        async with open_target(replace(loose.target(), wire=wire), "run") as live:
            await _run(live)
            wire.fails = True

    with Scripted(loose) as server:
        loose.server = server
        with pytest.raises(LookupError):
            await ends_badly()
        assert len(server.lines) > 2
        for thread in server._threads[1:]:  # each ends with its connection; [0] listens
            await anyio.to_thread.run_sync(thread.join, 60)
            assert not thread.is_alive()


async def test_one_that_is_never_announced_is_missing() -> None:
    loose = Loose()
    with Scripted(loose) as server:
        loose.server = server
        async with open_target(loose.target(), "run") as live:
            first = True

            def once(event: str) -> bool:
                nonlocal first
                loses, first = first and "deleted" in event, first and "deleted" not in event
                return loses

            loose.silent = once
            verdict = judge(await _run(live), None, live.promises)
    assert isinstance(verdict, Diverged)
    assert [one.anomaly for one in verdict.all] == [Anomaly.MISSING_EVENT]


# -- hangs -------------------------------------------------------------------------------------


def held(
    crowd: Crowd, event: threading.Event, *, all_of_them: bool
) -> Callable[[Asked], Says | None]:
    """The second delete of the race is not answered; ``all_of_them``: nobody is, from then on."""
    deletes = 0

    def refuse(asked: Asked) -> Says | None:
        nonlocal deletes
        deletes += asked.method == "DELETE"
        if deletes == 2 and asked.method == "DELETE":
            if all_of_them:
                event.wait(3)  # under the server's lock
            else:
                crowd.stored.pop(asked.path.rpartition("/")[2])
                return Says(after=event)
        return None

    return refuse


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_a_call_hangs_only_while_others_are_answered(all_of_them: bool) -> None:
    crowd = Crowd(random.Random(0))
    ended = threading.Event()
    with Scripted(crowd) as server:
        target = Target(
            "x", opencode.WIRE, base_url=server.base_url, exclusive=False, timeout_s=2.0
        )
        async with open_target(target, "run") as live:
            crowd.refuses = held(crowd, ended, all_of_them=all_of_them)
            if all_of_them:
                threading.Timer(3.6, ended.set).start()
            done, death = await live.execute(TWO_DELETES)
            ended.set()
    assert death is None
    (control,) = done.history.controls
    verdict = judge(done, death, Promises())
    if all_of_them:  # a slow machine comes back, and nothing is said of it
        assert control.return_ns is None
        assert isinstance(verdict, Linearizable)
        return
    assert control.return_ns is not None
    assert isinstance(verdict, Diverged)
    assert verdict.divergence.anomaly is Anomaly.HANG
    hung = [op for op in done.history.operations if isinstance(op.outcome, Info)]
    assert [op.index for op in hung] == [verdict.divergence.culprit]
    assert not any(op.at_rest for op in done.history.operations)  # nothing more was asked


async def test_slow_but_within_the_bound_is_no_hang() -> None:
    crowd = Crowd(random.Random(0))
    ended = threading.Event()
    with Scripted(crowd) as server:
        target = Target(
            "x", opencode.WIRE, base_url=server.base_url, exclusive=False, timeout_s=60.0
        )
        async with open_target(target, "run") as live:
            crowd.refuses = held(crowd, ended, all_of_them=False)
            threading.Timer(0.5, ended.set).start()
            done, death = await live.execute(TWO_DELETES)
    assert done.history.controls == ()
    assert isinstance(judge(done, death, Promises()), Linearizable)


async def test_a_managed_server_is_recycled_after_a_hang() -> None:
    async with open_target(BY_NAME["deadlock"].target(), "run") as live:
        for _ in range(20):
            done, death = await live.execute(TWO_DELETES)
            verdict = judge(done, death, live.promises)
            if isinstance(verdict, Diverged):
                break
        assert isinstance(verdict, Diverged)
        assert verdict.divergence.anomaly is Anomaly.HANG
        assert live.restarts == 0
        with anyio.fail_after(120):
            done, _ = await live.execute(TWO_DELETES)
        assert live.restarts == 1
        assert done.requests > 0


async def test_a_managed_server_that_stands_still_is_unresponsive_and_recycled() -> None:
    two_creates = Program((((Create(Var(0)),), (Create(Var(1)),)),))
    async with open_target(BY_NAME["stall"].target(), "run") as live:
        for _ in range(20):
            done, death = await live.execute(two_creates)
            if death is not None:
                break
        assert death is not None
        assert death.silent
        verdict = judge(done, death, live.promises)
        assert isinstance(verdict, Diverged)
        assert verdict.divergence.anomaly is Anomaly.UNRESPONSIVE
        again, _ = await live.execute(two_creates)
        assert live.restarts == 1
        assert again.requests > 0
