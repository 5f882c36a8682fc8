"""A target that is up: the rehearsal, deaths and restarts, and who is told what."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from tests import opencode
from tests.programs import TWO_DELETES
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.drive import live as live_module
from deadheat.drive.checkup import dry_run
from deadheat.drive.event_loop import run_until
from deadheat.drive.executor import Executor
from deadheat.drive.journal import Journal
from deadheat.drive.live import LiveTarget, open_target
from deadheat.drive.ownership import Ownership
from deadheat.drive.server.process import Launch, ServerProcess, free_port
from deadheat.drive.target import PLAIN, Target
from deadheat.errors import NotCleaned, NotThisApi, StartFailed, TargetDied, TooLarge
from deadheat.model.history import Fail, Kind
from deadheat.model.promises import DeletePromise
from deadheat.model.verdict import Anomaly, Diverged, Linearizable, Undecided
from deadheat.run.judge import judge
from deadheat.targets.catalog import demo

pytestmark = [pytest.mark.live]
MORTAL = Path(__file__).resolve().parent.parent / "servers" / "mortal.py"
on_loop = pytest.mark.anyio


def at(server: Scripted, timeout_s: float = 5) -> Target:
    return Target(
        "x", opencode.WIRE, base_url=server.base_url, exclusive=False, timeout_s=timeout_s
    )


@on_loop
async def test_the_rehearsal_leaves_nothing_and_finds_the_weaker_promise() -> None:
    def idempotent(asked: Asked) -> Says | None:
        if asked.method == "DELETE" and asked.path.rpartition("/")[2] not in crowd.stored:
            return Says()
        return None

    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with open_target(at(server), "run") as live:
            assert live.promises.delete is DeletePromise.EXACTLY_ONCE
        crowd.refuses = idempotent
        async with open_target(at(server), "run") as live:
            assert live.promises.delete is DeletePromise.IDEMPOTENT
    assert set(crowd.stored) == set(crowd.foreign)


@on_loop
@pytest.mark.parametrize(
    ("method", "at_path", "says", "doing"),
    [
        ("GET", "/session?", Says(raw=b"SSH-2.0-x\r\n", close=True), "listing"),
        ("GET", "/session?", Says(body={"no": "list"}), "listing"),
        ("GET", "/session?", Says(404, {"name": "NotFoundError"}), "listing"),
        ("POST", "/session", Says(401, {"name": "Unauthorized"}), "creating"),
        ("GET", "/session/", Says(404, {}), "reading the session just created"),
        ("DELETE", "/session/", Says(405, {}), "deleting"),
    ],
)
async def test_what_does_not_work_alone_is_said_in_one_line(
    method: str, at_path: str, says: Says, doing: str
) -> None:
    def refuse(asked: Asked) -> Says | None:
        return says if asked.method == method and asked.path.startswith(at_path) else None

    crowd = Crowd(random.Random(0), refuses=refuse)
    with Scripted(crowd) as server, pytest.raises(NotThisApi, match=doing) as caught:
        async with open_target(at(server), "run"):
            pass
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("listen there? See `deadheat check`.")
    if method != "DELETE":
        assert set(crowd.stored) == set(crowd.foreign)


@on_loop
@pytest.mark.parametrize(
    "says",
    [
        Says(503, {}),
        Says(429, {}),
        Says(raw=b"HTTP/1.1 503 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"),
        Says(raw=b"", close=True),
    ],
    ids=["503", "429", "Retry-After", "closed"],
)
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done all the same"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_one_hiccup_is_told_and_ends_no_run(says: Says, done: bool, method: str) -> None:
    met: list[Asked] = []

    def hiccup(asked: Asked) -> Says | None:
        if asked.method != method or met:
            return None
        met.append(asked)
        if done:
            crowd(asked)
        return says

    crowd = Crowd(random.Random(0), foreign=())
    with Scripted(crowd) as server:
        crowd.refuses = hiccup
        renames = replace(at(server), kinds=PLAIN | {Kind.RENAME})
        async with open_target(renames, "run") as live:
            execution, death = await live.execute(TWO_DELETES)
            assert isinstance(judge(execution, death, live.promises), Linearizable)
            (one,) = live.met
            assert one.status == (None if says.close else 503 if says.raw else says.status)
    assert crowd.stored == {}  # also what a create made that nobody knew about


@on_loop
async def test_a_check_takes_a_hiccup_for_no_mistake() -> None:
    met: list[Asked] = []

    def hiccup(asked: Asked) -> Says | None:
        if asked.method != "DELETE" or met:
            return None
        met.append(asked)
        return Says(503, {})

    crowd = Crowd(random.Random(0), foreign=(), refuses=hiccup)
    with Scripted(crowd) as server:
        steps = await dry_run(at(server), server.base_url, "run")
    assert [step.wrong for step in steps if step.wrong] == []
    assert [step.doing for step in steps if "2 times" in step.hint] == ["delete it"]
    assert crowd.stored == {}


@on_loop
async def test_a_hiccup_that_does_not_pass_is_said_with_its_tries() -> None:
    crowd = Crowd(random.Random(0), refuses=lambda _asked: Says(503, {}))
    with Scripted(crowd) as server:
        with pytest.raises(NotThisApi, match="4 times in a row"):
            async with open_target(at(server), "run"):
                pass
        looks_what_is_left = 1
        assert len(server.asked) == 4 + looks_what_is_left


@on_loop
async def test_a_redirect_elsewhere_says_what_to_do() -> None:
    moved = b"HTTP/1.1 308 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with (
        Scripted(lambda _asked: Says(raw=moved)) as server,
        pytest.raises(NotThisApi, match="Name the address") as caught,
    ):
        async with open_target(at(server), "run"):
            pass
    assert "308" in str(caught.value)


@on_loop
async def test_a_server_that_closes_idle_connections_at_once_is_no_hindrance() -> None:
    """What is sent between an answer and the end of its connection is unknown, and no alarm."""
    crowd = Crowd(random.Random(0))

    def closing(asked: Asked) -> Says:
        return replace(crowd(asked), close=True)  # and does not say so

    with Scripted(closing) as server:
        async with open_target(at(server), "run") as live:
            for _ in range(5):
                execution, death = await live.execute(TWO_DELETES)
                assert death is None
                assert isinstance(judge(execution, death, live.promises), Linearizable)
        assert len({asked.connection for asked in server.asked}) == len(server.asked)


@on_loop
async def test_a_create_that_answers_a_foreign_session_ends_it_before_anything_is_deleted() -> None:
    crowd = Crowd(random.Random(0), lies=0.0)
    with Scripted(crowd) as server:
        crowd.refuses = lambda asked: (
            Says(body={"id": crowd.foreign[0], "title": "x"}) if asked.method == "POST" else None
        )
        with pytest.raises(NotThisApi, match="was there before"):
            async with open_target(at(server), "run"):
                pass
    assert crowd.deleted == []


@on_loop
async def test_nobody_listening_and_nothing_given() -> None:
    target = Target("x", opencode.WIRE, base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotThisApi, match="no connection"):
        async with open_target(target, "run"):
            pass
    with pytest.raises(StartFailed, match="neither a command nor an address"):
        async with open_target(Target("x", opencode.WIRE), "run"):
            pass


@on_loop
async def test_a_users_server_that_stops_answering_ends_the_run() -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with open_target(at(server), "run") as live:
            await live.execute(TWO_DELETES)
            crowd.refuses = lambda _asked: Says(raw=b"", close=True)
            with pytest.raises(TargetDied, match="Start the server again"):
                await live.execute(TWO_DELETES)


@on_loop
async def test_a_list_that_cannot_be_judged_ends_the_run_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with open_target(at(server), "run") as live:
            await live.execute(TWO_DELETES)
            with monkeypatch.context() as smaller:
                smaller.setattr("deadheat.drive.wire.decoding.LARGEST_LIST", len(crowd.foreign) - 1)
                with pytest.raises(TooLarge, match="entries is larger than"):
                    await live.execute(TWO_DELETES)
    assert set(crowd.stored) == set(crowd.foreign)


def process_of(live: LiveTarget) -> ServerProcess:
    process = live._process
    assert process is not None
    return process


@on_loop
async def test_a_managed_server_that_is_killed_between_trials_blames_no_program() -> None:
    async with open_target(demo(correct=True), "run") as live:
        await live.execute(TWO_DELETES)
        pid = process_of(live).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await process_of(live).exited(5)
        execution, death = await live.execute(TWO_DELETES)
        assert death is not None
        assert death.exit_code == -signal.SIGKILL
        assert all(isinstance(op.outcome, Fail) for op in execution.history.operations)
        assert isinstance(judge(execution, death, live.promises), Undecided)
        assert live.restarts == 0  # first it is reported, then started again
        execution, death = await live.execute(TWO_DELETES)
        assert (death, live.restarts) == (None, 1)
        assert process_of(live).pid != pid


@on_loop
async def test_a_server_that_dies_of_a_program_is_a_crash_and_the_search_goes_on() -> None:
    target = Target(
        "mortal",
        opencode.WIRE,
        launch=Launch(
            "mortal",
            (sys.executable, str(MORTAL), "{port}"),
            ready_line="listening",
            probe="/session",
        ),
    )
    async with open_target(target, "run") as live:
        for n in range(2):
            execution, death = await live.execute(TWO_DELETES)
            assert death is not None
            assert death.exit_code == 3
            assert "giving up" in death.log_tail
            verdict = judge(execution, death, live.promises)
            assert isinstance(verdict, Diverged)
            assert verdict.divergence.anomaly is Anomaly.CRASH
            assert live.restarts == n


@on_loop
async def test_a_managed_server_that_hangs_for_good_is_given_up() -> None:
    never = threading.Event()
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with open_target(demo(correct=True), "run") as live:
            crowd.refuses = lambda _asked: Says(after=never)
            restarts = 0

            async def no_restart() -> None:
                nonlocal restarts
                restarts += 1

            hung = LiveTarget(at(server, 0.05), process_of(live), "other")
            hung._executor = Executor(server.base_url, at(server, 0.05), Ownership("o"))
            hung._restart = no_restart  # type: ignore[method-assign]

            async def again_and_again() -> None:
                for _ in range(10):
                    await hung.execute(TWO_DELETES)

            with pytest.raises(TargetDied, match="stopped answering"):
                await again_and_again()
            never.set()
            await hung.disconnect()
    assert restarts == 4


def test_a_signal_cancels_the_work_and_is_still_caught_while_it_cleans_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                os.kill(os.getpid(), signal.SIGTERM)  # impatient
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
                cleaned.append("whole")

    assert run_until(work, None) == (True, None)
    assert cleaned == ["whole"]


def test_a_limit_is_no_interruption_and_a_known_error_is_a_value() -> None:
    async def forever() -> None:
        await anyio.sleep_forever()

    async def broken() -> None:
        async with anyio.create_task_group():
            raise StartFailed("no. Try again.")

    async def bug() -> None:
        raise ZeroDivisionError

    assert run_until(forever, 0.01) == (False, None)
    interrupted, error = run_until(broken, None)
    assert not interrupted
    assert isinstance(error, StartFailed)
    with pytest.raises(ZeroDivisionError):  # alone, in none of the groups around it
        run_until(bug, None)


class Broken(LiveTarget):
    """Its end goes wrong as ``failing`` says."""

    failing: Exception

    async def disconnect(self) -> None:
        await super().disconnect()
        raise self.failing


@pytest.mark.parametrize(
    ("failing", "known"),
    [(OSError(24, "Too many open files"), NotCleaned), (TooLarge("a list. Ask for less."), None)],
)
@pytest.mark.parametrize("how", ["to its end", "cut off", "with an error"])
def test_what_goes_wrong_at_the_end_is_one_known_error(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    how: str,
    failing: Exception,
    known: type | None,
) -> None:
    monkeypatch.setattr(live_module, "LiveTarget", Broken)
    monkeypatch.setattr(Broken, "failing", failing, raising=False)

    async def work() -> None:
        async with open_target(target, "ab12cd"):
            if how == "cut off":
                os.kill(os.getpid(), signal.SIGINT)
                await anyio.sleep_forever()
            if how == "with an error":
                raise StartFailed("no. Try again.")

    with Scripted(Crowd(random.Random(0))) as server:
        target = replace(at(server), journal=Journal(tmp_path, server.base_url))
        interrupted, error = run_until(work, None)
    assert interrupted is (how == "cut off")
    wanted = StartFailed if how == "with an error" else known or type(failing)
    assert type(error) is wanted
    assert "\n" not in str(error)
    assert not list((tmp_path / "made").iterdir())  # it was cleaned before it went wrong
