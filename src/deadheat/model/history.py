"""Histories: what was asked, what came back, and when.

Rules
- All instants are ``int`` nanoseconds of one monotonic clock. An operation's
  interval ``[call_ns, return_ns]`` is closed and never narrower than the truth:
  ``call_ns`` is taken before the byte that completes the request is written,
  ``return_ns`` after the whole answer is in hand.
- ``Ok``: the server answered (404 and 409 are results). ``Fail``: certainly
  never happened (no connection; a status by which the profile says so). ``Info``:
  unknown; it may take effect now, later or never, so its interval has no end
  (``return_ns is None``).
- A title is what a session carries that its creator chose (a tag, later a
  register). ``None`` means that it was not looked at, and matches anything.
- History holds server ids, never ``Var``; ``Operation.place`` leads back to the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Not for typing only: cattrs reads these annotations when the program runs.
from deadheat.model.release import Release  # noqa: TC001

Place: TypeAlias = tuple[int, int, int]  # of a call in a program: round, lane, position in it


class Kind(StrEnum):
    """The kinds of call that the session model knows."""

    CREATE = "create"
    DELETE = "delete"
    GET = "get"
    LIST = "list"
    RENAME = "rename"
    CHILDREN = "children"
    FORK = "fork"
    RECREATE = "recreate"  # a create under a name that an earlier one has asked for
    CUSTOM = "own"  # only its target knows what it means (``Custom``, ``check.custom.calls``)
    OWN = CUSTOM  # its earlier name


CHANGING = frozenset({Kind.CREATE, Kind.RECREATE, Kind.DELETE, Kind.RENAME, Kind.FORK})
MAKING = frozenset({Kind.CREATE, Kind.RECREATE, Kind.FORK})
NAMING = frozenset({Kind.CREATE, Kind.RECREATE})  # where clients choose ids, ``session`` is the one
READING = frozenset({Kind.GET, Kind.LIST, Kind.CHILDREN})


@dataclass(frozen=True, slots=True, order=True)
class Custom:
    """A custom call, which only its target knows: its name, what it is given, does it only look?

    ``pure``: in no state does it change anything, whatever it answers.
    """

    name: str
    argument: str = ""
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was asked.

    ``session`` is the id that the call addresses (None for list; a fork's source; of a
    create the id that the client chose, None where the server does). ``title`` is what the
    call writes (create, rename), unique in the history but for a recreate, which repeats
    that of the create.
    ``parent``: the id below which a create puts the session. ``custom``: with kind ``CUSTOM``,
    and only then.
    """

    kind: Kind
    session: str | None = None
    title: str | None = None
    parent: str | None = None
    custom: Custom | None = None

    @property
    def own(self) -> Custom | None:
        """``custom`` under its earlier name, for targets in Python that use it."""
        return self.custom


@dataclass(frozen=True, slots=True)
class Created:
    """The server made this session."""

    session: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The server says that it made nothing, as there is a session of that name already."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The server says that the session is deleted now."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The server says that the new title is in place."""


@dataclass(frozen=True, slots=True)
class Found:
    """The session exists and carries this title (None: not looked at)."""

    title: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The server says that there is no such session (the one addressed, or the parent)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry of a list."""

    session: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The whole collection as one list showed it; a repeated entry stays repeated."""

    entries: tuple[Seen, ...]

    @property
    def sessions(self) -> frozenset[str]:
        """The ids shown."""
        return frozenset(entry.session for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Offspring:
    """The sessions directly below one, as ``children`` showed them."""

    entries: tuple[Seen, ...]

    @property
    def sessions(self) -> frozenset[str]:
        """The ids shown."""
        return frozenset(entry.session for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A status below 500 that the profile does not declare for this kind of call."""

    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a custom call answered, in a word of its model; or another call, that it was
    refused because of one (``FORBIDDEN``)."""

    value: str


# What any other call answers that a custom call forbids now.
FORBIDDEN = Answered("forbidden")


@dataclass(frozen=True, slots=True)
class Begun:
    """Not an answer: in the search, the instant from which a delete may take children."""


Result: TypeAlias = (
    Created
    | Exists
    | Deleted
    | Renamed
    | Found
    | Absent
    | Listed
    | Offspring
    | Undeclared
    | Answered
    | Begun
)


class Unknown(StrEnum):
    """Why it is unknown what a call did."""

    TIMEOUT = "timeout"
    RESET = "reset"
    SERVER_ERROR = "server-error"
    GARBLED = "garbled"  # an answer that is not of the API: no JSON, wrong shape
    UNCLEAR = "unclear"  # a status that says so, or a list whose pages did not agree


@dataclass(frozen=True, slots=True)
class Ok:
    """The server answered."""

    result: Result


# The reason of a ``Fail`` that the server itself has answered.
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fail:
    """The call certainly did nothing: it never reached the server, or was ``REFUSED``."""

    reason: str


@dataclass(frozen=True, slots=True)
class Info:
    """It is unknown what the call did: it may take effect now, later or never."""

    reason: Unknown
    detail: str = ""


Outcome: TypeAlias = Ok | Fail | Info


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one trial.

    ``lane`` is the client that made it: two operations of one client never
    overlap, unless the earlier is ``Info``. ``at_rest`` marks the reads made
    after everything had been answered. ``place`` is None for those reads.
    """

    index: int
    lane: int
    invocation: Invocation
    outcome: Outcome
    call_ns: int
    return_ns: int | None
    at_rest: bool = False
    place: Place | None = None
    status: int | None = None

    @property
    def kind(self) -> Kind:
        """Short for ``invocation.kind``."""
        return self.invocation.kind

    @property
    def result(self) -> Result | None:
        """The result of an answered call; None of any other."""
        return self.outcome.result if type(self.outcome) is Ok else None

    @property
    def called(self) -> str:
        """The kind as people say it: of a custom call, its name."""
        custom = self.invocation.custom
        return self.kind.value if custom is None else custom.name


