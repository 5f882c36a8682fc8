"""One function a shrink pass: smaller programs worth a trial.

Rules
- Every program yielded is canonical, valid (``problems`` is empty) and strictly
  below the given one in ``sort_key``, offsets left out; none is yielded twice.
- A pass names places, not calls: a ``Shape`` is the program's places in a new
  arrangement, so ids, offsets and the recorded instants follow each call.
- A call that needs a session takes its create along, and those of all above it.
- With the history of a run, offsets are set so that the calls that stay go out
  at the instants at which that run sent them (dropping the calls before one
  would otherwise move it out of the window that showed the race).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from typing import TYPE_CHECKING, TypeAlias

from deadheat.model.history import overlap
from deadheat.model.program import (
    Call,
    Children,
    Create,
    List,
    Place,
    Program,
    Recreate,
    Var,
    canonical,
    changes,
    makes,
    needed_by,
    needs,
    problems,
    readdressed,
    sort_key,
    structure,
    var_of,
)
from deadheat.model.verdict import operations_by_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deadheat.model.history import History
    from deadheat.trials.tally import Observed

Shape: TypeAlias = tuple[tuple[tuple[Place, ...], ...], ...]

# Pairs of overlapping calls grow with the square; past 8 calls (28 pairs) the
# structural passes reach the same programs in fewer trials.
MOST_IN_PAIRS = 8
_NS_PER_US = 1_000


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
    kin = _kin(program, core)
    choices = [one for chosen in choices for one in dict.fromkeys((chosen, chosen | kin))]
    shapes = (
        shape
        for chosen in choices
        for shape in (_only(program, chosen, calm=True), _only(program, chosen, calm=False))
    )
    yield from _smaller(program, shapes, history)


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
        flat = built(program, tuple(((place,),) for place in order))
        if flat not in seen and not problems(flat):
            seen.add(flat)
            yield flat


def drop_rounds(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without one round (a create that is needed later stays)."""
    places = _places(program)
    yield from _smaller(
        program,
        (
            _only(program, frozenset(place for place in places if place[0] != r), calm=False)
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
            for part in (_flat(lanes) if r in together and r != chosen else (lanes,))
        )
        for chosen in together
    )
    calm_one = (
        tuple(
            part
            for r, lanes in enumerate(whole)
            for part in (_flat(lanes) if r == chosen else (lanes,))
        )
        for chosen in together
    )
    yield from _smaller(program, (*keep_one, *calm_one), history)


