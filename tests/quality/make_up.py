"""What the state machine draws: the make-up of some hundred programs, as a table.

python tests/quality/make_up.py --programs 400 --seed 1
python tests/quality/make_up.py --families        # what a target with parents gets
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

from deadheat.generate.source import ProgramSource
from deadheat.model.history import Kind
from deadheat.model.program import (
    Call,
    Children,
    Create,
    Delete,
    Get,
    List,
    Program,
    Round,
    Var,
    canonical,
    changes,
    kind_of,
    structure,
    var_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", action="store_true", help="all calls, with parents")
    given = parser.parse_args()
    source = (
        ProgramSource(given.seed, kinds=frozenset(Kind), families=True)
        if given.families
        else ProgramSource(given.seed)
    )
    began_s = time.perf_counter()
    programs: list[Program] = []
    while len(programs) < given.programs:
        programs.extend(source.batch())
    spent_s = time.perf_counter() - began_s
    total = len(programs)

    def share(test: Callable[[Program], bool]) -> str:
        return f"{sum(map(test, programs)) / total:.0%}"

    sizes = [len(program.calls()) for program in programs]
    kinds = Counter(kind_of(call) for program in programs for call in program.calls())
    print(f"seed {given.seed}: {total} programs kept of {source.drawn} drawn")
    print(f"(those with overlapping changes), {1e3 * spent_s / total:.1f} ms for each kept")
    print(f"calls: median {statistics.median(sizes):.0f}, {min(sizes)} to {max(sizes)}")
    print(
        f"distinct: {len(set(map(canonical, programs)))}, without offsets "
        f"{len(set(map(structure, programs)))}"
    )
    print(f"deletes in two lanes of a round: {share(_deletes_overlap)}")
    print(f"deletes of one session in one round: {share(_same_delete)}")
    print(f"reads inside a race: {share(_reads_in_race)}")
    print(f"more than one race: {share(lambda p: sum(len(r) > 1 for r in p.rounds) > 1)}")
    print("lanes:", dict(sorted(Counter(p.concurrency for p in programs).items())))
    print("calls by kind:", dict(kinds.most_common()))
    if given.families:
        _print_families(programs)


def _print_families(programs: list[Program]) -> None:
    families = [_families(program) for program in programs]
    sizes = Counter(len(below) for family in families for below in family.values())
    print(f"with a family: {_percent(sum(map(bool, families)), programs)}")
    print(f"with several: {_percent(sum(len(family) > 1 for family in families), programs)}")
    print("families by their number of children:", dict(sorted(sizes.items())))
    plain = sum(_plain_race(p, f) for p, f in zip(programs, families, strict=True))
    print(f"a race between calls that touch no family: {_percent(plain, programs)}")
    for name, test in (
        ("delete(parent) ‖ delete(child)", _child_too),
        ("delete(parent) ‖ create(child)", _born_below),
        ("… and then get(parent)", _born_below_and_read),
        ("delete(parent) ‖ list or children(parent)", _looked_at),
    ):
        shown = []
        for least in (1, 4):
            hits = sum(test(p, f, least) for p, f in zip(programs, families, strict=True))
            shown.append(f"{_percent(hits, programs)} of {least}+ children")
        print(f"{name}: {', '.join(shown)}")


Families = dict[Var, tuple[Var, ...]]


def _percent(count: int, programs: list[Program]) -> str:
    return f"{count / len(programs):.1%}"


def _families(program: Program) -> Families:
    """The children that are there before the first race, by parent."""
    below: Families = {}
    for lanes in program.rounds:
        if len(lanes) > 1:
            break
        for call in lanes[0]:
            if isinstance(call, Create) and call.parent is not None:
                below[call.parent] = (*below.get(call.parent, ()), call.var)
    return below


def _against_cascades(
    program: Program, families: Families, least: int
) -> list[tuple[Var, list[tuple[Call, ...]]]]:
    """Each parent of so many children that a race deletes, with that race's other lanes."""
    return [
        (call.var, [other for other in lanes if other is not lane])
        for lanes in _races(program)
        for lane in lanes
        for call in lane
        if isinstance(call, Delete) and len(families.get(call.var, ())) >= least
    ]


def _child_too(program: Program, families: Families, least: int) -> bool:
    return any(
        isinstance(call, Delete) and call.var in families[parent]
        for parent, others in _against_cascades(program, families, least)
        for lane in others
        for call in lane
    )


def _born_below(program: Program, families: Families, least: int) -> bool:
    return any(
        isinstance(call, Create) and call.parent == parent
        for parent, others in _against_cascades(program, families, least)
        for lane in others
        for call in lane
    )


def _born_below_and_read(program: Program, families: Families, least: int) -> bool:
    return any(
        isinstance(call, Create)
        and call.parent == parent
        and any(isinstance(later, Get) and later.var == parent for later in lane[i + 1 :])
        for parent, others in _against_cascades(program, families, least)
        for lane in others
        for i, call in enumerate(lane)
    )


def _looked_at(program: Program, families: Families, least: int) -> bool:
    return any(
        isinstance(call, List) or (isinstance(call, Children) and call.var == parent)
        for parent, others in _against_cascades(program, families, least)
        for lane in others
        for call in lane
    )


def _plain_race(program: Program, families: Families) -> bool:
    """Two overlapping calls, one of them a change, about nobody who has a parent or children."""
    related = {*families, *(child for below in families.values() for child in below)}

    def plain(call: Call) -> bool:
        below = call.parent is not None if isinstance(call, Create) else False
        return not below and var_of(call) not in related

    for lanes in _races(program):
        kept = [[call for call in lane if plain(call)] for lane in lanes]
        if any(
            changes(one) or changes(other)
            for n, lane in enumerate(kept)
            for later in kept[n + 1 :]
            for one in lane
            for other in later
        ):
            return True
    return False


def _races(program: Program) -> list[Round]:
    return [lanes for lanes in program.rounds if len(lanes) > 1]


def _deletes_overlap(program: Program) -> bool:
    return any(
        sum(any(isinstance(call, Delete) for call in lane) for lane in lanes) > 1
        for lanes in _races(program)
    )


def _same_delete(program: Program) -> bool:
    for lanes in _races(program):
        named = Counter(call.var for lane in lanes for call in lane if isinstance(call, Delete))
        if any(times > 1 for times in named.values()):
            return True
    return False


def _reads_in_race(program: Program) -> bool:
    return any(
        isinstance(call, Get | List) for lanes in _races(program) for lane in lanes for call in lane
    )


if __name__ == "__main__":
    main()
