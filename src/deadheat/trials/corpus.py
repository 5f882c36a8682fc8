"""The search's corpus: repeats and mutations of programs that overlapped in a new way.

Rules
- A program that overlapped in a new way earns energy: some repeats of itself, then mutations.
  Energy is spent, never kept for ever, so that fresh programs have the rest of the time.
- A program that can show a known divergence is drawn less, the less the more reliably such
  programs show it; never not at all, as a quiet race may need the same calls.
- Pure: the generator of randomness is an argument.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.model.program import (
    Lane,
    Program,
    canonical,
    changes,
    keep,
    kind_of,
    makes,
    overlapping_pairs,
    problems,
    with_offsets,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

# What one new overlap earns. Repeats first: the order in which two calls take effect differs from
# trial to trial of one program. Few enough that a burst of them costs a second.
_REPEATS = 2
_MUTATIONS = 6
# While there is energy, every other program is a fresh one.
_FRESH = 0.5
_LARGEST = 256  # programs with energy; the oldest go first
# Of the programs that can only show what is known, so many are run all the same.
_FEWEST_KEPT = 0.15
# Before so many of them have been run, it is unknown how reliably they show it.
_ENOUGH_TO_KNOW = 40


@dataclass(slots=True)
class _Entry:
    program: Program
    repeats: int = _REPEATS
    mutations: int = _MUTATIONS


class Corpus:
    """Programs that have energy left. ``offsets_us``: what a mutation draws from; may be set."""

    def __init__(self, offsets_us: Sequence[int]) -> None:
        self.offsets_us = tuple(offsets_us)
        self._earners: deque[_Entry] = deque(maxlen=_LARGEST)

    def earned(self, program: Program) -> None:
        """Take a program that overlapped in a way not seen before."""
        self._earners.append(_Entry(program))

    def programs(self) -> tuple[Program, ...]:
        """The programs with energy left, the oldest first."""
        return tuple(earner.program for earner in self._earners)

    def next(self, rng: Random) -> Program | None:
        """A repeat or a mutation to run; None: draw a fresh program."""
        if not self._earners or rng.random() < _FRESH:
            return None
        earner = self._earners[0]
        self._earners.rotate(-1)
        if earner.repeats:
            earner.repeats -= 1
            return earner.program
        earner.mutations -= 1
        if earner.mutations <= 0:
            self._earners.remove(earner)
        return mutated(earner.program, rng, self.offsets_us)


def mutated(program: Program, rng: Random, offsets_us: Sequence[int]) -> Program:
    """A neighbour: other offsets, lanes in the other order, a call less, or a call twice.

    Always one that can be sent and in which something overlaps with a change.
    """
    ways = [_other_offsets, _turned_round, _one_less, _one_twice]
    rng.shuffle(ways)
    for way in ways:
        new = canonical(way(program, rng, offsets_us))
        if new != canonical(program) and not problems(new) and overlapping_pairs(new):
            return new
    return program


def _other_offsets(program: Program, rng: Random, offsets_us: Sequence[int]) -> Program:
    return with_offsets(program, lambda _place, _call: rng.choice(offsets_us))


def _turned_round(program: Program, _rng: Random, _offsets_us: Sequence[int]) -> Program:
    """The race with its lanes released in reverse order."""
    rounds = []
    for lanes in program.rounds:
        latest = max(lane[0].offset_us for lane in lanes)
        rounds.append(
            tuple(
                (replace(lane[0], offset_us=latest - lane[0].offset_us), *lane[1:])
                for lane in lanes
            )
        )
    return Program(tuple(rounds))


def _one_less(program: Program, rng: Random, _offsets_us: Sequence[int]) -> Program:
    places = [place for place, _ in program.placed()]
    gone = rng.choice(places)
    return keep(program, frozenset(place for place in places if place != gone))


def _one_twice(program: Program, rng: Random, offsets_us: Sequence[int]) -> Program:
    """A call of a race once more, in a lane of its own."""
    together = [r for r, lanes in enumerate(program.rounds) if len(lanes) > 1]
    if not together:
        return program
    r = rng.choice(together)
    calls = [call for lane in program.rounds[r] for call in lane if makes(call) is None]
    if not calls:
        return program
    again = replace(rng.choice(calls), offset_us=rng.choice(offsets_us))
    extra: Lane = (again,)
    rounds = list(program.rounds)
    rounds[r] = (*rounds[r], extra)
    return Program(tuple(rounds))


def race_shape(program: Program) -> tuple[str, ...]:
    """The kinds of call that the program releases together, sorted; whatever looks is a read."""
    together = [
        kind_of(call) if changes(call) else "read"
        for lanes in program.rounds
        if len(lanes) > 1
        for lane in lanes
        for call in lane
    ]
    return tuple(sorted(together))


def can_show(program: Program, minimum: tuple[str, ...]) -> bool:
    """Has the program all that races in the minimal one (``race_shape``)?"""
    have = Counter(race_shape(program))
    return all(have[kind] >= count for kind, count in Counter(minimum).items())


@dataclass(slots=True)
class KnownFinding:
    """A known divergence: what races in its minimum, and how often programs show it.

    ``hits`` of the ``programs`` that could show it did. Not ``settled``, its minimum is not known
    yet, and nothing can be left out for it.
    """

    minimum: tuple[str, ...]
    programs: int = 0
    hits: int = 0
    settled: bool = True

    def share_kept(self) -> float:
        """The share of the programs that can show it that is worth running.

        1 for a divergence that shows in few of them, 0.15 for one that shows in half: the time
        goes where the trial is not spoilt in advance.
        """
        if self.programs < _ENOUGH_TO_KNOW or not self.minimum or not self.settled:
            return 1.0
        return max(_FEWEST_KEPT, 1 - 2 * self.hits / self.programs)


def worth_running(program: Program, known: Iterable[KnownFinding], rng: Random) -> bool:
    """Should this program be run, or is it likely to show only what is known?"""
    share = min((k.share_kept() for k in known if can_show(program, k.minimum)), default=1.0)
    return share >= 1 or rng.random() < share
