"""Programs: what deadheat sends, before any id is known.

Rules
- A ``Var`` is the session that one ``Create`` or ``Fork`` of the program makes.
  Every other call names a ``Var``, never an id.
- A call may name a ``Var`` (also as parent or source) only where its id is known
  for certain: it is made in an earlier round, or earlier in the same lane. A ``Recreate``
  needs only the name, which deadheat chose: the round of its create will do.
- ``offset_us`` of a lane's first call counts from the release of its round; of
  a later call, from the answer before it. A sequential round ignores it.
- ``sort_key`` is a total order; shrinking only ever goes down in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

# Not for typing only: cattrs reads these annotations when the program runs.
from deadheat.model.history import Custom, Invocation, Kind, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping


@dataclass(frozen=True, slots=True, order=True)
class Var:
    """A symbolic session: "the session that create number *index* made"."""

    index: int

    @property
    def name(self) -> str:
        """``a`` … ``z``, then ``a1`` …: what people see."""
        cycle, letter = divmod(self.index, 26)
        return chr(ord("a") + letter) + (str(cycle) if cycle else "")


@dataclass(frozen=True, slots=True)
class Create:
    """Make a session, below ``parent`` if there is one; the server chooses the id."""

    var: Var
    offset_us: int = 0
    parent: Var | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Make a session that is a copy of ``source``; the server chooses the id."""

    var: Var
    source: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the session."""

    var: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Get:
    """Read one session by its id."""

    var: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class List:
    """Read the whole collection."""

    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Rename:
    """Give the session another title; each rename of a trial writes one of its own."""

    var: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Children:
    """Read the sessions directly below this one."""

    var: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Recreate:
    """Create a session under the name of this one, which may be there, or gone."""

    var: Var
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class CustomCall:
    """A custom call about one session (``check.custom.calls``)."""

    custom: Custom
    var: Var
    offset_us: int = 0


Call: TypeAlias = Create | Delete | Get | List | Rename | Children | Fork | Recreate | CustomCall
Lane: TypeAlias = tuple[Call, ...]
Round: TypeAlias = tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Rounds, one after the other; the lanes of a round are released together."""

    rounds: tuple[Round, ...]

    def placed(self) -> Iterator[tuple[Place, Call]]:
        """Every call with its place, in reading order."""
        for r, lanes in enumerate(self.rounds):
            for l, lane in enumerate(lanes):
                for i, call in enumerate(lane):
                    yield (r, l, i), call

    def calls(self) -> tuple[Call, ...]:
        """Every call, in reading order."""
        return tuple(call for _, call in self.placed())

    @property
    def concurrency(self) -> int:
        """The most lanes that any round releases together (0 for an empty program)."""
        return max((len(lanes) for lanes in self.rounds), default=0)


def kind_of(call: Call) -> str:
    """The call's kind as it is spelt everywhere: ``create``, ``delete``, ``get``, ``list``, ….

    Of a custom call it is its name.
    """
    return call.custom.name if isinstance(call, CustomCall) else KINDS[type(call)]


# In the order of simplicity: the best known first. The words stand in files and events, so
# they are no class's name.
KINDS: dict[type[Call], str] = {
    Create: "create",
    Delete: "delete",
    Get: "get",
    List: "list",
    Rename: "rename",
    Children: "children",
    Fork: "fork",
    Recreate: "recreate",
}


def invocation_of(
    call: Call, ids: Mapping[Var, str], title: str | None = None
) -> Invocation | None:
    """What is asked where the sessions have these ``ids``; None without one that it needs.

    ``title``: what a create or a rename writes. Of a ``Recreate`` its create knows more.
    """
    needed = needs(call)
    about = None if needed is None else ids.get(needed)
    if needed is not None and about is None:
        return None
    match call:
        case Create():
            return Invocation(Kind.CREATE, None, title, about)
        case Rename():
            return Invocation(Kind.RENAME, about, title)
        case CustomCall():
            return Invocation(Kind.CUSTOM, about, custom=call.custom)
        case _:
            return Invocation(Kind(kind_of(call)), about)


def var_of(call: Call) -> Var | None:
    """The session that a call makes or addresses; None for a list."""
    return None if isinstance(call, List) else call.var


