"""The most reliable program: a known one with what may widen the window of its race.

A window has a width (how long the server is vulnerable) and a place (when). The tuner moves the
offsets to its place; the levers here make it wider, or try it more than once in a trial. They
make a program larger, so what they give is never the smallest example.

Levers, each measured on OpenCode 1.0.152 (two deletes; quiet machine, 300 to 500 trials each,
interleaved; 400 µs alone: 17 %)
- more sessions present, made after the ones that are raced over: what scans the collection
  takes longer (3 of them: 28 %, 8: 40 %, 20: 36 %; made before them: nothing gained). The gap
  between the lanes may have to grow with the scan.
- one lane more, with a session of its own: two chances in a trial, and more to collide with
  (three deletes 200 µs apart: 34 %).

Rule: a contest of programs (``trials.bandit``), in which a longer one must earn its length.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.model.program import (
    Call,
    Create,
    Program,
    Var,
    canonical,
    makes,
    needs,
    problems,
    readdressed,
    with_offsets,
)
from deadheat.trials.bandit import Bandit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from deadheat.model.history import Place
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Signature, Verdict

# See above: the gain is there from a few on, and each costs a create and a delete a trial.
MORE_SESSIONS = (3, 8, 20)
# By how much all gaps grow with a longer scan: 20 sessions doubled the best gap.
WIDER_GAPS = (1.0, 2.0)
# A lane more leaves together with the others' gap between, or with half of it.
CLOSER_LANES = (1.0, 0.5)
# Each call more costs every replay, and each line more a reader: a longer program must earn it.
NEARLY = 0.8


def widened(program: Program) -> tuple[Program, ...]:
    """What may show more often than ``program``: each lever alone, then both. Canonical."""
    race = _race(program)
    if race is None:
        return ()
    more_lanes = [
        _closer(_with_lane(program, race, lane), factor)
        for lane in range(len(program.rounds[race]))
        for factor in CLOSER_LANES
    ]
    found = [
        *(
            _closer(_with_sessions(program, count), factor)
            for count in MORE_SESSIONS
            for factor in WIDER_GAPS
        ),
        *more_lanes,
        *(_with_sessions(wide, MORE_SESSIONS[0]) for wide in more_lanes),
    ]
    unique = dict.fromkeys(canonical(one) for one in found if not problems(one))
    return tuple(one for one in unique if one != canonical(program))


def _race(program: Program) -> int | None:
    """The last concurrent round: the earlier ones prepare it."""
    return max((r for r, lanes in enumerate(program.rounds) if len(lanes) > 1), default=None)


def _fresh(program: Program) -> int:
    """The first number that no session of the program has."""
    used = [made.index for call in program.calls() if (made := makes(call)) is not None]
    return max(used, default=-1) + 1


def _with_sessions(program: Program, count: int) -> Program:
    """``count`` more sessions, made just before the race, about which nothing else is asked."""
    race, first = _race(program), _fresh(program)
    more = tuple(((Create(Var(first + n)),),) for n in range(count))
    return Program(program.rounds[:race] + more + program.rounds[race:])


def _with_lane(program: Program, race: int, which: int) -> Program:
    """The race with one lane doubled, on new sessions, a gap after the last of the others."""
    lanes = program.rounds[race]
    lane, first = lanes[which], _fresh(program)
    births = {made: call for call in program.calls() if (made := makes(call)) is not None}
    made_here = {made for call in lane if (made := makes(call)) is not None}
    asked = [var for call in lane if makes(call) is None and (var := needs(call)) is not None]
    used = tuple(dict.fromkeys((*(var for var in asked if var not in made_here), *made_here)))
    spelt = {var: Var(first + n) for n, var in enumerate(used)}
    more = tuple(((_like(births[var], spelt[var]),),) for var in used if var not in made_here)
    offsets_us = [other[0].offset_us for other in lanes]
    later_us = 2 * max(offsets_us) - min(offsets_us)
    begun, *others = (readdressed(call, spelt) for call in lane)
    copy = (replace(begun, offset_us=later_us), *others)
    return Program(program.rounds[:race] + more + ((*lanes, copy),) + program.rounds[race + 1 :])


def _like(birth: Call, var: Var) -> Create:
    """A create with the same parent; for a fork, a plain create."""
    return Create(var, 0, birth.parent if isinstance(birth, Create) else None)


def _closer(program: Program, factor: float) -> Program:
    """The lanes of the race ``factor`` times as far apart."""
    race = _race(program)

    def scaled(place: Place, call: Call) -> int:
        begins = place[0] == race and place[2] == 0
        return round(call.offset_us * factor) if begins else call.offset_us

    return with_offsets(program, scaled)


class Amplifier:
    """Looks for a program that shows more often than ``program``, in ``trials`` trials.

    ``also``: other programs that showed it, such as larger ones met while shrinking.
    ``signature``: which divergence counts.
    """

    def __init__(
        self,
        program: Program,
        signature: Signature,
        *,
        rng: Random,
        also: Iterable[Program] = (),
        trials: int = 180,
    ) -> None:
        # Together: a rate that drifts must not make the known one look better or worse.
        self._bandit = Bandit(
            (program, *also, *widened(program)), signature, rng=rng, trials=trials
        )

    @property
    def trials(self) -> int:
        """The number of trials fed so far."""
        return self._bandit.trials

    def next(self) -> Program | None:
        """See ``Bandit.next``."""
        return self._bandit.next()

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """See ``Bandit.feed``."""
        self._bandit.feed(verdict, unraced)

    @property
    def best(self) -> Program:
        """The shortest of the programs that show nearly most often so far.

        The one given, while none has shown it, and where nothing is worth a longer one.
        """
        arms = self._bandit.arms
        shown = {arm.reliability: arm for arm in reversed(arms) if arm.tally.diverged}
        if not shown:
            return arms[0].program
        enough = NEARLY * max(shown)
        return min(
            (arm.program for reliability, arm in shown.items() if reliability >= enough),
            key=lambda program: len(program.calls()),
        )
