"""Only its own: on a server full of foreign sessions, whose answers lie."""

from __future__ import annotations

import asyncio
import json
import random

import anyio
import pytest
from tests import opencode
from tests.programs import TWO_DELETES
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.core.history import Exists, Info, Invocation, Kind, Listed, Ok, Unknown
from deadheat.drive.executor import Executor
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import Target
from deadheat.errors import ForeignSession
from deadheat.generate.source import ProgramSource
from deadheat.targets.declared_pages import DeclaredPages, PagesTable


def test_a_change_to_a_session_that_is_not_ours_is_refused() -> None:
    ours = Ownership("run")
    ours.adopt("ses_mine")
    for kind in (Kind.DELETE, Kind.RENAME):
        ours.permit(Invocation(kind, "ses_mine"))
        for session in ("ses_other", None):
            with pytest.raises(ForeignSession, match="report it"):
                ours.permit(Invocation(kind, session))
    for kind in (Kind.GET, Kind.LIST):
        ours.permit(Invocation(kind, "ses_other"))
    ours.permit(Invocation(Kind.CREATE))
    ours.permit(Invocation(Kind.CREATE, parent="ses_mine"))
    with pytest.raises(ForeignSession, match="report it"):  # a child is a change to its parent
        ours.permit(Invocation(Kind.CREATE, parent="ses_other"))


def test_a_chosen_id_is_of_this_run_and_ours_once_it_may_have_been_made() -> None:
    ours = Ownership("ab12", chooses=True)
    create, again = ours.create(3, "a"), ours.create(3, "a", kind=Kind.RECREATE)
    assert create.session == again.session == "deadheat-ab12-3-a"
    assert ours.named_in_trial("deadheat-ab12-3-a", 3)
    assert not ours.named_in_trial("deadheat-ab12-31-a", 3)
    ours.permit(create)
    ours.answered(create, Ok(Exists()))  # somebody else's, then
    assert not ours.owns("deadheat-ab12-3-a")
    ours.answered(again, Info(Unknown.TIMEOUT))
    assert ours.owns("deadheat-ab12-3-a")
    for session in ("theirs", "deadheat-ab1-3-a"):
        for kind in (Kind.CREATE, Kind.RECREATE):
            with pytest.raises(ForeignSession, match="report it"):
                ours.permit(Invocation(kind, session))
    ours.shun(("deadheat-ab12-4-a",))  # it was there before
    with pytest.raises(ForeignSession, match="report it"):
        ours.permit(ours.create(4, "a"))
    assert Ownership("ab12").create(3, "a").session is None


def test_what_was_there_before_is_never_adopted() -> None:
    ours = Ownership("run")
    ours.adopt("ses_mine")
    ours.shun(("ses_mine", "ses_old"))
    ours.adopt("ses_old")
    assert ours.owns("ses_mine")
    assert not ours.owns("ses_old")


def test_tags_are_of_one_trial_of_one_run() -> None:
    ours = Ownership("ab12")
    title = ours.title(1, "a")
    assert ours.of_trial(title, 1)
    assert ours.of_run(title)
    assert not ours.of_trial(title, 11)
    assert not ours.of_trial(ours.title(11, "a"), 1)
    assert not Ownership("ab1").of_run(title)
    assert not ours.of_run(None)
    assert not ours.of_trial(None, 1)


def executor(
    server: Scripted, *, exclusive: bool = False, timeout_s: float = 5, paged: bool = False
) -> Executor:
    pages = DeclaredPages({Kind.LIST: PagesTable(page="page")}) if paged else None
    target = Target("x", opencode.WIRE, exclusive=exclusive, timeout_s=timeout_s, pages=pages)
    return Executor(server.base_url, target, Ownership("run"))


@pytest.mark.live
@pytest.mark.anyio
@pytest.mark.parametrize("page", [0, 10])
@pytest.mark.parametrize("lies", [0.0, 0.3])
async def test_foreign_sessions_survive_many_programs(lies: float, page: int) -> None:
    crowd = Crowd(random.Random(0), page=page)
    supply = iter(ProgramSource(5))
    with Scripted(crowd) as server:
        async with executor(server, paged=page > 0) as running:
            await running.look_around()
            crowd.lies = lies
            for _ in range(60):
                await running.run(next(supply))
    assert not set(crowd.deleted) & set(crowd.foreign)
    assert {s for s in crowd.stored if s in crowd.foreign} == set(crowd.foreign)
    assert len(crowd.deleted) > 60
    if not lies:
        assert set(crowd.stored) == set(crowd.foreign)  # and our own are cleaned away


@pytest.mark.live
@pytest.mark.anyio
async def test_foreign_sessions_are_in_no_history() -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with executor(server) as running:
            await running.look_around()
            crowd.stored["ses_late"] = "somebody came later"
            done = await running.run(TWO_DELETES)
    listed = [
        op.outcome.result
        for op in done.history.operations
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Listed)
    ]
    assert listed
    assert all(not result.entries for result in listed)


@pytest.mark.live
@pytest.mark.anyio
async def test_an_unknown_session_on_an_exclusive_server_stays_in_the_history() -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        async with executor(server, exclusive=True) as running:
            await running.look_around()
            crowd.stored["ses_phantom"] = "who made this?"
            done = await running.run(TWO_DELETES)
    rest = [op for op in done.history.operations if op.at_rest]
    assert isinstance(rest[0].outcome, Ok)
    assert isinstance(rest[0].outcome.result, Listed)
    assert rest[0].outcome.result.sessions == {"ses_phantom"}


@pytest.mark.live
@pytest.mark.anyio
async def test_a_create_whose_answer_was_lost_is_cleaned_away_by_its_tag() -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:

        def drop(asked: Asked) -> Says | None:
            if asked.method != "POST":
                return None
            crowd._create(json.loads(asked.body)["title"])  # it happened, and nobody hears of it
            return Says(raw=b"", close=True)

        async with executor(server) as running:
            await running.look_around()
            crowd.refuses = drop
            done = await running.run(TWO_DELETES)
    assert crowd.made == 2
    assert set(crowd.stored) == set(crowd.foreign)
    assert done.unbound
    assert any(isinstance(op.outcome, Info) for op in done.history.operations)


@pytest.mark.live
@pytest.mark.anyio
async def test_cut_off_in_the_middle_nothing_of_ours_stays_on_a_users_server() -> None:
    crowd = Crowd(random.Random(0))
    in_delete = anyio.Event()
    seen = 0
    loop = asyncio.get_running_loop()

    def watch(asked: Asked) -> Says | None:
        nonlocal seen
        seen += asked.method == "DELETE"
        if asked.method == "DELETE" and seen <= 2:
            loop.call_soon_threadsafe(in_delete.set)
            return Says(500, {"name": "NotNow"})
        return None

    crowd.refuses = watch
    with Scripted(crowd) as server:
        async with executor(server) as running:
            await running.look_around()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(running.run, TWO_DELETES)
                await in_delete.wait()
                tasks.cancel_scope.cancel()
    assert crowd.made == 2
    assert set(crowd.stored) == set(crowd.foreign)
