"""OpenCode's answers, one by one."""

from __future__ import annotations

import pytest

from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Outcome,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.targets.opencode.releases import profile_of

WIRE = profile_of(None).wire()
S = "ses_a1"
ERROR = b'{"name": "NotFoundError", "data": {"message": "/home/x"}}'


@pytest.mark.parametrize(
    ("invocation", "method", "path", "body"),
    [
        (Invocation(Kind.CREATE, title="t"), "POST", "/session", b'{"title": "t"}'),
        (Invocation(Kind.LIST), "GET", "/session?limit=10000", None),
        (Invocation(Kind.GET, S), "GET", "/session/ses_a1", None),
        (Invocation(Kind.DELETE, S), "DELETE", "/session/ses_a1", None),
        (Invocation(Kind.RENAME, S, "t"), "PATCH", "/session/ses_a1", b'{"title": "t"}'),
    ],
)
def test_requests(invocation: Invocation, method: str, path: str, body: bytes | None) -> None:
    request = WIRE.encode(invocation)
    assert (request.method, request.path, request.body) == (method, path, body)


@pytest.mark.parametrize("session", ["ses_../x", "ses_..%2f", "x", "", None, "ses_a\n", "ses_a/b"])
def test_an_id_that_would_reach_the_file_system_is_never_sent(session: str | None) -> None:
    with pytest.raises(ValueError, match="not a session id"):
        WIRE.encode(Invocation(Kind.DELETE, session))


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome"),
    [
        (Kind.CREATE, 200, b'{"id": "ses_n"}', Ok(Created("ses_n"))),
        (Kind.GET, 200, b'{"id": "ses_a1", "title": "t"}', Ok(Found("t"))),
        (Kind.GET, 200, b'{"id": "ses_a1", "title": null}', Ok(Found(None))),
        (Kind.GET, 404, ERROR, Ok(Absent())),
        (Kind.DELETE, 200, b"true", Ok(Deleted())),
        (Kind.DELETE, 404, ERROR, Ok(Absent())),
        (Kind.RENAME, 200, b'{"id": "ses_a1"}', Ok(Renamed())),
        (Kind.RENAME, 404, ERROR, Ok(Absent())),
        (
            Kind.LIST,
            200,
            b'[{"id": "ses_a", "title": "t"}, {"id": "ses_b", "title": null}]',
            Ok(Listed((Seen("ses_a", "t"), Seen("ses_b")))),
        ),
        # what 1.0.152 really answers while deletes run
        (Kind.LIST, 404, ERROR, Ok(Undeclared(404, "NotFoundError"))),
        (Kind.CREATE, 404, ERROR, Ok(Undeclared(404, "NotFoundError"))),
        (Kind.GET, 401, b"{}", Ok(Undeclared(401))),
        (Kind.DELETE, 204, b"null", Ok(Undeclared(204))),
        (
            Kind.GET,
            500,
            b'{"name": "Un\\u001b[31mknown"}',
            Info(Unknown.SERVER_ERROR, "Un[31mknown"),
        ),
        (Kind.GET, 502, b"<html>", Info(Unknown.SERVER_ERROR)),
        (Kind.GET, 200, b"<html>", Info(Unknown.GARBLED, "200, no JSON")),
        (Kind.GET, 200, b"[" * 100_000, Info(Unknown.GARBLED, "200, no JSON")),
        (Kind.LIST, 200, b"\xff", Info(Unknown.GARBLED, "200, no JSON")),
    ],
    ids=str,
)
def test_answers(kind: Kind, status: int, body: bytes, outcome: Outcome) -> None:
    session = None if kind is Kind.CREATE else S
    assert WIRE.decode(Invocation(kind, session), status, body) == outcome


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.CREATE, b"null"),
        (Kind.CREATE, b'{"id": 3}'),
        (Kind.CREATE, b'{"id": "../x"}'),
        (Kind.GET, b'{"id": "ses_other"}'),
        (Kind.GET, b'{"id": "ses_a1"}'),
        (Kind.GET, b"[]"),
        (Kind.DELETE, b"false"),
        (Kind.DELETE, b"1"),
        (Kind.RENAME, b'{"id": "ses_other"}'),
        (Kind.LIST, b"{}"),
        (Kind.LIST, b'["ses_a"]'),
        (Kind.LIST, b'[{"title": "t"}]'),
        (Kind.LIST, b'[{"id": "../../x", "title": "deadheat"}]'),
    ],
    ids=str,
)
def test_an_answer_of_another_shape_is_no_answer_of_the_api(kind: Kind, body: bytes) -> None:
    outcome = WIRE.decode(Invocation(kind, S), 200, body)
    assert outcome == Info(Unknown.GARBLED, "200 of another shape")
