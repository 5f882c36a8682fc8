"""A call through the one sender: permitted, held once, paid for, understood, told to Ownership."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import anyio
import httpx
import pytest
from tests import opencode

from deadheat.drive.client import ApiClient
from deadheat.drive.masking import Mask
from deadheat.drive.ownership import Ownership
from deadheat.drive.retries import Retries
from deadheat.drive.target import Target
from deadheat.errors import ForeignSession
from deadheat.model.history import (
    Created,
    Deleted,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Unknown,
)

if TYPE_CHECKING:
    from deadheat.drive.wire.gate import Gate
    from deadheat.drive.wire.lane import LaneClient

LIST, GET = Invocation(Kind.LIST), Invocation(Kind.GET, "ses_1")
HELD = (cast("Gate", object()), 0)


@dataclass(slots=True)
class FakeLane:
    """Answers what the test writes, one answer a request."""

    answers: list[httpx.Response | httpx.RequestError]
    sent: list[tuple[str, str, object]] = field(default_factory=list)
    may_have_reached: bool = True
    latest: tuple[int, str | None] | None = None

    async def send(
        self, method: str, path: str, _body: bytes | None, held: object = None
    ) -> tuple[httpx.Response, int, int]:
        self.sent.append((method, path, held))
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.RequestError):
            self.latest = None
            raise answer
        self.latest = (answer.status_code, None)
        return answer, 10 * len(self.sent), 10 * len(self.sent) + 5


class Counted(ApiClient):
    """Counts what is paid for."""

    paid = 0

    async def afford(self, requests: int) -> None:
        self.paid += requests


def client(ownership: Ownership | None = None, mask: Mask | None = None) -> Counted:
    target = Target("x", opencode.WIRE, mask=mask or Mask(), max_rps=1e9)
    return Counted(target, "http://127.0.0.1:9", ownership or Ownership("1a2b"))


def lane(*answers: httpx.Response | httpx.RequestError) -> tuple[FakeLane, LaneClient]:
    one = FakeLane(list(answers))
    return one, cast("LaneClient", one)


def session(status: int = 200, title: str = "t") -> httpx.Response:
    return httpx.Response(status, json={"id": "ses_1", "title": title})


def test_what_is_not_ours_is_refused_before_it_is_sent() -> None:
    fake, through = lane(session())
    api = client()
    with pytest.raises(ForeignSession):
        anyio.run(api.call, through, Invocation(Kind.DELETE, "ses_1"))
    assert (fake.sent, api.requests, api.paid) == ([], 0, 0)


def test_a_reply_has_the_outcome_the_interval_and_the_answer() -> None:
    _, through = lane(session())
    reply = anyio.run(client().call, through, GET)
    assert reply.outcome == Ok(Found("t"))
    assert (reply.call_ns, reply.return_ns, reply.status) == (10, 15, 200)
    assert isinstance(reply.answer, httpx.Response)


def test_what_a_create_made_is_ours_and_what_failed_is_not_known() -> None:
    ownership = Ownership("1a2b")
    api = client(ownership)
    _, through = lane(session(), httpx.ReadError("reset"), httpx.ConnectError("refused"))
    made = anyio.run(api.call, through, ownership.create(0, "a"))
    assert made.outcome == Ok(Created("ses_1"))
    assert ownership.owns("ses_1")
    lost = anyio.run(api.call, through, ownership.create(0, "b"))
    assert isinstance(lost.outcome, Info)
    assert lost.outcome.reason is Unknown.RESET
    assert (lost.return_ns, lost.status, type(lost.answer)) == (None, None, httpx.ReadError)
    assert ownership.in_doubt
    refused = anyio.run(api.call, through, LIST)
    assert isinstance(refused.outcome, Fail)


def test_only_the_first_of_several_requests_is_held_and_each_is_paid_for() -> None:
    onward = httpx.Response(307, headers={"location": "/v2/session/ses_1"})
    for races, paid in ((False, 2), (True, 0)):
        fake, through = lane(onward, session())
        api = client()

        async def call(api: Counted = api, races: bool = races, to: LaneClient = through) -> None:
            reply = await api.call(to, GET, HELD, races=races)
            assert (reply.call_ns, reply.return_ns) == (10, 25)

        anyio.run(call)
        assert [held for *_, held in fake.sent] == [HELD, None]
        assert (api.requests, api.paid) == (2, paid)


def test_a_secret_is_in_no_outcome() -> None:
    _, through = lane(session(title="a secret-of-ours"))
    reply = anyio.run(client(mask=Mask.of(("secret-of-ours",))).call, through, GET)
    assert "secret-of-ours" not in str(reply.outcome)


def test_patience_asks_again_and_gives_the_last_reply() -> None:
    async def at_once(_seconds: float) -> None:
        pass

    fake, through = lane(httpx.Response(503), httpx.Response(200, json=[]))
    reply = anyio.run(client().ask_patiently, Retries(at_once), through, LIST)
    assert reply.outcome == Ok(Listed(()))
    assert reply.status == 200
    assert len(fake.sent) == 2


def test_a_delete_that_may_have_been_done_is_looked_for_and_not_sent_again() -> None:
    async def at_once(_seconds: float) -> None:
        pass

    ownership = Ownership("1a2b")
    ownership.adopt("ses_1")
    fake, through = lane(httpx.ReadError("reset"), httpx.Response(404))
    delete = Invocation(Kind.DELETE, "ses_1")
    reply = anyio.run(client(ownership).ask_patiently, Retries(at_once), through, delete)
    assert reply.outcome == Ok(Deleted())
    assert [method for method, *_ in fake.sent] == ["DELETE", "GET"]
    assert isinstance(reply.answer, httpx.ReadError)  # to the delete itself there was none
