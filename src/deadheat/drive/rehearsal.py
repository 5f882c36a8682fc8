"""Creates, reads, lists and deletes one session in order, before anything races.

Rules
- What does not work alone is not worth racing, and is said so, and so is what shows other
  titles than were written.
- A target that may take time to settle is given that time, and a hiccup passes
  (``drive.retries``).
- A server that shows that it promises less is judged by less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.handshake import (
    CREATED,
    IdReuse,
    allowed,
    comes_back_at_once,
    given_again,
    look_for_ids,
    not_kept,
    remove,
)
from deadheat.errors import NotThisApi
from deadheat.model.answer_word import word_of
from deadheat.model.history import (
    REFUSED,
    Absent,
    Created,
    Deleted,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Outcome,
    Result,
    Undeclared,
)
from deadheat.model.promises import (
    AbsentPromise,
    DeletePromise,
    EventPromise,
    ForkPromise,
    IdPromise,
    Promises,
)

if TYPE_CHECKING:
    from deadheat.drive.executor import Executor
    from deadheat.drive.handshake import Ask
    from deadheat.drive.ownership import Ownership
    from deadheat.drive.retries import Retries
    from deadheat.drive.target import Target


class Rehearsal:
    """The rehearsal of one server. ``promises``: as declared, and afterwards as it showed."""

    def __init__(
        self,
        target: Target,
        executor: Executor,
        ownership: Ownership,
        retries: Retries,
        promises: Promises,
    ) -> None:
        self._target = target
        self._executor = executor
        self._ownership = ownership
        self._retries = retries
        self.promises = promises

    async def go(self) -> Promises:
        """Check that the API works one call at a time. Raises ``NotThisApi``."""
        outcome = await self._retries.ask(
            self._executor.observer, Invocation(Kind.LIST), self._executor.look_around
        )
        if not (isinstance(outcome, Ok) and isinstance(outcome.result, Listed)):
            raise self._refused("listing its sessions", outcome)
        await self._rehearse()
        return self.promises

    async def _rehearse(self) -> None:
        executor = self._executor

        async def send(invocation: Invocation) -> Outcome:
            outcome = await self._ask(invocation)
            if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
                executor.disregard(outcome.result.session)
            return outcome

        async def ask(kind: Kind, session: str) -> Outcome:
            return await send(Invocation(kind, session))

        create = self._ownership.create(0, CREATED)
        outcome = await send(create)
        if not (isinstance(outcome, Ok) and isinstance(outcome.result, Created)):
            raise self._refused("creating a session", outcome)
        session = outcome.result.session  # disregarded: its late effects are no trial's business
        if not self._ownership.owns(session):
            await ask(Kind.GET, session)  # its title may say that it is ours all the same
        if self._ownership.owns(session) and self._ownership.came_back == session:
            await remove(send, self._ownership, session)
            raise NotThisApi(given_again(self._target.name, IdReuse.AGAIN, session))
        if not self._ownership.owns(session):
            raise NotThisApi(
                f"creating a session at {self._target.name} answered the id of one that was there "
                "before. Nothing may be deleted on such a server: correct that first."
            )
        for kind, wanted, doing in (
            (Kind.GET, Found, "reading the session just created"),
            (Kind.DELETE, Deleted, "deleting the session just created"),
            (Kind.GET, Absent, "reading the session just deleted"),
        ):
            if kind is Kind.DELETE and (
                wrong := await not_kept(send, self._target, self._ownership, session, create)
            ):
                if not await remove(send, self._ownership, session):
                    wrong += f" {session} was left alone: its title does not say that it is ours."
                raise NotThisApi(f"{self._target.name}: {wrong}")
            if kind is Kind.DELETE:
                await allowed(send, self._ownership, Invocation(kind, session))
            outcome = await ask(kind, session)
            if self._target.settle_ms and not _is(outcome, wanted):
                await anyio.sleep(self._target.settle_ms / 1_000)  # as long as it says it takes
                outcome = await ask(kind, session)
            if not _is(outcome, wanted) and not (wanted is Absent and self._unsaid(outcome)):
                theirs = outcome if kind is Kind.GET else await ask(Kind.GET, session)
                if self._is_others(theirs):
                    raise NotThisApi(given_again(self._target.name, IdReuse.AGAIN, session))
                await remove(send, self._ownership, session)
                raise self._refused(doing, outcome, _is_past(outcome, wanted))
        if not self._target.exclusive:
            await self._look_for_ids(send, session)
        outcome = await ask(Kind.DELETE, session)
        if isinstance(outcome, Ok) and isinstance(outcome.result, Deleted):
            # It says "deleted" of what is not there: success proves nothing about who did it.
            self.promises = replace(self.promises, delete=DeletePromise.IDEMPOTENT)
        if Kind.FORK in self._target.kinds:
            await self._rehearse_fork(session)
        self._ownership.released([session])
        undeclared = self.promises.ids is IdPromise.UNIQUE and not self._target.unique_ids
        if (
            self._target.exclusive
            and undeclared
            and not self._target.chosen_ids
            and await comes_back_at_once(send, self._ownership, session)
        ):
            self.promises = replace(self.promises, ids=IdPromise.REUSED)
            self._ownership.again = True
        if self._retries.lost_a_create:
            self._retries.lost_a_create = False
            await self._find_lost()
        if self.promises.events is not EventPromise.NONE and not await executor.hears():
            # No stream, or one that says nothing: nothing is promised of it then.
            self.promises = replace(self.promises, events=EventPromise.NONE)
            await executor.deafen()

    async def _ask(self, invocation: Invocation) -> Outcome:
        """One call of the handshake, with retries."""
        return await self._executor.ask_patiently(self._retries, invocation)

    async def _find_lost(self) -> None:
        """Look for a session that an unanswered create may have made, outside all trials."""
        outcome = await self._ask(Invocation(Kind.LIST))
        listed = outcome.result if isinstance(outcome, Ok) else None
        for entry in listed.entries if isinstance(listed, Listed) else ():
            if self._ownership.of_run(entry.title) or self._ownership.named(entry.session):
                self._ownership.adopt(entry.session)
            self._executor.disregard(entry.session)

    async def _look_for_ids(self, ask: Ask, gone: str) -> None:
        """Raises ``NotThisApi`` unless an id of ours can never be another client's."""
        ownership, target = self._ownership, self._target
        if ownership.unique or target.chosen_ids:  # seen before, or said
            return
        ids = await look_for_ids(ask, ownership, target.settle_ms / 1_000)
        if ids is not IdReuse.ONCE:
            raise NotThisApi(given_again(target.name, ids, ownership.came_back or gone))
        ownership.ids_stay()

    def _is_others(self, outcome: Outcome) -> bool:
        """Does its title show, however titles are kept, that another client made it?"""
        found = outcome.result if isinstance(outcome, Ok) else None
        title = found.title if isinstance(found, Found) else None
        if title is None or self._target.exclusive:
            return False
        return self._ownership.run not in title.lower()

    def _unsaid(self, outcome: Outcome) -> bool:
        """Is it an undeclared answer, where none is promised for a missing session?"""
        return self.promises.status_on_absent is AbsentPromise.ANY and _is(outcome, Undeclared)

    async def _rehearse_fork(self, gone: str) -> None:
        """Find out what a fork of a missing session does."""
        outcome = await self._ask(Invocation(Kind.FORK, gone))
        if isinstance(outcome, Ok) and isinstance(outcome.result, Created):
            self.promises = replace(self.promises, fork=ForkPromise.ANY)
            self._executor.disregard(outcome.result.session)
            await remove(self._ask, self._ownership, outcome.result.session)

    def _refused(self, doing: str, outcome: Outcome, past: bool = False) -> NotThisApi:
        """The error for this answer. ``past``: it would have been right before the last change."""
        match outcome:
            case Ok(Undeclared(status, detail)):
                said = f"{status} {detail}".strip()
            case Ok(result):
                said = word_of(result)
            case Info(reason, detail):
                said = f"{reason} {detail}".strip()
            case Fail(reason) if reason == REFUSED:
                said = reason
            case Fail(reason):
                said = f"no connection ({reason})"
        if self._retries.tries > 1:
            said += f", {self._retries.tries} times in a row"
        if isinstance(outcome, Ok) and _is_redirect(outcome.result):
            return NotThisApi(
                f"{doing} at {self._target.name} gave: {said}. A redirect is followed to the same "
                "scheme, host and port only, and a change only with its method and to the same "
                "session (307, 308). Name the address, or the path, that it leads to."
            )
        then = f"Does a server of {self._target.wire.name} listen there? See `deadheat check`."
        if self._executor.observer.offered_cookie:
            then = (
                "It sets cookies, which are not sent back. If it keeps a collection for each, "
                "name one as cookie under [headers]."
            )
        if past:
            longer = "a longer settle" if self._target.settle_ms else "settle"
            said += f". If a change takes time to show, write {longer} at the top of the profile"
        return NotThisApi(f"{doing} at {self._target.name} gave: {said}. {then}")


def _is_redirect(result: Result) -> bool:
    return isinstance(result, Undeclared) and 300 <= result.status < 400


def _is_past(outcome: Outcome, wanted: type[Result]) -> bool:
    """Would it have been the right answer before the create, or before the delete?"""
    past = {Found: Absent, Absent: Found}.get(wanted)
    return past is not None and _is(outcome, past)


def _is(outcome: Outcome, result: type[Result]) -> bool:
    """Was it answered with a result of this type?"""
    return isinstance(outcome, Ok) and isinstance(outcome.result, result)
