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

Rules
- As the tuner: ``next()`` says what to run, ``feed(verdict)`` what came of it; nothing is run
  here. A sweep over all programs, then Thompson sampling (Thompson 1933, Beta(1/2, 1/2) priors).
- The best of many tries is a lucky one: whoever prints a rate measures the winner afresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deadheat.core.divergence import Diverged, Signature, Undecided, Verdict
from deadheat.core.ledger import Tally
from deadheat.core.program import (
    Call,
    Create,
    Place,
    Program,
    Var,
    canonical,
    makes,
    needs,
    problems,
    readdressed,
    with_offsets,
)
from deadheat.core.raced import Why
from deadheat.core.stats import posterior_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from deadheat.core.raced import Unraced

# See above: the gain is there from a few on, and each costs a create and a delete a trial.
MORE_SESSIONS = (3, 8, 20)
# By how much all gaps grow with a longer scan: 20 sessions doubled the best gap.
WIDER_GAPS = (1.0, 2.0)
# A lane more leaves together with the others' gap between, or with half of it.
CLOSER_LANES = (1.0, 0.5)
# Each call more costs every replay, and each line more a reader: a longer program must earn it.
NEARLY = 0.8
# A third of the trials for the sweep, as in ``tuning``.
SWEEP_SHARE = 1 / 3


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
    """One lane once more, on sessions like those it uses, a gap after the last of the others."""
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
    """A create below the same parent; for a fork, a plain one."""
    return Create(var, 0, birth.parent if isinstance(birth, Create) else None)


def _closer(program: Program, factor: float) -> Program:
    """The lanes of the race ``factor`` times as far apart."""
    race = _race(program)

    def scaled(place: Place, call: Call) -> int:
        begins = place[0] == race and place[2] == 0
        return round(call.offset_us * factor) if begins else call.offset_us

    return with_offsets(program, scaled)


@dataclass(slots=True)
class _Arm:
    program: Program
    tried: int = 0
    tally: Tally = field(default_factory=Tally)


class Widener:
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
        self.trials = 0
        self._signature = signature
        self._rng = rng
        self._budget = trials
        # Together: a rate that drifts must not make the known one look better or worse.
        programs = dict.fromkeys(
            (canonical(program), *(canonical(one) for one in also), *widened(program))
        )
        self._arms = tuple(_Arm(one) for one in programs)
        self._pending: _Arm | None = None

    def next(self) -> Program | None:
        """The program to run once now; the same one until ``feed``. None: finished."""
        if self._pending is None:
            if self.trials >= self._budget or len(self._arms) < 2:
                return None
            self._pending = (
                min(self._arms, key=lambda arm: arm.tried)
                if self.trials < self._budget * SWEEP_SHARE
                else max(self._arms, key=self._drawn)
            )
        return self._pending.program

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        """What came of running the program that ``next`` named, once.

        ``unraced``: see ``Tuner.feed``.
        Raises ``RuntimeError`` when ``next`` has named none since the last call.
        """
        if self._pending is None:
            raise RuntimeError("feed() without a trial; call next() and run its program first")
        arm, self._pending = self._pending, None
        self.trials += 1
        arm.tried += 1
        if unraced is not None and unraced.why is Why.OFF_TIME:
            return
        hit = isinstance(verdict, Diverged) and any(
            divergence.signature == self._signature for divergence in verdict.all
        )
        nothing = isinstance(verdict, Undecided) or (unraced is not None and not hit)
        arm.tally += Tally(1, int(hit), int(nothing))

    @property
    def best(self) -> Program:
        """The shortest of those that show nearly most often so far.

        The one given, while none has shown it, and where nothing is worth a longer one.
        """
        shown = {_reliability(arm.tally): arm for arm in reversed(self._arms) if arm.tally.diverged}
        if not shown:
            return self._arms[0].program
        enough = NEARLY * max(shown)
        return min(
            (arm.program for reliability, arm in shown.items() if reliability >= enough),
            key=lambda program: len(program.calls()),
        )

    def _drawn(self, arm: _Arm) -> float:
        return self._rng.betavariate(arm.tally.diverged + 0.5, arm.tally.quiet + 0.5)


def _reliability(tally: Tally) -> float:
    """The lower quartile of the rate's posterior: few trials are not believed at once."""
    return posterior_quantile(0.25, tally.diverged, tally.decided)
