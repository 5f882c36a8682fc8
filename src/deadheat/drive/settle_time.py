"""Measures how late changes show, to advise a settle time for the profile.

Rule: advised is three times the longest that was seen, of a few changes. Where each takes some
time up to a longest one, evenly, all of six take less than a third of it once in 700 times.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from deadheat.model.history import Created, Found, Invocation, Kind, Listed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

# A change that has not shown by then has not been made, or the profile looks at the wrong place.
LONGEST_S = 3.0
# Between two looks: a tenth of what is worth a settle time at all.
_PAUSE_S = 0.005
# Sessions made and deleted to see how long it takes, beside the one that it was noticed with.
SAMPLES = 3
_TIMES = 3
# Less is not worth a line in a profile, and would be too near to what a busy machine adds.
_LEAST_MS = 50


async def shown_after_s(
    looks: Callable[[], Awaitable[bool]], within_s: float = LONGEST_S
) -> float | None:
    """The seconds until a change shows; None: longer than ``within_s``."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < within_s:
        if await looks():
            return time.monotonic() - began_s
        await anyio.sleep(_PAUSE_S)
    return None


def advised(seen_s: Iterable[float]) -> str:
    """The ``settle`` to write: a round number of milliseconds or seconds."""
    wanted_ms = max(_LEAST_MS, _TIMES * 1_000 * max(seen_s))
    step = 10
    while wanted_ms > 10 * step:
        step *= 10
    rounded = -(-int(wanted_ms + 0.5) // step) * step
    return f"{rounded / 1_000:g}s" if rounded % 1_000 == 0 else f"{rounded}ms"


async def times_to_show(
    creates: Iterable[Invocation],
    sent: Callable[[Invocation], Awaitable[object]],
    ours: Callable[[str], bool],
) -> tuple[float, ...]:
    """How long get and list took to show each of a few creates and deletes.

    ``sent``: the result of a call, None without one. ``ours``: may this id be deleted?
    """
    seen_s: list[float] = []
    for create in creates:
        made = await sent(create)
        if not isinstance(made, Created) or not ours(made.session):
            continue
        for there in (True, False):
            if not there:
                await sent(Invocation(Kind.DELETE, made.session))
            looks = _both(made.session, sent, there=there)
            seen_s.append(await shown_after_s(looks) or LONGEST_S)
    return tuple(seen_s)


def _both(
    session: str, sent: Callable[[Invocation], Awaitable[object]], *, there: bool
) -> Callable[[], Awaitable[bool]]:
    async def looks() -> bool:
        found = isinstance(await sent(Invocation(Kind.GET, session)), Found)
        listed = await sent(Invocation(Kind.LIST))
        return found is there and showing(session, there=there)(listed)

    return looks


def showing(session: str, *, there: bool = True) -> Callable[[object], bool]:
    """A test for results: is it a list that shows (or lacks) the session?"""
    return lambda result: isinstance(result, Listed) and (session in result.sessions) is there
