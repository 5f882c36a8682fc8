"""Finds and deletes what a killed run left on a server, by its notes and its token.

Rules
- Deleted is only what the notes say that the run made, and what the list shows under that run's
  title or name. Nothing else is touched, whatever the server says.
- A title or a name with the run's token proves whose a session is. An id may be another client's by
  now: what has a title that the run did not write is left alone.
- What has no title is ours by the word of the notes alone, which may be a stranger's: it is deleted
  for somebody who has said so, and only if its id cannot come back.
- One request at a time; each session is asked for afterwards, as a success proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.checkup_advice import in_words
from deadheat.drive.client import ApiClient
from deadheat.drive.id_randomness import are_random
from deadheat.drive.ownership import Ownership
from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import TargetDied
from deadheat.model.history import Absent, Fail, Found, Info, Invocation, Kind, Listed, Ok, Outcome
from deadheat.model.promises import IdPromise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from deadheat.drive.journal import LeftBehind
    from deadheat.drive.target import Target


class CleanupStatus(StrEnum):
    """What became of a session that had been left behind."""

    DELETED = "deleted"
    GONE = "gone already"
    THERE = "still there"
    OTHERS = "left alone"  # another session has its id by now, or may have
    CLAIMED = "needs --trust"  # only the notes say that it is ours
    FOUND = "there"  # of a dry run: it would be deleted


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The outcome for one session; ``said``: the server's last answer, where it is still there."""

    session: str
    status: CleanupStatus
    said: str = ""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What became of all that is known. ``untold``: sessions in the list of which nothing tells
    whose they are, no title and no name; one may be of a create that was on its way.
    """

    sessions: tuple[Cleaned, ...]
    untold: int


async def clean(
    target: Target,
    left: LeftBehind,
    *,
    dry: bool,
    tell: Callable[[Cleaned], None],
    believed: bool = False,
    only: Collection[str] | None = None,
) -> Cleanup:
    """Delete at ``target`` what ``left`` names; ``dry``: only look. ``tell`` gets each outcome.

    ``believed``: what nothing but ``left`` says is ours, too. ``only``: these of its sessions.

    Raises ``TargetDied`` when the server does not answer.
    """
    assert target.base_url is not None
    client = LaneClient(target.base_url, target.timeout_s, headers=target.headers)
    try:
        cleaning = _Cleaning(target, client, left, tell, believed=believed)
        return await cleaning.run(dry=dry, only=only)
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


class _Cleaning:
    def __init__(
        self,
        target: Target,
        client: LaneClient,
        left: LeftBehind,
        tell: Callable[[Cleaned], None],
        *,
        believed: bool,
    ) -> None:
        self._target = target
        self._client = client
        self._left = left
        self._tell = tell
        self._believed = believed
        self._ownership = Ownership(left.run, chooses=target.chosen_ids)
        self._unique = False
        self._api = ApiClient(target, target.base_url or "", self._ownership)

    async def run(self, *, dry: bool, only: Collection[str] | None) -> Cleanup:
        sessions = dict.fromkeys(self._left.sessions)
        untold = 0
        listed = await self._ask(Invocation(Kind.LIST))
        if isinstance(listed, Ok) and isinstance(listed.result, Listed):
            for entry in listed.result.entries:
                if self._ownership.of_run(entry.title) or self._ownership.named(entry.session):
                    sessions.setdefault(entry.session)
                elif entry.title is None and not self._target.chosen_ids:
                    untold += entry.session not in sessions
        elif isinstance(listed, Info | Fail) and not sessions:
            raise TargetDied(f"{self._target.name} does not answer. Start it, then clean up again.")
        self._unique = self._target.unique_ids or (
            self._target.promises.ids is not IdPromise.REUSED and are_random(self._left.sessions)
        )
        done: list[Cleaned] = []
        for session in sessions if only is None else only:
            one = await self._one(session, dry=dry)
            self._tell(one)
            done.append(one)
        return Cleanup(tuple(done), untold)

    async def _one(self, session: str, *, dry: bool) -> Cleaned:
        outcome = await self._ask(Invocation(Kind.GET, session))
        found = outcome.result if isinstance(outcome, Ok) else None
        if isinstance(found, Absent):
            return Cleaned(session, CleanupStatus.GONE)
        title = found.title if isinstance(found, Found) else None
        delete = Invocation(Kind.DELETE, session)
        if title is None and self._ownership.named(session):
            self._ownership.adopt(session)
        if title is None and self._unique and not self._ownership.may(delete):
            if not self._believed:
                why = f"it has no title, and only {self._left.path} says that a run made it"
                return Cleaned(session, CleanupStatus.CLAIMED, why)
            self._ownership.adopt(session)
        if not self._ownership.may(delete):
            why = "its id may have been given to another session, and no title tells"
            if title is not None:
                why = "it has a title that this run did not write"
            return Cleaned(session, CleanupStatus.OTHERS, why)
        if dry:
            return Cleaned(session, CleanupStatus.FOUND)
        deleted = await self._ask(delete)
        outcome = await self._ask(Invocation(Kind.GET, session))
        if isinstance(outcome, Ok) and isinstance(outcome.result, Absent):
            return Cleaned(session, CleanupStatus.DELETED)
        return Cleaned(
            session, CleanupStatus.THERE, f"its delete was answered: {in_words(deleted)}"
        )

    async def _ask(self, invocation: Invocation) -> Outcome:
        return await self._api.ask(self._client, invocation)
