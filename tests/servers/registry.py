"""What is planted where: each race with its promises and the minimum that shows it.

Rules
- A race may show in more than one way; each ``Sight`` has its own minimum, the
  smallest program (``model.program.sort_key``) that can show just that.
- Only a race of parents or renames is asked for those: the others' servers are
  searched with the four plain calls.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests import opencode
from tests.servers import planted

from deadheat.drive.server.process import Launch
from deadheat.drive.target import Target
from deadheat.files.artifact import divergence_of
from deadheat.model.history import Kind
from deadheat.model.program import (
    Call,
    Children,
    Create,
    Delete,
    Get,
    List,
    Program,
    Rename,
    Var,
    structure,
)
from deadheat.model.promises import CascadePromise, ChildrenPromise, EventPromise, Promises
from deadheat.model.verdict import Anomaly
from deadheat.targets.catalog import demo

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact

A, B, C, D = Var(0), Var(1), Var(2), Var(3)
PLAIN = frozenset({Kind.CREATE, Kind.DELETE, Kind.GET, Kind.LIST})
GRADUAL = Promises(children=ChildrenPromise.CASCADE, cascade=CascadePromise.GRADUAL)

ANNOUNCED = Promises(events=EventPromise.EXACTLY_ONCE)


@dataclass(frozen=True, slots=True)
class Sight:
    """One way in which a race shows.

    ``anomaly``: what it is called, or its signature's. ``minima``: one for each signature that
    it can have. ``misnomer``: it comes out under this name, and why that is the wrong one;
    then no program is its minimum.
    """

    anomaly: Anomaly
    minima: tuple[Program, ...] = ()
    misnomer: str = ""


@dataclass(frozen=True, slots=True)
class Race:
    """A planted race. ``sights``: the expected one first.

    ``needs_race``: it shows only where calls overlap. ``timeout_s``: as ``Target.timeout_s``.
    That it has an event stream to listen to is said by its promises.
    """

    name: str
    sights: tuple[Sight, ...]
    needs_race: bool = True
    promises: Promises = field(default_factory=Promises)
    settle_ms: int = 0
    kinds: frozenset[Kind] = PLAIN
    timeout_s: float = 10.0

    def target(self, *, correct: bool = False) -> Target:
        """The server with the race, or its correct twin."""
        if self.name == "lost-delete":
            return demo(correct=correct)
        name = f"planted {self.name}{' correct' if correct else ''}"
        argv = (sys.executable, "-P", planted.__file__, self.name, "--port", "{port}")
        return Target(
            name=name,
            wire=opencode.WIRE,
            promises=self.promises,
            settle_ms=self.settle_ms,
            kinds=self.kinds,
            families=self.promises.children is not ChildrenPromise.NONE,
            timeout_s=self.timeout_s,
            events=opencode.EVENTS if self.promises.events is not EventPromise.NONE else None,
            launch=Launch(
                name=name,
                argv=(*argv, "--correct") if correct else argv,
                ready_line=f"planted {self.name} listening on",
                probe="/global/health",
            ),
        )

    def sight(self, example: Artifact) -> Sight | None:
        """The sight that an example is; None when it is none that this race explains."""
        for name in (example.anomaly, divergence_of(example).signature.anomaly):
            for sight in self.sights:
                if sight.anomaly is name:
                    return sight
        return None


def _race(*lanes: tuple[Call, ...], after: int, then: Call | None = None) -> Program:
    """``after`` creates one by one, these lanes together, ``then`` one more call."""
    created = tuple(((Create(Var(n)),),) for n in range(after))
    last = () if then is None else (((then,),),)
    return structure(Program((*created, lanes, *last)))


def _family(*lanes: tuple[Call, ...], of: int) -> Program:
    """A parent and ``of`` children made one by one, then these lanes together."""
    children = tuple(((Create(Var(n), parent=A),),) for n in range(1, of + 1))
    return structure(Program((((Create(A),),), *children, lanes)))


# The control request is given a tenth of it: 100 ms, many times what these servers take.
HANGS_AFTER_S = 1.0
_SETTLE_MS = 50  # more than twice the longest that any of the servers takes
_TWO_CREATES = _race((Create(A),), (Create(B),), after=0)
_CREATE_AND_LIST = _race((Create(A),), (List(),), after=0)

RACES: tuple[Race, ...] = (
    Race(
        "lost-delete",
        (
            Sight(Anomaly.GHOST, (_race((Delete(A),), (Delete(B),), after=2),)),
            Sight(
                Anomaly.STALE_READ,
                misnomer="what the read shows was there, until another delete removed the ghost",
            ),
        ),
    ),
    Race("duplicate-id", (Sight(Anomaly.DUPLICATE_ID, (_TWO_CREATES,)),)),
    Race(
        "lost-create",
        (
            Sight(Anomaly.LOST_CREATE, (_TWO_CREATES,)),
            Sight(  # seen before the other create wrote the file
                Anomaly.VANISHED,
                (
                    _race((Create(A), Get(A)), (Create(B),), after=0),
                    _race((Create(A), List()), (Create(B),), after=0),
                ),
            ),
        ),
    ),
    Race(
        "resurrection",
        (
            # Black box: nobody looked between the delete and the late write.
            Sight(Anomaly.GHOST, (_race((Delete(A),), (Get(A),), after=1),)),
            Sight(
                Anomaly.RESURRECTION,
                (
                    # The reads at rest may be slow enough to see it gone, and back.
                    _race((Delete(A),), (Get(A),), after=1),
                    _race((Delete(A), Get(A)), (Get(A),), after=1),
                    _race((Delete(A), List()), (Get(A),), after=1),
                    _race((Delete(A), Delete(A)), (Get(A),), after=1),
                ),
            ),
            Sight(  # the second delete removes what came back
                Anomaly.DOUBLE_DELETE,
                (_race((Delete(A),), (Get(A),), after=1, then=Delete(A)),),
            ),
        ),
    ),
    Race(
        "stale-list",
        (
            # By a create, or by a delete: each is a signature of its own.
            Sight(
                Anomaly.STALE_READ,
                (_CREATE_AND_LIST, _race((Delete(A),), (List(),), after=1)),
            ),
            Sight(Anomaly.GHOST, misnomer="get, the last word at rest, says that it is gone"),
            Sight(Anomaly.RESURRECTION, misnomer="get, the last word at rest, says the same"),
        ),
    ),
    Race(
        "list-fails",
        (Sight(Anomaly.WRONG_STATUS, (_race((Delete(A),), (List(),), after=1),)),),
    ),
    Race(
        "late-delete",
        (
            Sight(Anomaly.STALE_READ, (_race((Delete(A),), (Delete(B),), after=2),)),
            Sight(  # no read at rest was slow enough to see it gone
                Anomaly.GHOST, (_race((Delete(A),), (Delete(B),), after=2),)
            ),
        ),
    ),
    Race(
        "late-write",
        (
            Sight(Anomaly.RESURRECTION, (_race((Delete(A),), (Get(A),), after=1),)),
            Sight(  # no read at rest was quick enough to see it gone
                Anomaly.GHOST, (_race((Delete(A),), (Get(A),), after=1),)
            ),
        ),
        settle_ms=_SETTLE_MS,
    ),
    Race(
        "split-delete",
        (
            Sight(
                Anomaly.STALE_READ,
                (
                    _race((Delete(A),), (Get(A), List()), after=1),
                    _race((Delete(A),), (Delete(A), List()), after=1),
                ),
            ),
            Sight(
                Anomaly.RESURRECTION,
                misnomer="with one list that shows it, and not two, it is a stale-read",
            ),
        ),
    ),
    Race(
        "id-reuse",
        (Sight(Anomaly.DUPLICATE_ID, (_race((Delete(A),), (Create(B),), after=1),)),),
    ),
    Race(
        "double-delete",
        (Sight(Anomaly.DOUBLE_DELETE, (_race((Delete(A),), (Delete(A),), after=1),)),),
    ),
    Race(
        "torn-list",
        (
            Sight(Anomaly.TORN_LIST, (_race((Create(B), Delete(A)), (List(),), after=1),)),
            Sight(Anomaly.STALE_READ, misnomer="two lists are torn alike; with one, a torn-list"),
        ),
    ),
    Race(
        "joined-list",
        (
            Sight(
                Anomaly.STALE_READ,
                (
                    _race((Create(A), List()), (List(),), after=0),
                    _race((Delete(A), List()), (List(),), after=1),
                ),
            ),
        ),
    ),
    Race(
        "get-fails",
        (Sight(Anomaly.SERVER_ERROR, (_race((Delete(A),), (Get(A),), after=1),)),),
    ),
    Race(
        "end-of-delete",
        (Sight(Anomaly.SERVER_ERROR, (_race((Delete(A),), (Get(A),), after=1),)),),
    ),
    Race(
        "end-of-list",
        (
            Sight(
                Anomaly.SERVER_ERROR,
                (
                    _race((Create(A),), (List(),), after=0),
                    _race((Delete(A),), (List(),), after=1),
                ),
            ),
        ),
    ),
    Race("phantom", (Sight(Anomaly.PHANTOM, (_CREATE_AND_LIST,)),)),
    Race("crash", (Sight(Anomaly.CRASH, (_TWO_CREATES,)),)),
    Race(
        "orphan",
        (
            Sight(
                Anomaly.ORPHAN,
                (
                    _race((Create(B, parent=A), Get(A)), (Delete(A),), after=1),
                    _race((Create(B, parent=A), List()), (Delete(A),), after=1),
                ),
            ),
        ),
        promises=GRADUAL,
        kinds=PLAIN | {Kind.CHILDREN},
    ),
    Race(
        "partial-cascade",
        (
            Sight(
                Anomaly.WRONG_STATUS,
                (
                    _family((Delete(A),), (Delete(B),), of=1),
                    # Told that the parent is gone, a read shows what is left below it.
                    _family((Delete(A), Children(A)), (Delete(A),), of=2),
                    _family((Delete(A), Get(B)), (Delete(A),), of=2),
                ),
            ),
            Sight(  # or the parent itself
                Anomaly.STALE_READ,
                (
                    _family((Delete(A), Get(A)), (Delete(A),), of=2),
                    _family((Delete(A), List()), (Delete(A),), of=2),
                ),
            ),
            Sight(Anomaly.PARTIAL_CASCADE, (_family((Delete(A),), (Delete(B),), of=2),)),
        ),
        promises=GRADUAL,
        kinds=PLAIN | {Kind.CHILDREN},
    ),
    Race(
        "rename-back",
        (
            Sight(Anomaly.RESURRECTION, (_race((Delete(A),), (Rename(A),), after=1),)),
            Sight(  # renamed twice: what is seen is the title of neither
                Anomaly.GHOST, (_race((Delete(A),), (Rename(A),), after=1),)
            ),
            Sight(  # what came back is there to be deleted once more
                Anomaly.DOUBLE_DELETE,
                (_race((Delete(A),), (Rename(A),), after=1, then=Delete(A)),),
            ),
        ),
        kinds=PLAIN | {Kind.RENAME},
    ),
    Race(
        "lost-rename",
        (Sight(Anomaly.LOST_UPDATE, (_race((Rename(A),), (Rename(B),), after=2),)),),
        kinds=PLAIN | {Kind.RENAME},
    ),
    Race(
        "duplicate-event",
        (Sight(Anomaly.DUPLICATE_EVENT, (_race((Delete(A),), (Delete(A),), after=1),)),),
        promises=ANNOUNCED,
    ),
    Race(
        "early-event",
        (
            Sight(
                Anomaly.EARLY_EVENT,
                (
                    _race((Delete(A),), (Get(A),), after=1),
                    _race((Delete(A),), (List(),), after=1),
                ),
            ),
        ),
        promises=ANNOUNCED,
    ),
    Race(
        "missing-event",
        (Sight(Anomaly.MISSING_EVENT, (_race((Delete(A),), (Delete(B),), after=2),)),),
        promises=ANNOUNCED,
    ),
    Race(
        "deadlock",
        (Sight(Anomaly.HANG, (_race((Delete(A),), (Delete(B),), after=2),)),),
        timeout_s=HANGS_AFTER_S,
    ),
    Race("stall", (Sight(Anomaly.UNRESPONSIVE, (_TWO_CREATES,)),), timeout_s=HANGS_AFTER_S),
)
BY_NAME = {race.name: race for race in RACES}
