"""The animals of the real stacks: each a server as its users write it, in a process of its own."""

from __future__ import annotations

from typing import Any

from tests.zoo.animal import CLOSE_WITH_A_BODY, Animal, Stack

_LOOP = "one event loop, no await between the look and the change"
_UVICORN = ("{python}", "-m", "uvicorn", "--app-dir", "{stacks}", "--log-level", "warning")
_GUNICORN = ("{python}", "-m", "gunicorn", "--chdir", "{stacks}", "-b", "127.0.0.1:{port}")
_HYPERCORN = (
    "env",
    "PYTHONPATH={stacks}",
    "{python}",
    "-m",
    "hypercorn",
    "--certfile",
    "{certificate}",
    "--keyfile",
    "{certificate}",
)
_NODE = ("node", "{file}")
_THREADS = ("-w", "1", "-k", "gthread", "--threads", "16")
_PROCESSES = ("-w", "3", "-k", "sync")


def _uvicorn(file: str) -> Stack:
    return Stack((*_UVICORN, "--port", "{port}", f"{file.removesuffix('.py')}:app"), file)


def _hypercorn(file: str) -> Stack:
    return Stack(
        (*_HYPERCORN, "--bind", "127.0.0.1:{port}", f"{file.removesuffix('.py')}:app"),
        file,
        scheme="https",
        http2=True,
    )


def _stack(name: str, habit: str, because: str, stack: Stack, **more: Any) -> Animal:
    return Animal(name, habit, because, stack=stack, **more)


STABLED: tuple[Animal, ...] = (
    _stack(
        "starlette",
        "Starlette on uvicorn: looks it up, then awaits the body",
        _LOOP,
        _uvicorn("starlette_app.py"),
    ),
    _stack(
        "fastapi-async",
        "FastAPI, async handlers",
        "one asyncio lock round each step",
        _uvicorn("fastapi_async.py"),
    ),
    _stack(
        "fastapi-sync",
        "FastAPI, handlers in threads",
        "one lock round each step",
        _uvicorn("fastapi_sync.py"),
    ),
    _stack(
        "flask-threads",
        "Flask under gunicorn, 16 threads",
        "one lock round each step",
        Stack((*_GUNICORN, *_THREADS, "flask_app:app"), "flask_app.py"),
    ),
    _stack(
        "flask-processes",
        "Flask under gunicorn, 3 processes, one SQLite file",
        "each step one transaction, BEGIN IMMEDIATE",
        Stack((*_GUNICORN, *_PROCESSES, "flask_sqlite:app"), "flask_sqlite.py"),
    ),
    _stack(
        "django",
        "Django under gunicorn, 16 threads, SQLite",
        "each change one transaction, IMMEDIATE",
        Stack((*_GUNICORN, *_THREADS, "django_app:application"), "django_app.py"),
    ),
    _stack(
        "aiohttp",
        "aiohttp: looks it up, then awaits the body",
        _LOOP,
        Stack(("{python}", "{file}"), "aiohttp_app.py"),
    ),
    _stack(
        "http-server",
        "Python's http.server: HTTP/1.0, one connection after the other",
        "one thread",
        Stack(("{python}", "{file}"), "stdlib_server.py"),
        twin=False,
    ),
    _stack(
        "http-server-threads",
        "the same with a thread each",
        "one lock round each step",
        Stack(("env", "THREADS=1", "{python}", "{file}"), "stdlib_server.py"),
    ),
    _stack(
        "http2",
        "FastAPI on hypercorn, HTTP/2 over TLS",
        "one asyncio lock round each step",
        _hypercorn("fastapi_async.py"),
    ),
    _stack(
        "http2-early",
        "Starlette on hypercorn: it ends the connection where an answer precedes the body",
        _LOOP,
        _hypercorn("starlette_app.py"),
    ),
    _stack(
        "node-http", "Node's http: looks when the head is in", _LOOP, Stack(_NODE, "node_http.mjs")
    ),
    _stack("express", "Express 5", _LOOP, Stack(_NODE, "express.mjs", npm=("express@5",))),
    _stack(
        "fastify",
        "Fastify 5: a hook looks before the body is read",
        _LOOP,
        Stack(_NODE, "fastify.mjs", npm=("fastify@5",)),
    ),
    _stack(
        "go",
        "Go's net/http: a delete never looks at its body",
        "one mutex round each step",
        Stack(("{file}",), "shop.go", go=True),
        declares=CLOSE_WITH_A_BODY,
    ),
)
