"""Before anything races: do ids come back where others are, and is what was written shown?"""

from __future__ import annotations

import random
import secrets
from dataclasses import replace

import anyio
import pytest
import trio
from tests import opencode
from tests.drive.test_ownership import Neighbour
from tests.programs import TWO_DELETES
from tests.servers.crowd import Crowd
from tests.servers.scripted import Asked, Says, Scripted
from trio.testing import MockClock

from deadheat.drive.checkup import dry_run
from deadheat.drive.draft import Draft, Sent
from deadheat.drive.handshake import IdLooks, IdReuse, judge_ids, look_for_ids
from deadheat.drive.live import open_target
from deadheat.drive.ownership import Ownership
from deadheat.drive.probe import probe
from deadheat.drive.target import PLAIN, Target
from deadheat.errors import NotThisApi
from deadheat.model.history import Invocation, Kind, Outcome
from deadheat.model.promises import IdPromise, ListPromise, Promises, UpdatePromise

on_loop = pytest.mark.anyio


def numbers(*ids: int) -> tuple[str, ...]:
    return tuple(map(str, ids))


@pytest.mark.parametrize(
    ("looked", "ids"),
    [
        (IdLooks(("7",), 0), None),
        (IdLooks(numbers(7, 8), 1), None),
        (IdLooks(numbers(7, 8, 9, 10, 11, 12), 2), None),  # somebody else was busy in one of them
        (IdLooks(numbers(7, 8, 9, 10, 11, 12), 3), IdReuse.ONCE),
        (IdLooks(("cart-9", "cart-10", "cart-99", "cart-100"), 3), IdReuse.ONCE),
        (IdLooks(numbers(7, 7), 1), IdReuse.AGAIN),
        (IdLooks(numbers(7, 8, 9, 7), 1), IdReuse.AGAIN),
        (IdLooks(numbers(7, 8), 1, came_back=True), IdReuse.AGAIN),
        (
            IdLooks(numbers(8271, 1840, 5533, 9072, 4100, 6621), 3),
            IdReuse.UNKNOWN,
        ),  # four digits drawn
        (IdLooks(("ses_0af3b2c41d", "ses_9ce07712ab"), 0), IdReuse.ONCE),
        (
            IdLooks(
                (
                    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                ),
                0,
            ),
            IdReuse.ONCE,
        ),
    ],
)
def test_what_ids_show(looked: IdLooks, ids: IdReuse | None) -> None:
    assert judge_ids(looked) is ids


def at(
    server: Scripted, promises: Promises | None = None, *, alone: bool = False, said: bool = False
) -> Target:
    return Target(
        "x",
        opencode.WIRE,
        base_url=server.base_url,
        exclusive=alone,
        unique_ids=said,
        kinds=PLAIN | {Kind.RENAME},
        promises=promises or Promises(),
    )


async def refusal(target: Target) -> str:
    """What the handshake says; it must refuse."""
    with pytest.raises(NotThisApi) as caught:
        async with open_target(target, "ab12cd"):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("after", ["", "DELETE", "POST", "GET", "PATCH"])