class Change(StrEnum):
    """What a server may announce of a session."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event of the server's stream: it says that this change has been made.

    ``arrived_ns``: when it was read, the latest instant at which it can have been
    sent; how much sooner is unknown. ``title``: the one it carries.
    """

    change: Change
    session: str
    arrived_ns: int
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What the event stream said about the sessions of one trial, in order of arrival.

    ``flushed_ns``: when the announcement of a change arrived that was made after all else had
    been answered: what has not been announced by then, on an ordered stream, never is. None:
    it is unknown whether there was more to come (the stream broke, or ended too soon).
    """

    announcements: tuple[Announcement, ...] = ()
    flushed_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """One request on a connection of its own, made when a call had waited for ``bound_ns``.

    ``return_ns`` None: it was not answered either, while that call was still open.
    """

    bound_ns: int
    call_ns: int
    return_ns: int | None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The operations of one trial, and the reads after it came to rest.

    ``existing``: ids that were in the collection before the first operation
    and that the operations may see; they belong to nobody here. ``releases``:
    for each concurrent round, in order, when the gate let its lanes go.
    ``stream``: None where no one listened. ``controls``: one for each time that a
    call had waited for too long.
    """

    operations: tuple[Operation, ...]
    existing: frozenset[str] = frozenset()
    releases: tuple[tuple[Release, ...], ...] = ()
    stream: Stream | None = None
    controls: tuple[Control, ...] = ()


def shown_sessions(operation: Operation) -> frozenset[str]:
    """The ids that this operation's answer proves to exist at some instant of its interval."""
    match operation.result:
        case Created(session):
            return frozenset({session})
        case Listed() | Offspring() as listed:
            return listed.sessions
        case Found() | Renamed() | Exists():
            return _addressed(operation)
        case _:
            return frozenset()


def shown_titles(operation: Operation) -> tuple[tuple[str, str], ...]:
    """Each session under the title that a read of it shows, where it looked at one."""
    match operation.result:
        case Listed(entries) | Offspring(entries):
            return tuple((e.session, e.title) for e in entries if e.title is not None)
        case Found(str() as title) if operation.invocation.session is not None:
            return ((operation.invocation.session, title),)
        case _:
            return ()


def touched_sessions(operation: Operation) -> frozenset[str]:
    """Every id that the operation addresses or shows."""
    return _addressed(operation) | shown_sessions(operation)


def only_reads(operation: Operation) -> bool:
    """Is it a call of a kind that never changes anything?"""
    custom = operation.invocation.custom
    return operation.kind in READING or (custom is not None and custom.pure)


def may_change(operation: Operation) -> bool:
    """Is it a call of a kind that may change something?"""
    custom = operation.invocation.custom
    return operation.kind in CHANGING or (custom is not None and not custom.pure)


def parents_of(operations: Iterable[Operation]) -> dict[str, str]:
    """The parent of each session, as far as the creates' answers tell."""
    return {
        op.result.session: op.invocation.parent
        for op in operations
        if op.invocation.parent is not None and isinstance(op.result, Created)
    }


def ancestors(session: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """The parent of a session, that one's parent, and so on."""
    found: list[str] = []
    while (above := parents.get(session)) is not None and above not in found:
        found.append(above)
        session = above
    return tuple(found)


def _addressed(operation: Operation) -> frozenset[str]:
    session = operation.invocation.session
    return frozenset() if session is None else frozenset({session})


def overlap(one: Operation, other: Operation) -> bool:
    """Do the two intervals share an instant? One without an answer is open to the end."""
    return (other.return_ns is None or one.call_ns <= other.return_ns) and (
        one.return_ns is None or other.call_ns <= one.return_ns
    )


def went_on_unanswered(history: History) -> bool:
    """Was a change not answered at all, and another call made after it?

    The server may have been at it still: the two raced, though one call was sent at a time.
    """
    calls = [op for op in history.operations if not op.at_rest]
    latest_ns = max((op.call_ns for op in calls), default=0)
    return any(
        may_change(op)
        and isinstance(op.outcome, Info)
        and op.status is None
        and op.call_ns < latest_ns
        for op in calls
    )


def makespan_ns(history: History) -> int:
    """From the first call of the program to its last answer; the reads at rest are not counted."""
    calls = [op for op in history.operations if not op.at_rest]
    ends = [op.return_ns for op in calls if op.return_ns is not None]
    return max(ends) - min(op.call_ns for op in calls) if ends else 0


def overlapping_pairs(history: History) -> int:
    """Pairs of answered calls of different lanes that overlapped, at least one a change."""
    answered = [op for op in history.operations if not op.at_rest and isinstance(op.outcome, Ok)]
    return sum(
        one.lane != other.lane and (may_change(one) or may_change(other)) and overlap(one, other)
        for i, one in enumerate(answered)
        for other in answered[i + 1 :]
    )
