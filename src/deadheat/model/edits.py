"""Edits: what would make a contradictory history legal, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    """How one call, or one kind of call, would have to differ."""

    NOTHING = "did-nothing"
    NO_DELETE = "no-delete-did-anything"
    NOT_ABSENT = "not-answered-absent"
    NO_DELETE_ABSENT = "no-delete-answered-absent"
    ABSENT = "one-delete-answered-absent"
    SUCCESS = "answered-success"
    OWN_ID = "answered-another-id"
    EXISTS = "one-create-answered-exists"
    THE_OTHERS = "one-create-answered-the-others-session"
    NOT_EXISTS = "not-answered-exists"
    CREATED = "was-created"
    CREATED_AND_DELETED = "was-created-and-deleted"
    CREATED_AGAIN = "was-created-again"
    NOT_CREATED_AGAIN = "did-not-create-again"
    DELETED = "was-deleted"
    NO_PARENT = "was-made-below-nothing"
    LEFT_ALONE = "answered-nothing-or-left-the-child"
    EARLIER = "answered-earlier"
    EACH_EARLIER = "each-answered-earlier"
    IN_PARTS = "read-in-parts"
    EACH_IN_PARTS = "each-read-in-parts"
    ONCE = "showed-each-once"
    WRITTEN = "showed-a-written-title"
    EACH_WRITTEN = "each-showed-a-written-title"
    ON_TIME = "answered-once-it-was-done"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change that would make the history legal. ``call``: the one that would differ, if
    it is one; ``sessions``: what it is about."""

    how: How
    call: int | None
    sessions: tuple[str, ...]
