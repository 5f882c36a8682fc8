"""Learns from a few calls in a row what a server does: are titles kept, do ids come back?

Rules
- Nothing races yet, so each answer has one right form; what is wrong is said with the line to
  write.
- Whether ids come back matters where others use the server, too: a change that arrives late would
  meet the next session of that id, and that may be another client's. It is looked at by making a
  session, deleting it, and making another. What others did meanwhile would hide that an id came
  back (theirs got it, or a higher one), so a look counts only if no session of theirs has appeared,
  or if the second id is the next one and no session has the first.
- Ids that hold enough chance never come back. Without, they must at least rise: short ones drawn
  at random come back some day, though no look shows it.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.checkup_advice import advice
from deadheat.drive.id_randomness import alike, are_random
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
    Renamed,
    Unknown,
)
from deadheat.model.promises import UpdatePromise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from deadheat.drive.ownership import Ownership
    from deadheat.drive.target import Target
    from deadheat.model.history import Outcome

    Ask: TypeAlias = Callable[[Invocation], Awaitable[Outcome]]

# As long as the longest titles of a trial: its number has up to seven digits, the rehearsal's one,
# and a rename adds its place. A server that cuts titles must cut these.
CREATED, RENAMED = "rehearsal one", "rehearsal 1.1.1"

TAKES_TIME = (
    "If a change takes time to show, write settle at the top of the profile: `deadheat check` says "
    "how long it took"
)
_NOT_LISTED = (
    "does not show the session just created. Has the list pages? Write calls.list.pages, or name a "
    "limit in calls.list.request; or correct calls.list.items and calls.list.id. " + TAKES_TIME
)

# A user who makes and deletes a session every 10 ms hides one look in 70 (one of theirs begins
# within the 1.5 ms between our delete and our create, and is gone before our list): three in a row
# one in 300,000.
_LOOKS = 3
# A client that makes one every 10 ms spoils every second look.
_MOST_LOOKS = 30
_LONGEST_SHOWN = 60


class IdReuse(StrEnum):
    """Does a server give an id again, once its session is gone?"""

    ONCE = "once"
    AGAIN = "again"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class IdLooks:
    """The ids that creates answered, in order, and how many looks no other client disturbed."""

    ids: tuple[str, ...]
    quiet: int
    came_back: bool = False


def judge_ids(looked: IdLooks) -> IdReuse | None:
    """What the looks so far prove; None: look once more."""
    if looked.came_back or len(set(looked.ids)) < len(looked.ids):
        return IdReuse.AGAIN
    if are_random(looked.ids):
        return IdReuse.ONCE
    if looked.quiet < _LOOKS:
        return None
    rising = all(map(_rises, looked.ids, looked.ids[1:]))
    return IdReuse.ONCE if rising else IdReuse.UNKNOWN


def _rises(one: str, other: str) -> bool:
    """Is the second greater, as numbers are?"""
    start = alike([one, other])
    first, second = one[start:], other[start:]
    return (len(first), first) < (len(second), second)


def _follows(one: str, other: str) -> bool:
    """Is the second the next number, after the same letters?"""
    first, second = (re.fullmatch(r"(.*?)([0-9]{1,18})", text, re.DOTALL) for text in (one, other))
    if first is None or second is None:
        return False
    return first[1] == second[1] and int(first[2]) + 1 == int(second[2])


async def look_for_ids(ask: Ask, ownership: Ownership, settle_s: float = 0.0) -> IdReuse:
    """Find out whether the server gives ids again. It deletes what it makes for that."""
    looked = IdLooks((), 0)
    for _ in range(_MOST_LOOKS):
        began_s, before = anyio.current_time(), looked
        looked = await _look(ask, ownership, settle_s, before)
        if (found := judge_ids(looked)) is not None:
            return found
        if looked.quiet == before.quiet:
            # Another worker of ours, say, in step with this one: let it have its look.
            took_s = anyio.current_time() - began_s
            await anyio.sleep(random.uniform(0, 2 * took_s))
    return IdReuse.UNKNOWN


async def _look(ask: Ask, ownership: Ownership, settle_s: float, before: IdLooks) -> IdLooks:
    """Look once more; returns what is known then. Lists close together are disturbed less."""
    one = await _made(ask, ownership)
    there = await _listed(ask)  # it reads ``one``, too
    if one is not None:
        await remove(ask, ownership, one)
        await anyio.sleep(settle_s)
    other = await _made(ask, ownership)
    now = await _listed(ask)
    if other is not None:
        await remove(ask, ownership, other)
    made = tuple(one for one in (one, other) if one is not None)
    gone = {*before.ids, one}
    shown = () if now is None else now.entries
    theirs = any(
        entry.session in gone and entry.title is not None and not ownership.of_run(entry.title)
        for entry in shown
    )
    quiet = False
    if one is not None and other is not None and now is not None:
        alone = there is not None and now.sessions - {other} <= there.sessions - gone
        quiet = alone or (_follows(one, other) and one not in now.sessions)
    back = theirs or ownership.came_back is not None
    return IdLooks((*before.ids, *made), before.quiet + quiet, back)


async def comes_back_at_once(ask: Ask, ownership: Ownership, gone: str) -> bool:
    """With no other client: does the next session get the id of the last one?"""
    made = await _made(ask, ownership)
    if made is not None:
        await remove(ask, ownership, made)
    return made == gone


async def _listed(ask: Ask) -> Listed | None:
    outcome = await ask(Invocation(Kind.LIST))
    listed = outcome.result if isinstance(outcome, Ok) else None
    return listed if isinstance(listed, Listed) else None


async def _made(ask: Ask, ownership: Ownership) -> str | None:
    outcome = await ask(ownership.create(0, "one more"))
    made = outcome.result if isinstance(outcome, Ok) else None
    return made.session if isinstance(made, Created) else None


async def allowed(
    ask: Ask, ownership: Ownership, invocation: Invocation, settle_s: float = 0.0
) -> bool:
    """May the call be sent, perhaps because a read shows that the session is ours?

    ``settle_s``: how long what was made may take to show.
    """
    about = ownership.about(invocation)
    if about is None or ownership.may(invocation):
        return ownership.may(invocation)
    for wait_s in (0.0, settle_s) if settle_s else (0.0,):
        await anyio.sleep(wait_s)
        get = Invocation(Kind.GET, about)
        found = await ask(get)
        ownership.no_change_waits(get, found)  # patience has passed since
        if not ownership.unread(about):
            break
        await ask(Invocation(Kind.LIST))
        if isinstance(found, Ok) and isinstance(found.result, Found):
            ownership.untold(about)
            break
    return ownership.may(invocation)


async def spared(
    ask: Ask, ownership: Ownership, invocation: Invocation, last: Outcome
) -> Outcome | None:
    """The outcome of a call that failed with ``last``, where it need not or may not be repeated."""
    if ownership.may(invocation) or invocation.session is None:
        return None
    get = Invocation(Kind.GET, invocation.session)
    found = await ask(get)
    if isinstance(found, Ok) and isinstance(found.result, Absent):
        return found
    ownership.still_there(get, found)
    return None if ownership.may(invocation) else last


async def remove(ask: Ask, ownership: Ownership, session: str) -> bool:
    """Delete what was made. False: not allowed, as it may be another client's."""
    delete = Invocation(Kind.DELETE, session)
    if not await allowed(ask, ownership, delete):
        return False
    outcome = await ask(delete)
    if isinstance(outcome, Ok) and isinstance(outcome.result, Deleted):
        ownership.released([session])
    return True


