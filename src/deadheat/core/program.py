"""Programs: what deadheat sends, before any id is known.

Rules
- A ``Var`` is the session that one ``Create`` of the program makes. Every other
  call names a ``Var``, never an id.
- A call may name a ``Var`` only where its id is known for certain: its create
  stands in an earlier round, or earlier in the same lane.
- ``offset_us`` of a lane's first call counts from the release of its round; of
  a later call, from the answer before it. A sequential round ignores it.
- ``sort_key`` is a total order; shrinking only ever goes down in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
    """Make a session; the server chooses the id."""

    var: Var
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


Call: TypeAlias = Create | Delete | Get | List
Lane: TypeAlias = tuple[Call, ...]
Round: TypeAlias = tuple[Lane, ...]
Place: TypeAlias = tuple[int, int, int]  # round, lane, position in the lane


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
    """The call's kind as it is spelt everywhere: ``create``, ``delete``, ``get``, ``list``."""
    match call:
        case Create():
            return "create"
        case Delete():
            return "delete"
        case Get():
            return "get"
        case List():
            return "list"
        case _:
            assert_never(call)


def var_of(call: Call) -> Var | None:
    """The session that a call makes or names; None for a list."""
    return None if isinstance(call, List) else call.var


def changes(call: Call) -> bool:
    """Does this kind of call change the collection?"""
    return isinstance(call, Create | Delete)


def problems(program: Program) -> tuple[str, ...]:
    """Why a program cannot be sent; empty when it can.

    Checked: no empty round or lane, no session created twice, every named
    session known at that place, no negative offset.
    """
    found: list[str] = []
    created: set[Var] = set()
    for r, lanes in enumerate(program.rounds):
        if not lanes or not all(lanes):
            found.append(f"round {r + 1} has an empty lane")
        born_here: set[Var] = set()
        for lane in lanes:
            known = set(created)
            for call in lane:
                var = var_of(call)
                if call.offset_us < 0:
                    found.append(f"round {r + 1}: {describe(call)} has a negative offset")
                if isinstance(call, Create):
                    if call.var in created or call.var in born_here:
                        found.append(f"round {r + 1}: session {call.var.name} is created twice")
                    known.add(call.var)
                    born_here.add(call.var)
                elif var is not None and var not in known:
                    found.append(f"round {r + 1}: session {var.name} is not known there yet")
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
    names: dict[Var, Var] = {}
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
                tuple(sorted(shifted, key=lambda lane: (_named_key(lane, names), _lane_key(lane))))
            ]
        else:
            continue
        for call in (call for lanes in ordered for lane in lanes for call in lane):
            if isinstance(call, Create):
                names.setdefault(call.var, Var(len(names)))
        rounds.extend(
            tuple(tuple(_renamed(call, names) for call in lane) for lane in lanes)
            for lanes in ordered
        )
    return Program(tuple(rounds))


def _renamed(call: Call, names: dict[Var, Var]) -> Call:
    return call if isinstance(call, List) else replace(call, var=names.get(call.var, call.var))


def _named_key(lane: Lane, names: dict[Var, Var]) -> tuple[tuple[int, int, int], ...]:
    unborn = Var(len(names))
    known = dict(names)
    for call in lane:
        if isinstance(call, Create):
            known.setdefault(call.var, unborn)
    return tuple(_call_key(_renamed(call, known)) for call in lane)


def _call_key(call: Call) -> tuple[int, int, int]:
    order = {"create": 0, "delete": 1, "get": 2, "list": 3}
    var = var_of(call)
    return (order[kind_of(call)], -1 if var is None else var.index, call.offset_us)


def _lane_key(lane: Lane) -> tuple[tuple[int, int, int], ...]:
    return tuple(_call_key(call) for call in lane)


def roundness(offset_us: int) -> tuple[int, int]:
    """How simple an offset is to read: significant digits first, then size. 0 is simplest."""
    digits = len(str(offset_us).rstrip("0"))
    return (digits, offset_us)


SortKey: TypeAlias = tuple[
    int, int, int, tuple[tuple[int, int, int], ...], tuple[tuple[int, int], ...], tuple[int, ...]
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
        tuple((*_call_key(call)[:2], place[0]) for place, call in program.placed()),
        tuple(roundness(call.offset_us) for call in calls),
        tuple(len(lane) for lanes in program.rounds for lane in lanes),  # who shares a lane
    )


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
    wanted = {
        var
        for place, call in program.placed()
        if place in places and (var := var_of(call)) is not None
    }
    rounds = tuple(
        tuple(
            tuple(
                call
                for i, call in enumerate(lane)
                if (r, l, i) in places or (isinstance(call, Create) and call.var in wanted)
            )
            for l, lane in enumerate(lanes)
        )
        for r, lanes in enumerate(program.rounds)
    )
    return canonical(Program(rounds))


def sequential(program: Program) -> Program:
    """The same calls in reading order with no concurrency at all."""
    return canonical(Program(tuple(((call,),) for call in program.calls())))


def overlapping_pairs(program: Program) -> int:
    """Pairs of calls in different lanes of one round, at least one of which changes something."""
    total = 0
    for lanes in program.rounds:
        for l, lane in enumerate(lanes):
            for other in lanes[l + 1 :]:
                total += sum(changes(x) or changes(y) for x in lane for y in other)
    return total


def describe(call: Call) -> str:
    """One call as people read it: ``a = create()``, ``delete(a)``, ``list()``."""
    match call:
        case Create(var):
            return f"{var.name} = create()"
        case Delete(var):
            return f"delete({var.name})"
        case Get(var):
            return f"get({var.name})"
        case List():
            return "list()"
        case _:
            assert_never(call)
