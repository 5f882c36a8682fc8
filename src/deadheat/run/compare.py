"""A saved example on several targets: event loops, signals, servers one after the other.

Rules
- A target that cannot be had or started is a row that says why, and the next one is tried.
- SIGINT and SIGTERM stop the server that is up; what was found so far is the result.
- Whether a target must be downloaded is seen when its turn comes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Protocol

from deadheat.errors import DeadheatError, NotComparable
from deadheat.files.results import Bisected, Presence, Verified, VersionRow
from deadheat.model.history import makespan_ns
from deadheat.report.words import percent, unproven_text
from deadheat.run import verify as verifying
from deadheat.run import versions
from deadheat.run.limits import Ending, opened, until_done, with_target
from deadheat.run.other_promises import other_promises
from deadheat.run.replay import recorded
from deadheat.run.window import look_around, tuner_of
from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.bisect import Bisection
from deadheat.trials.evidence import AbsentBelow, Present, UntilProven, rate_to_refute, shown_needed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.model.verdict import Divergence
    from deadheat.run.events import Reporter
    from deadheat.trials.tally import Tally


class FindTarget(Protocol):
    """From a word to a target that the example fits; may download. Raises ``DeadheatError``."""

    def __call__(self, word: str) -> Target: ...


@dataclass(slots=True)
class Comparison:
    """The rows so far, in order."""

    rows: list[VersionRow] = field(default_factory=list)
    interrupted: bool = False


def compare(
    artifact: Artifact, words: Sequence[str], find: FindTarget, trials: int | None, view: Reporter
) -> Comparison:
    """The example on each target, one after the other. ``trials`` None: as its rate asks for."""
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
    """Where in ``words``, targets in order, the divergence comes or goes.

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
            _beside(artifact, find(words[asked]), find(beside), pairs, view)
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


def verify(
    artifact: Artifact,
    target: Target,
    baseline: Callable[[], Target | None],
    confidence: float,
    view: Reporter,
    *,
    baseline_at_once: bool,
) -> Verified:
    """Is it fixed in ``target``?

    By the recorded rate, unless ``baseline_at_once`` or the machines cannot be compared:
    then beside ``baseline()``, None if there is none. Raises ``NotComparable``,
    ``KeyboardInterrupt`` on a signal, and ``TargetError``.
    """
    incomparable = ""
    if not baseline_at_once:
        until, ended = _by_record(artifact, target, confidence, view)
        if not isinstance(ended, verifying.Incomparable):
            counted = until.counted
            return Verified(
                target.name,
                until.evidence,
                confidence,
                ended,
                "",
                "",
                (until.shown, counted.trials + (until.shown - counted.diverged)),
                (0, 0),
            )
        incomparable = ended.why
        view.note(f"the recorded rate says nothing here: {incomparable}")
    old = baseline()
    if old is None:
        raise NotComparable(
            f"the recorded rate says nothing here: {incomparable}. Name the version that has it "
            f"with --baseline, to measure both side by side."
        )
    view.note(f"measuring {target.name} beside {old.name}")
    pairs = BesideBaseline(confidence)
    seen = _beside(artifact, target, old, pairs, view)
    return Verified(
        target.name,
        pairs.conclusion or pairs.so_far,
        confidence,
        seen,
        old.name,
        incomparable,
        (pairs.shown_new, pairs.counted + pairs.shown_new),
        (pairs.shown_old, pairs.counted),
    )


def window(
    artifact: Artifact, target: Target, trials: int, view: Reporter
) -> tuple[tuple[int, Tally], ...]:
    """Divergences against offset (see ``trials.tuning.Tuner.picture``), as far as it came.

    Raises ``TargetError``.
    """
    tuner = tuner_of(artifact, trials, random.Random(artifact.fingerprint))

    async def work(live: LiveTarget) -> None:
        def tell(done: int) -> None:
            view.counting(f"{live.target.name}: {done} of {trials} trials at other offsets")

        await look_around(live, tuner, tell)

    ended = _on(target, view, work)
    if ended.error is not None:
        raise ended.error
    return tuner.picture


def _by_record(
    artifact: Artifact, target: Target, confidence: float, view: Reporter
) -> tuple[UntilProven, verifying.Incomparable | Divergence | None]:
    ended: list[tuple[UntilProven, verifying.Incomparable | Divergence | None]] = []

    async def work(live: LiveTarget) -> None:
        until = UntilProven(
            recorded(artifact),
            confidence,
            recorded_ns=makespan_ns(artifact.history),
            other_promises=other_promises(live, artifact),
        )

        def tell() -> None:
            view.counting(
                f"{live.target.name}: {until.quiet} of {until.needed} trials raced and were "
                f"quiet: its rate is below {percent(until.below)}"
            )

        ended.append((until, await verifying.by_record(live, artifact, until, tell)))

    _on(target, view, work).raise_if_early()
    return ended[0]


def _beside(
    artifact: Artifact, new: Target, old: Target, pairs: BesideBaseline, view: Reporter
) -> Divergence | None:
    ended: list[Divergence | None] = []

    async def work() -> None:
        view.waiting(f"starting {old.name} and {new.name}")
        async with (
            opened(old) as beside,
            opened(new) as live,
        ):
            pairs.other_promises = other_promises(live, artifact)

            def tell() -> None:
                view.counting(
                    f"{pairs.pairs} pairs: {old.name} diverged {pairs.shown_old} times of "
                    f"{pairs.wanted}, {new.name} {pairs.shown_new}"
                )

            ended.append(await verifying.beside(live, beside, artifact, pairs, tell))

    until_done(work).raise_if_early()
    return ended[0]


def _on(target: Target, view: Reporter, work: Callable[[LiveTarget], Awaitable[None]]) -> Ending:
    view.waiting(f"starting {target.name}")
    return with_target(target, work)
