"""How an artifact's file names the kinds of calls, results and outcomes.

Rules
- A word in a file stays: a class that is given another name keeps its word here.
- Each class of a union has a word, and no two the same one.
"""

from __future__ import annotations

from typing import Any

from deadheat.model import history, program
from deadheat.model.said import RESULTS

# By the key that holds the word in the file.
TAGS: dict[str, tuple[Any, dict[type[Any], str]]] = {
    "call": (
        program.Call,
        {
            **program.KINDS,
            program.OwnCall: "owncall",
        },
    ),
    "result": (
        history.Result,
        RESULTS,
    ),
    "outcome": (
        history.Outcome,
        {history.Ok: "ok", history.Fail: "fail", history.Info: "info"},
    ),
}

WORDS: frozenset[str] = frozenset(word for _, words in TAGS.values() for word in words.values())
