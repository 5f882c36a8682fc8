"""Only its own: the one place that decides which sessions may be changed.

Rules
- An id becomes ours only when a create of this run returned it, or when a list shows it
  under a title tag that this run wrote, and never when it was there before. Nothing else
  may be deleted or renamed, whatever the server says, and a call of a user's own kind may
  not even look at anything else.
- Where clients choose the ids (``chooses``), a create names one that this run made up
  from its token, and it becomes ours when that create may have made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deadheat.core.history import CHANGING, NAMING, Created, Info, Invocation, Kind, Ok
from deadheat.errors import ForeignSession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.core.history import Outcome


class Noted(Protocol):
    """Hears of what becomes ours, and of what is ours no more as it is gone."""

    def made(self, session: str) -> None:
        """It is there now, or may be."""
        ...

    def gone(self, sessions: Iterable[str]) -> None:
        """They have been seen to be gone."""
        ...


class Ownership:
    """The ids of one run. ``run`` is its random token, part of every title and chosen id."""

    def __init__(self, run: str, *, chooses: bool = False, notes: Noted | None = None) -> None:
        self.run = run
        self._chooses = chooses
        self._notes = notes
        self._ours: set[str] = set()
        self._there: set[str] = set()
        self._foreign: set[str] = set()

    def title(self, trial: int, name: str) -> str:
        """The tag that the create of session ``name`` in trial number ``trial`` carries."""
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
        """These were there before this run made anything: never ours, unless they are already."""
        self._foreign.update(set(sessions) - self._ours)

    def adopt(self, session: str) -> None:
        """A create of this run returned this id (a broken server may return somebody else's)."""
        if session not in self._foreign:
            self._ours.add(session)
            self._there.add(session)
            if self._notes is not None:
                self._notes.made(session)

    def released(self, sessions: Iterable[str]) -> None:
        """They have been seen to be gone (they stay ours: something late may bring them back)."""
        sessions = tuple(sessions)
        self._there.difference_update(sessions)
        if self._notes is not None:
            self._notes.gone(sessions)

    def answered(self, invocation: Invocation, outcome: Outcome) -> None:
        """Note what a create made, or may have made."""
        match outcome:
            case Ok(Created(session)):
                self.adopt(session)
            case Info() if invocation.kind in NAMING and invocation.session is not None:
                self.adopt(invocation.session)
            case _:
                pass

    @property
    def not_seen_gone(self) -> tuple[str, ...]:
        """Ours that may still be there."""
        return tuple(sorted(self._there))

    def owns(self, session: str) -> bool:
        """May this id be changed?"""
        return session in self._ours

    def permit(self, invocation: Invocation) -> None:
        """Raise ``ForeignSession`` unless the call may be sent."""
        if invocation.kind not in CHANGING and invocation.own is None:
            return
        chosen = invocation.session
        if invocation.kind in NAMING:  # it touches no session but its parent, and its own name
            ours = chosen is None or (self.named(chosen) and chosen not in self._foreign)
            about = invocation.parent if ours else chosen
            if about is None:
                return
        else:
            about = chosen
        if about is None or not self.owns(about):
            own = invocation.own
            doing = invocation.kind.value if own is None else own.name
            raise ForeignSession(
                f"refused to {doing} {about}: this run did not create it. "
                "This is a bug in deadheat: please report it with the command you ran."
            )