def makes(call: Call) -> Var | None:
    """The session that comes to be by this call."""
    return call.var if isinstance(call, Create | Fork) else None


def needs(call: Call) -> Var | None:
    """The session whose id must be known before this call can be sent (parent and source too)."""
    match call:
        case Create():
            return call.parent
        case Fork():
            return call.source
        case List():
            return None
        case _:
            return call.var


def changes(call: Call) -> bool:
    """May this kind of call change something?"""
    if isinstance(call, CustomCall):
        return not call.custom.pure
    return isinstance(call, Create | Delete | Rename | Fork | Recreate)


# Ten minutes. The slowest server that is worth a race answers sooner.
LONGEST_OFFSET_US = 600_000_000


def problems(program: Program) -> tuple[str, ...]:
    """Why a program cannot be sent; empty when it can.

    Checked: no empty round or lane, no session created twice, every named
    session known at that place, no offset below 0 or above ``LONGEST_OFFSET_US``.
    """
    found: list[str] = []
    created: set[Var] = set()
    for r, lanes in enumerate(program.rounds):
        if not lanes or not all(lanes):
            found.append(f"round {r + 1} has an empty lane")
        born_here: set[Var] = set()
        made_here = {made for lane in lanes for call in lane if (made := makes(call)) is not None}
        for lane in lanes:
            known = set(created)
            for call in lane:
                needed, made = needs(call), makes(call)
                if call.offset_us < 0:
                    found.append(f"round {r + 1}: a {kind_of(call)} has a negative offset")
                if call.offset_us > LONGEST_OFFSET_US:
                    found.append(f"round {r + 1}: a {kind_of(call)} would wait for too long")
                named = known | made_here if isinstance(call, Recreate) else known
                if needed is not None and needed not in named:
                    found.append(f"round {r + 1}: session {needed.name} is not known there yet")
                if made is not None:
                    if made in created or made in born_here:
                        found.append(f"round {r + 1}: session {made.name} is created twice")
                    known.add(made)
                    born_here.add(made)
        created |= born_here
    return tuple(found)


def canonical(program: Program) -> Program:
    """The same program in its one spelling.

    Empty lanes and rounds go; sessions are renumbered in order of creation;
    offsets of a sequential round go to 0; a concurrent round's offsets start at
    0; a sequential round of several calls becomes several rounds. Lanes are
    sorted, as their order means nothing (the offset says who goes first).
    """
    rounds: list[Round] = []
    spelt: dict[Var, Var] = {}
    for lanes in program.rounds:
        kept = tuple(lane for lane in lanes if lane)
        if len(kept) == 1:
            ordered: list[Round] = [((replace(call, offset_us=0),),) for call in kept[0]]
        elif kept:
            first = min(lane[0].offset_us for lane in kept)
            shifted = [
                (replace(lane[0], offset_us=lane[0].offset_us - first), *lane[1:]) for lane in kept
            ]
            # By the names known before this round, so that sorting twice changes nothing.
            ordered = [
                tuple(sorted(shifted, key=lambda lane: (_named_key(lane, spelt), _lane_key(lane))))
            ]
        else:
            continue
        for call in (call for lanes in ordered for lane in lanes for call in lane):
            if (made := makes(call)) is not None:
                spelt.setdefault(made, Var(len(spelt)))
        rounds.extend(
            tuple(tuple(readdressed(call, spelt) for call in lane) for lane in lanes)
            for lanes in ordered
        )
    return Program(tuple(rounds))


def readdressed(call: Call, spelt: Mapping[Var, Var]) -> Call:
    """The same call about the sessions that ``spelt`` gives for those it names."""
    match call:
        case List():
            return call
        case Create(parent=Var() as parent):
            new = spelt.get(parent, parent)
            return replace(call, var=spelt.get(call.var, call.var), parent=new)
        case Fork():
            source = spelt.get(call.source, call.source)
            return replace(call, var=spelt.get(call.var, call.var), source=source)
        case _:
            return replace(call, var=spelt.get(call.var, call.var))


# The last are the name and the argument of a custom call.
CallKey: TypeAlias = tuple[int, int, int, int, str, str]


def _named_key(lane: Lane, spelt: Mapping[Var, Var]) -> tuple[CallKey, ...]:
    unborn = Var(len(spelt))
    known = dict(spelt)
    for call in lane:
        if (made := makes(call)) is not None:
            known.setdefault(made, unborn)
    return tuple(_call_key(readdressed(call, known)) for call in lane)


