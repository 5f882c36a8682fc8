"""One shrink from a seed, by deadheat and by the tools it is compared with, on simulated servers.

Rules
- Every run is a function of its seed; the server's draws and the shrinker's are apart.
- Every execution after the first failure counts. Executions of the search are
  not counted, for any tool.
- ``minimal``: for deadheat exactly the planted minimum; for the others any
  program of as few calls, as their order of programs is another one.
- ``clean``: the tool ended with a program and no complaint about flakiness.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.quality.simulated import GHOST, MINIMUM, Simulated, diverging_start

from deadheat.check.checker import check
from deadheat.model.program import (
    Call,
    Create,
    Delete,
    Get,
    Lane,
    List,
    Program,
    Round,
    Var,
    canonical,
    structure,
)
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged
from deadheat.trials.shrinker import Shrinker

if TYPE_CHECKING:
    from collections.abc import Callable

    import hypothesis

Window = tuple[int, int] | None
# Drawn offsets for the tools that draw their programs themselves: as deadheat's generator.
_OFFSETS_US = (0, 100, 200, 400, 700, 1_000, 1_500, 2_500, 4_000)
# At 2 % some hundreds of programs are needed; 20,000 never end a search early.
_MOST_PROGRAMS = 20_000
# Of shrinking: eight times the most that deadheat is allowed at 2 %.
MOST_EXECUTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """How one shrink ended. ``structure_trials``: until the calls were proven minimal
    (race or logic, confirm, history, passes); ``trials``: with the offsets, too.
    """

    minimal: bool
    clean: bool
    structure_trials: int
    trials: int
    observed: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """Many runs at one rate."""

    tool: str
    p: float
    runs: tuple[Run, ...]

    @property
    def minimal_share(self) -> float:
        """The share that ended, without complaint, at exactly the planted minimum."""
        return sum(run.minimal and run.clean for run in self.runs) / len(self.runs)

    @property
    def median_trials(self) -> float:
        """Until the structure was proven minimal; all executions for other tools."""
        return median(run.structure_trials for run in self.runs)

    @property
    def median_with_offsets(self) -> float:
        """All executions, the rounding of offsets included."""
        return median(run.trials for run in self.runs)


def by_deadheat(p: float, seed: int, window: Window = None) -> Run:
    """Our shrinker, from a random program of 8 to 20 calls that showed the ghost once."""
    rng = Random(seed)
    server = Simulated(p, Random(1_000_000 + seed), window)
    program, divergence = diverging_start(server, rng)
    shrinker = Shrinker(program, divergence, rng=rng)
    evidence = {canonical(program)}
    structure_trials = 0
    while (candidate := shrinker.next()) is not None:
        verdict = server.trial(candidate)
        if isinstance(verdict, Diverged) and GHOST in {each.signature for each in verdict.all}:
            evidence.add(canonical(candidate))
        shrinker.feed(verdict)
        structure_trials += not shrinker.proven_minimal
    shrunk = shrinker.result()
    proofs = (shrunk.smallest_divergence, shrunk.most_reliable_divergence)
    observed = {canonical(shrunk.smallest), canonical(shrunk.most_reliable)} <= evidence and all(
        isinstance(check(proof.history, Promises()), Diverged) for proof in proofs
    )
    return Run(
        structure(shrunk.smallest) == MINIMUM,
        shrunk.proven_minimal,
        structure_trials,
        shrunk.trials,
        observed,
    )


class _GaveUp(KeyboardInterrupt):
    """A tool that has shrunk for so long is stopped, as a person would; it has not ended clean."""


class _GhostError(AssertionError):
    """What the other tools see of a divergence."""


class _Body:
    """The test body for other tools: run the drawn program, fail on the ghost."""

    def __init__(self, server: Simulated, repeats: int) -> None:
        self.server = server
        self.repeats = repeats
        self.failing: Program | None = None
        self.before = 0  # executions up to and including the first failure

    def __call__(self, program: Program) -> None:
        for _ in range(self.repeats):
            if self.failing is not None and self.server.runs - self.before >= MOST_EXECUTIONS:
                raise _GaveUp
            verdict = self.server.trial(program)
            if isinstance(verdict, Diverged) and GHOST in {each.signature for each in verdict.all}:
                if self.failing is None:
                    self.before = self.server.runs
                self.failing = program
                raise _GhostError

    def run(self, *, clean: bool) -> Run:
        minimal = self.failing is not None and len(self.failing.calls()) == len(MINIMUM.calls())
        trials = self.server.runs - self.before
        return Run(minimal, clean, trials, trials)


def by_hypothesis(p: float, seed: int, window: Window = None, repeats: int = 1) -> Run:
    """Plain Hypothesis: whole programs under ``@given``, ``repeats`` executions an example."""
    import hypothesis
    from hypothesis import strategies as st

    body = _Body(Simulated(p, Random(1_000_000 + seed), window), repeats)

    @hypothesis.seed(seed)
    @_plain_settings()
    @hypothesis.given(st.data())
    def property_(drawn: Any) -> None:
        body(drawn_program(lambda low, high: drawn.draw(st.integers(low, high))))

    return _ended(property_, body)


def by_machine(p: float, seed: int, window: Window = None, repeats: int = 1) -> Run:
    """Plain Hypothesis, a ``RuleBasedStateMachine``: what it drew is run in its teardown."""
    import hypothesis
    from hypothesis.stateful import run_state_machine_as_test

    from deadheat.generate.machine import ProgramMachine

    body = _Body(Simulated(p, Random(1_000_000 + seed), window), repeats)

    class Machine(ProgramMachine):
        def finished(self, program: Program) -> None:
            body(program)

    machine = hypothesis.seed(seed)(Machine)
    return _ended(lambda: run_state_machine_as_test(machine, settings=_plain_settings()), body)


def _plain_settings() -> hypothesis.settings:
    import hypothesis

    return hypothesis.settings(
        max_examples=_MOST_PROGRAMS,
        stateful_step_count=12,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
        report_multiple_bugs=False,
    )


def _ended(run: Callable[[], None], body: _Body) -> Run:
    import hypothesis

    try:
        run()
    except _GhostError:
        return body.run(clean=True)
    except (hypothesis.errors.Flaky, _GaveUp):
        return body.run(clean=False)
    return body.run(clean=False)


def by_hegel(p: float, seed: int, window: Window = None) -> Run:
    """``hegeltest``, which repeats by itself. Raises ``ImportError`` where it is missing."""
    import hegel  # type: ignore[import-not-found, unused-ignore]
    from hegel import generators as gs

    body = _Body(Simulated(p, Random(1_000_000 + seed), window), 1)

    def property_(case: Any) -> None:
        body(drawn_program(lambda low, high: case.draw(gs.integers(low, high))))

    try:
        hegel.run(
            property_,
            test_cases=_MOST_PROGRAMS,
            seed=seed,
            database="",
            verbosity="quiet",
            suppress_health_check=hegel.HealthCheck.all(),
        )
    except _GhostError:
        return body.run(clean=True)
    except (hegel.HegelError, _GaveUp):
        return body.run(clean=False)
    return body.run(clean=False)


def drawn_program(pick: Callable[[int, int], int]) -> Program:
    """A valid program of up to 20 calls; smaller ``pick(low, high)``, smaller program."""
    rounds: list[Round] = []
    known: list[Var] = []
    made = count()
    left = 20
    while left and pick(0, 7):
        lanes: list[Lane] = []
        born: list[Var] = []
        for _ in range(pick(1, 4)):
            lane: list[Call] = []
            mine: list[Var] = []
            for _ in range(min(left, pick(1, 3))):
                reach = known + mine
                kind = pick(0, 6 if reach else 1)
                offset_us = _OFFSETS_US[pick(0, len(_OFFSETS_US) - 1)]
                if kind == 0:
                    mine.append(Var(next(made)))
                    lane.append(Create(mine[-1], offset_us))
                elif kind == 1:
                    lane.append(List(offset_us))
                else:
                    var = reach[pick(0, len(reach) - 1)]
                    lane.append(Get(var, offset_us) if kind == 2 else Delete(var, offset_us))
                left -= 1
            if lane:
                lanes.append(tuple(lane))
            born += mine
        if lanes:
            rounds.append(tuple(lanes))
        known += born
    return canonical(Program(tuple(rounds)))
