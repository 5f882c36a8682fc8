"""Looks for what a run, a check or a draft made, and deletes it.

Rules
- A call that was cut off may be done later, as its bytes are with the server. A create is looked
  for under its title for a while. After a change or a delete its session is deleted (again) once a
  get, some time later, shows it under our title.
- Each session is asked for after its delete; what is left is for the caller's notes to say.
- It waits for a second and a half at most, besides the answers; the caller's deadline bounds both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from deadheat.drive.handshake import allowed
from deadheat.model.history import Absent, Invocation, Kind, Listed, Ok, Undeclared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.drive.ownership import Ownership
    from deadheat.model.history import Outcome

    Ask = Callable[[Invocation], Awaitable[Outcome]]

# Before each look. A busy server has done within the first of them what was on its way.
_PAUSES_S = (0.0, 0.1, 0.2, 0.4, 0.8)


async def leave_nothing(ask: Ask, ownership: Ownership, *, unsaid: bool = False) -> None:
    """Delete what may be left of ours. ``unsaid``: an answer that the profile does not declare
    says of a session that it is not there.
    """
    for number, pause_s in enumerate(_PAUSES_S):
        await anyio.sleep(pause_s)
        await _look(ask, ownership)
        left = ownership.not_seen_gone
        if not left and not ownership.in_doubt:
            return
        for session in left:
            await _end(ask, ownership, session, later=number > 0, unsaid=unsaid)


async def _look(ask: Ask, ownership: Ownership) -> None:
    """The sessions that titles and names show to be ours."""
    outcome = await ask(Invocation(Kind.LIST))
    listed = outcome.result if isinstance(outcome, Ok) else None
    for entry in listed.entries if isinstance(listed, Listed) else ():
        if ownership.of_run(entry.title) or ownership.named(entry.session):
            ownership.adopt(entry.session)
    for session in ownership.claimed:
        await ask(Invocation(Kind.GET, session))  # its title may say that it is ours all the same


async def _end(ask: Ask, ownership: Ownership, session: str, *, later: bool, unsaid: bool) -> None:
    get, delete = Invocation(Kind.GET, session), Invocation(Kind.DELETE, session)
    if ownership.unread(session):
        await allowed(ask, ownership, delete)
    if not ownership.may(delete):
        found = await ask(get)
        if later:
            ownership.still_there(get, found)
    if ownership.may(delete):  # else its id may be another's by now
        await ask(delete)
    outcome = await ask(get)
    if isinstance(outcome, Ok) and (
        isinstance(outcome.result, Absent) or (unsaid and isinstance(outcome.result, Undeclared))
    ):
        ownership.released([session])
