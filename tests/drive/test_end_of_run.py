"""Cut off at any instant, a run leaves nothing of its own, or its note says that it may have.

The server is called without a wire, on a clock that jumps: every await of the handshake and of a
trial can be the one at which Ctrl-C comes, with the call that was in flight done at once, a little
later, or when everybody has gone home.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio.lowlevel
import httpx
import pytest
import trio
from tests import opencode
from tests.programs import TWO_DELETES
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked
from trio.testing import MockClock

from deadheat.drive import checkup as agreement
from deadheat.drive import executor
from deadheat.drive import probe as probing
from deadheat.drive.checkup import dry_run
from deadheat.drive.draft import Draft, Sent
from deadheat.drive.journal import Journal, left_behind
from deadheat.drive.live import open_target
from deadheat.drive.probe import probe
from deadheat.drive.target import PLAIN, Target
from deadheat.model.history import Kind
from deadheat.model.promises import Promises, UpdatePromise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from deadheat.drive.wire.gate import Gate

RUN = "ab12cd"
NEVER = 1_000_000


class Desk:
    """Hands calls to the crowd. What was cut off is done after ``late`` more calls have come in."""

    def __init__(self, crowd: Crowd, late: int) -> None:
        self.crowd = crowd
        self._late = late
        self._arrived = 0
        self._under_way: list[tuple[int, Asked]] = []

    def arrive(self) -> None:
        self._arrived += 1
        self.catch_up(self._arrived)

    def catch_up(self, now: int = NEVER * 2) -> None:
        for due, asked in [one for one in self._under_way if one[0] <= now]:
            self._under_way.remove((due, asked))
            self.crowd(asked)

    def cut_off(self, asked: Asked) -> None:
        self._under_way.append((self._arrived + self._late, asked))
        self.catch_up(self._arrived)

    def ours(self) -> list[str]:
        return [title for title in self.crowd.stored.values() if title.startswith("deadheat ")]


class Client:
    """As ``LaneClient``, without a wire."""

    desk: Desk

    def __init__(self, *_args: object, **_options: object) -> None:
        self.latest: tuple[int, str | None] | None = None
        self.offered_cookie = False
        self.may_have_reached = False

    async def send(
        self, method: str, path: str, body: bytes | None, held: tuple[Gate, int] | None = None
    ) -> tuple[httpx.Response, int, int]:
        if held is not None:
            held[0].absent(held[1])
        self.may_have_reached = False
        await anyio.lowlevel.checkpoint()
        self.may_have_reached = True
        asked = Asked(0, method, path, body or b"", 0, 0)
        self.desk.arrive()
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            self.desk.cut_off(asked)
            raise
        head, _, content = self.desk.crowd(asked).encoded().partition(b"\r\n\r\n")
        status = int(head.split()[1])
        self.latest = (status, None)
        await anyio.lowlevel.checkpoint()
        return httpx.Response(status, content=content), 1, 2

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()


class CutAt(trio.abc.Instrument):
    """Cancels ``scope`` at step number ``at`` of the event loop; 0: never."""

    def __init__(self, at: int) -> None:
        self.scope = trio.CancelScope()
        self.steps = 0
        self._at = at

    def before_task_step(self, _task: object) -> None:
        self.steps += 1
        if self.steps == self._at:
            self.scope.cancel()


def run_cut(work: Callable[[], Awaitable[object]], at: int) -> int:
    """Run ``work``, cancelled at that step; how many steps it took."""
    cut = CutAt(at)

    async def within() -> None:
        with cut.scope:
            await work()

    trio.run(within, instruments=[cut], clock=MockClock(autojump_threshold=0))
    return cut.steps


@pytest.fixture
def desks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    for module in (executor, agreement, probing):
        monkeypatch.setattr(module, "LaneClient", Client)

    def new(late: int, *, again: bool = False) -> Desk:
        Client.desk = Desk(Crowd(random.Random(0), foreign=("ses_theirs",), again=again), late)
        return Client.desk

    return new


def at_desk(journal: Journal | None, *, alone: bool = False) -> Target:
    return Target(
        "x",
        opencode.WIRE,
        base_url="http://desk",
        exclusive=alone,
        kinds=PLAIN | {Kind.RENAME},
        journal=journal,
    )


async def a_run(target: Target) -> None:
    async with open_target(target, RUN) as live:
        await live.execute(TWO_DELETES)


@pytest.mark.parametrize("alone", [False, True], ids=["among others", "alone"])
@pytest.mark.parametrize("late", [0, 1, 2, NEVER], ids=["done", "late", "later", "at last"])
def test_a_run_that_is_cut_off_leaves_nothing_or_its_note(
    desks: Callable[..., Desk], tmp_path: Path, late: int, alone: bool
) -> None:
    target = at_desk(Journal(tmp_path, "http://desk"), alone=alone)
    desks(late)
    steps = run_cut(lambda: a_run(target), 0)
    assert left_behind(tmp_path) == ((), 0)
    noted = 0
    for at in range(1, steps):
        desk = desks(late)
        run_cut(lambda: a_run(target), at)
        at_once = desk.ours()
        desk.catch_up()
        notes, running = left_behind(tmp_path)
        assert running == 0
        assert not desk.ours() or notes, f"{desk.ours()} at step {at} of {steps}"
        assert desk.crowd.hurt == []
        if late != NEVER:
            assert (at_once, notes) == ([], ()), f"at step {at} of {steps}"
        for note in notes:
            noted += 1
            note.path.unlink()
    assert noted if late == NEVER else not noted


UNTITLED = Promises(update=UpdatePromise.NONE)
BARE = Draft(
    "carts",
    create=Sent("POST", "/session", {"title": "x"}),
    get=Sent("GET", "/session/{id}"),
    list=Sent("GET", "/session"),
    delete_one=Sent("DELETE", "/session/{id}"),
)


@pytest.mark.parametrize(
    "work",
    [
        a_run,
        lambda target: dry_run(target, "http://desk", RUN),
        lambda _: probe("http://desk", BARE, RUN, 5),
    ],
    ids=["run", "check", "init"],
)
def test_a_create_that_no_title_shows_is_waited_for(
    desks: Callable[..., Desk], work: Callable[[Target], Awaitable[object]]
) -> None:
    """Only its answer says what it made."""

    def desk() -> Desk:
        new = desks(0)
        new.crowd.keeps = lambda _title: "nobody's"
        return new

    target = replace(at_desk(None), promises=UNTITLED, kinds=PLAIN, unique_ids=True)
    desk()
    steps = run_cut(lambda: work(target), 0)
    for at in range(1, steps):
        cut = desk()
        run_cut(lambda: work(target), at)
        assert [*cut.crowd.stored] == ["ses_theirs"], f"at step {at} of {steps}"


DRAFT = Draft(
    "carts",
    create=Sent("POST", "/session", {"title": "{title}"}),
    get=Sent("GET", "/session/{id}"),
    list=Sent("GET", "/session"),
    delete_one=Sent("DELETE", "/session/{id}"),
    rename=Sent("PATCH", "/session/{id}", {"title": "{title}"}),
    title="title",
)


@pytest.mark.parametrize("late", [0, 1, 2], ids=["done", "late", "later"])
@pytest.mark.parametrize(
    "work",
    [
        lambda: dry_run(at_desk(None), "http://desk", RUN),
        lambda: probe("http://desk", DRAFT, RUN, 5),
    ],
    ids=["check", "init"],
)
def test_so_do_a_check_and_a_draft(
    desks: Callable[..., Desk], work: Callable[[], Awaitable[object]], late: int
) -> None:
    desks(late)
    steps = run_cut(work, 0)
    for at in range(1, steps):
        desk = desks(late)
        run_cut(work, at)
        desk.catch_up()
        assert desk.ours() == [], f"at step {at} of {steps}"
        assert desk.crowd.hurt == []


def test_what_a_check_has_lost_is_noted(desks: Callable[..., Desk], tmp_path: Path) -> None:
    target = at_desk(Journal(tmp_path, "http://desk"))
    desks(NEVER)
    steps = run_cut(lambda: dry_run(target, "http://desk", RUN), 0)
    assert left_behind(tmp_path) == ((), 0)
    noted = 0
    for at in range(1, steps):
        desk = desks(NEVER)
        run_cut(lambda: dry_run(target, "http://desk", RUN), at)
        desk.catch_up()
        notes, _ = left_behind(tmp_path)
        assert not desk.ours() or notes, f"{desk.ours()} at step {at} of {steps}"
        for note in notes:
            noted += 1
            note.path.unlink()
    assert noted
