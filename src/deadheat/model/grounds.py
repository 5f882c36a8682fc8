"""Why no order of the calls is legal, as values: ``report`` makes the sentences.

Rules
- Operations stand by their index, sessions by their id, announcements by their place in the stream.
- A refutation is its steps in reading order. Constraints say which of two calls comes first and
  why; in the end they form a circle. What needs no order (an id given twice) is one step.
- ``Told`` is a sentence of a file that an earlier deadheat wrote; ids stand there as ``{0}`` ….
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

# Not for typing only: cattrs reads these annotations when the program runs.
from deadheat.model.edits import Edit
from deadheat.model.history import Change  # noqa: TC001


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence from a file of an earlier format, as it was written."""

    text: str


# -- why one call comes before another ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RealTime:
    """One call had been answered before the other was made."""


@dataclass(frozen=True, slots=True)
class Showed:
    """``by``, one of the two, shows ``session``: after its create, before its delete."""

    by: int
    session: str


@dataclass(frozen=True, slots=True)
class Removed:
    """``by``, one of the two, removed ``session``: after its create, before its last delete."""

    by: int
    session: str


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The delete of what is above ``session`` left it there, so it was not yet made."""

    session: str


@dataclass(frozen=True, slots=True)
class TakenAlong:
    """The first shows ``session``, which the second, a delete of what is above it, takes along."""

    session: str


@dataclass(frozen=True, slots=True)
class Missed:
    """``by``, one of the two, does not show ``session``: before its create, after its delete.

    ``undeleted``: nothing else can explain that, as nothing deleted it.
    """

    by: int
    session: str
    undeleted: bool = False


@dataclass(frozen=True, slots=True)
class HadRemoved:
    """The second does not show ``session``, so the first, unanswered, had removed it by then."""

    session: str


@dataclass(frozen=True, slots=True)
class HadTaken:
    """``by`` does not show ``session``: ``taker``, a delete of what is above it, had taken it."""

    by: int
    taker: int
    session: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The second changed ``session``, so it comes after its create."""

    session: str


@dataclass(frozen=True, slots=True)
class ShowsTitle:
    """The second shows the title that the first gave."""


@dataclass(frozen=True, slots=True)
class LacksTitle:
    """``read`` does not show the title of ``write``: it was before, or another had followed."""

    read: int
    write: int


