"""Starlette: look it up or 404, then wait for the body, then update."""

import asyncio
import secrets

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

carts: dict[str, str] = {}


async def collection(request: Request) -> Response:
    if request.method == "GET":
        return JSONResponse({"items": [{"id": i, "name": carts[i]} for i in carts]})
    name = (await request.json())["name"]
    sid = secrets.token_hex(4)
    carts[sid] = name
    return JSONResponse({"id": sid, "name": name}, 201)


async def one(request: Request) -> Response:
    sid = request.path_params["sid"]
    if sid not in carts:
        return Response(status_code=404)
    if request.method == "GET":
        return JSONResponse({"id": sid, "name": carts[sid]})
    racy = "x-racy" in request.headers
    if request.method == "DELETE":
        if racy:
            await asyncio.sleep(0.003)
        carts.pop(sid, None)
        return Response(status_code=204)
    name = (await request.json())["name"]
    if racy:
        await asyncio.sleep(0.003)
    if sid in carts or racy:  # UPDATE carts SET name = ? WHERE id = ?
        carts[sid] = name
    return JSONResponse({"id": sid, "name": name})


app = Starlette(
    routes=[
        Route("/carts", collection, methods=["GET", "POST"]),
        Route("/carts/{sid}", one, methods=["GET", "DELETE", "PATCH"]),
    ]
)
