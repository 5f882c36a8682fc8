"""aiohttp: look it up or 404, then wait for the body, then update."""

import asyncio
import os
import secrets

from aiohttp import web

carts: dict[str, str] = {}


async def gap(request: web.Request) -> bool:
    """Others get their turn here, where that is wanted."""
    racy = "x-racy" in request.headers
    if racy:
        await asyncio.sleep(0.003)
    return racy


def there(request: web.Request) -> str:
    sid = request.match_info["sid"]
    if sid not in carts:
        raise web.HTTPNotFound
    return sid


async def list_all(_request: web.Request) -> web.Response:
    return web.json_response({"items": [{"id": sid, "name": carts[sid]} for sid in carts]})


async def create(request: web.Request) -> web.Response:
    sid = secrets.token_hex(4)
    carts[sid] = (await request.json())["name"]
    return web.json_response({"id": sid, "name": carts[sid]}, status=201)


async def get(request: web.Request) -> web.Response:
    sid = there(request)
    return web.json_response({"id": sid, "name": carts[sid]})


async def rename(request: web.Request) -> web.Response:
    sid = there(request)
    name = (await request.json())["name"]
    if await gap(request) or sid in carts:
        carts[sid] = name
    return web.json_response({"id": sid, "name": name})


async def delete(request: web.Request) -> web.Response:
    sid = there(request)
    await gap(request)
    carts.pop(sid, None)
    return web.Response(status=204)


app = web.Application()
app.add_routes(
    [
        web.get("/carts", list_all),
        web.post("/carts", create),
        web.get("/carts/{sid}", get),
        web.patch("/carts/{sid}", rename),
        web.delete("/carts/{sid}", delete),
    ]
)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
