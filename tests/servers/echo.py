"""Notes behind a token, by a server that gives the token away wherever it can.

In its log, the titles and ids of notes of its own, the names of its errors. Two deletes of one note
at once: the second is told off (400) with the token in its error; three at once end the process.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

WINDOW_S = 0.003


class Asked(BaseModel):
    """What a client may write."""

    title: str


def make_app(token: str) -> FastAPI:
    """A fresh store behind its API."""

    async def known(authorization: str = Header(default="")) -> None:
        print("asked with", authorization, flush=True)
        if authorization != f"Bearer {token}":
            raise HTTPException(401)

    app = FastAPI(dependencies=[Depends(known)])
    notes: dict[str, str] = {}
    busy: dict[str, int] = {}
    numbers = itertools.count(1)

    @app.post("/notes", status_code=201)
    async def create(asked: Asked) -> dict[str, str]:
        number = str(next(numbers))
        notes[number] = asked.title
        return {"id": number, "title": asked.title}

    @app.get("/notes")
    async def every() -> list[dict[str, str]]:
        shown = [{"id": number, "title": title} for number, title in notes.items()]
        return [*shown, {"id": f"of-{token}", "title": f"written with {token}"}]

    @app.get("/notes/{number}")
    async def get(number: str) -> dict[str, str]:
        if number not in notes:
            raise HTTPException(404)
        return {"id": number, "title": notes[number]}

    @app.delete("/notes/{number}")
    async def delete(number: str) -> Any:
        if number not in notes:
            raise HTTPException(404)
        busy[number] = busy.get(number, 0) + 1
        try:
            if busy[number] == 2:
                return JSONResponse({"error": f"busy, {token}"}, 400)
            if busy[number] > 2:
                print("giving up on", token, flush=True)
                os._exit(3)
            await asyncio.sleep(WINDOW_S)
            notes.pop(number, None)
            return Response(status_code=204)
        finally:
            busy[number] -= 1

    return app


app = make_app(os.environ["TOKEN"])
