"""``[promises]`` of a profile: what the API says about itself, in words.

Rules
- Left out means the strongest, as everything else would be a guess that hides races; but a list
  that is read page by page is ``eventual``, as an entry may move from a page that is still to be
  read to one that has been: it was there all the time, and no page showed it.
- A weaker promise makes fewer alarms, never wrong ones.
- ``settle`` says how long a change may take to show; said alone, it means reads = "settled".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from deadheat.model.promises import (
    AbsentPromise,
    CascadePromise,
    ChildrenPromise,
    CreatePromise,
    DeletePromise,
    EventPromise,
    ForkPromise,
    IdPromise,
    ListPromise,
    Promises,
    Shows,
    UpdatePromise,
)
from deadheat.targets.profile.table import Table

if TYPE_CHECKING:
    from deadheat.targets.profile.calls import Calls

_NS_PER_MS = 1_000_000


class PromisesTable(Table):
    """What the API says about itself. A weaker promise makes fewer alarms, never wrong ones."""

    create: CreatePromise | None = Field(
        default=None,
        description="Of two under one name, an {id} or {title} that create sends. exactly-once: "
        "there is one, who comes later is told that it exists (the default with {id}). "
        "idempotent: there is one, success says that it is there. new: a session each (the "
        "default else).",
        examples=["exactly-once"],
    )
    ids: IdPromise | None = Field(
        default=None,
        description="unique: the server gives an id once. reused: another session may get it, "
        "once it is free. Left out: unique, unless it is seen to come back. Names that a client "
        "chooses may always be used again.",
        examples=["unique"],
    )
    delete: DeletePromise = Field(
        default=DeletePromise.EXACTLY_ONCE,
        description="exactly-once: one success a session. idempotent: success says, it is gone.",
    )
    list: ListPromise | None = Field(
        default=None,
        description="snapshot: all at one instant (the default). per-session: each right for "
        "itself. eventual: so, and of lists what reads says of it (the default with pages).",
        examples=["snapshot"],
    )
    get: Shows = Field(
        default=Shows.LINEARIZABLE,
        description="eventual: as of reads, of gets alone. linearizable: nothing but what reads "
        "says.",
    )
    update: UpdatePromise = Field(
        default=UpdatePromise.LAST_WRITE,
        description="last-write: a title is in place until the next one. none: titles are not "
        "looked at.",
    )
    status_on_absent: AbsentPromise = Field(
        default=AbsentPromise.DECLARED,
        description="Of a call on what is not there. declared: it answers one of its absent "
        "statuses, and only then. any: it may answer any below 500, which proves nothing.",
    )
    reads: Shows | None = Field(
        default=None,
        description="When a change shows, to get, list, children and what else looks. "
        "linearizable: now, from its answer on (the default). settled: at the latest settle after "
        "its answer, here sooner and there later (the default with settle). eventual: nobody says "
        "when; at rest deadheat waits settle for it, 2s where there is none. quiescent: to reads "
        "while nothing is in flight.",
        examples=["eventual"],
    )

    @field_validator("get")
    @classmethod
    def _of_gets_alone(cls, said: Shows) -> Shows:
        if said in (Shows.SETTLED, Shows.QUIESCENT):
            raise ValueError(f'is {said.value!r}, which is said of all reads: reads = "{said}".')
        return said

    children: ChildrenPromise = Field(
        default=ChildrenPromise.CASCADE,
        description="Of a deleted session's children. cascade: they go with it. orphan: they stay. "
        "none: each may go or stay. Only where there is create-child.",
    )
    cascade: CascadePromise = Field(
        default=CascadePromise.GRADUAL,
        description="gradual: children may be seen to go one after the other. atomic: all at one "
        "instant.",
    )
    fork: ForkPromise = Field(
        default=ForkPromise.NEEDS_SOURCE,
        description="Of what is not there. needs-source: it answers that. any: it may make one.",
    )

    def of(self, calls: Calls, events: EventPromise, settle_ms: int = 0) -> Promises:
        """What the checker judges under. ``events``: what the stream announces."""
        families = calls.create_child is not None
        paged = ListPromise.EVENTUAL if calls.paged else ListPromise.SNAPSHOT
        if self.update is UpdatePromise.NONE and events is EventPromise.EXACTLY_ONCE:
            events = EventPromise.LIVES
        promised = Promises(
            delete=self.delete,
            list=self.list or paged,
            reads=self.reads or Shows.LINEARIZABLE,
            children=self.children if families else ChildrenPromise.NONE,
            cascade=self.cascade if families else CascadePromise.ATOMIC,
            fork=self.fork,
            events=events,
            get=self.get,
            update=self.update,
            status_on_absent=self.status_on_absent,
            create=self.create_of(calls),
            ids=self.ids or IdPromise.UNIQUE,
        )
        return promised.settling(settle_ms * _NS_PER_MS)

    @property
    def sometime(self) -> bool:
        """Is it said of something that nobody says when it shows?"""
        eventual = Shows.EVENTUAL in (self.reads, self.get)
        return eventual or self.list is ListPromise.EVENTUAL

    def create_of(self, calls: Calls) -> CreatePromise:
        """What creates under one name make."""
        if self.create is not None:
            return self.create
        return CreatePromise.EXACTLY_ONCE if calls.chosen else CreatePromise.NEW
