"""The animals of the raw server: each is the same collection with one nasty but legal habit.

Rule: correct is each of them for one reason: one event loop, and each call takes effect in one step
of it (``carts``). ``because`` is said only where that is not all.
"""

from __future__ import annotations

import random
import uuid
from functools import partial
from typing import Any

from tests.zoo.animal import (
    CLOSE_WITH_A_BODY,
    Animal,
    Framing,
    Habits,
    Refusing,
    Ruling,
    Table,
    Where,
    every,
    merged,
)
from tests.zoo.carts import (
    Acts,
    ByTitle,
    Carts,
    Crowded,
    Few,
    Gradual,
    Lagging,
    LateReused,
    Lowest,
    OtherCase,
    Paged,
    Reused,
    Soft,
    Vague,
)

ONE_STEP = "one event loop, each call takes effect in one step of it"
# Declared, and used up: less would only make the tests longer.
_LAG_MS = 60
_SETTLES: Table = {"settle": f"{_LAG_MS}ms"}


def _way(name: str, habit: str, **more: Any) -> Animal:
    """An animal whose habit is how its answers travel."""
    known = {key: more.pop(key) for key in _OF_ANIMAL & set(more)}
    known.setdefault("carts", Carts)
    known.setdefault("because", ONE_STEP)
    return Animal(name, habit, habits=Habits(**more), **known)


_OF_ANIMAL = set(Animal.__dataclass_fields__) - {"habits"}


def _kind(name: str, habit: str, carts: Any, **more: Any) -> Animal:
    """An animal whose habit is what its calls mean."""
    more.setdefault("because", ONE_STEP)
    return Animal(name, habit, carts=carts, **more)


def _ids(spelling: str) -> Any:
    return partial(Carts, ids=spelling.format)


def _either_case(n: int) -> str:
    return f"Cart-{n // 2}x" if n % 2 else f"cArt-{n // 2}X"


def _in_no_order(n: int) -> str:
    return f"cart{n * 7_919 % 99_991}"  # a prime: none comes back, and no few of them show it


def _drawn(n: int) -> str:
    return str(uuid.UUID(int=random.Random(n).getrandbits(128)))


def _pages(**table: Any) -> Table:
    return {"calls": {"list": {"pages": table}}}


_BY_PUT: Table = {
    "calls": {
        "create": {"request": "PUT /carts/{id}", "id": None, "exists": [409]},
    }
}
_READ_FROM_ITEMS: Table = {"calls": {"list": {"items": "$.items[?@.state=='open']"}}}

