"""FastAPI with plain handlers, each in a thread of a pool; one lock round each step."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

Racy = Annotated[bool, Header(alias="x-racy")]
app = FastAPI()
lock = threading.Lock()
carts: dict[int, str] = {}
numbers = itertools.count(1)


class Named(BaseModel):
    name: str


@contextlib.contextmanager
def found(sid: int, racy: bool) -> Iterator[None]:
    """404 if it is not there; nobody comes between that and the change, but in the racy twin."""
    with contextlib.nullcontext() if racy else lock:
        if sid not in carts:
            raise HTTPException(404, "there is no such cart")
        if racy:
            time.sleep(0.003)
        yield


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
def rename(sid: int, named: Named, racy: Racy = False) -> dict[str, object]:
    with found(sid, racy):
        carts[sid] = named.name
    return {"id": sid, "name": named.name}


@app.delete("/carts/{sid}", status_code=204)
def delete(sid: int, racy: Racy = False) -> None:
    with found(sid, racy):
        carts.pop(sid, None)