async def test_where_ids_come_back_among_others_nothing_races(after: str) -> None:
    crowd = Crowd(random.Random(0), again=True)
    Neighbour(crowd, after)
    with Scripted(crowd) as server:
        said = await refusal(at(server))
    assert "exclusive = true" in said
    assert crowd.hurt == []
    assert not [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.live
@on_loop
async def test_where_ids_are_said_to_come_back_among_others_nothing_is_changed() -> None:
    crowd = Crowd(random.Random(0), again=True)
    with Scripted(crowd) as server:
        assert "exclusive = true" in await refusal(at(server, Promises(ids=IdPromise.REUSED)))
    assert {asked.method for asked in server.asked} <= {"GET"}


@pytest.mark.live
@on_loop
async def test_what_cannot_be_seen_can_be_said() -> None:
    crowd = Crowd(random.Random(0))  # its ids rise, and never come back
    with Scripted(crowd) as server:
        async with open_target(at(server), "ab12cd") as live:
            await live.execute(TWO_DELETES)
        Neighbour(crowd, "DELETE")  # in each look: too busy for one
        assert 'ids = "unique"' in await refusal(at(server))
        async with open_target(at(server, said=True), "ab12cd") as live:
            await live.execute(TWO_DELETES)
    assert crowd.hurt == []


@pytest.mark.live
@on_loop
async def test_what_was_said_of_ids_and_is_not_so_ends_the_run() -> None:
    crowd = Crowd(random.Random(0), again=True)
    with Scripted(crowd) as server:
        async with open_target(at(server, said=True), "ab12cd") as live:
            with pytest.raises(NotThisApi, match="exclusive = true"):
                await live.execute(TWO_DELETES)
    assert crowd.hurt == []


@pytest.mark.live
@on_loop
async def test_on_a_server_of_ones_own_an_id_that_comes_back_is_a_weaker_promise() -> None:
    for again, ids in ((True, IdPromise.REUSED), (False, IdPromise.UNIQUE)):
        crowd = Crowd(random.Random(0), foreign=(), again=again)
        with Scripted(crowd) as server:
            async with open_target(at(server, alone=True), "ab12cd") as live:
                assert live.promises.ids is ids
                await live.execute(TWO_DELETES)
        assert crowd.stored == {}


KEPT = {
    "cut": lambda title: title[:20],
    "cut late": lambda title: title[:30],  # the titles of the first trials are no longer
    "upper": str.upper,
    "none": lambda _title: "untitled",
}


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("kept", KEPT)
async def test_titles_that_are_not_kept_are_said_with_the_line_to_write(
    kept: str, alone: bool
) -> None:
    crowd = Crowd(random.Random(0), foreign=(), keeps=KEPT[kept])
    with Scripted(crowd) as server:
        said = await refusal(at(server, alone=alone))
        assert 'update = "none"' in said
        # A title without a word of ours may be somebody else's session: it is named, and left.
        left = {} if alone or kept != "none" else {"ses_made1": "untitled"}
        assert crowd.stored == left
        assert ("ses_made1 was left alone" in said) is bool(left)
        crowd.stored.clear()
        nothing = Promises(update=UpdatePromise.NONE)
        async with open_target(at(server, nothing, alone=alone), "ab12cd") as live:
            await live.execute(TWO_DELETES)
    assert crowd.stored == {}


@pytest.mark.live
@on_loop
async def test_titles_that_are_trimmed_are_kept() -> None:
    crowd = Crowd(random.Random(0), foreign=(), keeps=lambda title: " ".join(title.split()).lower())
    with Scripted(crowd) as server:
        async with open_target(at(server, alone=True), secrets.token_hex(3)) as live:
            await live.execute(TWO_DELETES)


@pytest.mark.live
@on_loop
async def test_a_rename_that_is_not_shown_is_said() -> None:
    crowd = Crowd(random.Random(0))
    crowd.refuses = lambda asked: (
        Says(body={"id": asked.path.rpartition("/")[2]}) if asked.method == "PATCH" else None
    )
    with Scripted(crowd) as server:
        assert "calls.get.title" in await refusal(at(server))
    assert set(crowd.stored) == set(crowd.foreign)


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("when", ["POST", "PATCH"])
async def test_what_is_garbled_once_there_is_something_is_said(when: str) -> None:
    """A list that has an entry, and a get of what was given another title."""
    asked_of: set[str] = set()

    def garble(asked: Asked) -> Says | None:
        asked_of.add(asked.method)
        lists = asked.path.partition("?")[0] == "/session"
        if asked.method != "GET" or when not in asked_of or lists is (when == "PATCH"):
            return None
        return Says(raw=b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n<>")

    crowd = Crowd(random.Random(0), foreign=())
    with Scripted(crowd) as server:
        crowd.refuses = garble
        said = await refusal(at(server, alone=True))
    assert f"Correct the places in calls.{'list' if when == 'POST' else 'get'}" in said
    assert crowd.stored == {}


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("late", ["made", "deleted"])
async def test_a_server_that_is_late_is_told_of_settle(late: str) -> None:
    """It shows what was just made as not there, or what was just deleted as there."""
    gone: dict[str, str] = {}

    def answer(asked: Asked) -> Says | None:
        session = asked.path.partition("?")[0].rpartition("/")[2]
        if asked.method == "DELETE":
            gone[session] = crowd.stored.get(session, "")
        if asked.method != "GET" or session == "session":
            return None
        if late == "made":
            return Says(404, {})
        return Says(body={"id": session, "title": gone[session]}) if session in gone else None

    crowd = Crowd(random.Random(0), foreign=(), refuses=answer)
    with Scripted(crowd) as server:
        assert "write settle at the top of the profile" in await refusal(at(server, alone=True))


@pytest.mark.live
@on_loop
async def test_a_list_that_does_not_show_what_was_made_is_said() -> None:
    crowd = Crowd(random.Random(0), shows=10)
    with Scripted(crowd) as server:
        said = await refusal(at(server))
        assert "calls.list.pages" in said
        assert "settle" in said
        assert set(crowd.stored) == set(crowd.foreign)
        late = replace(at(server), promises=Promises(list=ListPromise.EVENTUAL))
        async with open_target(late, "ab12cd"):
            pass


@pytest.mark.live
@on_loop
async def test_a_list_that_shows_the_id_in_another_case_is_said() -> None:
    class Shouting(Crowd):
        def _paged(self, path: str) -> list[dict[str, str]]:
            return [
                {**one, "id": one["id"].replace("made", "MADE")} for one in super()._paged(path)
            ]

    crowd = Shouting(random.Random(0), foreign=())
    with Scripted(crowd) as server:
        said = await refusal(at(server, alone=True))
    assert "'ses_MADE1', where create answered 'ses_made1'" in said
    assert "pages" not in said


DRAFT = Draft(
    "sessions",
    create=Sent("POST", "/session", {"title": "{title}"}),
    get=Sent("GET", "/session/{id}"),
    list=Sent("GET", "/session"),
    delete_one=Sent("DELETE", "/session/{id}"),
    rename=Sent("PATCH", "/session/{id}", {"title": "{title}"}),
    title="title",
)


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("after", ["", "DELETE", "POST", "GET", "PATCH"])
async def test_a_draft_changes_only_what_it_made(after: str) -> None:
    crowd = Crowd(random.Random(0), again=True)
    Neighbour(crowd, after)
    with Scripted(crowd) as server:
        draft, _ = await probe(server.base_url, DRAFT, "ab12cd", 5.0)
    assert crowd.hurt == []
    assert draft.delete == ""  # a second one could have been about somebody else's session
    assert not [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.live
@on_loop
async def test_a_draft_learns_of_a_second_delete_where_ids_do_not_come_back() -> None:
    crowd = Crowd(random.Random(0))
    with Scripted(crowd) as server:
        draft, _ = await probe(server.base_url, DRAFT, "ab12cd", 5.0)
    assert (draft.delete, draft.reused) == ("exactly-once", False)
    assert set(crowd.stored) == set(crowd.foreign)


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("after", ["", "DELETE", "POST", "GET", "PATCH"])
async def test_a_check_changes_only_what_it_made(after: str) -> None:
    crowd = Crowd(random.Random(0), again=True)
    Neighbour(crowd, after)
    with Scripted(crowd) as server:
        steps = await dry_run(at(server), server.base_url, "ab12cd")
    assert crowd.hurt == []
    assert "exclusive = true" in steps[-1].wrong
    assert not [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.live
@on_loop
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("again", [True, False])
async def test_a_delete_that_met_a_hiccup_is_sent_again_only_where_it_did_nothing(
    again: bool, done: bool
) -> None:
    crowd = Crowd(random.Random(0), again=again)
    met = 0

    def hiccup(asked: Asked) -> Says | None:
        nonlocal met
        met += asked.method == "DELETE"
        if asked.method != "DELETE" or met > 1:
            return None
        if done:
            crowd.stored.pop(asked.path.partition("?")[0].rpartition("/")[2])
            crowd.theirs()  # who gets the id, where ids come back
        return Says(503, {"name": "Busy"})

    crowd.refuses = hiccup
    with Scripted(crowd) as server:
        if again:
            assert "exclusive = true" in await refusal(at(server))
        else:
            async with open_target(at(server), "ab12cd") as live:
                await live.execute(TWO_DELETES)
    assert met
    assert crowd.hurt == []
    assert not [title for title in crowd.stored.values() if title.startswith("deadheat ")]


@pytest.mark.live
@on_loop
async def test_a_draft_writes_no_place_of_items_where_the_list_is_the_answer() -> None:
    with Scripted(Crowd(random.Random(0))) as server:
        draft, rows = await probe(server.base_url, DRAFT, "ab12cd", 5.0)
    assert draft.items_at == ""
    written = [row.written for row in rows if row.asked == "list again"]
    assert written == ['id = "id", title = "title"']


@pytest.mark.live
@on_loop
@pytest.mark.parametrize(
    "says",
    [
        Says(503, {}),
        Says(raw=b"HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"),
        Says(raw=b"", close=True),
    ],
    ids=["503", "429", "closed"],
)
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done all the same"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_a_draft_is_patient_with_one_hiccup(method: str, done: bool, says: Says) -> None:
    met: list[Asked] = []

    def hiccup(asked: Asked) -> Says | None:
        if asked.method != method or met:
            return None
        met.append(asked)
        if done:
            crowd(asked)
        return says

    crowd = Crowd(random.Random(0), refuses=hiccup)
    with Scripted(crowd) as server:
        draft, rows = await probe(server.base_url, DRAFT, "ab12cd", 5.0)
    assert met
    assert draft.unsure == ()
    assert (draft.delete, draft.rename is not None) == ("exactly-once", True)
    assert any("when asked 2 times" in row.answered for row in rows)
    assert set(crowd.stored) == set(crowd.foreign)


@pytest.mark.live
@on_loop
async def test_a_draft_follows_redirects_on_the_same_server() -> None:
    crowd = Crowd(random.Random(0))

    def answer(asked: Asked) -> Says:
        path, _, query = asked.path.partition("?")
        if not path.startswith("/v2"):
            to = f"/v2{path}{'?' if query else ''}{query}"
            told = f"HTTP/1.1 308 X\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
            return Says(raw=told.encode())
        return crowd(replace(asked, path=asked.path.removeprefix("/v2")))

    with Scripted(answer) as server:
        draft, _ = await probe(server.base_url, DRAFT, "ab12cd", 5.0)
    assert (draft.unsure, draft.delete) == ((), "exactly-once")
    assert crowd.made >= 2
    assert set(crowd.stored) == set(crowd.foreign)


def test_two_that_look_at_once_in_step_each_get_their_look() -> None:
    """Two workers with one limit of requests: neither's look is quiet while both go on."""
    random.seed(0)
    crowd = Crowd(random.Random(0))
    seen: list[IdReuse] = []

    async def works(run: str, begins_s: float) -> None:
        ownership = Ownership(run)

        async def ask(invocation: Invocation) -> Outcome:
            await anyio.sleep(0.05)
            ownership.permit(invocation)
            request = opencode.WIRE.encode(invocation)
            says = crowd(Asked(0, request.method, request.path, request.body or b"", 0, 0))
            body = says.encoded().partition(b"\r\n\r\n")[2]
            outcome = opencode.WIRE.decode(invocation, says.status, body)
            ownership.answered(invocation, outcome)
            return outcome

        await anyio.sleep(begins_s)
        seen.append(await look_for_ids(ask, ownership))

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(works, "ab12cd", 0.0)
            tasks.start_soon(works, "cd34ef", 0.02)

    trio.run(both, clock=MockClock(autojump_threshold=0))
    assert seen == [IdReuse.ONCE, IdReuse.ONCE]
    assert crowd.hurt == []
    assert set(crowd.stored) == set(crowd.foreign)
