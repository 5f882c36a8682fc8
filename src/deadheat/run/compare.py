"""Runs a saved example on several targets, one after the other.

Rules
- A target that cannot be had or started is a row that says why, and the next one is tried.
- SIGINT and SIGTERM stop the server that is up; what was found so far is the result.
- Whether a target must be downloaded is seen when its turn comes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Protocol

from deadheat.errors import DeadheatError, NotComparable
from deadheat.files.artifact import signature_of
from deadheat.files.results import Bisected, Presence, VersionRow
from deadheat.report.words import unproven_text
from deadheat.run import verify as verifying
from deadheat.run import versions
from deadheat.run.limits import Ending, with_target
from deadheat.run.replay import recorded
from deadheat.run.trial import once, trials_of
from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.bisect import Bisection
from deadheat.trials.evidence import AbsentBelow, Present, rate_to_refute, shown_needed
from deadheat.trials.tuning import Tuner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.run.events import Reporter
    from deadheat.trials.tally import Tally


class FindTarget(Protocol):
    """Finds the target that a word names; may download. Raises ``DeadheatError``."""

    def __call__(self, word: str) -> Target: ...


@dataclass(slots=True)
class Comparison:
    """The rows so far, in order."""

    rows: list[VersionRow] = field(default_factory=list)
    interrupted: bool = False


def compare(
    artifact: Artifact, words: Sequence[str], find: FindTarget, trials: int | None, view: Reporter
) -> Comparison:
    """Run the example on each target in turn. ``trials`` None: as many as its rate asks for."""
    result = Comparison()
    for word in words:
        rows: list[VersionRow] = []

        async def work(live: LiveTarget, rows: list[VersionRow] = rows) -> None:
            def tell(done: int, of: int, diverged: int) -> None:
                view.counting(f"{live.target.name}: {diverged} of {done} trials diverged, of {of}")

            rows.append(await versions.measure(live, artifact, trials, tell))

        try:
            target = find(word)
            ended = _on(target, view, work)
        except KeyboardInterrupt:  # while it was being downloaded
            ended = Ending(interrupted=True)
        except DeadheatError as exc:
            ended = Ending(error=exc)
        if ended.interrupted:
            result.interrupted = True
            break
        if ended.error is not None:
            rows = [VersionRow(word, Presence.NOT_COMPARABLE, why=str(ended.error))]
        result.rows += rows
        view.note(f"{result.rows[-1].target}: {result.rows[-1].standing}")
    return result


def bisect(
    artifact: Artifact,
    words: Sequence[str],
    find: FindTarget,
    *,
    present_first: bool,
    confidence: float,
    view: Reporter,
) -> Bisected:
    """Find where in ``words``, targets in order, the divergence comes or goes.

    Raises ``NotComparable`` when an end is not what was said, ``KeyboardInterrupt`` on a
    signal, and any other ``DeadheatError`` of an end.
    """
    bisection = Bisection(len(words), present_first=present_first)
    sure = 1 - (1 - confidence) / bisection.tests
    # Twice what the lowest rate to be reckoned with needs on average.
    last = ""
    most = ceil(2 * shown_needed(sure) / rate_to_refute(recorded(artifact), confidence))
    while (asked := bisection.next()) is not None:
        pairs = BesideBaseline(sure, most_pairs=most)
        beside = words[bisection.beside]
        try:
            verifying.beside(artifact, find(words[asked]), find(beside), pairs, view)
        except KeyboardInterrupt:
            low, high = bisection.between
            view.note(f"interrupted: it changed between {words[low]} and {words[high]}")
            raise
        except DeadheatError as exc:
            if asked in (0, len(words) - 1):
                raise
            view.note(f"{words[asked]}: skipped ({exc})")
            bisection.feed(None)
            continue
        match pairs.conclusion:
            case Present():
                present: bool | None = True
                said = "has it"
            case AbsentBelow():
                present = False
                said = f"not seen in {pairs.counted:,} trials, {pairs.shown_old} times on {beside}"
            case _:
                present = None
                said = f"not comparable with {beside}: {unproven_text(pairs.so_far)}"
        view.note(f"{words[asked]}: {said}")
        bisection.feed(present)
        last = said
    change = bisection.change
    if change is None:
        raise _wrong_end(words, bisection.wrong_end or 0, bisection.beside, last)
    old, new = (change.before, change.after) if present_first else (change.after, change.before)
    return Bisected(
        with_it=words[old],
        without_it=words[new],
        skipped=tuple(words[i] for i in change.skipped),
        fixed=present_first,
        wrong=1 - confidence,
    )


def _wrong_end(words: Sequence[str], end: int, bad: int, said: str) -> NotComparable:
    if end == bad:
        return NotComparable(
            f"{words[end]} is said to be bad, but does not show it here ({said}). "
            "Replay it there first, or name other releases."
        )
    return NotComparable(f"{words[end]} is said to be good, and shows it. Name another --good.")


def window(
    artifact: Artifact, target: Target, trials: int, view: Reporter
) -> tuple[tuple[int, Tally], ...]:
    """Measure divergences against offset (see ``trials.tuning.Tuner.picture``).

    Raises ``TargetError``.
    """
    wanted, rng = signature_of(artifact), random.Random(artifact.fingerprint)
    tuner = Tuner(artifact.program, wanted, rng=rng, trials=trials)

    async def work(live: LiveTarget) -> None:
        async for _ in trials_of(tuner, partial(once, live, listen=wanted.heard)):
            view.counting(f"{live.target.name}: {tuner.trials} of {trials} trials at other offsets")

    ended = _on(target, view, work)
    if ended.error is not None:
        raise ended.error
    return tuner.picture


def _on(target: Target, view: Reporter, work: Callable[[LiveTarget], Awaitable[None]]) -> Ending:
    view.waiting(f"starting {target.name}")
    return with_target(target, work)