_ORDER = {kind: n for n, kind in enumerate(KINDS.values())}


def _call_key(call: Call) -> CallKey:
    """Kind, the session made or addressed, its parent or source, the offset, the custom name."""
    var, needed = var_of(call), needs(call) if makes(call) is not None else None
    custom = call.custom if isinstance(call, CustomCall) else None
    return (
        _ORDER[kind_of(call)] if custom is None else len(_ORDER),
        -1 if var is None else var.index,
        -1 if needed is None else needed.index,
        call.offset_us,
        "" if custom is None else custom.name,
        "" if custom is None else custom.argument,
    )


def _lane_key(lane: Lane) -> tuple[CallKey, ...]:
    return tuple(_call_key(call) for call in lane)


def roundness(offset_us: int) -> tuple[int, int]:
    """How simple an offset is to read: significant digits first, then size. 0 is simplest."""
    digits = len(str(offset_us).rstrip("0"))
    return (digits, offset_us)


ArgumentKey: TypeAlias = tuple[int, str, int, int, int, str, int]
SortKey: TypeAlias = tuple[
    int, int, int, tuple[ArgumentKey, ...], tuple[tuple[int, int], ...], tuple[int, ...]
]


def sort_key(program: Program) -> SortKey:
    """The total order of shrinking (DESIGN §2).

    Fewer calls, then fewer concurrent calls, then fewer lanes, then simpler
    arguments, then rounder offsets.
    """
    calls = program.calls()
    together = [lanes for lanes in program.rounds if len(lanes) > 1]
    return (
        len(calls),
        sum(len(lane) for lanes in together for lane in lanes),
        sum(len(lanes) for lanes in together),
        tuple(_argument_key(call, place) for place, call in program.placed()),
        tuple(roundness(call.offset_us) for call in calls),
        tuple(len(lane) for lanes in program.rounds for lane in lanes),  # who shares a lane
    )


def _argument_key(call: Call, place: Place) -> ArgumentKey:
    kind, var, needed, _, name, argument = _call_key(call)
    return (kind, name, var, needed, len(argument), argument, place[0])


def structure(program: Program) -> Program:
    """The program without its offsets: what shrinks first, and what a ledger counts by."""
    return canonical(with_offsets(program, lambda _place, _call: 0))


def with_offsets(program: Program, offset: Callable[[Place, Call], int]) -> Program:
    """The same calls with the offsets that ``offset(place, call)`` gives, in microseconds."""
    return Program(
        tuple(
            tuple(
                tuple(
                    replace(call, offset_us=offset((r, l, i), call)) for i, call in enumerate(lane)
                )
                for l, lane in enumerate(lanes)
            )
            for r, lanes in enumerate(program.rounds)
        )
    )


def keep(program: Program, places: frozenset[Place]) -> Program:
    """Only the calls at these places, with the creates that they need.

    The result is canonical. A create that a kept call names is kept too,
    whether or not its place is given.
    """
    stays = places | needed_by(program, places)
    rounds = tuple(
        tuple(
            tuple(call for i, call in enumerate(lane) if (r, l, i) in stays)
            for l, lane in enumerate(lanes)
        )
        for r, lanes in enumerate(program.rounds)
    )
    return canonical(Program(rounds))


def needed_by(program: Program, places: Collection[Place]) -> frozenset[Place]:
    """Where the sessions are made that the calls at these places need, and what those need."""
    calls = dict(program.placed())
    made_at = {made: place for place, call in calls.items() if (made := makes(call)) is not None}
    found: set[Place] = set()
    waiting = [calls[place] for place in places]
    while waiting:
        needed = needs(waiting.pop())
        place = None if needed is None else made_at.get(needed)
        if place is not None and place not in found:
            found.add(place)
            waiting.append(calls[place])
    return frozenset(found)


def overlapping_pairs(program: Program) -> int:
    """Pairs of calls in different lanes of one round, at least one of which changes something."""
    total = 0
    for lanes in program.rounds:
        for l, lane in enumerate(lanes):
            for other in lanes[l + 1 :]:
                total += sum(changes(x) or changes(y) for x in lane for y in other)
    return total
