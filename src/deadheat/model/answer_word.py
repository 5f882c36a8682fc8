"""What a server said, in one word: the same in messages, proofs, hiccups and files.

Rule: the words are written here and nowhere taken from a class's name, which may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.history import (
    Absent,
    Answered,
    Begun,
    Created,
    Deleted,
    Exists,
    Found,
    Listed,
    Offspring,
    Renamed,
    Undeclared,
)

if TYPE_CHECKING:
    from deadheat.model.history import Result


RESULTS: dict[type[Result], str] = {
    Created: "created",
    Exists: "exists",
    Deleted: "deleted",
    Renamed: "renamed",
    Found: "found",
    Absent: "absent",
    Listed: "listed",
    Offspring: "offspring",
    Undeclared: "undeclared",
    Answered: "answered",
    Begun: "begun",
}


def word_of(result: Result) -> str:
    """The word for an answer of which nothing else is told."""
    return RESULTS[type(result)]
