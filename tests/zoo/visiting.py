"""One search on one animal, stopped at the first alarm: what came of it, as data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import httpx
from tests.quality.hunting import hunt

from deadheat.errors import TargetError
from deadheat.generate.source import ProgramSource
from deadheat.model.history import overlapping_pairs
from deadheat.model.raced import answered_race
from deadheat.model.verdict import Undecided
from deadheat.report.finding import finding_text
from deadheat.targets.profile.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.zoo.animal import Animal

    from deadheat.drive.executor import Execution
    from deadheat.drive.target import Target
    from deadheat.model.history import Kind
    from deadheat.model.program import Program
    from deadheat.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Visit:
    """``raced``: programs in which calls that race were answered, and overlapped
    (``model.raced``); ``undecided``: those of them that could not be judged.

    ``alarm``: what was found, as told to the user; empty: nothing. ``refused``: why the run ended
    before its end, as told, ``refusal``: its class; empty: it did not. ``silent``: kinds of calls
    that never succeeded. ``harm``: carts of somebody else that were changed.
    """

    programs: int
    raced: int
    overlaps: int
    undecided: int
    alarm: str
    anomaly: str
    refused: str
    refusal: str
    silent: tuple[str, ...]
    harm: int
    seconds: float


def target_of(animal: Animal, url: str, *, racy: bool = False) -> Target:
    """The animal, or its twin, as its profile describes it, at ``url``."""
    profile = Profile.model_validate(animal.profile(racy=racy))
    http2 = animal.stack is not None and animal.stack.http2
    return profile.target(animal.name, base_url=url, exclusive=animal.exclusive, http2=http2)


@cache
def _drawn(kinds: frozenset[Kind], seed: int, many: int) -> tuple[Program, ...]:
    return tuple(islice(ProgramSource(seed, kinds=kinds), many))


def visit(
    animal: Animal,
    url: str,
    seed: int,
    folder: Path,
    programs: int,
    *,
    shared: bool = False,
    racy: bool = False,
) -> Visit:
    """Search it, or its twin, with so many programs, and stop at the first alarm.

    ``shared``: with the programs of all animals that have these calls, drawn once (half of a short
    search is drawing); else with fresh ones, at offsets that are learned from its answers.
    """
    began_s = time.monotonic()
    raced = undecided = 0

    def watch(program: Program, execution: Execution, verdict: Verdict) -> None:
        nonlocal raced, undecided
        history = execution.history
        if answered_race(program, history) and overlapping_pairs(history):
            raced += 1
            undecided += isinstance(verdict, Undecided)

    target = target_of(animal, url, racy=racy)
    ready = _drawn(target.kinds, seed, programs) if shared else None
    try:
        one = hunt(target, seed, folder, programs=programs, shrink=False, watch=watch, ready=ready)
    except TargetError as error:  # it never came to a search
        why, name = str(error), type(error).__name__
        return Visit(0, 0, 0, 0, "", "", why, name, (), _harm(animal, url), _since(began_s))
    summary = one.summary
    found = one.example
    kinds = {kind.value for kind in target.kinds}
    return Visit(
        programs=summary.programs,
        raced=raced,
        overlaps=summary.overlaps,
        undecided=undecided,
        alarm="" if found is None else finding_text(found.artifact, found.path),
        anomaly="" if found is None else found.artifact.anomaly.value,
        refused="" if one.error is None else str(one.error),
        refusal="" if one.error is None else type(one.error).__name__,
        silent=tuple(sorted(kinds - {kind for kind, n in summary.answered.items() if n})),
        harm=_harm(animal, url),
        seconds=_since(began_s),
    )


def _since(began_s: float) -> float:
    return round(time.monotonic() - began_s, 1)


def _harm(animal: Animal, url: str) -> int:
    if not animal.habits.others:
        return 0
    return int(httpx.get(f"{url}/harm", trust_env=False, timeout=30).json()["harm"])
