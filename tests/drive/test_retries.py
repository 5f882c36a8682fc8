"""The handshake's patience: what is asked again, how late, and what the answers come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from deadheat.drive.retries import Retries
from deadheat.model.hiccups import Hiccup
from deadheat.model.history import (
    REFUSED,
    Absent,
    Created,
    Deleted,
    Exists,
    Fail,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Outcome,
    Undeclared,
    Unknown,
)
from deadheat.report.words import hiccups_text

pytestmark = pytest.mark.anyio
LIST = Invocation(Kind.LIST)
CREATE = Invocation(Kind.CREATE, title="x")
NAMED = Invocation(Kind.CREATE, "deadheat-run-0-x", "x")
DELETE = Invocation(Kind.DELETE, "ses_a")
BUSY = Info(Unknown.SERVER_ERROR)
GOOD = Ok(Listed(()))


@dataclass
class Client:
    latest: tuple[int, str | None] | None = None


async def asked(
    invocation: Invocation, *outcomes: Outcome, latest: tuple[int, str | None] | None = None
) -> tuple[Outcome, list[float], Retries]:
    """What came of it, and the pauses."""
    pauses: list[float] = []
    left = list(outcomes)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def send() -> Outcome:
        return left.pop(0)

    patience = Retries(sleep)
    outcome = await patience.ask(Client(latest), invocation, send)
    assert left == []
    return outcome, pauses, patience


@pytest.mark.parametrize(
    "hiccup",
    [
        BUSY,
        Info(Unknown.UNCLEAR),
        Info(Unknown.RESET),
        Fail(REFUSED),
        Fail("ConnectError"),
        Fail("NeverSent"),
        Ok(Undeclared(429)),
        Ok(Undeclared(408)),
    ],
)
async def test_what_may_pass_is_asked_again(hiccup: Outcome) -> None:
    outcome, pauses, patience = await asked(LIST, hiccup, hiccup, GOOD)
    assert outcome == GOOD
    assert len(pauses) == len(patience.met) == 2
    assert pauses == sorted(pauses)


@pytest.mark.parametrize(
    "outcome",
    [
        GOOD,
        Ok(Undeclared(404)),
        Ok(Undeclared(401)),
        Ok(Undeclared(307)),
        Info(Unknown.TIMEOUT),
        Info(Unknown.GARBLED),
    ],
)
async def test_what_would_come_again_is_not(outcome: Outcome) -> None:
    assert (await asked(LIST, outcome))[:2] == (outcome, [])


async def test_it_ends() -> None:
    outcome, pauses, patience = await asked(LIST, *[BUSY] * 4)
    assert outcome == BUSY
    assert (len(pauses), patience.tries) == (3, 4)
    assert sum(pauses) < 2


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [
        ("2", 2.0),
        ("0", 0.1),
        ("100000", 5.0),
        ("9" * 5_000, 5.0),
        ("soon", 0.1),
        ("-3", 0.1),
        ("١", 0.1),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.1),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.1),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 0.1),
        pytest.param(
            format_datetime(datetime.now(UTC) + timedelta(days=1)), 5.0, id="tomorrow"
        ),  # a name of its own: every process of a run must see the same tests
    ],
)
async def test_it_waits_as_the_server_says_within_bounds(said: str, waits_s: float) -> None:
    _, pauses, _ = await asked(LIST, BUSY, GOOD, latest=(503, said))
    assert pauses == [waits_s]


@pytest.mark.parametrize(
    ("invocation", "outcomes", "wanted"),
    [
        (DELETE, (BUSY, Ok(Absent())), Ok(Deleted())),
        (DELETE, (Fail(REFUSED), Ok(Absent())), Ok(Absent())),
        (NAMED, (BUSY, Ok(Exists())), Ok(Created("deadheat-run-0-x"))),
        (NAMED, (Fail(REFUSED), Ok(Exists())), Ok(Exists())),
        (CREATE, (BUSY, Ok(Created("ses_b"))), Ok(Created("ses_b"))),
    ],
)
async def test_what_nobody_knows_about_may_have_been_done(
    invocation: Invocation, outcomes: tuple[Outcome, ...], wanted: Outcome
) -> None:
    outcome, _, patience = await asked(invocation, *outcomes)
    assert outcome == wanted
    assert patience.lost_a_create is (invocation is CREATE)


def test_it_is_told_in_words() -> None:
    assert hiccups_text([]) is None
    said = hiccups_text(
        [
            Hiccup(Kind.LIST, 503, "server-error"),
            Hiccup(Kind.LIST, 503, "server-error"),
            Hiccup(Kind.CREATE, None, "ConnectError"),
        ]
    )
    assert said == (
        "before anything raced, list answered 503 2 times, "
        "create got no answer (ConnectError); it was asked again"
    )