Because: TypeAlias = (
    RealTime
    | Showed
    | Removed
    | LeftAlone
    | TakenAlong
    | Missed
    | HadRemoved
    | HadTaken
    | Changed
    | ShowsTitle
    | LacksTitle
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """``before`` comes before ``after``, and why."""

    before: int
    after: int
    because: Because


# -- why a place in an order is none --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TooEarly:
    """``other`` comes later there, and had been answered before the call was made."""

    other: int


@dataclass(frozen=True, slots=True)
class TooLate:
    """``other`` comes earlier there, and was only called after the call had been answered."""

    other: int


@dataclass(frozen=True, slots=True)
class WouldAnswer:
    """There it would have shown just ``sessions`` of those that matter (None: unknown).

    ``word``: what a custom call would have answered, or a call that one forbids.
    """

    sessions: tuple[str, ...] | None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Breaks:
    """There it fits, and then ``other`` cannot be what it was."""

    other: int


Cause: TypeAlias = TooEarly | TooLate | WouldAnswer | Breaks


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call right after ``after`` (None: first of all) and before ``before`` (None: last)."""

    after: int | None
    before: int | None
    cause: Cause


# -- the steps of a refutation --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Follows:
    """A constraint that the answers force."""

    constraint: Constraint


@dataclass(frozen=True, slots=True)
class RuledOut:
    """``constraint`` cannot be: with ``others`` it would close a circle."""

    constraint: Constraint
    others: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Suppose:
    """A case of several: ``constraint`` is taken to hold, until ``Absurd``."""

    constraint: Constraint


@dataclass(frozen=True, slots=True)
class Absurd:
    """The end of a case: it cannot be."""


@dataclass(frozen=True, slots=True)
class ShowsTwice:
    """``by`` shows one session twice."""

    by: int


@dataclass(frozen=True, slots=True)
class MadeTwice:
    """Two calls say that they made one session (``same``), or one each of one name."""

    one: int
    other: int
    same: bool


@dataclass(frozen=True, slots=True)
class SameId:
    """``creates`` answered the id ``session``, which was in use already."""

    creates: tuple[int, ...]
    session: str


@dataclass(frozen=True, slots=True)
class NoMaker:
    """``by`` shows ``session``, or deleted it, and nothing made it.

    ``unanswered``: there are creates without an answer, but none is left for this one.
    """

    by: int
    session: str
    unanswered: bool


@dataclass(frozen=True, slots=True)
class NeverGone:
    """``by`` does not show ``session``, which was there all the time."""

    by: int
    session: str


@dataclass(frozen=True, slots=True)
class UnknownTitle:
    """``by`` shows ``session`` under a title that nothing gave it."""

    by: int
    session: str
    title: str


@dataclass(frozen=True, slots=True)
class Gave:
    """What ``call`` answered, whose places follow."""

    call: int


@dataclass(frozen=True, slots=True)
class NoPlace:
    """A place that ``call`` could have among the others, and why it has it not."""

    call: int
    rejected: Rejected


@dataclass(frozen=True, slots=True)
class MorePlaces:
    """The same holds for ``places`` more."""

    places: int


@dataclass(frozen=True, slots=True)
class WithoutIt:
    """The other calls contradict each other, wherever ``call`` stands."""

    call: int


@dataclass(frozen=True, slots=True)
class BeforeItsCall:
    """The announcement had arrived before ``call``, the first that can have caused it."""

    heard: int
    call: int


@dataclass(frozen=True, slots=True)
class NotDone:
    """Announced is the title of ``call``, which answered that there was nothing to rename."""

    heard: int
    call: int


@dataclass(frozen=True, slots=True)
class Belied:
    """The announcement had arrived before ``read``, which still shows the old state, was called.

    ``undone``: no call has made the change; ``refused`` is one that answered so.
    """

    heard: int
    read: int
    undone: bool
    refused: int | None


@dataclass(frozen=True, slots=True)
class AnnouncedTwice:
    """One change was announced twice."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class NeverAnnounced:
    """``call`` made ``change`` of ``session``, and no announcement came before the flush."""

    call: int
    change: Change
    session: str


Step: TypeAlias = (
    Follows
    | RuledOut
    | Suppose
    | Absurd
    | ShowsTwice
    | MadeTwice
    | SameId
    | NoMaker
    | NeverGone
    | UnknownTitle
    | Gave
    | NoPlace
    | MorePlaces
    | WithoutIt
    | BeforeItsCall
    | NotDone
    | Belied
    | AnnouncedTwice
    | NeverAnnounced
    | Told
)


# What would make the history legal.
Counterfactual: TypeAlias = Edit | Told


# -- why the culprit's answer is wrong, in one clause ---------------------------------------------


@dataclass(frozen=True, slots=True)
class ByAnomaly:
    """What the anomaly means for ``session`` (empty: for all the sessions involved)."""

    session: str = ""


@dataclass(frozen=True, slots=True)
class ByAnswer:
    """The answer itself is wrong, whatever the others say: a status that is not declared, a 5xx."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call hangs; the control request ``control`` of the history was answered meanwhile."""

    control: int


@dataclass(frozen=True, slots=True)
class Died:
    """The server died during the trial."""

    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Silent:
    """The server runs, and answers no client any more."""


Reason: TypeAlias = ByAnomaly | ByAnswer | Unanswered | Died | Silent | Told


# -- what they name -------------------------------------------------------------------------------


def calls_named(step: Step) -> tuple[int, ...]:
    """The operations that a step names."""
    return tuple(dict.fromkeys(_named_by(step)))


def _named_by(step: Step) -> tuple[int, ...]:
    match step:
        case Follows(constraint) | Suppose(constraint):
            return _of(constraint)
        case RuledOut(constraint, others):
            return tuple(call for one in (constraint, *others) for call in _of(one))
        case ShowsTwice(by) | NoMaker(by) | NeverGone(by) | UnknownTitle(by):
            return (by,)
        case MadeTwice(one, other):
            return (one, other)
        case SameId(creates):
            return creates
        case Gave(call) | WithoutIt(call) | NeverAnnounced(call):
            return (call,)
        case BeforeItsCall(_, call) | NotDone(_, call):
            return (call,)
        case NoPlace(call, rejected):
            cause = rejected.cause
            near = () if rejected.after is None else (rejected.after,)
            return (call, *near, *(() if isinstance(cause, WouldAnswer) else (cause.other,)))
        case Belied(_, read, _, refused):
            return (read,) if refused is None else (read, refused)
        case AnnouncedTwice() | MorePlaces() | Absurd() | Told():
            return ()
        case _:
            assert_never(step)


def _of(constraint: Constraint) -> tuple[int, ...]:
    match constraint.because:
        case HadTaken(by, taker):
            return (by, taker, constraint.before, constraint.after)
        case LacksTitle(read, write):
            return (read, write, constraint.before, constraint.after)
        case _:
            return (constraint.before, constraint.after)


def announcements_named(step: Step) -> tuple[int, ...]:
    """The announcements that a step names."""
    match step:
        case BeforeItsCall(heard) | NotDone(heard) | Belied(heard):
            return (heard,)
        case AnnouncedTwice(first, second):
            return (first, second)
        case _:
            return ()
