"""Only its own: on a server full of foreign sessions, whose answers lie."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import anyio
import pytest
from tests import opencode
from tests.programs import TWO_DELETES, A
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted

from deadheat.check.checker import check
from deadheat.drive.checkup import dry_run
from deadheat.drive.executor import Executor
from deadheat.drive.live import open_target
from deadheat.drive.ownership import Ownership
from deadheat.drive.target import PLAIN, Target
from deadheat.errors import ForeignSession
from deadheat.generate.source import ProgramSource
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Exists,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Outcome,
    Renamed,
    Seen,
    Unknown,
)
from deadheat.model.program import Create, Delete, List, Program, Rename
from deadheat.model.promises import IdPromise, Promises
from deadheat.model.raced import UnracedReason
from deadheat.model.verdict import Linearizable
from deadheat.targets.profile.pages import DeclaredPages, PagesTable

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_change_to_a_session_that_is_not_ours_is_refused() -> None:
    ours = Ownership("run", unique=True)
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


@pytest.mark.parametrize(
    ("title", "others", "titled", "ours"),
    [
        ("mine 7", True, True, False),  # a create that answers the latest id, not its own
        ("DEADHEAT AB12 3 A", True, True, True),
        (None, True, True, True),  # nothing is told
        ("mine 7", False, True, True),  # there is nobody else
        ("New session", True, False, True),  # titles are not what was written
    ],
)
def test_what_a_title_shows_to_be_somebody_elses_is_not_changed(
    title: str | None, others: bool, titled: bool, ours: bool
) -> None:
    get = Invocation(Kind.GET, "s7")
    shown = (
        (get, Ok(Found(title))),
        (Invocation(Kind.LIST), Ok(Listed((Seen("s7", title), Seen("s8", "theirs"))))),
    )
    for asked, outcome in shown:
        run = Ownership("ab12", alone=not others, unique=True, titled=titled)
        run.answered(run.create(3, "a"), Ok(Created("s7")))
        assert run.owns("s7")
        run.answered(asked, outcome)
        assert run.owns("s7") is ours
        assert run.not_seen_gone == (("s7",) if ours else ())
        if not ours:  # and it stays theirs, whatever is answered later
            run.answered(run.create(4, "a"), Ok(Created("s7")))
            assert not run.owns("s7")


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


LOST = (Info(Unknown.TIMEOUT), Info(Unknown.RESET))
DELETE, RENAME = Invocation(Kind.DELETE, "7"), Invocation(Kind.RENAME, "7", "deadheat run 1 a")
GET, LIST = Invocation(Kind.GET, "7"), Invocation(Kind.LIST)
CREATE = Invocation(Kind.CREATE, title="deadheat run 1 a")
OURS, THEIRS = "deadheat run 1 a", "precious"


def made(*, alone: bool = False, unique: bool = False) -> Ownership:
    """A run whose create was answered 7."""
    ours = Ownership("run", alone=alone, unique=unique)
    ours.permit(CREATE)
    ours.answered(CREATE, Ok(Created("7")))
    return ours


def sent(ours: Ownership, call: Invocation, outcome: Outcome | None) -> Ownership:
    """It was sent; ``outcome`` None: it is still under way."""
    ours.permit(call)
    if outcome is not None:
        ours.answered(call, outcome)
    return ours


@pytest.mark.parametrize("outcome", [None, Ok(Deleted()), Ok(Absent()), *LOST])
def test_with_a_delete_the_right_to_change_an_id_is_gone(outcome: Outcome | None) -> None:
    ours = sent(made(), DELETE, outcome)
    assert not ours.may(DELETE)
    assert not ours.may(RENAME)
    ours.answered(GET, Ok(Found(OURS)))  # the delete may be under way still
    ours.answered(LIST, Ok(Listed((Seen("7", OURS),))))
    assert not ours.may(DELETE)
    ours.answered(CREATE, Ok(Created("7")))
    assert ours.may(DELETE)
    assert ours.came_back == "7"


def test_a_delete_that_did_nothing_ends_nothing() -> None:
    assert sent(made(), DELETE, Fail("ConnectError")).may(DELETE)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        (GET, Ok(Absent())),
        (RENAME, Ok(Absent())),
        (LIST, Ok(Listed(()))),
        (LIST, Ok(Listed((Seen("8", OURS),)))),
    ],
)
def test_what_is_not_shown_may_be_somebody_elses_next_until_a_title_shows_it(
    call: Invocation, outcome: Outcome
) -> None:
    ours = sent(made(), call, outcome)
    assert not ours.may(RENAME)
    ours.answered(GET, Ok(Found(THEIRS)))
    ours.answered(GET, Ok(Found()))
    assert not ours.may(DELETE)
    ours.answered(GET, Ok(Found(OURS)))
    assert ours.may(DELETE)


@pytest.mark.parametrize("outcome", [None, *LOST])
def test_no_delete_follows_a_change_that_may_be_under_way(outcome: Outcome | None) -> None:
    ours = sent(made(), RENAME, outcome)
    assert ours.may(RENAME)
    assert not ours.may(DELETE)
    ours.answered(RENAME, Ok(Renamed()))
    assert ours.may(DELETE)


def test_what_is_below_may_go_with_it() -> None:
    below = Invocation(Kind.CREATE, title=OURS, parent="7")
    ours = sent(made(), below, Ok(Created("8")))
    ours = sent(ours, DELETE, Ok(Deleted()))
    child = Invocation(Kind.DELETE, "8")
    assert not ours.may(child)
    ours.answered(Invocation(Kind.GET, "8"), Ok(Found(OURS)))  # it stayed
    assert ours.may(child)


@pytest.mark.parametrize("how", ["alone", "unique"])
def test_where_nobody_can_get_the_id_two_deletes_may_race_until_the_trial_is_over(
    how: str,
) -> None:
    ours = made(alone=how == "alone", unique=how == "unique")
    for call in (DELETE, RENAME, DELETE):
        ours.permit(call)
    ours.answered(GET, Ok(Absent()))
    ours.permit(DELETE)
    ours.released(["7"])
    assert not ours.may(DELETE)
    ours.adopt("7")  # something late brought it back: its title shows that
    ours.permit(DELETE)


def test_an_id_that_comes_back_ends_what_was_believed_of_ids() -> None:
    ours = sent(made(unique=True), DELETE, Ok(Deleted()))
    ours.released(["7"])
    assert ours.came_back is None
    sent(ours, CREATE, Ok(Created("7")))
    assert ours.came_back == "7"
    sent(ours, DELETE, None)
    assert not ours.may(DELETE)


def test_an_id_that_was_there_before_is_ours_once_it_is_given_to_us() -> None:
    alone = Ownership("run", alone=True, again=True)
    alone.shun(["7"])
    assert sent(alone, CREATE, Ok(Created("7"))).may(DELETE)
    among = Ownership("run")
    among.shun(["7"])
    assert not sent(among, CREATE, Ok(Created("7"))).may(DELETE)  # a broken server may lie
    assert among.came_back == "7"
    among.answered(GET, Ok(Found(THEIRS)))
    assert not among.may(DELETE)
    among.answered(GET, Ok(Found(OURS)))
    assert among.may(DELETE)
    unasked = Ownership("run")
    unasked.shun(["7"])
    unasked.answered(GET, Ok(Found(OURS)))  # no create of ours answered it
    assert not unasked.may(DELETE)


def executor(
    server: Scripted, *, exclusive: bool = False, timeout_s: float = 5, paged: bool = False
) -> Executor:
    pages = DeclaredPages({Kind.LIST: PagesTable(page="page")}) if paged else None
    target = Target("x", opencode.WIRE, exclusive=exclusive, timeout_s=timeout_s, pages=pages)
    return Executor(server.base_url, target, Ownership("run", alone=exclusive, unique=True))


@cache
def _drawn() -> tuple[Program, ...]:
    return tuple(islice(ProgramSource(5), 25))


@pytest.mark.live
@pytest.mark.anyio
@pytest.mark.parametrize("page", [0, 10])
@pytest.mark.parametrize("lies", [0.0, 0.3])
async def test_foreign_sessions_survive_many_programs(lies: float, page: int) -> None:
    crowd = Crowd(random.Random(0), page=page)
    with Scripted(crowd) as server:
        async with executor(server, paged=page > 0) as running:
            await running.look_around()
            crowd.lies = lies
            for program in _drawn():
                await running.run(program)
    assert not set(crowd.deleted) & set(crowd.foreign)
    assert {s for s in crowd.stored if s in crowd.foreign} == set(crowd.foreign)
    assert len(crowd.deleted) > len(_drawn())
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
    assert done.unraced is not None
    assert done.unraced.why is UnracedReason.UNANSWERED
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


class Neighbour:
    """Another user: makes a session each time that a call of this method has been answered."""

    def __init__(self, crowd: Crowd, after: str) -> None:
        self.crowd, self.after, self.last = crowd, after, ""
        crowd.refuses = self

    def __call__(self, asked: Asked) -> Says | None:
        if self.last == self.after:
            self.crowd.theirs()
        self.last = asked.method
        return None


@pytest.mark.live
@pytest.mark.anyio
async def test_what_may_be_somebody_elses_is_left_out_of_a_trial() -> None:
    crowd = Crowd(random.Random(0), again=True)
    Neighbour(crowd, "DELETE")
    kinds = PLAIN | {Kind.RENAME}
    target = Target("x", opencode.WIRE, exclusive=False, kinds=kinds)
    supply = iter(ProgramSource(5, kinds=kinds))
    left_out = 0
    with Scripted(crowd) as server:
        async with Executor(server.base_url, target, Ownership("run")) as running:
            await running.look_around()
            for _ in range(25):
                found = (await running.run(next(supply))).unraced
                left_out += found is not None and found.why is UnracedReason.UNBOUND
    assert crowd.hurt == []
    assert left_out
    assert len(crowd.deleted) > 10


def latest(crowd: Crowd) -> Callable[[Asked], Says | None]:
    """Every create answers the latest id, and somebody has been quicker than its answer."""

    def answer(asked: Asked) -> Says | None:
        if asked.method != "POST":
            return None
        title = json.loads(asked.body)["title"]
        crowd._create(title)
        return Says(body={"id": crowd.theirs(), "title": title})

    return answer


@pytest.mark.live
@pytest.mark.anyio
@pytest.mark.parametrize(
    "program",
    [
        Program((((Create(A),),), ((Delete(A),),))),
        Program((((Create(A), Rename(A)),),)),
        Program((((Create(A), Delete(A)), (List(),)),)),
        Program((((Create(A),),), ((Rename(A),), (Delete(A),)))),
    ],
    ids=["delete", "in one lane", "in a race", "two of them"],
)
async def test_a_session_that_a_create_names_is_read_before_it_is_changed(program: Program) -> None:
    crowd = Crowd(random.Random(0))
    kinds = PLAIN | {Kind.RENAME}
    target = Target(
        "x", opencode.WIRE, base_url="", exclusive=False, kinds=kinds, promises=Promises()
    )
    with Scripted(crowd) as server:
        async with open_target(replace(target, base_url=server.base_url), "run") as live:
            crowd.refuses = latest(crowd)
            execution, _ = await live.execute(program)
    assert crowd.hurt == []
    assert execution.unraced is None or execution.unraced.why is UnracedReason.UNBOUND
    assert not [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.live
@pytest.mark.anyio
async def test_a_check_reads_before_it_changes() -> None:
    crowd = Crowd(random.Random(0))
    crowd.refuses = latest(crowd)
    with Scripted(crowd) as server:
        target = Target("x", opencode.WIRE, base_url=server.base_url, exclusive=False)
        steps = await dry_run(target, server.base_url, "run")
    assert crowd.hurt == []
    assert any(step.wrong for step in steps)


@pytest.mark.live
@pytest.mark.anyio
async def test_the_id_of_a_session_that_was_there_before_is_part_of_the_trial_that_gets_it() -> (
    None
):
    crowd = Crowd(random.Random(0), foreign=(), again=True)
    crowd.theirs()
    promises = Promises(ids=IdPromise.REUSED)
    target = Target("x", opencode.WIRE, promises=promises)
    with Scripted(crowd) as server:
        ownership = Ownership("run", alone=True, again=True)
        async with Executor(server.base_url, target, ownership) as running:
            await running.look_around()
            crowd.stored.clear()  # its owner deletes it
            done = await running.run(Program((((Create(A),),),)))
    assert dict(done.sessions) == {A: "ses_made1"}
    assert isinstance(check(done.history, promises), Linearizable)
    assert crowd.stored == {}
