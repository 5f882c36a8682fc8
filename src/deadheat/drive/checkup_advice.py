"""What to write in a profile where an answer of the dry run is not what it declares.

Rule: what an answer holds is looked at only to say what to write instead: names of keys, never
values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deadheat.model.answer_word import word_of
from deadheat.model.history import (
    REFUSED,
    Absent,
    Fail,
    Info,
    Listed,
    Offspring,
    Ok,
    Outcome,
    Undeclared,
    Unknown,
)

if TYPE_CHECKING:
    from deadheat.model.history import Invocation

# An answer of more keys is not read out.
_MOST_KEYS = 12
# What servers answer to a call that may be sent again later.
_NOT_NOW = (409, 423, 425, 429)


def advice(
    invocation: Invocation,
    outcome: Outcome,
    status: int | None,
    has_keys: tuple[str, ...],
    wanted: type[object],
) -> str:
    """What to correct in the profile when the answer to this call is not ``wanted``."""
    below = invocation.parent is not None
    table = f"calls.{'create-child' if below else invocation.kind}"
    refused = wanted is Absent
    match outcome:
        case Fail(reason) if reason == REFUSED:
            return f"refuses it with nothing else under way. Correct {table}.refused"
        case Info(Unknown.UNCLEAR):
            return f"is declared as unknown. Correct {table}.unknown"
        case Ok(Undeclared()) if refused:
            return f"means that it is not there? Add {status} to {table}.absent"
        case Ok(Undeclared()) if status is not None and status < 300:
            return f"means success? Write {table}.done = [{status}]"
        case Ok(Undeclared()) if status is not None and status in (401, 403):
            return "was not let in. Write [auth] or [headers]"
        case Ok(Undeclared()) if status in _NOT_NOW:
            return (
                f"means not now, and nothing was done? Write {table}.refused = [{status}]. "
                f"Otherwise correct {table}.request and its body"
            )
        case Ok(Undeclared()):
            return f"is not a success. Correct {table}.request and its body"
        case Ok(Absent()):
            return f"says that it is not there. Correct {table}.request, or {table}.absent"
        case Ok():
            return f"answers success for what is gone. Correct {table}.done and {table}.absent"
        case Info(Unknown.GARBLED, detail) if "page" in detail:
            return f"cannot be read: {detail}. Correct {table}.pages"
        case Info(Unknown.GARBLED):
            has = f"; the answer has {', '.join(has_keys)}" if has_keys else ""
            return f"is not of the declared form. Correct the places in {table}{has}"
        case Info(Unknown.SERVER_ERROR):
            return f"is an error of the server: see its log, or correct {table}.request and body"
        case _:
            return "got no answer: is the server there?"


def in_words(outcome: Outcome) -> str:
    """The outcome in a few words."""
    match outcome:
        case Ok(Listed(entries) | Offspring(entries)):
            return f"{len(entries)} session{'s' * (len(entries) != 1)}"
        case Ok(Undeclared(_, detail)):
            return f"undeclared {detail}".strip()
        case Ok(result):
            return word_of(result)
        case _:
            return str(outcome.reason)


def keys_of(body: bytes) -> tuple[str, ...]:
    """The keys of an answer, or of the first item of a list."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    first = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(first, dict):
        return ()
    names = (key for key in first if key.isprintable() and len(key) <= 40)
    return tuple(name for name, _ in zip(names, range(_MOST_KEYS), strict=False))
