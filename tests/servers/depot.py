"""Boxes behind FastAPI with all that a profile can describe, and a race planted.

A token in the environment is asked for with every request, a create answers with a Location, lists
come in pages of two (in five ways), boxes stand in boxes, and a stream announces changes. Two
renames of one box at once: the second is refused (423).

The race, with ``DEPOT=racy``: a delete writes back the store as it was before a short wait. The
twin removes the boxes in one step. Its pages by number and by count are what such pages are:
when a box goes between two requests, the next one is in neither.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = 2
WINDOW_S = 0.002
BUSY_S = 0.001


class Asked(BaseModel):
    """What a client may write."""

    label: dict[str, str]


def make_app(*, token: str, racy: bool) -> FastAPI:
    """A fresh store behind its API."""

    async def known(x_token: str = Header(default="")) -> None:
        if x_token != token:
            raise HTTPException(401)

    app = FastAPI(dependencies=[Depends(known)])
    boxes: dict[int, dict[str, Any]] = {}
    busy: set[int] = set()
    listeners: set[asyncio.Queue[str]] = set()
    numbers = itertools.count(1)

    def announce(what: str, number: int, label: str) -> None:
        told = json.dumps({"box": {"number": number, "label": label}})
        for queue in listeners:
            queue.put_nowait(f"event: {what}\ndata: {told}\n\n")

    def shown(number: int) -> dict[str, Any]:
        if number not in boxes:
            raise HTTPException(404)
        return {"number": number, "label": {"text": boxes[number]["text"]}}

    def made(asked: Asked, inside: int | None) -> Response:
        number = next(numbers)
        boxes[number] = {"text": asked.label["text"], "inside": inside}
        announce("put", number, asked.label["text"])
        return Response(status_code=201, headers={"location": f"/boxes/{number}/"})

    def with_all_inside(number: int) -> set[int]:
        inside = {n for n, box in boxes.items() if box["inside"] == number}
        return {number}.union(*map(with_all_inside, inside))

    @app.post("/boxes")
    async def create(asked: Asked) -> Response:
        return made(asked, None)

    @app.post("/boxes/{number}/inside")
    async def create_inside(number: int, asked: Asked) -> Response:
        shown(number)
        return made(asked, number)

    @app.get("/boxes/{number}/inside")
    async def inside(number: int) -> list[dict[str, Any]]:
        shown(number)
        return [shown(n) for n, box in boxes.items() if box["inside"] == number]

    @app.get("/boxes/{number}")
    async def get(number: int) -> dict[str, Any]:
        return shown(number)

    @app.delete("/boxes/{number}", status_code=204)
    async def delete(number: int) -> Response:
        shown(number)
        doomed = with_all_inside(number)
        kept = {n: box for n, box in boxes.items() if n not in doomed}
        if racy:
            await asyncio.sleep(WINDOW_S)
        for n in doomed:
            if n in boxes:
                announce("gone", n, boxes[n]["text"])
        boxes.clear()
        boxes.update(kept)
        return Response(status_code=204)

    @app.put("/boxes/{number}")
    async def rename(number: int, asked: Asked) -> dict[str, Any]:
        shown(number)
        if number in busy:
            raise HTTPException(423)
        busy.add(number)
        try:
            await asyncio.sleep(BUSY_S)
            shown(number)
            boxes[number]["text"] = asked.label["text"]
            announce("labelled", number, asked.label["text"])
        finally:
            busy.discard(number)
        return shown(number)

    @app.get("/by-page")
    async def by_page(page: int = 1) -> dict[str, Any]:
        first = (page - 1) * PAGE
        return {"boxes": [shown(n) for n in list(boxes)[first : first + PAGE]]}

    @app.get("/by-offset")
    async def by_offset(skip: int = 0) -> dict[str, Any]:
        return {"boxes": [shown(n) for n in list(boxes)[skip : skip + PAGE]]}

    def after(number: int) -> tuple[list[dict[str, Any]], int | None]:
        rest = sorted(n for n in boxes if n > number)
        return [shown(n) for n in rest[:PAGE]], rest[PAGE - 1] if len(rest) > PAGE else None

    @app.get("/by-cursor")
    async def by_cursor(after_number: int = 0) -> dict[str, Any]:
        found, cursor = after(after_number)
        return {"boxes": found, "more": {"cursor": cursor}}

    @app.get("/by-next")
    async def by_next(request: Request, after_number: int = 0) -> dict[str, Any]:
        found, cursor = after(after_number)
        following = str(request.url.include_query_params(after_number=cursor))
        return {"boxes": found, "links": {"next": following} if cursor else {}}

    @app.get("/by-link")
    async def by_link(after_number: int = 0) -> Response:
        found, cursor = after(after_number)
        link = f'<?after_number={cursor}>; rel="next"' if cursor else "</by-link>; rel=first"
        return JSONResponse({"boxes": found}, headers={"link": link})

    @app.get("/news")
    async def news() -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            queue: asyncio.Queue[str] = asyncio.Queue()
            listeners.add(queue)
            try:
                yield "event: hello\ndata: {}\n\n"
                while True:
                    yield await queue.get()
            finally:
                listeners.discard(queue)

        return StreamingResponse(told(), media_type="text/event-stream")

    return app


app = make_app(token=os.environ["TOKEN"], racy=os.environ.get("DEPOT") == "racy")
