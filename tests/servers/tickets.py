"""Tickets in plain text, which no profile describes; a race is planted, ``TICKETS=correct``: twin.

A delete looks whether the ticket is there, waits for the audit log, and removes it: two at once
both say that they did it.
"""

from __future__ import annotations

import asyncio
import itertools
import os

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

AUDIT_S = 0.002  # a small write to a log elsewhere


def make_app(*, correct: bool) -> FastAPI:
    """A fresh store behind its API."""
    app = FastAPI(default_response_class=PlainTextResponse)
    tickets: dict[int, str] = {}
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
        if not correct:
            await asyncio.sleep(AUDIT_S)
        tickets.pop(number, None)
        return "closed"

    return app


app = make_app(correct=os.environ.get("TICKETS") == "correct")
