"""Carts behind FastAPI, in memory, with a lost update planted; ``SHOP=correct`` is the twin.

A rename copies the whole store, waits for the audit log, and writes the copy back: whatever
others changed meanwhile is lost. The twin changes the one cart in one step.
"""

from __future__ import annotations

import asyncio
import itertools
import os

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel

AUDIT_S = 0.002  # a small write to a log elsewhere


class Cart(BaseModel):
    """What a client may write."""

    name: str


def make_app(*, correct: bool) -> FastAPI:
    """A fresh store behind its API."""
    app = FastAPI()
    carts: dict[int, str] = {}
    numbers = itertools.count(1)

    def shown(number: int) -> dict[str, object]:
        if number not in carts:
            raise HTTPException(404)
        return {"id": number, "name": carts[number]}

    @app.post("/carts", status_code=201)
    async def create(cart: Cart) -> dict[str, object]:
        number = next(numbers)
        carts[number] = cart.name
        return shown(number)

    @app.get("/carts/{number}")
    async def get(number: int) -> dict[str, object]:
        return shown(number)

    @app.get("/carts")
    async def every() -> dict[str, object]:
        return {"items": [shown(number) for number in carts]}

    @app.delete("/carts/{number}", status_code=204)
    async def delete(number: int) -> Response:
        shown(number)
        del carts[number]
        return Response(status_code=204)

    @app.patch("/carts/{number}")
    async def rename(number: int, cart: Cart) -> dict[str, object]:
        shown(number)
        if correct:
            carts[number] = cart.name
            return shown(number)
        changed = {**carts, number: cart.name}
        await asyncio.sleep(AUDIT_S)
        carts.clear()
        carts.update(changed)
        return shown(number)

    return app


app = make_app(correct=os.environ.get("SHOP") == "correct")
