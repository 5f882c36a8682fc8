"""Promises: what a target says about itself; every verdict is under named promises.

Rules
- A weaker promise makes fewer alarms, never wrong ones.
- A settle time is a promise about reads, too: a target that may take so long to
  come to rest by its own word may show, for so long, what was (``settling``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class CreatePromise(StrEnum):
    """What creates under one name make; a name is an id or title that the client chose."""

    NEW = "new"  # a session each: names mean nothing
    EXACTLY_ONCE = "exactly-once"  # one session; who comes later is told that it exists
    IDEMPOTENT = "idempotent"  # one session; success says "it is there now", whoever made it


class IdPromise(StrEnum):
    """Whether an id comes back."""

    UNIQUE = "unique"  # it is given once
    REUSED = "reused"  # once its session is gone, another one may get it


class DeletePromise(StrEnum):
    """What a successful delete means."""

    EXACTLY_ONCE = "exactly-once"  # one success for each session; later ones answer "absent"
    IDEMPOTENT = "idempotent"  # success says "it is gone now", whoever removed it


class ListPromise(StrEnum):
    """What a list shows while the collection changes."""

    SNAPSHOT = "snapshot"  # the whole collection at one instant
    PER_SESSION = "per-session"  # each session at some instant of the list, not the same for all
    EVENTUAL = "eventual"  # right at rest; in a race it may show, of each session, any past


class GetPromise(StrEnum):
    """What a read of one session shows."""

    LINEARIZABLE = "linearizable"  # the session as it is at some instant of the read
    EVENTUAL = "eventual"  # right at rest; in a race it may show any past


class UpdatePromise(StrEnum):
    """What an acknowledged rename means."""

    LAST_WRITE = "last-write"  # the title is in place until the next one
    NONE = "none"  # nothing is said of titles


class AbsentPromise(StrEnum):
    """What a call on a session that is not there answers."""

    DECLARED = "declared"  # that it is absent, and only then
    ANY = "any"  # any status below 500: it proves nothing, and none of them is wrong


class ReadPromise(StrEnum):
    """When reads must be right."""

    LINEARIZABLE = "linearizable"  # always
    QUIESCENT = "quiescent"  # only when nothing is in flight (nor was, for ``slack_ns``)
    EVENTUAL = "eventual"  # at rest; before that a read may show a past up to ``slack_ns`` old


class ChildrenPromise(StrEnum):
    """What becomes of the sessions below one that is deleted."""

    CASCADE = "cascade"  # they go with it, all of them, by the time it is gone
    ORPHAN = "orphan"  # they stay
    NONE = "none"  # each may go or stay, at any time while the delete is under way


class CascadePromise(StrEnum):
    """What anybody may see of a cascade."""

    ATOMIC = "atomic"  # parent and children go at one instant
    GRADUAL = "gradual"  # the children may go before, one after the other


class ForkPromise(StrEnum):
    """What a fork of a session that is not there does."""

    NEEDS_SOURCE = "needs-source"  # it answers "absent"
    ANY = "any"  # it may make a session all the same


class EventPromise(StrEnum):
    """What the event stream says about changes."""

    NONE = "none"  # there is none, or nobody knows
    EXACTLY_ONCE = "exactly-once"  # each change once, in order, never before it is made
    LIVES = "lives"  # the same of creates and deletes only: new titles are not announced


@dataclass(frozen=True, slots=True)
class Promises:
    """One target's promises. The default is the strongest of each, but for ``children``
    and ``events``: most collections have none.

    ``slack_ns``: how old the past may be that an *eventual* read shows, counted
    from its call; None: as old as the history. Of *quiescent* reads: for how long
    nothing may have been in flight; None: no time.
    """

    delete: DeletePromise = DeletePromise.EXACTLY_ONCE
    list: ListPromise = ListPromise.SNAPSHOT
    reads: ReadPromise = ReadPromise.LINEARIZABLE
    slack_ns: int | None = None
    children: ChildrenPromise = ChildrenPromise.NONE
    cascade: CascadePromise = CascadePromise.ATOMIC
    fork: ForkPromise = ForkPromise.NEEDS_SOURCE
    events: EventPromise = EventPromise.NONE
    get: GetPromise = GetPromise.LINEARIZABLE
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
            self.reads is ReadPromise.LINEARIZABLE
            and self.list is not ListPromise.EVENTUAL
            and self.get is GetPromise.LINEARIZABLE
            and self.update is UpdatePromise.LAST_WRITE
            and self.status_on_absent is AbsentPromise.DECLARED
        )

    def settling(self, settle_ns: int) -> Promises:
        """The same while every change may take ``settle_ns`` to show."""
        match self.reads:
            case ReadPromise.LINEARIZABLE:
                return replace(self, reads=ReadPromise.EVENTUAL, slack_ns=settle_ns)
            case ReadPromise.QUIESCENT:
                return replace(self, slack_ns=(self.slack_ns or 0) + settle_ns)
            case ReadPromise.EVENTUAL if self.slack_ns is None:
                return self
            case ReadPromise.EVENTUAL:
                return replace(self, slack_ns=self.slack_ns + settle_ns)

    def __str__(self) -> str:
        slack = ""
        if self.reads is not ReadPromise.LINEARIZABLE and self.slack_ns is not None:
            slack = f" (within {self.slack_ns / 1e6:g} ms)"
        said = f"delete {self.delete}, list {self.list}, reads {self.reads}{slack}"
        events = "" if self.events is EventPromise.NONE else f", events {self.events}"
        if self.create is not CreatePromise.NEW:
            said = f"create {self.create}, {said}"
        if self.ids is not IdPromise.UNIQUE:
            said += f", ids {self.ids}"
        if self.get is not GetPromise.LINEARIZABLE:
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
