"""The shrink passes, a function each: smaller programs that are worth a trial.

Rules
- Every program yielded is canonical, valid (``problems`` is empty) and strictly
  below the given one in ``sort_key``, offsets left out; none is yielded twice.
- What a program's places are arranged into, and at which instants: ``trials.shapes``.
"""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING

from deadheat.model.history import Place, overlap
from deadheat.model.program import (
    Call,
    Children,
    Create,
    List,
    Program,
    Recreate,
    Var,
    changes,
    makes,
    needs,
    problems,
    readdressed,
    var_of,
)
from deadheat.model.verdict import operations_by_index
from deadheat.trials.shapes import (
    built,
    flat,
    only,
    places_of,
    shape_of,
    smaller,
    without_call,
    without_sessions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.model.history import History
    from deadheat.trials.shapes import Shape
    from deadheat.trials.tally import Observed

# Pairs of overlapping calls grow with the square; past 8 calls (28 pairs) the
# structural passes reach the same programs in fewer trials.
MOST_IN_PAIRS = 8


def projections(observed: Observed) -> Iterator[Program]:
    """History first (DESIGN §6.3): the calls of the recorded contradiction, and what overlapped it.

    In the order worth trying: the witness's calls alone, with each one changing
    call that overlapped them, the whole round, with each pair. Each comes
    twice where that differs: with everything else made sequential, and with
    its creates where they stood. And twice where its sessions have a family: without
    it, and with all of it, as how long a cascade takes is no part of a witness.
    """
    program, history = observed.program, observed.divergence.history
    calls = dict(program.placed())
    operations = {op.place: op for op in history.operations if op.place is not None}
    core = _witness_places(observed, calls)
    if not core:
        return
    racing = [
        place
        for place, op in operations.items()
        if place in calls
        and place not in core
        and any(overlap(op, operations[mine]) for mine in core)
    ]
    changing = [place for place in racing if changes(calls[place])]
    rounds = {place[0] for place in core}
    choices: list[frozenset[Place]] = [core]
    choices += [core | {one} for one in changing]
    choices.append(core | set(changing))
    choices.append(core | set(racing))
    choices.append(frozenset(place for place in calls if place[0] in rounds))
    choices += [core | set(pair) for pair in combinations(changing[:MOST_IN_PAIRS], 2)]
    choices += [core | {one} for one in racing if one not in changing]
    group = _kin(program, core)
    choices = [one for chosen in choices for one in dict.fromkeys((chosen, chosen | group))]
    shapes = (
        shape
        for chosen in choices
        for shape in (only(program, chosen, calm=True), only(program, chosen, calm=False))
    )
    yield from smaller(program, shapes, history)


def sequential_orders(program: Program, history: History | None = None) -> Iterator[Program]:
    """The same calls with no concurrency at all: as they were sent, as read, lanes reversed."""
    places = [place for place, _ in program.placed()]
    sent = {
        op.place: op.call_ns for op in (history.operations if history else ()) if op.place in places
    }
    orders = [
        sorted(places, key=lambda place: (place[0], sent.get(place, 0), place)),
        places,
        sorted(places, key=lambda place: (place[0], -place[1], place[2])),
    ]
    calls = dict(program.placed())
    # What can always be sent: a lane may create again what only a later call of it creates.
    last = sorted(places, key=lambda place: (place[0], makes(calls[place]) is None, place))
    seen: set[Program] = set()
    for order in (*orders, last):
        if order is last and seen:
            return
        alone = built(program, tuple(((place,),) for place in order))
        if alone not in seen and not problems(alone):
            seen.add(alone)
            yield alone


def drop_rounds(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without one round (a create that is needed later stays)."""
    places = places_of(program)
    yield from smaller(
        program,
        (
            only(program, frozenset(place for place in places if place[0] != r), calm=False)
            for r in range(len(program.rounds))
        ),
        history,
    )


def calm_rounds(program: Program, history: History | None = None) -> Iterator[Program]:
    """All concurrent rounds but one made sequential; then each one alone."""
    together = [r for r, lanes in enumerate(program.rounds) if len(lanes) > 1]
    whole = shape_of(program)
    keep_one = (
        tuple(
            part
            for r, lanes in enumerate(whole)
            for part in (flat(lanes) if r in together and r != chosen else (lanes,))
        )
        for chosen in together
    )
    calm_one = (
        tuple(
            part
            for r, lanes in enumerate(whole)
            for part in (flat(lanes) if r == chosen else (lanes,))
        )
        for chosen in together
    )
    yield from smaller(program, (*keep_one, *calm_one), history)


def drop_lanes(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without one lane of a concurrent round."""
    places = places_of(program)
    yield from smaller(
        program,
        (
            only(program, frozenset(p for p in places if p[:2] != (r, k)), calm=False)
            for r, lanes in enumerate(program.rounds)
            if len(lanes) > 1
            for k in range(len(lanes))
        ),
        history,
    )


def drop_sessions(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without one session: its create, all below it, every call that names them."""
    sessions = sorted(made for call in program.calls() if (made := makes(call)) is not None)
    yield from smaller(
        program,
        (without_sessions(program, frozenset({session})) for session in sessions),
        history,
    )


def drop_children(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without a half, then a quarter of one parent's children."""
    families: dict[Var, list[Var]] = {}
    for call in program.calls():
        if isinstance(call, Create) and call.parent is not None:
            families.setdefault(call.parent, []).append(call.var)
    parts = [
        frozenset(children[start : start + len(children) // share])
        for share in (2, 4)
        for children in families.values()
        if len(children) >= 2 * share
        for start in range(0, len(children), len(children) // share)
    ]
    yield from smaller(program, (without_sessions(program, part) for part in parts), history)


def loosen_sessions(program: Program, history: History | None = None) -> Iterator[Program]:
    """A session made below another one, or as a copy of it, is made on its own."""
    for chosen in program.calls():
        if makes(chosen) is None or needs(chosen) is None:
            continue

        def alone(call: Call, chosen: Call = chosen) -> Call:
            made = makes(call) if call == chosen else None
            return call if made is None else Create(made, call.offset_us)

        yield from smaller(program, [shape_of(program)], history, alone)


def plain_reads(program: Program, history: History | None = None) -> Iterator[Program]:
    """A read of a session's children becomes a list, which every target has.

    Where only its being there matters, the children that the read showed can go, too.
    """
    for chosen in program.calls():
        if not isinstance(chosen, Children):
            continue

        def plain(call: Call, chosen: Children = chosen) -> Call:
            return List(call.offset_us) if call == chosen else call

        yield from smaller(program, [shape_of(program)], history, plain)


def drop_reads(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without any call that only reads."""
    yield from smaller(
        program,
        [
            only(
                program,
                frozenset(place for place, call in program.placed() if changes(call)),
                calm=False,
            )
        ],
        history,
    )


def drop_calls(program: Program, history: History | None = None) -> Iterator[Program]:
    """The program without one call (a create goes by ``drop_sessions``)."""
    places = places_of(program)
    yield from smaller(
        program,
        (
            only(program, places - {place}, calm=False)
            for place, call in program.placed()
            if makes(call) is None
        ),
        history,
    )


def calm_calls(program: Program, history: History | None = None) -> Iterator[Program]:
    """The race with one call fewer: a lane's first moves to the round before, its last after."""
    whole = shape_of(program)
    shapes: list[Shape] = []
    for r, lanes in enumerate(whole):
        if len(lanes) < 2:
            continue
        for k, lane in enumerate(lanes):
            first = without_call(lanes, k, 0)
            last = without_call(lanes, k, len(lane) - 1)
            shapes.append((*whole[:r], ((lane[0],),), first, *whole[r + 1 :]))
            shapes.append((*whole[:r], last, ((lane[-1],),), *whole[r + 1 :]))
    yield from smaller(program, shapes, history)


def chain_lanes(program: Program, history: History | None = None) -> Iterator[Program]:
    """Two lanes joined into one: the same calls, made by one client fewer."""
    whole = shape_of(program)
    shapes = [
        (*whole[:r], (*others, (*lanes[k], *lanes[m])), *whole[r + 1 :])
        for r, lanes in enumerate(whole)
        if len(lanes) > 2  # of two, the sequential orders are this
        for k, m in permutations(range(len(lanes)), 2)
        for others in [tuple(lane for n, lane in enumerate(lanes) if n not in (k, m))]
    ]
    yield from smaller(program, shapes, history)


def merge_sessions(program: Program, history: History | None = None) -> Iterator[Program]:
    """Two sessions become one: every call that named the later one names the earlier."""
    born = {made: place for place, call in program.placed() if (made := makes(call)) is not None}
    sessions = sorted(born)
    seen: set[Program] = set()
    for kept, gone in combinations(sessions, 2):
        shape = tuple(
            tuple(tuple(place for place in lane if place != born[gone]) for lane in lanes)
            for lanes in shape_of(program)
        )

        def renamed(call: Call, kept: Var = kept, gone: Var = gone) -> Call:
            return readdressed(call, {gone: kept})

        for merged in smaller(program, [shape], history, renamed):
            if merged not in seen:
                seen.add(merged)
                yield merged


def begin_later(program: Program, history: History | None = None) -> Iterator[Program]:
    """A session that begins at one of its recreates, without the rounds before about it."""
    for chosen, again in program.placed():
        if not isinstance(again, Recreate):
            continue
        var = again.var
        born = Program(
            tuple(
                tuple(
                    tuple(
                        Create(var, call.offset_us) if (r, k, i) == chosen else call
                        for i, call in enumerate(lane)
                    )
                    for k, lane in enumerate(lanes)
                )
                for r, lanes in enumerate(program.rounds)
            )
        )
        gone = {
            place
            for place, call in program.placed()
            if var in (var_of(call), needs(call)) and (place[0] < chosen[0] or makes(call) == var)
        }
        yield from smaller(born, [only(born, places_of(program) - gone, calm=False)], history)


def reductions(program: Program, history: History | None = None) -> Iterator[Program]:
    """Every structural pass in turn, the largest steps first.

    A program from which none of these shows the race is called minimal.
    """
    for shrink in (
        drop_rounds,
        calm_rounds,
        drop_lanes,
        drop_children,
        drop_sessions,
        drop_reads,
        drop_calls,
        calm_calls,
        chain_lanes,
        merge_sessions,
        loosen_sessions,
        plain_reads,
        begin_later,
    ):
        yield from shrink(program, history)


def _witness_places(observed: Observed, calls: dict[Place, Call]) -> frozenset[Place]:
    """The places of the witness's calls, without its creates if it has others."""
    operations = operations_by_index(observed.divergence.history)
    indices = {*observed.divergence.witness, observed.divergence.culprit}
    places = {
        place
        for index in indices
        if index in operations and (place := operations[index].place) is not None and place in calls
    }
    acting = {place for place in places if makes(calls[place]) is None}
    return frozenset(acting or places)


def _kin(program: Program, core: frozenset[Place]) -> frozenset[Place]:
    """The creates, before any race, of the parents, children and siblings of these sessions."""
    calls = dict(program.placed())
    named = {var for place in core for var in (var_of(calls[place]), needs(calls[place]))}
    parents = {call.var: call.parent for call in calls.values() if isinstance(call, Create)}
    heads = (named | {parents.get(var) for var in named if var is not None}) - {None}
    return frozenset(
        place
        for place, call in calls.items()
        if isinstance(call, Create) and call.parent in heads and len(program.rounds[place[0]]) == 1
    )
