"""Only its own: the one place that decides which sessions may be changed.

Rule: an id becomes ours only when a create of this run returned it, or when a
list shows it under a title tag that this run wrote, and never when it was there
before. Nothing else may be deleted or renamed, whatever the server says, and a call of a
user's own kind may not even look at anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.core.history import CHANGING, Invocation, Kind
from deadheat.errors import ForeignSession

if TYPE_CHECKING:
    from collections.abc import Iterable


class Ownership:
    """The ids of one run. ``run`` is its random token, part of every title."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._ours: set[str] = set()
        self._foreign: set[str] = set()

    def title(self, trial: int, name: str) -> str:
        """The tag that the create of session ``name`` in trial number ``trial`` carries."""
        return f"{self._prefix(trial)}{name}"

    def _prefix(self, trial: int) -> str:
        return f"deadheat {self.run} {trial} "

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

    def owns(self, session: str) -> bool:
        """May this id be changed?"""
        return session in self._ours

    def permit(self, invocation: Invocation) -> None:
        """Raise ``ForeignSession`` unless the call may be sent."""
        if invocation.kind not in CHANGING and invocation.own is None:
            return
        creates = invocation.kind is Kind.CREATE  # it touches no session but its parent
        about = invocation.parent if creates else invocation.session
        if creates and about is None:
            return
        if about is None or not self.owns(about):
            own = invocation.own
            doing = invocation.kind.value if own is None else own.name
            raise ForeignSession(
                f"refused to {doing} {about}: this run did not create it. "
                "This is a bug in deadheat: please report it with the command you ran."
            )
