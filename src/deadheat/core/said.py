"""What a server said, in one word: the same in messages, proofs and hiccups.

Rule: the words are written here and nowhere taken from a class's name, which may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.core.history import (
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
    from deadheat.core.history import Result


def word_of(result: Result) -> str:
    """Of an answer that nothing more is told of."""
    match result:
        case Created():
            return "created"
        case Exists():
            return "exists"
        case Deleted():
            return "deleted"
        case Renamed():
            return "renamed"
        case Found():
            return "found"
        case Absent():
            return "absent"
        case Listed():
            return "listed"
        case Offspring():
            return "offspring"
        case Undeclared():
            return "undeclared"
        case Answered():
            return "answered"
        case Begun():
            return "begun"
        case _:
            assert_never(result)