def given_again(name: str, ids: IdReuse, session: str | None = None) -> str:
    """Why nothing may be changed on that server, and what to do."""
    which = "" if session is None else f" ({session!r:.{_LONGEST_SHOWN}})"
    start = (
        "Let deadheat start a server of its own ([server] in the profile), or, if "
        "nobody else uses this one, write exclusive = true at the top of the profile."
    )
    danger = "and others may use it: a call that arrives late could change a session of theirs."
    if ids is IdReuse.AGAIN:
        return f"{name} gives an id again once its session is gone{which}, {danger} {start}"
    return (
        f"deadheat cannot tell whether {name} gives an id again once its session is gone{which}, "
        f'{danger} If it never does, write ids = "unique" under [promises]. {start}'
    )


async def not_kept(
    ask: Ask, target: Target, ownership: Ownership, session: str, create: Invocation
) -> str:
    """What a list or a get shows differently from what was written, and the line to write; or "".

    ``session``: what ``create`` has made.
    """
    if wrong := await _in_get(ask, target, session, create.title, None):
        return wrong
    if wrong := await _in_list(ask, target, session, create.title):
        return wrong
    if Kind.RENAME not in target.kinds or target.promises.update is UpdatePromise.NONE:
        return ""
    title = f"{str(create.title).removesuffix(CREATED)}{RENAMED}"
    rename = Invocation(Kind.RENAME, session, title)
    outcome = await ask(rename) if await allowed(ask, ownership, rename) else None
    if not (isinstance(outcome, Ok) and isinstance(outcome.result, Renamed)):
        return ""  # not now, or never: what it answers is the checker's business
    return await _in_get(ask, target, session, title, create.title)


