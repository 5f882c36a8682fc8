"""Shelves put under names of the client's, with two races planted; ``SHELF=correct`` is the twin.

``PUT /shelves/{name}`` looks whether there is one, waits for the audit log, and makes it: two at
once both make it. ``POST /slots`` makes one of a title, and answers the one that there is: two at
once make two. Slots get the lowest free number: an id that was deleted comes back.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

AUDIT_S = 0.002  # a small write to a log elsewhere


class Asked(BaseModel):
    """What a client may write."""

    title: str


def make_app(*, correct: bool) -> FastAPI:
    """A fresh store behind its API."""
    app = FastAPI()
    shelves: set[str] = set()
    slots: dict[int, str] = {}

    async def audit() -> None:
        if not correct:
            await asyncio.sleep(AUDIT_S)

    @app.put("/shelves/{name}", status_code=201)
    async def put(name: str) -> dict[str, str]:
        if name in shelves:
            raise HTTPException(409)
        await audit()
        shelves.add(name)
        return {"name": name}

    @app.get("/shelves/{name}")
    async def shelf(name: str) -> dict[str, str]:
        if name not in shelves:
            raise HTTPException(404)
        return {"name": name}

    @app.get("/shelves")
    async def every_shelf() -> list[str]:
        return sorted(shelves)

    @app.delete("/shelves/{name}", status_code=204)
    async def remove_shelf(name: str) -> Response:
        if name not in shelves:
            raise HTTPException(404)
        shelves.remove(name)
        return Response(status_code=204)

    @app.post("/reset", status_code=204)
    async def reset() -> Response:
        shelves.clear()
        slots.clear()
        return Response(status_code=204)

    def shown(number: int) -> dict[str, Any]:
        if number not in slots:
            raise HTTPException(404)
        return {"id": number, "title": slots[number]}

    @app.post("/slots", status_code=201)
    async def create(asked: Asked) -> dict[str, Any]:
        for number, title in slots.items():
            if title == asked.title:
                return shown(number)
        await audit()
        number = next(n for n in itertools.count(1) if n not in slots)
        slots[number] = asked.title
        return shown(number)

    @app.get("/slots/{number}")
    async def slot(number: int) -> dict[str, Any]:
        return shown(number)

    @app.get("/slots")
    async def every_slot() -> list[dict[str, Any]]:
        return [shown(number) for number in slots]

    @app.delete("/slots/{number}", status_code=204)
    async def remove_slot(number: int) -> Response:
        shown(number)
        del slots[number]
        return Response(status_code=204)

    return app


app = make_app(correct=os.environ.get("SHELF") == "correct")
