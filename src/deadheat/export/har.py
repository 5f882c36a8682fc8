"""Writes the recorded trial as an HTTP Archive (HAR 1.2), for browsers' developer tools.

Rules
- The artifact keeps what an answer meant, not its bytes: ``content`` says so and has no text.
- Its clock starts at 0: the archive's day is 1970-01-01, the distances are true.
- Source of the fields: the HAR 1.2 specification (J. Odvarko).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from deadheat.files import media
from deadheat.model.history import Fail
from deadheat.report.calls import answer_text, call_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.export.recipe import Recipe, RequestTemplate
    from deadheat.model.history import Operation

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# The recorded server is gone; a name that no host has (RFC 2606).
_BASE = "http://server.invalid"


def har(recipe: Recipe, request_of: Callable[[Operation], RequestTemplate]) -> str:
    """The archive's JSON text. ``request_of``: the request that an operation sent."""
    artifact = recipe.artifact
    names = artifact.names
    entries = [
        _entry(op, request_of(op), names)
        for op in sorted(artifact.history.operations, key=lambda op: (op.call_ns, op.index))
        if not isinstance(op.outcome, Fail)
    ]
    log = {
        "version": "1.2",
        "creator": {"name": "deadheat", "version": artifact.environment.deadheat},
        "pages": [],
        "entries": entries,
        "comment": (
            f"one trial of {artifact.anomaly} on {artifact.target.name}; times count from its "
            "first call"
        ),
    }
    return media.json_text({"log": log}, indent=2) + "\n"


def _entry(op: Operation, request: RequestTemplate, names: dict[str, str]) -> dict[str, object]:
    took_ms = 0.0 if op.return_ns is None else (op.return_ns - op.call_ns) / 1e6
    status = op.status or 0
    comment = f"{call_text(op, names)}: {answer_text(op, names)}"
    if op.at_rest:
        comment += " (after all had been answered)"
    return {
        "startedDateTime": _instant(op.call_ns),
        "time": took_ms,
        "request": _request(request),
        "response": {
            "status": status,
            "statusText": HTTPStatus(status).phrase if status in _STATUSES else "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "content": {
                "size": 0,
                "mimeType": "application/json",
                "comment": "its bytes were not kept",
            },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": took_ms, "receive": 0},
        "connection": "observer" if op.at_rest else f"lane {op.lane + 1}",
        "comment": comment,
    }


_STATUSES = frozenset(status.value for status in HTTPStatus)


def _request(request: RequestTemplate) -> dict[str, object]:
    body = request.body
    query = request.path.partition("?")[2]
    told: dict[str, object] = {
        "method": request.method,
        "url": f"{_BASE}{request.path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [] if body is None else [{"name": "content-type", "value": "application/json"}],
        "queryString": [
            {"name": name, "value": value}
            for name, _, value in (part.partition("=") for part in query.split("&") if part)
        ],
        "headersSize": -1,
        "bodySize": 0 if body is None else len(body.encode()),
    }
    if body is not None:
        told["postData"] = {"mimeType": "application/json", "text": body}
    return told


def _instant(ns: int) -> str:
    """The instant in RFC 3339, to the microsecond."""
    return (_BEGINNING + timedelta(microseconds=ns // 1_000)).isoformat(timespec="microseconds")