WILD: tuple[Animal, ...] = (
    _way("plain", "none: what all the others are measured by"),
    # -- time
    _way("slow", "up to 20 ms before and 20 ms after the step", before_ms=20, after_ms=20),
    _way(
        "rarely-very-slow",
        "one call in 300 takes a second",
        rare=(1 / 300, 1_000),
        long=500,
    ),
    _way(
        "thirty-seconds",
        "one call in 500 takes 30 s; the time-out declared is a minute",
        rare=(1 / 500, 30_000),
        declares={"timeout": "60s"},
        short=4,  # the quality form meets it
        races=0.25,  # of four programs
        long=150,
    ),
    # -- connections
    _way("says-close", "Connection: close with every answer", says_close=True),
    _way("closes-at-random", "after 3 answers of 10 the connection ends, unsaid", closes=0.3),
    _way("closes-always", "the connection ends after each answer, unsaid", closes=1.0),
    _way("impatient", "an idle connection ends after 1 to 10 ms", idle_ms=10),
    _way("five-each", "a connection is good for five answers", serves=5),
    _way(
        "restarts",
        "gone for 50 ms and back after 150 answers, and nothing is lost",
        restarts=150,
        because="as plain; a call that broke off was done or not, and is answered by nobody",
    ),
    _way("ipv6", "listens on ::1", where=Where.IPV6),
    _way("unix-socket", "listens on a unix socket", where=Where.UNIX),
    _way("tls", "speaks TLS", where=Where.TLS),
    # -- the answer's bytes
    _way(
        "http-1.0",
        "answers as HTTP/1.0, no length, then closes",
        version="1.0",
        framing=Framing.CLOSE,
    ),
    _way("until-close", "HTTP/1.1 without a length: the end is the end", framing=Framing.CLOSE),
    _way("chunked", "chunks of 7 bytes with extensions, and a trailer", framing=Framing.CHUNKED),
    _way("interim", "100 and 103 before every answer", interim=(100, 103)),
    _way("gzip", "every body is compressed, asked or not", gzip=True),
    _way("drips", "answers in pieces of 10 bytes", piece=10),
    _way("shouts", "odd case, white space and unknown headers; no reason phrase", shouts=True),
    _way("redirects-307", "every request is sent elsewhere on the same host (307)", redirects=307),
    _way("redirects-308", "the same, permanently (308)", redirects=308),
    _way("lingers", "the handler goes on for up to 10 ms after its answer", lingers_ms=10),
    # -- when the handler acts
    _kind(
        "acts-on-head",
        "looks and deletes when the head is in, answers when the body is",
        partial(Carts, acts=Acts.HEAD),
        declares=CLOSE_WITH_A_BODY,
    ),
    _kind(
        "acts-on-half",
        "looks and deletes when half of the body is in",
        partial(Carts, acts=Acts.HALF),
        declares=CLOSE_WITH_A_BODY,
    ),
    _kind(
        "answers-early",
        "deletes and answers before the body is read",
        partial(Carts, acts=Acts.HEAD, early=True),
        declares=CLOSE_WITH_A_BODY,
    ),
    _way(
        "acts-on-head-slowly",
        "the same as acts-on-head, up to 5 ms before and after",
        carts=partial(Carts, acts=Acts.HEAD),
        before_ms=5,
        after_ms=5,
        declares=CLOSE_WITH_A_BODY,
    ),
    # -- refusals
    _way(
        "busy-503",
        "503 while more than two are in flight",
        refusing=Refusing(503, over=2),
        declares=every(refused=[503]),
    ),
    _way(
        "limits-429",
        "429 for one call in ten",
        refusing=Refusing(429, share=0.1),
        declares=every(refused=[429]),
    ),
    _way(
        "conflicts-409",
        "409 for one call in five",
        refusing=Refusing(409, share=0.2),
        declares=every(refused=[409]),
        races=0.3,
    ),
    _way(
        "hiccup-503",
        "503 for the first call of each method",
        refusing=Refusing(503, first=1),
        declares=every(refused=[503]),
    ),
    _way(
        "hiccup-429",
        "429 for the first two calls of each method",
        refusing=Refusing(429, first=2),
        declares=every(refused=[429]),
    ),
    _way(
        "unsure-503",
        "503 for one call in ten, declared as unknown",
        refusing=Refusing(503, share=0.1),
        declares=every(unknown=[503]),
    ),
    # -- ids
    _kind("ids-spaces", "ids with spaces", _ids("my cart {}")),
    _kind("ids-slashes", "ids with slashes and what looks like an escape", _ids("a/b/{}%2f..")),
    _kind("ids-unicode", "ids beyond ASCII", _ids("корзина-{}-🛒-é")),
    _kind("ids-queries", "ids with ?, #, &, + and ;", _ids("a?b={}&c#d+e;f")),
    _kind("ids-numbers", "ids are JSON numbers", partial(Carts, ids="{}".format, numbers=True)),
    _kind(
        "ids-either-case",
        "ids that differ by nothing but their case",
        partial(Carts, ids=_either_case),
    ),
    _kind(
        "ids-other-case",
        "lists show the ids in capitals, and any case will do",
        partial(OtherCase, ids="cart-{}".format),
        ruling=Ruling.REFUSED,
    ),
    _kind("ids-long", "ids of 500 characters", _ids("x" * 490 + "{:010}")),
    # -- ids that come back
    _kind(
        "ids-again",
        "one more than the largest id, which comes back when it is free",
        Reused,
        declares={"promises": {"ids": "reused"}},
    ),
    _kind(
        "ids-lowest",
        "the lowest number that is free",
        partial(Lowest, ids="{}".format),
        declares={"promises": {"ids": "reused"}},
    ),
    _kind(
        "ids-again-others",
        "ids come back, and somebody else uses the server",
        Reused,
        habits=Habits(others=True),
        declares={"promises": {"ids": "reused"}},
        exclusive=False,
        ruling=Ruling.REFUSED,
    ),
    _kind(
        "ids-again-unsaid",
        "the same, and the profile does not say so",
        Reused,
        habits=Habits(others=True),
        exclusive=False,
        ruling=Ruling.REFUSED,
        because=f"{ONE_STEP}; what the profile leaves out is not true here, and must be noticed",
    ),
    _kind(
        "others",
        "somebody else makes and deletes carts all the time",
        Carts,
        habits=Habits(others=True),
        declares={"promises": {"ids": "unique"}},
        exclusive=False,
    ),
    _kind(
        "others-unsaid",
        "the same, ids are short and in no order, and nobody says that none comes back",
        partial(Carts, ids=_in_no_order),
        habits=Habits(others=True),
        exclusive=False,
        ruling=Ruling.REFUSED,
    ),
    _kind(
        "others-uuid",
        "the same, and nobody could be given an id again",
        partial(Carts, ids=_drawn),
        habits=Habits(others=True),
        exclusive=False,
    ),
    _kind(
        "crowded",
        "five hundred carts of others were there before",
        Crowded,
        declares={"promises": {"ids": "unique"}},
        exclusive=False,
    ),
    _kind(
        "three-at-most",
        "409 to a create while there are three",
        Few,
        declares={"calls": {"create": {"refused": [409]}}},
    ),
    _kind(
        "vague",
        "400 or 409 for what is not there",
        Vague,
        declares={"promises": {"status-on-absent": "any"}},
    ),
    _kind("put", "clients choose the ids", Carts, declares=_BY_PUT),
    # -- titles
    _kind(
        "titles-trimmed",
        "white space in titles goes",
        partial(Carts, title=lambda text: "".join(text.split())),
        ruling=Ruling.REFUSED,
    ),
    _kind(
        "titles-cut",
        "titles are cut at 20 characters",
        partial(Carts, title=lambda text: text[:20]),
        ruling=Ruling.REFUSED,
    ),
    _kind(
        "titles-upper",
        "titles are upper-cased",
        partial(Carts, title=str.upper),
        ruling=Ruling.REFUSED,
    ),
    _kind(
        "titles-upper-told",
        "titles are upper-cased, and the profile says that they are not to be looked at",
        partial(Carts, title=str.upper),
        declares={"promises": {"update": "none"}},
    ),
    _kind(
        "one-a-title-409",
        "one cart a title; the second create is told that it exists",
        partial(ByTitle, twice=409),
        declares={
            "calls": {"create": {"exists": [409]}, "rename": None},
            "promises": {"create": "exactly-once"},
        },
    ),
    _kind(
        "one-a-title-200",
        "one cart a title; the second create gets the first one's id",
        partial(ByTitle, twice=200),
        declares={"calls": {"rename": None}, "promises": {"create": "idempotent"}},
    ),
    # -- pages
    _kind(
        "pages-cursor",
        "pages of two by a cursor, while things change",
        partial(Paged, way="cursor"),
        declares=merged(
            _pages(cursor="more", parameter="after"), {"promises": {"list": "per-session"}}
        ),
    ),
    _kind(
        "pages-offset",
        "pages of two by offset: entries move from page to page",
        partial(Paged, way="offset"),
        declares=_pages(offset="offset", size=2),
    ),
    _kind(
        "pages-number",
        "pages of two by number",
        partial(Paged, way="page"),
        declares=_pages(page="page", size=2),
    ),
    _kind(
        "pages-next",
        "each page names the next one's address",
        partial(Paged, way="next"),
        declares=_pages(next="more"),
    ),
    _kind(
        "pages-link",
        "each page names the next one in its Link header",
        partial(Paged, way="link"),
        declares=_pages(link=True),
    ),
    _kind(
        "lists-gradual",
        "a list reads one cart after the other",
        Gradual,
        declares={"promises": {"list": "per-session"}},
        because=f"{ONE_STEP}; a list looks at each cart in one step",
    ),
    # -- late
    _kind(
        "lists-lag",
        f"lists are up to {_LAG_MS} ms behind, half of them by all of it",
        partial(Lagging, lag_ms=_LAG_MS, late=("list",)),
        declares=merged(_SETTLES, {"promises": {"list": "eventual"}}),
        because=f"{ONE_STEP}; what a list shows is never older than the settle time",
    ),
    _kind(
        "reads-lag",
        f"all reads are up to {_LAG_MS} ms behind; reads are declared eventual",
        partial(Lagging, lag_ms=_LAG_MS),
        declares=merged(_SETTLES, {"promises": {"reads": "eventual"}}),
        because=f"{ONE_STEP}; what a read shows is never older than the settle time",
    ),
    _kind(
        "settles",
        f"all reads are up to {_LAG_MS} ms behind; only a settle time is declared",
        partial(Lagging, lag_ms=_LAG_MS),
        declares=_SETTLES,
        because=f"{ONE_STEP}; what a read shows is never older than the settle time",
    ),
    _kind(
        "accepted-202",
        f"202 to every change, which shows {_LAG_MS} ms later at most",
        partial(Lagging, lag_ms=_LAG_MS, created=202, deleted=202),
        declares=merged(
            _SETTLES, {"promises": {"reads": "eventual", "list": "eventual", "get": "eventual"}}
        ),
        because=f"{ONE_STEP}; what a read shows is never older than the settle time",
    ),
    _kind(
        "settles-ids-again",
        "reads are late, and ids come back: one may show what had the id before",
        partial(LateReused, lag_ms=_LAG_MS),
        declares=merged(_SETTLES, {"promises": {"ids": "reused"}}),
        because=f"{ONE_STEP}; what a read shows is never older than the settle time",
    ),
    # -- deletes
    _kind(
        "soft-delete", "a deleted cart is kept: 410 with its last state", partial(Soft, told=False)
    ),
    _kind(
        "soft-delete-told",
        "lists show deleted carts, marked; the profile leaves them out",
        partial(Soft, told=True),
        declares=_READ_FROM_ITEMS,
    ),
    _kind(
        "deletes-again",
        "a delete of what is not there succeeds",
        partial(Carts, idempotent=True, deleted=200),
        declares={"promises": {"delete": "idempotent"}},
    ),
)
BY_NAME = {animal.name: animal for animal in WILD}
