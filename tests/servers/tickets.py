"""Tickets in plain text, which no profile describes; races are planted, ``TICKETS=correct``: twin.

A delete looks whether the ticket is there, waits for the audit log, and removes it: two at once
both say that they did it (``TICKETS=archive``: not this one). So does an archive.
"""

from __future__ import annotations

import asyncio
import itertools
import os

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

AUDIT_S = 0.002  # a small write to a log elsewhere


def make_app(*, delete: bool, archive: bool) -> FastAPI:
    """A fresh store behind its API. ``delete``, ``archive``: in one step each?"""
    app = FastAPI(default_response_class=PlainTextResponse)
    tickets: dict[int, str] = {}
    archived: set[int] = set()
    numbers = itertools.count(1)

    @app.post("/tickets")
    async def create(request: Request) -> str:
        number = next(numbers)
        tickets[number] = (await request.body()).decode()
        return f"ticket {number}"

    @app.get("/tickets")
    async def every() -> str:
        return "".join(f"{number}\t{title}\n" for number, title in tickets.items())

    @app.get("/tickets/{number}")
    async def get(number: int) -> str:
        if number not in tickets:
            raise HTTPException(404)
        return tickets[number]

    @app.post("/tickets/{number}/close")
    async def close(number: int) -> str:
        if number not in tickets:
            raise HTTPException(404)
        if not delete:
            await asyncio.sleep(AUDIT_S)
        tickets.pop(number, None)
        return "closed"

    @app.post("/tickets/{number}/archive")
    async def put_away(number: int) -> str:
        if number not in tickets:
            raise HTTPException(404)
        if number in archived:
            raise HTTPException(409)
        if not archive:
            await asyncio.sleep(AUDIT_S)
        archived.add(number)
        return "archived"

    return app


_SAID = os.environ.get("TICKETS")
app = make_app(delete=_SAID in ("archive", "correct"), archive=_SAID == "correct")
