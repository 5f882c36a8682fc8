"""Verify: trials until they prove something (``trials.evidence``, ``trials.baseline``).

Rules
- By the recorded rate only on a machine like the one that recorded it: calls about as fast, as
  many cores. Else it is said what differs, and nothing is concluded.
- Beside a baseline both targets are up at once, and each pair of trials is one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.errors import NotComparable
from deadheat.files.artifact import environment
from deadheat.files.results import Verified
from deadheat.report.words import percent, unproven_text
from deadheat.run.limits import opened, until_done, with_target
from deadheat.run.other_promises import other_promises
from deadheat.run.replay import until_proven
from deadheat.run.trial import look, prove
from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.evidence import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.model.verdict import Divergence
    from deadheat.run.events import Reporter
    from deadheat.trials.evidence import UntilProven

# The machine is judged after each so many trials, in case the race shows before; and at the end.
_PILOT = 20


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
        until, seen, incomparable = _by_record(artifact, target, confidence, view)
        if not incomparable:
            counted = until.counted
            return Verified(
                target.name,
                until.evidence,
                confidence,
                seen,
                "",
                "",
                (until.shown, counted.trials + (until.shown - counted.diverged)),
                (0, 0),
            )
        view.note(f"the recorded rate says nothing here: {incomparable}")
    old = baseline()
    if old is None:
        raise NotComparable(
            f"the recorded rate says nothing here: {incomparable}. Name the version that has it "
            f"with --baseline, to measure both side by side."
        )
    view.note(f"measuring {target.name} beside {old.name}")
    pairs = BesideBaseline(confidence)
    seen = beside(artifact, target, old, pairs, view)
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


def _by_record(
    artifact: Artifact, target: Target, confidence: float, view: Reporter
) -> tuple[UntilProven, Divergence | None, str]:
    """The trials, what was seen, and why the recorded rate says nothing here, if so."""
    ended: list[tuple[UntilProven, Divergence | None, str]] = []

    async def work(live: LiveTarget) -> None:
        until = until_proven(live, artifact, confidence)

        def tell() -> None:
            view.counting(
                f"{live.target.name}: {until.quiet} of {until.needed} trials raced and were "
                f"quiet: its rate is below {percent(until.below)}"
            )

        seen = await prove(
            until,
            lambda _: look(live, artifact),
            tell,
            lambda: until.trials % _PILOT > 0 or not _unlike(artifact, until),
        )
        ended.append((until, seen.shown or seen.other, _unlike(artifact, until)))

    view.waiting(f"starting {target.name}")
    with_target(target, work).raise_if_early()
    return ended[0]


def _unlike(artifact: Artifact, until: UntilProven) -> str:
    """Why silence here says nothing about the recorded rate; empty: it may."""
    if until.shown or not until.trials:
        return ""
    here, there = environment(), artifact.environment
    if here.system != there.system or here.cores != there.cores:
        return (
            f"it was recorded on {there.system} with {there.cores} cores, "
            f"this is {here.system} with {here.cores}"
        )
    return "" if until.slower is None else unproven_text(until.so_far)


def beside(
    artifact: Artifact, new: Target, old: Target, pairs: BesideBaseline, view: Reporter
) -> Divergence | None:
    """Run pairs of trials until ``pairs`` is decided; returns what the new one showed last."""
    ended: list[Divergence | None] = []

    async def work() -> None:
        view.waiting(f"starting {old.name} and {new.name}")
        async with (
            opened(old) as other,
            opened(new) as live,
        ):
            pairs.other_promises = other_promises(live, artifact)

            def tell() -> None:
                view.counting(
                    f"{pairs.pairs} pairs: {old.name} diverged {pairs.shown_old} times of "
                    f"{pairs.wanted}, {new.name} {pairs.shown_new}"
                )

            seen = await prove(
                pairs,
                lambda side: look(live if side is Side.NEW else other, artifact),
                tell,
            )
            ended.append(seen.shown or seen.other)

    until_done(work).raise_if_early()
    return ended[0]
