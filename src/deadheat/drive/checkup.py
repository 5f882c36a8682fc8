"""Checks a profile against a server: each call once, one after the other, before anything races.

Rules
- Nothing is changed but what this dry run has made, and that is deleted at the end.
- A call that has no session to be about, as its create failed, is left out.
- What an answer holds is looked at only to say what to write instead: names of keys, never values.
- What was changed is looked for as long as the profile's settle time; without one, for as long
  as it takes to say which to write (``settle_time``).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
import httpx

from deadheat.drive.checkup_advice import advice, in_words, keys_of
from deadheat.drive.client import ApiClient
from deadheat.drive.end_of_run import leave_nothing
from deadheat.drive.handshake import (
    IdReuse,
    allowed,
    given_again,
    look_for_ids,
    not_listed,
)
from deadheat.drive.ownership import Ownership
from deadheat.drive.retries import Retries
from deadheat.drive.server.process import ServerProcess
from deadheat.drive.settle_time import (
    LONGEST_S,
    SAMPLES,
    advised,
    showing,
    shown_after_s,
    times_to_show,
)
from deadheat.drive.wire.lane import LaneClient
from deadheat.errors import StartFailed
from deadheat.model.history import (
    Absent,
    Answered,
    Created,
    Deleted,
    Exists,
    Found,
    Invocation,
    Kind,
    Listed,
    Offspring,
    Ok,
    Outcome,
    Renamed,
    Undeclared,
)
from deadheat.model.promises import (
    AbsentPromise,
    ChildrenPromise,
    CreatePromise,
    DeletePromise,
    IdPromise,
    UpdatePromise,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable

    from deadheat.check.custom.calls import CustomCalls
    from deadheat.drive.target import Target


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """One call of the dry run: what was sent, what came, and what to correct.

    ``status``: None when no answer came. ``wrong`` empty: as declared. ``hint``: it is as declared,
    but something else would say it better.
    """

    doing: str
    request: str
    status: int | None
    said: str
    wrong: str = ""
    hint: str = ""


@asynccontextmanager
async def server_of(target: Target) -> AsyncIterator[str]:
    """The base URL of a target; its server is started and stopped if it is a managed one.

    Raises ``TargetError``.
    """
    if target.launch is None:
        if target.base_url is None:
            raise StartFailed(f"{target.name} has neither a command nor an address. Give one.")
        yield target.base_url
        return
    process = ServerProcess(target.launch)
    try:
        base_url = await process.start()
        yield base_url
    finally:
        with anyio.CancelScope(shield=True):
            await process.stop()


async def dry_run(target: Target, base_url: str, run: str) -> tuple[CheckedCall, ...]:
    """Try each call of the target once. ``run``: as in ``open_target``."""
    client = LaneClient(base_url, target.timeout_s, headers=target.headers)
    notes = None if target.journal is None else target.journal.begin(run)
    ownership = Ownership(
        run,
        chooses=target.chosen_ids,
        notes=notes,
        alone=target.exclusive,
        unique=target.unique_ids,
        titled=target.promises.update is not UpdatePromise.NONE,
    )
    walk = _Walk(target, base_url, client, ownership)
    try:
        await walk.go()
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(target.timeout_s):
                await walk.clean()
            if notes is not None:
                notes.end(in_doubt=ownership.in_doubt)
            await client.aclose()
    return tuple(walk.steps)


class _Walk:
    def __init__(
        self, target: Target, base_url: str, client: LaneClient, ownership: Ownership
    ) -> None:
        self._target = target
        self._client = client
        self._ownership = ownership
        self._api = ApiClient(target, base_url, self._ownership)
        self._retries = Retries()
        self._late_s: dict[int, float] = {}  # how long it took, by the step that did not show it
        self.steps: list[CheckedCall] = []

    async def go(self) -> None:
        """Every call once; a session is made, looked at, changed, and deleted."""
        shown = await self._ask("list what is there", Invocation(Kind.LIST), Listed)
        if isinstance(shown, Listed):
            self._ownership.shun(shown.sessions)
        session = await self._make("create a session", self._ownership.create(0, "check 1"))
        if session is None:
            return
        await self._find("get it", session, self._title(1))
        lists = Invocation(Kind.LIST)
        shown = await self._ask("list again", lists, Listed, showing(session))
        if isinstance(shown, Listed) and session not in shown.sessions:
            self._correct(not_listed(session, shown))
        if Kind.RECREATE in self._target.kinds:
            await self._recreate(session)
        if Kind.RENAME in self._target.kinds:
            renames = Invocation(Kind.RENAME, session, self._title(2))
            await self._ask("rename it", renames, Renamed, lambda result: result == Renamed())
            await self._find("get it again", session, self._title(2))
        if Kind.FORK in self._target.kinds:
            await self._make("fork it", Invocation(Kind.FORK, session))
        if self._target.custom_model is not None:
            await self._custom(self._target.custom_model)
        child = await self._child_of(session) if self._target.families else None
        deletes, gets = Invocation(Kind.DELETE, session), Invocation(Kind.GET, session)
        await self._ask("delete it", deletes, Deleted, lambda result: result == Deleted())
        await self._ask("get it once more", gets, Absent, lambda result: result == Absent())
        shown = await self._ask("list once more", lists, Listed, showing(session, there=False))
        if isinstance(shown, Listed):
            if session in shown.sessions:
                longer = "a longer settle" if self._target.settle_ms else "settle"
                self._correct(
                    "still shows it. Does a delete only mark it? Leave it out in calls.list.items. "
                    f"Or may a change take so long to show? Write {longer} at the top"
                )
            elif child is not None:
                self._inherited(child in shown.sessions)
        if await self._ids_stay():
            await self._again(session)
        if self._late_s:
            await self._see_how_late()

    async def _see_how_late(self) -> None:
        """Measure how late a change shows, in a few more changes, and report it."""

        async def sent(invocation: Invocation) -> object:
            if not await allowed(self._outcome, self._ownership, invocation):
                return None
            return _result(await self._outcome(invocation))

        creates = (self._ownership.create(0, f"check late {n}") for n in range(SAMPLES))
        seen_s = await times_to_show(creates, sent, self._ownership.owns)
        settle = advised((*self._late_s.values(), *seen_s))
        for at, took_s in self._late_s.items():
            wrong = f'took {took_s * 1_000:.0f} ms to show it. Write settle = "{settle}" at the top'
            self.steps[at] = replace(self.steps[at], wrong=wrong)

    async def _ids_stay(self) -> bool:
        """May a second delete be sent, or could another client's session have the id by now?"""
        target, ownership = self._target, self._ownership
        if target.exclusive or target.chosen_ids or target.unique_ids:
            return True

        ids = IdReuse.AGAIN
        if target.promises.ids is not IdPromise.REUSED:
            ids = await look_for_ids(self._outcome, ownership, target.settle_ms / 1_000)
        if ids is IdReuse.ONCE:
            ownership.ids_stay()
            return True
        why = given_again("this server", ids, ownership.came_back)
        self._note("make others", ownership.create(0, "one more"), None, "", why)
        return False

    async def _recreate(self, session: str) -> None:
        """Try a second create under the same name."""
        again = self._ownership.create(0, "check 1", kind=Kind.RECREATE)
        outcome, status, keys = await self._send(again)
        strict = self._target.promises.create is CreatePromise.EXACTLY_ONCE
        wrong = hint = ""
        match outcome:
            case Ok(Created(made)) if made != session:
                wrong = 'made another session under one name. Write promises.create = "new"'
            case Ok(Created()) if strict:
                wrong = 'is a success, too. Write promises.create = "idempotent"'
            case Ok(Created()):
                pass
            case Ok(Exists()) if strict:
                pass
            case Ok(Exists()):
                hint = 'a second create gets another answer: write promises.create = "exactly-once"'
            case Ok(Undeclared()):
                wrong = f"means that there is one? Add {status} to calls.create.exists"
            case _:
                wrong = advice(again, outcome, status, keys, Created)
        self._note("create it again", again, status, in_words(outcome), wrong, hint)

    async def _custom(self, model: CustomCalls) -> None:
        """Try each custom call, on a session for them alone."""
        session = await self._make("create one more", self._ownership.create(0, "check own"))
        mark: Hashable = None
        for custom in self._target.custom if session is not None else ():
            call = Invocation(Kind.CUSTOM, session, custom=custom)
            if not await allowed(self._outcome, self._ownership, call):
                continue  # it was said of the create
            outcome, status, keys = await self._send(call)
            may = dict(model.step(custom, True, mark))
            word = outcome.result if isinstance(outcome, Ok) else None
            said, wrong = in_words(outcome), ""
            if isinstance(word, Answered) and word.value in may:
                said, mark = word.value, may[word.value]
            elif isinstance(word, Answered):
                wrong = f"is {word.value!r}; step allows {', '.join(sorted(may))}. Correct step"
            else:
                wrong = advice(call, outcome, status, keys, Answered)
            self._note(f"{custom.name} it", call, status, said, wrong)

    async def _child_of(self, session: str) -> str | None:
        create = replace(self._ownership.create(0, "check 3"), parent=session)
        child = await self._make("create one below it", create)
        if child is not None and Kind.CHILDREN in self._target.kinds:
            below = await self._ask(
                "list its children", Invocation(Kind.CHILDREN, session), Offspring
            )
            if isinstance(below, Offspring) and child not in {e.session for e in below.entries}:
                self._correct("does not show the child. Correct calls.children")
        return child

    async def _find(self, doing: str, session: str, title: str) -> None:
        titles = self._target.promises.update is not UpdatePromise.NONE

        def shows(result: object) -> bool:
            return isinstance(result, Found) and (result.title in (None, title) or not titles)

        found = await self._ask(doing, Invocation(Kind.GET, session), Found, shows)
        if isinstance(found, Found) and not shows(found):
            self._correct(
                "has another title than was written. Correct calls.get.title, or write "
                'update = "none" under [promises]: then nothing is said of titles'
            )

    def _inherited(self, is_there: bool) -> None:
        promised = self._target.promises.children
        if is_there and promised is ChildrenPromise.CASCADE:
            self._correct('still shows its child. Write promises.children = "orphan"')
        elif not is_there and promised is ChildrenPromise.ORPHAN:
            self._correct('shows its child no more. Write promises.children = "cascade"')

    async def _again(self, session: str) -> None:
        """Try a second delete. It shows what the first one may promise."""
        again = Invocation(Kind.DELETE, session)
        outcome, status, keys = await self._send(again)
        said = in_words(outcome)
        strict = self._target.promises.delete is DeletePromise.EXACTLY_ONCE
        wrong = hint = ""
        match outcome:
            case Ok(Deleted()) if strict:
                hint = (
                    'a delete of what is gone succeeds, too: write promises.delete = "idempotent"'
                )
            case Ok(Absent()) if not strict:
                hint = 'a second delete gets another answer: write promises.delete = "exactly-once"'
            case Ok(Deleted() | Absent()):
                pass
            case _:
                wrong = advice(again, outcome, status, keys, Absent)
        self._note("delete it again", again, status, said, wrong, hint)

    async def clean(self) -> None:
        """Delete what was made and is still there, also where a create's answer was not understood:
        the list may show it under its title."""
        unsaid = self._target.promises.status_on_absent is AbsentPromise.ANY

        async def ask(invocation: Invocation) -> Outcome:
            return await self._api.ask(self._client, invocation)

        await leave_nothing(ask, self._ownership, unsaid=unsaid)

    def _title(self, number: int) -> str:
        return self._ownership.title(0, f"check {number}")

    async def _make(self, doing: str, invocation: Invocation) -> str | None:
        made = await self._ask(doing, invocation, Created)
        if not isinstance(made, Created):
            return None
        if not self._ownership.owns(made.session):
            self._correct("answered the id of a session that was there before. Correct its id")
            return None
        return made.session

    async def _ask(
        self,
        doing: str,
        invocation: Invocation,
        wanted: type[object],
        shows: Callable[[object], bool] | None = None,
    ) -> object:
        """The result of a call; None when there is none.

        ``shows``: does it show what was changed before? It is asked again until it does.
        """
        if not await allowed(self._outcome, self._ownership, invocation):
            self._note(doing, invocation, None, "not sent: is it still ours?", "")
            return None
        outcome, status, keys = await self._send(invocation)
        late_s: float | None = None
        if shows is not None and _may_be_late(outcome) and not shows(_result(outcome)):
            again = outcome, status, keys

            async def asked_again() -> bool:
                nonlocal again
                if not await allowed(self._outcome, self._ownership, invocation):
                    return False
                again = await self._send(invocation)
                return shows(_result(again[0]))

            settle_s = self._target.settle_ms / 1_000
            late_s = await shown_after_s(asked_again, settle_s or LONGEST_S)
            if late_s is not None:
                outcome, status, keys = again
            if settle_s:
                late_s = None
        keys = tuple(map(self._target.mask.text, keys))
        result = _result(outcome)
        fits = isinstance(result, wanted) or (
            wanted is Absent
            and isinstance(result, Undeclared)
            and self._target.promises.status_on_absent is AbsentPromise.ANY
        )
        wrong = "" if fits else advice(
            invocation, outcome, status, keys, wanted
        )  # fmt: skip
        self._note(doing, invocation, status, in_words(outcome), wrong)
        if late_s is not None:
            self._late_s[len(self.steps) - 1] = late_s
            self._correct("took time to show it. Write settle")
        return result

    async def _outcome(self, invocation: Invocation) -> Outcome:
        outcome, *_ = await self._send(invocation)
        return outcome

    async def _send(self, invocation: Invocation) -> tuple[Outcome, int | None, tuple[str, ...]]:
        reply = await self._api.ask_patiently(self._retries, self._client, invocation)
        keys = keys_of(reply.answer.content) if isinstance(reply.answer, httpx.Response) else ()
        return reply.outcome, reply.status, keys

    def _note(
        self,
        doing: str,
        invocation: Invocation,
        status: int | None,
        said: str,
        wrong: str,
        hint: str = "",
    ) -> None:
        if self._retries.tries > 1 and not (wrong or hint):
            hint = f"not at once: only when it was asked {self._retries.tries} times"
        request = self._target.wire.encode(invocation)
        path = request.path
        for word, session in (("{id}", invocation.session), ("{parent}", invocation.parent)):
            if session is not None:
                path = path.replace(quote(session, safe=""), word)
        self.steps.append(CheckedCall(doing, f"{request.method} {path}", status, said, wrong, hint))

    def _correct(self, wrong: str) -> None:
        """Mark the last answer as wrong, with what to correct."""
        self.steps[-1] = replace(self.steps[-1], wrong=wrong)


def _result(outcome: Outcome) -> object:
    return outcome.result if isinstance(outcome, Ok) else None


def _may_be_late(outcome: Outcome) -> bool:
    """May the answer be right but late, as far as can be told?"""
    return isinstance(_result(outcome), Found | Absent | Listed | Offspring)