def drop_lanes(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without one lane of a concurrent round."""
    places = _places(program)
    yield from _smaller(
        program,
        (
            _only(program, frozenset(p for p in places if p[:2] != (r, k)), calm=False)
            for r, lanes in enumerate(program.rounds)
            if len(lanes) > 1
            for k in range(len(lanes))
        ),
        history,
    )


def drop_sessions(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without one session: its create, all that is below it, and every call that names those."""
    sessions = sorted(made for call in program.calls() if (made := makes(call)) is not None)
    yield from _smaller(
        program,
        (_without_sessions(program, frozenset({session})) for session in sessions),
        history,
    )


def drop_children(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without a half, then a quarter of the children of one parent (its other calls stay)."""
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
    yield from _smaller(program, (_without_sessions(program, part) for part in parts), history)


def loosen_sessions(program: Program, history: History | None = None) -> Iterator[Program]:
    """A session made below another one, or as a copy of it, is made on its own."""
    for chosen in program.calls():
        if makes(chosen) is None or needs(chosen) is None:
            continue

        def alone(call: Call, chosen: Call = chosen) -> Call:
            made = makes(call) if call == chosen else None
            return call if made is None else Create(made, call.offset_us)

        yield from _smaller(program, [shape_of(program)], history, alone)


def plain_reads(program: Program, history: History | None = None) -> Iterator[Program]:
    """A read of a session's children becomes a list, which every target has.

    Where only its being there matters, the children that the read showed can go, too.
    """
    for chosen in program.calls():
        if not isinstance(chosen, Children):
            continue

        def plain(call: Call, chosen: Children = chosen) -> Call:
            return List(call.offset_us) if call == chosen else call

        yield from _smaller(program, [shape_of(program)], history, plain)


def drop_reads(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without any call that only reads."""
    yield from _smaller(
        program,
        [
            _only(
                program,
                frozenset(place for place, call in program.placed() if changes(call)),
                calm=False,
            )
        ],
        history,
    )


def drop_calls(program: Program, history: History | None = None) -> Iterator[Program]:
    """Without one call (a create goes by ``drop_sessions``)."""
    places = _places(program)
    yield from _smaller(
        program,
        (
            _only(program, places - {place}, calm=False)
            for place, call in program.placed()
            if makes(call) is None
        ),
        history,
    )


def calm_calls(program: Program, history: History | None = None) -> Iterator[Program]:
    """One call out of the race: a lane's first into the round before, its last into the next."""
    whole = shape_of(program)
    shapes: list[Shape] = []
    for r, lanes in enumerate(whole):
        if len(lanes) < 2:
            continue
        for k, lane in enumerate(lanes):
            first = _without_call(lanes, k, 0)
            last = _without_call(lanes, k, len(lane) - 1)
            shapes.append((*whole[:r], ((lane[0],),), first, *whole[r + 1 :]))
            shapes.append((*whole[:r], last, ((lane[-1],),), *whole[r + 1 :]))
    yield from _smaller(program, shapes, history)


def chain_lanes(program: Program, history: History | None = None) -> Iterator[Program]:
    """One lane behind another: the same calls, made by one client less."""
    whole = shape_of(program)
    shapes = [
        (*whole[:r], (*others, (*lanes[k], *lanes[m])), *whole[r + 1 :])
        for r, lanes in enumerate(whole)
        if len(lanes) > 2  # of two, the sequential orders are this
        for k, m in permutations(range(len(lanes)), 2)
        for others in [tuple(lane for n, lane in enumerate(lanes) if n not in (k, m))]
    ]
    yield from _smaller(program, shapes, history)


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

        for merged in _smaller(program, [shape], history, renamed):
            if merged not in seen:
                seen.add(merged)
                yield merged


def begin_later(program: Program, history: History | None = None) -> Iterator[Program]:
    """A session's life begins at one of its recreates: all about it in the rounds before goes."""
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
        yield from _smaller(born, [_only(born, _places(program) - gone, calm=False)], history)


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


def shape_of(program: Program) -> Shape:
    """The places of ``program`` as they stand."""
    return tuple(
        tuple(tuple((r, k, i) for i in range(len(lane))) for k, lane in enumerate(lanes))
        for r, lanes in enumerate(program.rounds)
    )


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


def _smaller(
    program: Program,
    shapes: Iterable[Shape],
    history: History | None,
    renamed: Callable[[Call], Call] = lambda call: call,
) -> Iterator[Program]:
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


def _places(program: Program) -> frozenset[Place]:
    return frozenset(place for place, _ in program.placed())


def _witness_places(observed: Observed, calls: dict[Place, Call]) -> frozenset[Place]:
    """Where the contradiction happened: its calls, less the creates if there are others."""
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
    """The creates, before any race, below the sessions of these calls or beside them."""
    calls = dict(program.placed())
    named = {var for place in core for var in (var_of(calls[place]), needs(calls[place]))}
    parents = {call.var: call.parent for call in calls.values() if isinstance(call, Create)}
    heads = (named | {parents.get(var) for var in named if var is not None}) - {None}
    return frozenset(
        place
        for place, call in calls.items()
        if isinstance(call, Create) and call.parent in heads and len(program.rounds[place[0]]) == 1
    )


def _only(program: Program, chosen: frozenset[Place], *, calm: bool) -> Shape:
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


def _without_sessions(program: Program, gone: frozenset[Var]) -> Shape:
    for call in program.calls():  # in reading order: what is below comes after
        made = makes(call)
        if made is not None and needs(call) in gone:
            gone |= {made}
    return _only(
        program,
        frozenset(
            place
            for place, call in program.placed()
            if var_of(call) not in gone and needs(call) not in gone
        ),
        calm=False,
    )


def _flat(lanes: tuple[tuple[Place, ...], ...]) -> Shape:
    return tuple(((place,),) for lane in lanes for place in lane)


def _without_call(
    lanes: tuple[tuple[Place, ...], ...], k: int, i: int
) -> tuple[tuple[Place, ...], ...]:
    changed = (*lanes[k][:i], *lanes[k][i + 1 :])
    return (*lanes[:k], changed, *lanes[k + 1 :])
