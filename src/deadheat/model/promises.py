"""Promises: what a target says about itself; every verdict is under named promises.

Rules
- A weaker promise makes fewer alarms, never wrong ones.
- When a change shows is one axis, ``Shows``: of all that looks (``reads``), or of one view
  alone (``get``, ``list``); ``lag_ns`` is the one place that says what follows for a call.
- A settle time is a value of it: what may take so long to show is not wrong before that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.model.history import READING, Kind

if TYPE_CHECKING:
    from deadheat.model.history import Operation


# Where nobody says when a change shows, deadheat waits so long at rest: Elasticsearch shows
# what was written once a second.
SOMETIME_MS = 2_000


class CreatePromise(StrEnum):
    """What creates under one name make; a name is an id or title that the client chose."""

    NEW = "new"  # a session each: names mean nothing
    EXACTLY_ONCE = "exactly-once"  # one session; who comes later is told that it exists
    IDEMPOTENT = "idempotent"  # one session; success says "it is there now", whichever call made it


class IdPromise(StrEnum):
    """Whether an id comes back."""

    UNIQUE = "unique"  # it is given once
    REUSED = "reused"  # once its session is gone, another one may get it


class DeletePromise(StrEnum):
    """What a successful delete means."""

    EXACTLY_ONCE = "exactly-once"  # one success for each session; later ones answer "absent"
    IDEMPOTENT = "idempotent"  # success says "it is gone now", whichever call removed it


class Shows(StrEnum):
    """When a change shows to those who look, by a read or by what another call answers."""

    LINEARIZABLE = "linearizable"  # now: to all that is called after its answer
    SETTLED = "settled"  # at the latest ``slack_ns`` after its answer, here sooner, there later
    EVENTUAL = "eventual"  # at rest; before that a look may show any past, up to ``slack_ns`` old
    QUIESCENT = "quiescent"  # to reads while nothing is in flight (nor was, for ``slack_ns``)


class ListPromise(StrEnum):
    """What a list shows while the collection changes."""

    SNAPSHOT = "snapshot"  # the whole collection at one instant
    PER_SESSION = "per-session"  # each session at some instant of the list, not the same for all
    EVENTUAL = "eventual"  # so, and of lists ``Shows.EVENTUAL``


class UpdatePromise(StrEnum):
    """What an acknowledged rename means."""

    LAST_WRITE = "last-write"  # the title is in place until the next one
    NONE = "none"  # nothing is said of titles


class AbsentPromise(StrEnum):
    """What a call on a session that is not there answers."""

    DECLARED = "declared"  # that it is absent, and only then
    ANY = "any"  # any status below 500: it proves nothing, and none of them is wrong


class ChildrenPromise(StrEnum):
    """What becomes of the sessions below one that is deleted."""

    CASCADE = "cascade"  # they go with it, all of them, by the time it is gone
    ORPHAN = "orphan"  # they stay
    NONE = "none"  # each may go or stay, at any time while the delete is under way


class CascadePromise(StrEnum):
    """What other calls may see of a cascade."""

    ATOMIC = "atomic"  # parent and children go at one instant
    GRADUAL = "gradual"  # the children may go before, one after the other


class ForkPromise(StrEnum):
    """What a fork of a session that is not there does."""

    NEEDS_SOURCE = "needs-source"  # it answers "absent"
    ANY = "any"  # it may make a session all the same


class EventPromise(StrEnum):
    """What the event stream says about changes."""

    NONE = "none"  # there is none, or it is unknown
    EXACTLY_ONCE = "exactly-once"  # each change once, in order, never before it is made
    LIVES = "lives"  # the same of creates and deletes only: new titles are not announced


@dataclass(frozen=True, slots=True)
class Promises:
    """One target's promises. The default is the strongest of each, but for ``children``
    and ``events``: most collections have none.

    ``reads``: when a change shows, in any look; ``get``: to gets, where that is later.
    ``slack_ns``: the time that ``Shows`` speaks of; None: of *eventual* reads, as long as it
    likes; else none.
    """

    delete: DeletePromise = DeletePromise.EXACTLY_ONCE
    list: ListPromise = ListPromise.SNAPSHOT
    reads: Shows = Shows.LINEARIZABLE
    slack_ns: int | None = None
    children: ChildrenPromise = ChildrenPromise.NONE
    cascade: CascadePromise = CascadePromise.ATOMIC
    fork: ForkPromise = ForkPromise.NEEDS_SOURCE
    events: EventPromise = EventPromise.NONE
    get: Shows = Shows.LINEARIZABLE
    update: UpdatePromise = UpdatePromise.LAST_WRITE
    status_on_absent: AbsentPromise = AbsentPromise.DECLARED
    create: CreatePromise = CreatePromise.NEW
    ids: IdPromise = IdPromise.UNIQUE

    @property
    def one_life(self) -> bool:
        """Does an id live once only, and a create always make a session of its own?"""
        return self.create is CreatePromise.NEW and self.ids is IdPromise.UNIQUE

    @property
    def by_real_time(self) -> bool:
        """Does each answer count as given, at some instant of its call?"""
        return (
            self.reads is Shows.LINEARIZABLE
            and self.list is not ListPromise.EVENTUAL
            and self.get is Shows.LINEARIZABLE
            and self.update is UpdatePromise.LAST_WRITE
            and self.status_on_absent is AbsentPromise.DECLARED
        )

    @property
    def snapshot(self) -> bool:
        """Does a list show the collection as it was at one instant?"""
        if self.reads is Shows.SETTLED or self.reads is Shows.EVENTUAL:
            return False  # each change may show at its own time
        return self.list is ListPromise.SNAPSHOT

    @property
    def sometime(self) -> bool:
        """Does some view promise no time by which a change shows?"""
        return self.reads is Shows.EVENTUAL or bool(self._late)

    def sometime_by(self, view: Kind) -> bool:
        """Does this view promise no time by which a change shows?"""
        return self.reads is Shows.EVENTUAL or view in self._late

    @property
    def _late(self) -> tuple[Kind, ...]:
        """The views that are ``Shows.EVENTUAL``, whatever the others are: ``get`` and ``list``."""
        gets = (Kind.GET,) if self.get is Shows.EVENTUAL else ()
        lists = (Kind.LIST, Kind.CHILDREN) if self.list is ListPromise.EVENTUAL else ()
        return gets + lists

    def lag_ns(self, op: Operation) -> int | None:
        """How old the past may be that this call shows where it looks; None: of any age."""
        if not op.at_rest and op.kind in self._late:
            return None
        match self.reads:
            case Shows.SETTLED:
                return self.slack_ns or 0
            case Shows.EVENTUAL:
                return 0 if op.at_rest else self.slack_ns
            case Shows.QUIESCENT if op.kind not in READING:
                return self.slack_ns or 0
            case Shows.LINEARIZABLE | Shows.QUIESCENT:
                return 0

    def settling(self, settle_ns: int) -> Promises:
        """The same promises, with every change taking up to ``settle_ns`` to show."""
        if not settle_ns:
            return self
        match self.reads:
            case Shows.LINEARIZABLE:
                return replace(self, reads=Shows.SETTLED, slack_ns=settle_ns)
            case Shows.SETTLED | Shows.QUIESCENT:
                return replace(self, slack_ns=max(self.slack_ns or 0, settle_ns))
            case Shows.EVENTUAL:
                return self

    def __str__(self) -> str:
        slack = ""
        if self.reads is not Shows.LINEARIZABLE and self.slack_ns is not None:
            slack = f" (within {self.slack_ns / 1e6:g} ms)"
        said = f"delete {self.delete}, list {self.list}, reads {self.reads}{slack}"
        events = "" if self.events is EventPromise.NONE else f", events {self.events}"
        if self.create is not CreatePromise.NEW:
            said = f"create {self.create}, {said}"
        if self.ids is not IdPromise.UNIQUE:
            said += f", ids {self.ids}"
        if self.get is not Shows.LINEARIZABLE:
            said += f", get {self.get}"
        if self.update is not UpdatePromise.LAST_WRITE:
            said += f", update {self.update}"
        if self.status_on_absent is not AbsentPromise.DECLARED:
            said += f", status on absent {self.status_on_absent}"
        match self.children:
            case ChildrenPromise.NONE:
                return f"{said}{events}"
            case ChildrenPromise.ORPHAN:
                return f"{said}, children {self.children}{events}"
            case ChildrenPromise.CASCADE:
                return f"{said}, children {self.children} ({self.cascade}){events}"
