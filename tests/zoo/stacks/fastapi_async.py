"""FastAPI with async handlers; the body is read and checked before they run."""

import asyncio
import itertools
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

Racy = Annotated[bool, Header(alias="x-racy")]
app = FastAPI()
lock = asyncio.Lock()
carts: dict[int, str] = {}
numbers = itertools.count(1)


class Named(BaseModel):
    name: str


class Cart(Named):
    id: int


class Carts(BaseModel):
    items: list[Cart]


def there(sid: int) -> str:
    if sid not in carts:
        raise HTTPException(404, "there is no such cart")
    return carts[sid]


@app.post("/carts", status_code=201)
async def create(named: Named) -> Cart:
    async with lock:
        sid = next(numbers)
        carts[sid] = named.name
    return Cart(id=sid, name=named.name)


@app.get("/carts")
async def list_all() -> Carts:
    async with lock:
        return Carts(items=[Cart(id=sid, name=name) for sid, name in carts.items()])


@app.get("/carts/{sid}")
async def get(sid: int) -> Cart:
    return Cart(id=sid, name=there(sid))


@app.patch("/carts/{sid}")
async def rename(sid: int, named: Named, racy: Racy = False) -> Cart:
    if racy:
        there(sid)
        await asyncio.sleep(0.003)
        carts[sid] = named.name
    else:
        async with lock:
            there(sid)
            await asyncio.sleep(0.001)  # whatever takes time, under the lock
            carts[sid] = named.name
    return Cart(id=sid, name=named.name)


@app.delete("/carts/{sid}", status_code=204)
async def delete(sid: int, racy: Racy = False) -> None:
    if racy:
        there(sid)
        await asyncio.sleep(0.003)
        carts.pop(sid, None)
    else:
        async with lock:
            there(sid)
            del carts[sid]
