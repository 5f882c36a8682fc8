"""One search against one planted race, stopped as soon as the question is answered.

Rule: the engine and its budget are the product's; only tuning and measuring are
left out, as they change neither what is found nor how small it becomes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from deadheat.drive.live import open_target
from deadheat.errors import TargetError
from deadheat.generate.source import ProgramSource
from deadheat.model.program import structure
from deadheat.run import events
from deadheat.run.engine import Engine
from deadheat.run.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.servers.registry import Race, Sight

    from deadheat.drive.executor import Execution
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Finding, Summary
    from deadheat.model.program import Program
    from deadheat.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Hunt:
    """What came of one search; the times count from the moment the server was up.

    ``error``: why it ended early; what had been found by then stands.
    """

    summary: Summary
    found_s: float | None
    smallest_s: float | None
    error: TargetError | None

    @property
    def first(self) -> Artifact | None:
        """The finding that was pursued to the end; or the first, if none was."""
        example = self.example
        return None if example is None else example.artifact

    @property
    def example(self) -> Finding | None:
        """The same, with its file."""
        proven = [one for one in self.summary.findings if one.artifact.proven_minimal]
        return next(iter((*proven, *self.summary.findings)), None)

    def sight(self, race: Race) -> Sight | None:
        """What was found, if this race explains it."""
        return None if self.first is None else race.sight(self.first)

    def named(self, race: Race) -> bool:
        """Is it called what it is?"""
        sight = self.sight(race)
        return sight is not None and not sight.misnomer

    def fewest_calls(self, race: Race) -> bool:
        """Has it as few calls as a known minimum of that sight, however they are arranged?"""
        sight = self.sight(race)
        return (
            sight is not None
            and self.first is not None
            and len(self.first.program.calls()) in {len(known.calls()) for known in sight.minima}
        )

    def minimal(self, race: Race) -> bool:
        """Is it shrunk to the known minimum of that sight?"""
        sight = self.sight(race)
        return (
            sight is not None
            and self.first is not None
            and structure(self.first.program) in sight.minima
        )


def hunt(
    target: Target,
    seed: int,
    folder: Path,
    *,
    seconds: float | None = None,
    programs: int | None = None,
    shrink: bool = True,
    watch: Callable[[Program, Execution, Verdict], None] = lambda *_: None,
    ready: Iterable[Program] | None = None,
) -> Hunt:
    """Search until the first divergence has been shrunk (or only found), or the plan ends.

    ``watch`` sees every trial. ``ready``: programs that are drawn already, instead of fresh ones.
    """
    times: dict[str, float] = {}
    done: list[Summary] = []
    errors: list[TargetError] = []

    async def work() -> None:
        async with open_target(target, f"h{seed}") as live:
            began_s = time.monotonic()
            scope = anyio.CancelScope()

            def tell(event: events.Event) -> None:
                now_s = time.monotonic() - began_s
                match event:
                    case events.DivergenceFound():
                        times.setdefault("found", now_s)
                        if not shrink:
                            scope.cancel()
                    case events.Shrunk():
                        times["smallest"] = now_s
                    case events.Progress(events.Phase.TUNING | events.Phase.MEASURING):
                        scope.cancel()
                    case _:
                        pass

            plan = Plan(seed, folder, seconds=seconds, programs=programs, exit_first=True)
            source = ProgramSource(
                seed, kinds=target.kinds, families=target.families, custom=target.custom
            )

            def see(program: Program, execution: Execution, verdict: Verdict) -> None:
                source.learn(execution.history)
                watch(program, execution, verdict)

            programs_of = source if ready is None else ready
            engine = Engine(live, plan, programs_of, time.monotonic, tell, watch=see)
            with scope:
                try:
                    await engine.run()
                except TargetError as error:  # as session.run: what was found stands
                    errors.append(error)
            done.append(engine.summary())

    anyio.run(work)
    found_s = times.get("found")
    return Hunt(done[0], found_s, times.get("smallest", found_s), errors[0] if errors else None)
