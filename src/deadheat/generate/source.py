"""An endless supply of programs, a batch at a time.

Rules
- The programs depend on the seed and on what ``learn`` was told, on nothing else of ours, not
  even on which modules are loaded (another Hypothesis may draw others).
- Each batch is drawn to its end before any of it is run.
- Batches are fresh Hypothesis runs: within one run Hypothesis never draws the
  same program twice, and a small space would be exhausted and pass (DESIGN §8).
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import run_state_machine_as_test

from deadheat.generate.machine import ProgramMachine
from deadheat.model.program import Program, overlapping_pairs
from deadheat.trials.latencies import Latencies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.model.history import Custom, History, Kind

# Drawing blocks the event loop: 20 programs take about 0.1 s, a fifth of a keep-alive timeout.
_BATCH = 20
# Steps of the machine; the shortest race needs 4. Longer programs hit more and shrink longer.
_FEWEST_STEPS, _MOST_STEPS = 5, 16
# Ranges whose constants are kept while a batch is drawn: 13 were met at most.
_CACHED = 64


class ProgramSource:
    """Draws programs for one seed: of the calls in ``kinds``, with parents if ``families``.

    ``custom``: custom calls, with what they are given.
    """

    def __init__(
        self,
        seed_value: int,
        machine: type[ProgramMachine] = ProgramMachine,
        *,
        kinds: frozenset[Kind] = ProgramMachine.kinds,
        families: bool = False,
        custom: tuple[Custom, ...] = (),
    ) -> None:
        self._random = random.Random(seed_value)
        self._machine = machine
        self._kinds = kinds
        self._families = families
        self._custom = custom
        self._latencies = Latencies()
        self.drawn = 0

    def learn(self, history: History) -> None:
        """Take the history of a trial; the next batch makes use of it."""
        self._latencies.add(history)

    def batch(self) -> tuple[Program, ...]:
        """The next programs; each has a round in which something changes and overlaps."""
        drawn: list[Program] = []
        learned = self._latencies.offsets_us(max(self._machine.offsets_us))

        class Collector(self._machine):  # type: ignore[name-defined, misc]
            """Keeps what is drawn."""

            kinds = self._kinds
            families = self._families
            custom = self._custom
            offsets_us = (*self._machine.offsets_us, *learned)

            def finished(self, program: Program) -> None:
                drawn.append(program)

        collector = seed(self._random.getrandbits(64))(Collector)
        using = settings(
            max_examples=_BATCH,
            stateful_step_count=self._random.randint(_FEWEST_STEPS, _MOST_STEPS),
            phases=(Phase.generate,),
            database=None,
            deadline=None,
            derandomize=False,
            verbosity=Verbosity.quiet,
            print_blob=False,
            suppress_health_check=tuple(HealthCheck),
        )
        with _no_constants_of_modules():
            run_state_machine_as_test(collector, settings=using)
        self.drawn += len(drawn)
        return tuple(program for program in drawn if overlapping_pairs(program))

    def __iter__(self) -> Iterator[Program]:
        while True:
            yield from self.batch()


@contextmanager
def _no_constants_of_modules() -> Iterator[None]:
    """A context in which Hypothesis draws no numbers from loaded modules' sources.

    It draws one 1 time in 40, of every module that is not in ``site-packages``: one seed gave
    other programs in a checkout than from the wheel, in ``ci`` than in a campaign's worker, and
    beside other modules of a user. Not public; a Hypothesis without these has no such numbers, or
    ``tests/test_pins.py`` meets them.
    """
    names = ("_get_local_constants", "CONSTANTS_CACHE", "GLOBAL_CONSTANTS")
    if not all(hasattr(providers, name) for name in names):
        yield
        return
    read, cache = providers._get_local_constants, providers.CONSTANTS_CACHE
    providers._get_local_constants = type(providers.GLOBAL_CONSTANTS)  # what it makes is empty
    providers.CONSTANTS_CACHE = type(cache)(_CACHED)
    try:
        yield
    finally:
        providers._get_local_constants, providers.CONSTANTS_CACHE = read, cache
