"""A program's calls in a new arrangement: what every shrink pass makes its programs from.

Rules
- A pass names places, not calls: a ``Shape`` is the program's places in a new
  arrangement, so ids, offsets and the recorded instants follow each call.
- A call that needs a session takes its create along, and those of all above it.
- With the history of a run, offsets are set so that the calls that stay go out
  at the instants at which that run sent them (dropping the calls before one
  would otherwise move it out of the window that showed the race).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from deadheat.model.history import Place
from deadheat.model.program import (
    Call,
    Program,
    Var,
    canonical,
    makes,
    needed_by,
    needs,
    problems,
    sort_key,
    structure,
    var_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deadheat.model.history import History

Shape: TypeAlias = tuple[tuple[tuple[Place, ...], ...], ...]

_NS_PER_US = 1_000


def shape_of(program: Program) -> Shape:
    """The places of ``program`` as they stand."""
    return tuple(
        tuple(tuple((r, k, i) for i in range(len(lane))) for k, lane in enumerate(lanes))
        for r, lanes in enumerate(program.rounds)
    )


def places_of(program: Program) -> frozenset[Place]:
    """All places of ``program``."""
    return frozenset(place for place, _ in program.placed())


def built(
    program: Program,
    shape: Shape,
    history: History | None = None,
    renamed: Callable[[Call], Call] = lambda call: call,
) -> Program:
    """The calls of ``program`` in a new arrangement, canonical; not yet checked by ``problems``.

    With the history of a run of ``program`` its instants are kept: the first
    call of a lane waits for as long as it did after the earliest call that
    stays in its round, a later one for as long as it did after the answer to
    the call that is now before it.
    """
    calls = dict(program.placed())
    operations = (
        {op.place: op for op in history.operations if op.place is not None} if history else {}
    )

    def timed(lane: tuple[Place, ...], start_ns: int) -> Iterator[Call]:
        free_ns: int | None = start_ns
        for place in lane:
            call, op = renamed(calls[place]), operations.get(place)
            if op is not None and free_ns is not None:
                waited_us = max(0, op.call_ns - free_ns) // _NS_PER_US
                call = replace(call, offset_us=waited_us)
            free_ns = None if op is None else op.return_ns
            yield call

    rounds = []
    for lanes in shape:
        kept = [lane for lane in lanes if lane]
        heads = [operations[lane[0]].call_ns for lane in kept if lane[0] in operations]
        if history is None or len(heads) < len(kept):
            rounds.append(tuple(tuple(renamed(calls[place]) for place in lane) for lane in kept))
        else:
            start_ns = min(heads, default=0)
            rounds.append(tuple(tuple(timed(lane, start_ns)) for lane in kept))
    return canonical(Program(tuple(rounds)))


def smaller(
    program: Program,
    shapes: Iterable[Shape],
    history: History | None,
    renamed: Callable[[Call], Call] = lambda call: call,
) -> Iterator[Program]:
    """The arrangements that are valid programs and strictly below ``program``, each once."""
    limit = sort_key(structure(program))
    seen: set[Program] = set()
    for shape in shapes:
        candidate = built(program, shape, history, renamed)
        if (
            candidate.rounds
            and candidate not in seen
            and sort_key(structure(candidate)) < limit
            and not problems(candidate)
        ):
            seen.add(candidate)
            yield candidate


def only(program: Program, chosen: frozenset[Place], *, calm: bool) -> Shape:
    """The chosen places, and the creates that they need.

    ``calm``: the creates that are only needed come first and alone, so that
    nothing races but what was chosen.
    """
    needed = needed_by(program, chosen) - chosen
    front: Shape = tuple(((place,),) for place in sorted(needed)) if calm else ()
    stays = chosen if calm else chosen | needed
    return front + tuple(
        tuple(tuple(place for place in lane if place in stays) for lane in lanes)
        for lanes in shape_of(program)
    )


def without_sessions(program: Program, gone: frozenset[Var]) -> Shape:
    """Without these sessions: their creates, all below them, every call that names one."""
    for call in program.calls():  # in reading order: what is below comes after
        made = makes(call)
        if made is not None and needs(call) in gone:
            gone |= {made}
    return only(
        program,
        frozenset(
            place
            for place, call in program.placed()
            if var_of(call) not in gone and needs(call) not in gone
        ),
        calm=False,
    )


def flat(lanes: tuple[tuple[Place, ...], ...]) -> Shape:
    """Each call of these lanes in a round of its own."""
    return tuple(((place,),) for lane in lanes for place in lane)


def without_call(
    lanes: tuple[tuple[Place, ...], ...], k: int, i: int
) -> tuple[tuple[Place, ...], ...]:
    """These lanes without the ``i``-th call of the ``k``-th lane."""
    changed = (*lanes[k][:i], *lanes[k][i + 1 :])
    return (*lanes[:k], changed, *lanes[k + 1 :])
