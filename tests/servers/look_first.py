"""Carts behind Starlette: a change looks whether the cart is there, then reads its body.

``CARTS=racy``: it writes what it has read though the cart may have gone meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

RACY = os.environ.get("CARTS") == "racy"
AUDIT_S = 0.002  # a small write to a log elsewhere

carts: dict[str, str] = {}
numbers = itertools.count(1)


def shown(number: str) -> dict[str, str]:
    return {"id": number, "name": carts[number]}


async def every(request: Request) -> Response:
    """List, or create."""
    if request.method == "GET":
        return JSONResponse([shown(number) for number in carts])
    name = (await request.json())["name"]
    number = f"c{next(numbers)}"
    carts[number] = name
    return JSONResponse(shown(number), 201)


async def one(request: Request) -> Response:
    """Read, change or delete one cart."""
    number = request.path_params["number"]
    if number not in carts:
        return Response(status_code=404)
    if request.method == "GET":
        return JSONResponse(shown(number))
    if request.method == "DELETE":
        del carts[number]
        return Response(status_code=204)
    name = (await request.json())["name"]
    if RACY:
        await asyncio.sleep(AUDIT_S)
        carts[number] = name
    elif number in carts:  # UPDATE carts SET name = ? WHERE number = ?
        carts[number] = name
    return JSONResponse({"id": number, "name": name})


app = Starlette(
    routes=[
        Route("/carts", every, methods=["GET", "POST"]),
        Route("/carts/{number}", one, methods=["GET", "DELETE", "PATCH"]),
    ]
)
