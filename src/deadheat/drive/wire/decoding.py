"""Decodes answers in bounded time: one with too much in it is not taken apart.

Rules
- What is too large is the target's fault and unknown, as what is no JSON is; it is said how large.
- Once the list at rest is too large the run ends: nothing can be judged without it.
- The bytes are bounded before (``LARGEST_ANSWER``), but 31 MB hold a list of 1.4 million entries:
  to read it and to judge what it shows took 30 s and 1.8 GB a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.history import Info, Kind, Listed, Offspring, Ok, Unknown

if TYPE_CHECKING:
    from deadheat.drive.wire.api import Wire
    from deadheat.model.history import History, Invocation, Outcome

# Values in one JSON document: a million take 0.4 s and 150 MB to read. There is a comma between
# any two; some stand in texts, which are no reason to have more of them.
MOST_VALUES = 1_000_000
# Entries of one list: a collection that people use has thousands, other people's with them.
LARGEST_LIST = 100_000
_LARGER = "is larger than"


def decoded(
    wire: Wire, invocation: Invocation, status: int, body: bytes, location: str | None = None
) -> Outcome:
    """The outcome by ``Wire.decode``, unless the answer is too large to be taken apart."""
    if len(body) > MOST_VALUES and (values := body.count(b",")) > MOST_VALUES:
        return too_large(f"{status}, an answer of {values:,} values", MOST_VALUES)
    outcome = wire.decode(invocation, status, body, location)
    if isinstance(outcome, Ok) and isinstance(outcome.result, Listed | Offspring):
        entries = len(outcome.result.entries)
        if entries > LARGEST_LIST:
            return too_large(f"{status}, a list of {entries:,} entries", LARGEST_LIST)
    return outcome


def too_large(what: str, most: int) -> Info:
    """The outcome of an answer that was too large to be read."""
    return Info(Unknown.GARBLED, f"{what} {_LARGER} {most:,}")


def too_large_at_rest(history: History) -> str:
    """Which list read at rest was too large, in words; empty: none."""
    for op in history.operations:
        if op.at_rest and op.kind is Kind.LIST:
            match op.outcome:
                case Info(Unknown.GARBLED, detail) if _LARGER in detail:
                    return detail
                case _:
                    pass
    return ""
