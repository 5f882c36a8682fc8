"""Decides which sessions may be changed, in one place: only our own.

Rules
- An id becomes ours only when a create of this run returned it, or when a list or a get shows it
  under a title tag that this run wrote, and never when it was there before. Nothing else
  may be deleted or renamed, whatever the server says, and a custom call may not even look
  at anything else.
- The right to change an id ends when its session may be gone, as another client may get the id
  then: with the delete that we send, whatever comes of it (a refused one did nothing), and when an
  answer shows that it is not there. A create of ours that answers with the id gives it back; a
  title gives it back to what was only not shown, and after a delete that failed (``still_there``).
  While a change of ours has no answer, no delete
  follows it: that change might meet the next session of that id.
- Where nobody else uses the server (``alone``), where an id holds this run's token, and where ids
  have been seen never to come back (``unique``), no other client can get it: the right lasts
  until the trial is over and the session is gone. Only there may two deletes of one session race.
- A title that this run cannot have written ends it, too, where others use the server and titles
  are kept (``titled``): a create that answers the latest id, not its own, names another's
  session.
- There, what a create answered is not changed before an answer has shown it: not under
  another client's title (``unread``). Ids declared unique, or random ones, are believed at once.
- An id that comes back where none may (``came_back``) ends that at once.
- Where clients choose the ids (``chooses``), a create names one that this run made up
  from its token, and it becomes ours when that create may have made it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from deadheat.drive.id_randomness import are_random
from deadheat.errors import ForeignSession
from deadheat.model.history import (
    CHANGING,
    MAKING,
    NAMING,
    Absent,
    Created,
    Fail,
    Found,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deadheat.model.history import Outcome

# Two ids that differ show how much chance they hold; a few say it more surely.
_ENOUGH_IDS = 4
# Without an answer: the server may be at it still.
_UNDER_WAY = (Unknown.TIMEOUT, Unknown.RESET)


class OwnershipListener(Protocol):
    """Is told which sessions become ours, and which are gone."""

    def made(self, session: str) -> None:
        """The session exists, or may exist."""
        ...

    def gone(self, sessions: Iterable[str]) -> None:
        """These sessions have been seen to be gone."""
        ...


class LatestRequest(Protocol):
    """What ownership needs to know of a client."""

    @property
    def may_have_reached(self) -> bool:
        """May the server have the whole head of its latest request?"""
        ...


class Ownership:
    """The ids of one run. ``run`` is its random token, part of every title and chosen id.

    ``alone``: nobody else uses the server. ``again``: and there an id that was somebody's may
    be given to us. ``unique``: an id never comes back, as far as is known (may be set later).
    ``titled``: what is read as a title is what was written, in other letters or cut at most.
    """

    def __init__(
        self,
        run: str,
        *,
        chooses: bool = False,
        notes: OwnershipListener | None = None,
        alone: bool = False,
        again: bool = False,
        unique: bool = False,
        titled: bool = False,
    ) -> None:
        self.run = run
        self.alone = alone
        self.again = again
        self.unique = unique
        # The first id that a create answered although its session was gone, or another client's.
        self.came_back: str | None = None
        self._chooses = chooses
        self._titled = titled
        self._notes = notes
        self._ours: set[str] = set()
        self._there: set[str] = set()
        self._foreign: set[str] = set()
        self._claimed: set[str] = set()  # foreign, and then answered to a create of ours
        self._lapsed: set[str] = set()  # ours, until an answer did not show them
        self._gone: set[str] = set()
        self._deleted: set[str] = set()  # a delete of it was sent, and it was not refused
        self._open: Counter[str] = Counter()  # changes of it that have no answer yet
        self._below: defaultdict[str, set[str]] = defaultdict(set)
        self._believed = unique or not titled  # what a create answers is its own
        self._given_ids: list[str] = []  # the latest
        self._unread: set[str] = set()  # given by a create, and not shown since
        self._lost: set[str] = set()  # titles of creates without an answer, not seen since
        self._listed = False  # a list has shown a title of this run

    def title(self, trial: int, name: str) -> str:
        """The title tag for the create of session ``name`` in trial number ``trial``."""
        return f"{self._prefix(trial)}{name}"

    def _prefix(self, trial: int) -> str:
        return f"deadheat {self.run} {trial} "

    def create(self, trial: int, name: str, *, kind: Kind = Kind.CREATE) -> Invocation:
        """The create of session ``name`` in trial number ``trial``; ``kind``: the first, or not."""
        chosen = f"{self._start(trial)}{name.replace(' ', '-')}" if self._chooses else None
        return Invocation(kind, chosen, self.title(trial, name))

    def _start(self, trial: int) -> str:
        return f"deadheat-{self.run}-{trial}-"  # letters, digits and - are an id nearly everywhere

    def named(self, session: str) -> bool:
        """Is this an id that a create of this run chose?"""
        return self._chooses and session.startswith(f"deadheat-{self.run}-")

    def named_in_trial(self, session: str, trial: int) -> bool:
        """Is this an id that a create of that trial of this run chose?"""
        return self._chooses and session.startswith(self._start(trial))

    def of_trial(self, title: str | None, trial: int) -> bool:
        """Is this the tag of that trial of this run?"""
        return title is not None and title.startswith(self._prefix(trial))

    def of_run(self, title: str | None) -> bool:
        """Is this a tag of this run?"""
        return title is not None and title.startswith(f"deadheat {self.run} ")

    def shun(self, sessions: Iterable[str]) -> None:
        """Note sessions that this run did not make: never ours, unless they already are."""
        self._foreign.update(set(sessions) - self._ours - self._gone)

    def adopt(self, session: str) -> None:
        """Take an id that a title of this run shows to be ours."""
        if session not in self._foreign:
            self._ours.add(session)
            self._there.add(session)
            if self._notes is not None:
                self._notes.made(session)

    def _given(self, session: str, create: Invocation) -> None:
        """Take an id that a create returned (a broken server may return another client's)."""
        again = session in self._gone or session in self._deleted or session in self._foreign
        if create.kind is Kind.RECREATE or self.alone or self._of_token(session):
            again = False  # a second create under one name may answer the session of the first
        if again and self.came_back is None:
            self.came_back = session
        if session in self._foreign:
            if not (self.alone and self.again):
                self._claimed.add(session)
                return
            self._foreign.discard(session)  # it was given up, and no other client could get it
        self._deleted.discard(session)
        self._open.pop(session, None)
        if create.parent is not None:
            self._below[create.parent].add(session)
        self.adopt(session)
        self._given_ids = [*self._given_ids[-_ENOUGH_IDS:], session]
        believed = self.alone or self._believed or are_random(self._given_ids)
        if session in self._ours and not believed and not self._of_token(session):
            self._unread.add(session)

    def unread(self, session: str) -> bool:
        """Is it still open whether the session is ours?"""
        return session in self._unread

    def untold(self, session: str) -> None:
        """Note that it was read and showed no title: nothing more can be known."""
        self._unread.discard(session)

    def ids_stay(self) -> None:
        """Note that ids never come back: an id of ours always means our session."""
        self.unique = True
        self._ours |= self._lapsed
        self._lapsed.clear()

    def released(self, sessions: Iterable[str]) -> None:
        """Note sessions seen to be gone: ours no more, unless a title shows them again."""
        sessions = tuple(sessions)
        self._there.difference_update(sessions)
        self._ours.difference_update(sessions)
        self._lapsed.difference_update(sessions)
        self._unread.difference_update(sessions)
        if self.alone:
            self._deleted.difference_update(sessions)
        else:
            self._gone.update(sessions)
        for session in sessions:
            self._below.pop(session, None)
        if self._notes is not None:
            self._notes.gone(sessions)

    def answered(self, invocation: Invocation, outcome: Outcome) -> None:
        """Note what a call made or did, and what its answer shows of ours."""
        self._closed(invocation, outcome)
        self._read(invocation, outcome)
        self._found_lost(outcome)
        session = invocation.session
        if self._titled and not self.alone:
            self._disowned(invocation, outcome)
        match outcome:
            case Ok(Created(made)) if invocation.kind in MAKING:
                self._given(made, invocation)
            case Info() if invocation.kind in NAMING and session is not None:
                self.adopt(session)
            case Info(reason) if reason in _UNDER_WAY and invocation.kind in MAKING:
                self._lost.update(() if invocation.title is None else (invocation.title,))
            case Ok(Absent()) if invocation.kind not in NAMING and session is not None:
                self._ended((session,))
            case Ok(Found(title)) if session is not None:
                self._confirmed(session, title)
                self._seen(session, title)
            case Ok(Listed() as listed) if not self._lasting_all:
                self._ended(self._ours - listed.sessions)
                for entry in listed.entries:
                    self._seen(entry.session, entry.title)
            case _:
                pass

    def _read(self, invocation: Invocation, outcome: Outcome) -> None:
        """Note that a session was read under a title; ``_disowned`` decides whose it is."""
        match outcome:
            case Ok(Found(title)) if title is not None:
                self._unread.discard(str(invocation.session))
            case Ok(Listed() as listed) if self._unread:
                self._unread -= listed.sessions
            case _:
                pass

    def _found_lost(self, outcome: Outcome) -> None:
        """Does this show that an unanswered create was done?"""
        if not isinstance(outcome, Ok) or not isinstance(outcome.result, Listed):
            return
        listed = outcome.result.entries
        self._listed = self._listed or any(self.of_run(entry.title) for entry in listed)
        for entry in listed if self._lost else ():
            if entry.session not in self._there:  # else another create of that title made it
                self._lost.discard(str(entry.title))

    def _closed(self, invocation: Invocation, outcome: Outcome) -> None:
        about = self.about(invocation)
        if about is None or (isinstance(outcome, Info) and outcome.reason in _UNDER_WAY):
            return
        if invocation.kind is not Kind.DELETE:
            self._open[about] -= 1
            if self._open[about] <= 0:
                del self._open[about]
        elif isinstance(outcome, Fail):
            self._deleted.discard(about)

    def _disowned(self, invocation: Invocation, outcome: Outcome) -> None:
        """A session shown under another client's title is not ours, whatever a create answered."""
        shown: tuple[tuple[str | None, str | None], ...] = ()
        match outcome:
            case Ok(Found(title)):
                shown = ((invocation.session, title),)
            case Ok(Listed(entries)):
                shown = tuple((one.session, one.title) for one in entries)
        theirs = {
            session
            for session, title in shown
            if session in self._ours and title is not None and self.run not in title.lower()
        }
        if theirs:
            self.released(theirs)
            self._foreign |= theirs

    def _seen(self, session: str, title: str | None) -> None:
        """Note that the session was shown under this title."""
        if self.of_run(title) and session not in self._ours and not self._lasting(session):
            self.adopt(session)

    def still_there(self, get: Invocation, found: Outcome) -> None:
        """Take a get after a failed change: under our title it is ours, and unchanged."""
        if self.no_change_waits(get, found):
            self._deleted.discard(str(get.session))

    def no_change_waits(self, get: Invocation, found: Outcome) -> bool:
        """Take a get after an unanswered change (no delete): is the change over?"""
        title = found.result if isinstance(found, Ok) else None
        ours = isinstance(title, Found) and self.of_run(title.title) and get.session is not None
        if ours:
            self._open.pop(str(get.session), None)
        return ours

    def _confirmed(self, session: str, title: str | None) -> None:
        """Take the title that a get gave: one of ours makes an id ours that was another's."""
        if session in self._claimed and self.of_run(title):
            self._claimed.discard(session)
            self._foreign.discard(session)
            self._deleted.discard(session)

    def _ended(self, sessions: Iterable[str]) -> None:
        """Note sessions that may be gone."""
        ended = {s for s in sessions if s in self._ours and not self._lasting(s)}
        self._ours -= ended
        self._lapsed |= ended

    def _of_token(self, session: str) -> bool:
        """Does the id hold this run's token (a name that we chose, or made of our title)?"""
        return self.run in session and "deadheat" in session.lower()

    @property
    def _lasting_all(self) -> bool:
        return self.alone or (self.unique and self.came_back is None)

    def _lasting(self, session: str) -> bool:
        """Is it certain that no other client gets this id while we may still change it?"""
        return self._lasting_all or self._of_token(session)

    @property
    def not_seen_gone(self) -> tuple[str, ...]:
        """Our sessions that may still exist."""
        return tuple(sorted(self._there))

    @property
    def claimed(self) -> tuple[str, ...]:
        """Sessions there before the run and given to us since; no title has shown it yet."""
        return tuple(sorted(self._claimed))

    @property
    def in_doubt(self) -> bool:
        """May an unanswered create have made a session, or make one yet?"""
        return bool(self._lost)

    def only_its_answer_tells(self, invocation: Invocation) -> bool:
        """Is this a create whose session only its answer can identify?"""
        return invocation.kind in MAKING and not (self._chooses or self._listed)

    def owns(self, session: str) -> bool:
        """May this id be changed?"""
        if session not in self._ours:
            return False
        return session not in self._deleted or self._lasting(session)

    def may(self, invocation: Invocation) -> bool:
        """May the call be sent?"""
        if invocation.kind not in CHANGING and invocation.custom is None:
            return True
        about = self.about(invocation)
        if about is None:  # it touches no session but its parent, and its own name
            return invocation.kind in NAMING
        if not self.owns(about) or about in self._unread:
            return False
        return invocation.kind is not Kind.DELETE or not self._open[about] or self._lasting(about)

    @contextmanager
    def sending(self, invocation: Invocation, client: LatestRequest) -> Iterator[None]:
        """The context in which the call is sent. If cut off there, it may still be done.

        Raises ``ForeignSession`` unless it may be sent.
        """
        self.permit(invocation)
        try:
            yield
        except BaseException:
            unknown = Info(Unknown.RESET)
            self.answered(invocation, unknown if client.may_have_reached else Fail("cut off"))
            raise

    def about(self, invocation: Invocation) -> str | None:
        """The existing session that the call would change; None: no existing one."""
        if invocation.kind not in CHANGING and invocation.custom is None:
            return None
        chosen = invocation.session
        if invocation.kind in NAMING:
            ours = chosen is None or (self.named(chosen) and chosen not in self._foreign)
            return invocation.parent if ours else chosen
        return chosen

    def permit(self, invocation: Invocation) -> None:
        """Note that the call is sent now. Raises ``ForeignSession`` unless it may be sent.

        What came of it is for ``answered``.
        """
        about = self.about(invocation)
        if not self.may(invocation):
            custom = invocation.custom
            doing = invocation.kind.value if custom is None else custom.name
            raise ForeignSession(
                f"refused to {doing} {about}: this run did not create it, or it may be gone. "
                "This is a bug in deadheat: please report it with the command you ran."
            )
        if about is None:
            return
        if invocation.kind is not Kind.DELETE:
            self._open[about] += 1
            return
        self._deleted.add(about)
        self._ended(self._all_below(about))  # they may go with it

    def _all_below(self, session: str) -> Iterator[str]:
        for child in self._below.get(session, ()):
            yield child
            yield from self._all_below(child)