def not_listed(session: str, listed: Listed) -> str:
    """What to say about a list that does not show the session just created."""
    folded = session.casefold()
    other = min((one for one in listed.sessions if one.casefold() == folded), default=None)
    if other is None:
        return _NOT_LISTED
    return (
        f"shows the session just created in another case: {other!r:.{_LONGEST_SHOWN}}, where "
        f"create answered {session!r:.{_LONGEST_SHOWN}}. Ids that differ in their case are two "
        "sessions here: correct calls.list.id and calls.create.id to places with the same one"
    )


async def _in_get(
    ask: Ask, target: Target, session: str, written: str | None, before: str | None
) -> str:
    get = Invocation(Kind.GET, session)
    for wait_s in _retries(target):
        await anyio.sleep(wait_s)
        outcome = await ask(get)
        if isinstance(outcome, Info) and outcome.reason is Unknown.GARBLED:
            return f"get of a session {advice(get, outcome, None, (), Found)}."
        found = outcome.result if isinstance(outcome, Ok) else None
        shown = found.title if isinstance(found, Found) else None
        if shown in (None, written) or target.promises.update is UpdatePromise.NONE:
            return ""
    return (
        "" if shown == before and target.promises.sometime_by(Kind.GET) else _kept_as(shown, "get")
    )


async def _in_list(ask: Ask, target: Target, session: str, written: str | None) -> str:
    wrong, lists = "", Invocation(Kind.LIST)
    for wait_s in _retries(target):
        await anyio.sleep(wait_s)
        outcome = await ask(lists)
        listed = outcome.result if isinstance(outcome, Ok) else None
        if not isinstance(listed, Listed):
            return f"the list with an entry {advice(lists, outcome, None, (), Listed)}."
        shown = [entry.title for entry in listed.entries if entry.session == session]
        if shown:
            fits = shown[0] in (None, written) or target.promises.update is UpdatePromise.NONE
            return "" if fits else _kept_as(shown[0], "list")
        wrong = f"the list {not_listed(session, listed)}."
    return "" if target.promises.sometime_by(Kind.LIST) else wrong


def _retries(target: Target) -> tuple[float, ...]:
    """The seconds to wait before each look: none, then the settle time."""
    return (0.0, target.settle_ms / 1_000) if target.settle_ms else (0.0,)


def _kept_as(shown: str | None, call: str) -> str:
    return (
        f"{call} shows another title than was written: {shown!r:.{_LONGEST_SHOWN}}, where a title "
        "of deadheat's was sent. Titles are not kept as they are, so a title that is read would "
        f'look like a lost update. Correct calls.{call}.title, or write update = "none" under '
        "[promises]: then nothing is said of titles."
    )
