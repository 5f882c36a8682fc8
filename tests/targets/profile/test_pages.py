"""Lists in pages: how the next one is asked for, what ends them, and where they never lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deadheat.drive.wire.paging import read_list
from deadheat.model.history import Info, Invocation, Kind, Listed, Ok, Unknown
from deadheat.model.promises import ListPromise
from deadheat.targets.profile.profile import Profile

if TYPE_CHECKING:
    from deadheat.drive.target import Target
    from deadheat.drive.wire.api import WireRequest
    from deadheat.drive.wire.paging import Reading

BASE = "http://127.0.0.1:7000"
LIST = Invocation(Kind.LIST)


def target(pages: dict[str, Any], **changed: Any) -> Target:
    calls = {
        "create": {"request": "POST /s"},
        "get": {"request": "GET /s/{id}"},
        "list": {"request": "GET /s?all=1", "items": "data", "pages": pages},
        "delete": {"request": "DELETE /s/{id}"},
    }
    body = {"name": "x", "calls": calls, **changed}
    return Profile.model_validate(body).target("x", base_url=BASE)


class Server:
    """Answers by path; the clock of its answers counts requests."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def send(self, request: WireRequest) -> tuple[httpx.Response, int, int]:
        self.asked.append(request.path)
        at = len(self.asked)
        return self.answers[at - 1], 10 * at, 10 * at + 5


def page(*ids: object, link: str = "", **more: Any) -> httpx.Response:
    headers = {"link": link} if link else {}
    return httpx.Response(200, json={"data": [{"id": one} for one in ids], **more}, headers=headers)


async def read(pages: dict[str, Any], server: Server, *, agreed: bool = False) -> Reading:
    aimed = target(pages)
    assert aimed.pages is not None
    return await read_list(
        aimed.wire, aimed.pages, BASE, LIST, server.send, timeout_s=aimed.timeout_s, agreed=agreed
    )


def shown(reading: Reading) -> list[str]:
    assert isinstance(reading.outcome, Ok)
    assert isinstance(reading.outcome.result, Listed)
    return [entry.session for entry in reading.outcome.result.entries]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pages", "answers", "asked"),
    [
        ({"page": "p"}, [page(1, 2), page(3), page()], ["p=2", "p=3"]),
        ({"page": "p", "size": 2, "first": 0}, [page(1, 2), page(3)], ["p=1"]),
        ({"offset": "skip"}, [page(1, 2), page(3), page()], ["skip=2", "skip=3"]),
        ({"offset": "skip", "size": 2}, [page(1, 2), page(3)], ["skip=2"]),
        (
            {"cursor": "meta.next", "parameter": "after"},
            [page(1, 2, meta={"next": "a b&c"}), page(3, meta={"next": None})],
            ["after=a+b%26c"],
        ),
        ({"cursor": "next"}, [page(1, 2, next=7), page(3)], ["cursor=7"]),
    ],
)
async def test_each_way_to_the_next_page(
    pages: dict[str, Any], answers: list[httpx.Response], asked: list[str]
) -> None:
    server = Server(*answers)
    reading = await read(pages, server)
    assert shown(reading) == ["1", "2", "3"]
    assert server.asked == ["/s?all=1", *(f"/s?all=1&{one}" for one in asked)]
    assert (reading.call_ns, reading.return_ns) == (10, 10 * len(answers) + 5)


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["next", "link"])
@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"{BASE}/s?x=2", "/s?x=2"),
        ("/other?x=2", "/other?x=2"),
        ("?x=2", "/s?x=2"),
        ("http://127.0.0.1:7001/s", None),
        ("http://elsewhere.invalid/s", None),
        ("//elsewhere.invalid/s", None),
        ("https://127.0.0.1:7000/s", None),
        ("http://user@127.0.0.1:7000/s", None),
        ("file:///etc/passwd", None),
        ("http://127.0.0.1:port/", None),
        ("/s?x=\r\nX: y", None),
    ],
)
async def test_no_page_is_on_another_server(way: str, address: str, path: str | None) -> None:
    if way == "link" and "\r" in address:
        return  # no header holds it
    first = page(1, link=f'<{address}>; rel="next"') if way == "link" else page(1, url=address)
    server = Server(first, page(2))
    reading = await read({"link": True} if way == "link" else {"next": "url"}, server)
    if path is None:
        assert len(server.asked) == 1
        assert isinstance(reading.outcome, Info)
        assert reading.outcome.reason is Unknown.GARBLED
    else:
        assert server.asked == ["/s?all=1", path]
        assert shown(reading) == ["1", "2"]


@pytest.mark.anyio
async def test_pages_end() -> None:
    loop = await read({"next": "url"}, Server(page(1, url="?a"), page(2, url="/s?all=1")))
    assert loop.outcome == Info(Unknown.GARBLED, "the next page is one that was read already")
    endless = await read({"page": "p", "most": 3}, Server(*(page(n) for n in range(9))))
    assert endless.outcome == Info(Unknown.GARBLED, "/s has more than 3 pages")
    assert endless.pages == 3
    for odd in ([1], {"x": 1}, True):
        said = await read({"next": "url"}, Server(page(1, url=odd)))
        assert said.outcome == Info(Unknown.GARBLED, "a page of another shape")
    broken = await read({"page": "p"}, Server(page(1), httpx.Response(500)))
    assert broken.outcome == Info(Unknown.SERVER_ERROR)
    assert broken.status == 500


@pytest.mark.anyio
async def test_at_rest_two_readings_agree() -> None:
    """The first reading misses 2: 1 went when its page had been read, and 2 moved there."""
    skipped = (page(1), page(3), page())
    whole = (page(2), page(3), page())
    server = Server(*skipped, *whole, *whole)
    reading = await read({"page": "p"}, server, agreed=True)
    assert shown(reading) == ["2", "3"]
    assert (reading.call_ns, reading.return_ns) == (40, 95)
    restless = Server(*(p for n in range(4) for p in (page(n), page(9), page())))
    reading = await read({"page": "p"}, restless, agreed=True)
    assert reading.outcome == Info(Unknown.UNCLEAR, "its pages changed as they were read")
    once = Server(page())
    assert shown(await read({"page": "p"}, once, agreed=True)) == []
    assert len(once.asked) == 1  # one page is one answer


def test_a_list_in_pages_promises_less_unless_it_is_said() -> None:
    assert target({"link": True}).promises.list is ListPromise.EVENTUAL
    said = target({"link": True}, promises={"list": "per-session"})
    assert said.promises.list is ListPromise.PER_SESSION


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({}, "no way to the next page"),
        ({"page": "p", "link": True}, "page and link"),
        ({"cursor": "$.a["}, "not a JSONPath"),
        ({"page": "p", "most": 0}, "greater than"),
    ],
)
def test_mistakes_are_told(pages: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        target(pages)
