"""Flask, for gunicorn with several processes: one SQLite file, each step one transaction."""

import os
import sqlite3
import time
from contextlib import closing, contextmanager

from flask import Flask, jsonify, request

FILE = os.path.join(os.environ["FOLDER"], "carts.sqlite")  # noqa: PTH118 - as its users write it
app = Flask(__name__)


@contextmanager
def database():
    """One transaction, begun as a writer's; in the racy twin each statement is its own."""
    with closing(sqlite3.connect(FILE, timeout=30, isolation_level=None)) as db:
        if "X-Racy" in request.headers:
            yield db
            return
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


with closing(sqlite3.connect(FILE, timeout=30)) as first:
    # AUTOINCREMENT: an id is given once.
    first.execute(
        "CREATE TABLE IF NOT EXISTS carts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)"
    )
    first.commit()


def there(db, sid):
    found = db.execute("SELECT 1 FROM carts WHERE id = ?", (sid,)).fetchone() is not None
    if found and "X-Racy" in request.headers:
        time.sleep(0.01)
    return found


@app.get("/carts")
def list_all():
    with database() as db:
        rows = db.execute("SELECT id, name FROM carts").fetchall()
    return jsonify(items=[{"id": sid, "name": name} for sid, name in rows])


@app.post("/carts")
def create():
    name = request.get_json()["name"]
    with database() as db:
        sid = db.execute("INSERT INTO carts (name) VALUES (?)", (name,)).lastrowid
    return jsonify(id=sid, name=name), 201


@app.get("/carts/<int:sid>")
def get(sid):
    with database() as db:
        row = db.execute("SELECT name FROM carts WHERE id = ?", (sid,)).fetchone()
    return (jsonify(error="gone"), 404) if row is None else jsonify(id=sid, name=row[0])


@app.patch("/carts/<int:sid>")
def rename(sid):
    name = request.get_json()["name"]
    with database() as db:
        if not there(db, sid):
            return jsonify(error="gone"), 404
        db.execute("INSERT OR REPLACE INTO carts (id, name) VALUES (?, ?)", (sid, name))
    return jsonify(id=sid, name=name)


@app.delete("/carts/<int:sid>")
def delete(sid):
    with database() as db:
        if not there(db, sid):
            return jsonify(error="gone"), 404
        db.execute("DELETE FROM carts WHERE id = ?", (sid,))
    return "", 204
