"""What the state machine draws: the make-up of some hundred programs, as a table.

python tests/quality/make_up.py --programs 400 --seed 1
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

from deadheat.core.program import Delete, Get, List, Program, canonical, kind_of, structure
from deadheat.generate.source import ProgramSource

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    source = ProgramSource(given.seed)
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


def _races(program: Program) -> list[tuple[tuple[object, ...], ...]]:
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
