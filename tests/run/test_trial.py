"""The two loops that feed plans: each trial is fed once, and none runs that may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import anyio
from tests.examples import example
from tests.programs import TWO_DELETES, A
from tests.programs import one as one_after_the_other
from tests.run.simulated import SimulatedTarget

from deadheat.model.program import Create, Program
from deadheat.run.trial import LookResult, ShownInTrials, look, look_for, once, prove, trials_of
from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.evidence import Present, Side, TrialResult, UntilProven

if TYPE_CHECKING:
    from deadheat.model.raced import Unraced
    from deadheat.model.verdict import Verdict

HARMLESS = one_after_the_other(Create(A))


@dataclass(slots=True)
class Programs:
    """A plan: these, one after the other."""

    left: list[Program]
    fed: list[Verdict] = field(default_factory=list)

    def next(self) -> Program | None:
        return self.left[0] if self.left else None

    def feed(self, verdict: Verdict, unraced: Unraced | None = None) -> None:
        del unraced
        self.left.pop(0)
        self.fed.append(verdict)


def test_a_plan_is_fed_the_verdict_of_each_program_that_it_names() -> None:
    live = SimulatedTarget(Random(1), 0.5)
    plan = Programs([HARMLESS, TWO_DELETES, HARMLESS])

    async def work() -> list[Verdict]:
        return [one.verdict async for one in trials_of(plan, partial(once, live.as_live()))]

    assert anyio.run(work) == plan.fed
    assert live.ran == [HARMLESS, TWO_DELETES, HARMLESS]


def test_a_plan_ends_where_there_may_be_no_more() -> None:
    live = SimulatedTarget(Random(1), 0.5)
    plan = Programs([HARMLESS] * 9)

    async def work() -> None:
        async for _ in trials_of(plan, partial(once, live.as_live()), lambda: len(plan.fed) < 4):
            pass

    anyio.run(work)
    assert len(live.ran) == len(plan.fed) == 4


def proven(live: SimulatedTarget, until: UntilProven) -> ShownInTrials:
    told: list[int] = []

    async def work() -> ShownInTrials:
        return await prove(
            until, lambda _: look(live.as_live(), example()), lambda: told.append(until.trials)
        )

    seen = anyio.run(work)
    assert told == list(range(1, until.trials + 1))
    assert len(live.ran) == until.trials
    return seen


def test_trials_are_run_until_they_prove_something() -> None:
    until = UntilProven(None)
    seen = proven(SimulatedTarget(Random(3), 0.3), until)
    assert until.evidence == Present()
    assert seen.shown is not None
    assert seen.other is None
    quiet = UntilProven(None)
    assert proven(SimulatedTarget(Random(3), 0.0), quiet) == ShownInTrials()
    assert quiet.quiet == quiet.needed


def test_of_two_targets_only_the_new_one_is_told_of() -> None:
    shown = anyio.run(look_for, SimulatedTarget(Random(3), 1.0).as_live(), TWO_DELETES, None)
    quiet = LookResult(TrialResult.QUIET, None, None, 1)
    pairs = BesideBaseline()
    sides: list[Side] = []

    async def look_at(side: Side) -> LookResult:
        sides.append(side)
        return shown if side is Side.OLD else quiet

    assert shown.result is TrialResult.SHOWN  # whatever it is: no signature was asked for
    seen = anyio.run(prove, pairs, look_at, lambda: None)
    assert seen == ShownInTrials()
    assert sides.count(Side.OLD) == sides.count(Side.NEW) == pairs.wanted
