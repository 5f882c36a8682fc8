"""Flask, for gunicorn with threads: one process, one lock round each step."""

import contextlib
import threading
import time
import uuid

from flask import Flask, jsonify, request

app = Flask(__name__)
lock = threading.Lock()
carts: dict[str, str] = {}


@contextlib.contextmanager
def looked(sid: str):
    """Is it there? Nobody comes between that and the change, but in the racy twin."""
    racy = "X-Racy" in request.headers
    with contextlib.nullcontext() if racy else lock:
        found = sid in carts
        if found and racy:
            time.sleep(0.003)
        yield found


@app.get("/carts")
def list_all():
    with lock:
        return jsonify(items=[{"id": sid, "name": name} for sid, name in list(carts.items())])


@app.post("/carts")
def create():
    sid, name = str(uuid.uuid4()), request.get_json()["name"]
    with lock:
        carts[sid] = name
    return jsonify(id=sid, name=name), 201


@app.get("/carts/<sid>")
def get(sid):
    with lock:
        name = carts.get(sid)
    return (jsonify(error="gone"), 404) if name is None else jsonify(id=sid, name=name)


@app.patch("/carts/<sid>")
def rename(sid):
    name = request.get_json()["name"]
    with looked(sid) as there:
        if not there:
            return jsonify(error="gone"), 404
        carts[sid] = name
    return jsonify(id=sid, name=name)


@app.delete("/carts/<sid>")
def delete(sid):
    with looked(sid) as there:
        if not there:
            return jsonify(error="gone"), 404
        carts.pop(sid, None)
    return "", 204
