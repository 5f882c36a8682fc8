"""What a target in Python is written with: ``from deadheat.target import …``.

See ``PythonTarget`` in ``targets.python.python_target``, and the README's example.
"""

from __future__ import annotations

from deadheat.model.history import (
    FORBIDDEN,
    Absent,
    Created,
    Custom,
    Deleted,
    Exists,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Renamed,
    Seen,
    Unknown,
)
from deadheat.model.history import Invocation as Call
from deadheat.model.promises import (
    CreatePromise,
    DeletePromise,
    IdPromise,
    ListPromise,
    Promises,
    Shows,
    UpdatePromise,
)
from deadheat.targets.python.python_target import Answer, PythonTarget, Request

# The earlier name of ``Custom``.
Own = Custom

__all__ = [
    "FORBIDDEN",
    "Absent",
    "Answer",
    "Call",
    "CreatePromise",
    "Created",
    "Custom",
    "DeletePromise",
    "Deleted",
    "Exists",
    "Fail",
    "Found",
    "IdPromise",
    "Info",
    "Kind",
    "ListPromise",
    "Listed",
    "Offspring",
    "Own",
    "Promises",
    "PythonTarget",
    "Renamed",
    "Request",
    "Seen",
    "Shows",
    "Unknown",
    "UpdatePromise",
]
