"""A race as a native Hypothesis failure: falsifying example, database, no ``Flaky``.

Rules
- Hypothesis never runs anything twice to see whether it fails again. What it is told comes
  from a ledger that never changes its mind: a program fails if it was *observed* to diverge
  and nothing smaller was; of everything else nothing is said against it.
- First its database: what failed last time is run live again, as many times as its rate
  needs. Only then is there a search, which ends with our own shrinker.
- The minimum goes to Hypothesis as the choices that spell it (``generate.grammar``). Its
  shrinker starts there and ends there, without a request, and it is saved in the database
  under the test's name, as any falsifying example.
- No ``Phase.explain``: it would trace the client (DESIGN §8).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import ExampleDatabase, InMemoryExampleDatabase, choices_to_bytes

from deadheat.generate.grammar import DrawnProgram, spelled, written
from deadheat.model.program import Program, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SECONDARY = b".secondary"  # Hypothesis's name for examples that it should shrink further


class RaceFound(AssertionError):
    """A program whose answers no order of its calls explains; the message is the finding."""


class FoundProgram(NamedTuple):
    """A program that was observed to diverge, and the finding in words."""

    program: Program
    text: str


class Oracle(Protocol):
    """Runs programs against the server."""

    def replay(self, program: Program) -> FoundProgram | None:
        """Run it live, as often as its rate needs; None if it stayed quiet."""

    def search(self, programs: int) -> FoundProgram | None:
        """Run ``programs`` drawn programs at most; shrink the first that diverges.

        The smallest program that was observed to diverge, or None.
        """


def falsify(
    oracle: Oracle, *, name: str, using: settings | None = None, test: str = "no_race"
) -> None:
    """Look for a race; raise ``RaceFound`` as Hypothesis raises a failing test's error.

    ``name``: the test's, unique (a pytest node id); the example database is kept by it.
    ``using``: the settings in force (default: Hypothesis's profile): ``max_examples``,
    ``database``, ``verbosity``, ``print_blob`` and ``phases`` are read; without
    ``Phase.reuse`` no saved example is run, without ``Phase.generate`` nothing is searched.
    ``test``: what the falsifying example calls the test.
    """
    using = settings() if using is None else using
    ledger: dict[Program, FoundProgram | None] = {}

    def replayed(program: Program) -> FoundProgram | None:
        whole = canonical(program)
        if any(ledger.values()):
            return ledger.get(whole)  # shrinking: nothing but what was observed
        if whole not in ledger:
            ledger[whole] = oracle.replay(program)
        return ledger[whole]

    if Phase.reuse in using.phases and using.database is not None:
        saved = _Named(using.database, name)
        with suppress(SkipTest):  # what Hypothesis raises when nothing is saved
            _run(replayed, using, saved, test)
    if Phase.generate not in using.phases:
        return
    found = oracle.search(using.max_examples)
    if found is None:
        return
    minimum = canonical(found.program)

    def observed(program: Program) -> FoundProgram | None:
        return found if canonical(program) == minimum else None

    saved = _Named(using.database or InMemoryExampleDatabase(), name, spelled(minimum))
    with suppress(SkipTest):
        _run(observed, using, saved, test)
    raise RaceFound(found.text)  # Hypothesis did not draw what was spelt: the finding stands


def _run(
    verdict: Callable[[Program], FoundProgram | None],
    using: settings,
    database: ExampleDatabase,
    test: str,
) -> None:
    def property_(program: DrawnProgram) -> None:
        evidence = verdict(program.program)
        if evidence is not None:
            raise RaceFound(evidence.text)

    property_.__name__ = property_.__qualname__ = test
    wanted = {Phase.reuse, *using.phases}
    run = settings(
        using,
        phases=[phase for phase in (Phase.reuse, Phase.shrink) if phase in wanted],
        database=database,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=tuple(HealthCheck),
        derandomize=False,
    )(given(program=written())(property_))
    # Without it a forced seed (``--hypothesis-seed``) turns the database off. Not public:
    # should it go, the finding is still raised, by ``falsify``.
    run._hypothesis_internal_database_key = test.encode()  # type: ignore[attr-defined]
    run()


class _Named(ExampleDatabase):
    """The user's database, with keys that belong to one test.

    ``first``: choices that are offered before what is there.
    """

    def __init__(
        self, database: ExampleDatabase, name: str, first: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        self._database = database
        self._name = name.encode()
        self._first = first

    def _key(self, key: bytes) -> bytes:
        return self._name + b" " + key

    def save(self, key: bytes, value: bytes) -> None:
        """As ``ExampleDatabase.save``."""
        self._database.save(self._key(key), value)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """As ``ExampleDatabase.fetch``; with ``first``, that is all there is."""
        if self._first is None:
            yield from self._database.fetch(self._key(key))
        elif key.endswith(_SECONDARY):
            yield choices_to_bytes(self._first)

    def delete(self, key: bytes, value: bytes) -> None:
        """As ``ExampleDatabase.delete``."""
        self._database.delete(self._key(key), value)
