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
        description="What two creates of one name (an {id} or {title} that create sends) make. "
        "exactly-once: one session, and the later create answers that it exists (the default with "
        "{id}). idempotent: one session, and success says that it is there. new: a session each "
        "(the default otherwise).",
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
        description="exactly-once: one delete of a session succeeds. idempotent: success says that "
        "the session is gone.",
    )
    list: ListPromise | None = Field(
        default=None,
        description="snapshot: the whole list as of one instant (the default). per-session: "
        "each session as of an instant of its own. eventual: the same, and lists may be late, as "
        'with reads = "eventual" (the default with pages).',
        examples=["snapshot"],
    )
    get: Shows = Field(
        default=Shows.LINEARIZABLE,
        description='eventual: gets alone may be late, as with reads = "eventual". '
        "linearizable: as reads says (the default).",
    )
    update: UpdatePromise = Field(
        default=UpdatePromise.LAST_WRITE,
        description="last-write: a title is in place until the next one. none: titles are not "
        "looked at.",
    )
    status_on_absent: AbsentPromise = Field(
        default=AbsentPromise.DECLARED,
        description="What a call on a missing session answers. declared: one of its absent "
        "statuses, and only then. any: any status below 500, which proves nothing.",
    )
    reads: Shows | None = Field(
        default=None,
        description="When a change shows in get, list, children and other answers. linearizable: "
        "from its answer on (the default). settled: within settle after its answer, in one place "
        "sooner than in another (the default with settle). eventual: at some time; at rest "
        "deadheat waits for settle, or 2s without one. quiescent: only in reads while nothing is "
        "in flight.",
        examples=["eventual"],
    )

    @field_validator("get")
    @classmethod
    def _of_gets_alone(cls, said: Shows) -> Shows:
        if said in (Shows.SETTLED, Shows.QUIESCENT):
            raise ValueError(
                f'is {said.value!r}, which holds for all reads: write reads = "{said}".'
            )
        return said

    children: ChildrenPromise = Field(
        default=ChildrenPromise.CASCADE,
        description="What becomes of a deleted session's children. cascade: they go with it. "
        "orphan: they stay. none: each may go or stay. Only where there is create-child.",
    )
    cascade: CascadePromise = Field(
        default=CascadePromise.GRADUAL,
        description="gradual: children may go one after the other. atomic: all go at one instant.",
    )
    fork: ForkPromise = Field(
        default=ForkPromise.NEEDS_SOURCE,
        description="A fork of a missing session. needs-source: answers that it is missing. "
        "any: may make a session.",
    )

    def of(self, calls: Calls, events: EventPromise, settle_ms: int = 0) -> Promises:
        """The promises that the checker judges by. ``events``: what the stream announces."""
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
        """Does some promise name no time by which a change shows?"""
        eventual = Shows.EVENTUAL in (self.reads, self.get)
        return eventual or self.list is ListPromise.EVENTUAL

    def create_of(self, calls: Calls) -> CreatePromise:
        """What creates of one name make."""
        if self.create is not None:
            return self.create
        return CreatePromise.EXACTLY_ONCE if calls.chosen else CreatePromise.NEW
