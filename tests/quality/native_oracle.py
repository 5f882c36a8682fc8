"""An oracle for ``generate.database`` whose server is simulated."""

from __future__ import annotations

from random import Random

from tests.quality.simulated import GHOST, Simulated, random_program

from deadheat.generate.database import FoundProgram
from deadheat.model.program import Program, canonical
from deadheat.model.verdict import Diverged
from deadheat.trials.shrinker import Shrinker
from deadheat.trials.stats import trials_to_see


class Oracle:
    """Search, shrink and replay against a simulated server; counts what it runs."""

    def __init__(self, p: float, seed: int) -> None:
        self.p = p
        self.rng = Random(seed)
        self.server = Simulated(p, Random(1_000_000 + seed))
        self.replayed: list[Program] = []
        self.found: list[Program] = []
        self.searches = 0

    def replay(self, program: Program) -> FoundProgram | None:
        self.replayed.append(program)
        enough = trials_to_see(self.p / 4, 0.999)
        shown = any(isinstance(self.server.trial(program), Diverged) for _ in range(enough))
        return FoundProgram(program, "the ghost, again") if shown else None

    def search(self, programs: int) -> FoundProgram | None:
        self.searches += 1
        for _ in range(programs):
            program = random_program(self.rng, self.rng.randint(4, 12))
            verdict = self.server.trial(program)
            if isinstance(verdict, Diverged) and verdict.divergence.signature == GHOST:
                shrinker = Shrinker(program, verdict.divergence, rng=self.rng)
                while (candidate := shrinker.next()) is not None:
                    shrinker.feed(self.server.trial(candidate))
                self.found.append(canonical(shrinker.result().smallest))
                return FoundProgram(shrinker.result().smallest, "the ghost")
        return None
