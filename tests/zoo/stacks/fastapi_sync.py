"""FastAPI with plain handlers, each in a thread of a pool; one lock round each step."""

import contextlib
import itertools
import os
import threading
import time

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

RACY = bool(os.environ.get("RACY"))
app = FastAPI()
lock = contextlib.nullcontext() if RACY else threading.Lock()
carts: dict[int, str] = {}
numbers = itertools.count(1)


class Named(BaseModel):
    name: str


def look(sid: int) -> None:
    """404 if it is not there; in the racy twin others come between this and the change."""
    if sid not in carts:
        raise HTTPException(404, "there is no such cart")
    if RACY:
        time.sleep(0.003)


@app.post("/carts", status_code=201)
def create(named: Named) -> dict[str, object]:
    with lock:
        sid = next(numbers)
        carts[sid] = named.name
    return {"id": sid, "name": named.name}


@app.get("/carts")
def list_all() -> dict[str, object]:
    with lock:
        return {"items": [{"id": sid, "name": name} for sid, name in list(carts.items())]}


@app.get("/carts/{sid}")
def get(sid: int) -> dict[str, object]:
    with lock:
        name = carts.get(sid)
    if name is None:
        raise HTTPException(404, "there is no such cart")
    return {"id": sid, "name": name}


@app.patch("/carts/{sid}")
def rename(sid: int, named: Named) -> dict[str, object]:
    with lock:
        look(sid)
        carts[sid] = named.name
    return {"id": sid, "name": named.name}


@app.delete("/carts/{sid}", status_code=204)
def delete(sid: int) -> None:
    with lock:
        look(sid)
        carts.pop(sid, None)
