"""Carts behind a token, which the server repeats wherever it can. A race is planted, too.

``ECHO`` names where: in ``ids``, in ``titles``, in ``errors`` (and a header of every answer), or
in its log right before it dies (``crash``). The race is the shop's: a rename loses what others
have changed meanwhile. Without ``ECHO`` it keeps the token to itself.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

from fastapi import FastAPI, Header, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

WINDOW_S = 0.05  # wide: the race shows in most trials on any machine


class Cart(BaseModel):
    """What a client may write."""

    name: str


def make_app(token: str, echo: str) -> FastAPI:
    """A fresh store behind its API."""
    app = FastAPI()
    carts: dict[str, str] = {}
    numbers = itertools.count(1)
    deleting: set[str] = set()

    def known(authorization: str) -> None:
        if authorization != f"Bearer {token}":
            raise HTTPException(401)

    def answer(body: Any, status: int = 200) -> Response:
        headers = {"x-token": token} if echo else {}
        return JSONResponse(body, status, headers)

    def shown(cart: str) -> dict[str, str]:
        said = f"{carts[cart]} {token}" if echo == "titles" else carts[cart]
        return {"id": cart, "name": said}

    def missing() -> Response:
        if echo == "errors":
            return answer({"name": f"NotFor {token}"}, 418)
        return answer({"name": "NotFound"}, 404)

    @app.post("/carts")
    async def create(cart: Cart, authorization: str = Header(default="")) -> Response:
        known(authorization)
        number = f"{token}-{next(numbers)}" if echo == "ids" else f"c{next(numbers)}"
        carts[number] = cart.name
        return answer({"id": number, "name": cart.name}, 201)

    @app.get("/carts/{cart}")
    async def get(cart: str, authorization: str = Header(default="")) -> Response:
        known(authorization)
        return answer(shown(cart)) if cart in carts else answer({"name": "NotFound"}, 404)

    @app.get("/carts")
    async def every(authorization: str = Header(default="")) -> Response:
        known(authorization)
        return answer([shown(cart) for cart in carts])

    @app.delete("/carts/{cart}")
    async def delete(cart: str, authorization: str = Header(default="")) -> Response:
        known(authorization)
        if echo == "crash" and deleting:
            print(f"fatal: {token}", flush=True)
            os._exit(3)
        deleting.add(cart)
        await asyncio.sleep(WINDOW_S)
        deleting.discard(cart)
        return Response(status_code=204) if carts.pop(cart, None) is not None else missing()

    @app.patch("/carts/{cart}")
    async def rename(cart: str, new: Cart, authorization: str = Header(default="")) -> Response:
        known(authorization)
        if cart not in carts:
            return answer({"name": "NotFound"}, 404)
        changed = {**carts, cart: new.name}
        await asyncio.sleep(WINDOW_S)
        carts.clear()
        carts.update(changed)
        return answer(shown(cart))

    return app


app = make_app(os.environ.get("TOKEN", ""), os.environ.get("ECHO", ""))
