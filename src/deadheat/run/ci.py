"""One CI job, whole: the committed regressions first, then a search with what is left.

Rules
- One hard limit on everything: downloads, starts, regressions, search and shrinking.
- A regression is checked on the job's target and on every other one that it names. A target
  that cannot be had is an error, never a pass; so is a regression that found no time.
- What is committed as a known bug is no finding of the search. It is checked after those that
  must be clean, and takes a part of the time only: if it does not show, nothing is lost.
- Red (1) before broken (3) before green (0).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.drive.event_loop import alarm
from deadheat.errors import BadArtifact, DeadheatError, ExitCode, StartFailed
from deadheat.files.artifact import Expectation, signature_of
from deadheat.files.regressions import committed, expected_of, group_of, label_of
from deadheat.files.results import (
    PROVES_NOTHING,
    RED,
    JobResult,
    Regression,
    RegressionStatus,
    Replayed,
    Summary,
)
from deadheat.generate.machine import ProgramMachine
from deadheat.report.words import unproven_text
from deadheat.run import events
from deadheat.run.engine import Engine
from deadheat.run.exercised import nothing_exercised, of_run
from deadheat.run.limits import STOPPING_S, opened, until_done
from deadheat.run.plan import Plan
from deadheat.run.replay import replay
from deadheat.run.search import searching
from deadheat.trials.evidence import AbsentBelow, Unproven

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.model.verdict import Signature
    from deadheat.run.engine import Engine
    from deadheat.run.events import Reporter

# Of the time that is left, what one known bug may take to show.
_PART_FOR_KNOWN = 0.2


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What is asked for. ``ends_s``: on ``time.monotonic``'s clock.

    ``find(word)`` makes a target of a name, and may raise any ``DeadheatError``; with
    ``stopping_s``: what the end takes, stopping the server included, of the time there is;
    ``others`` False only the job's own target is checked.
    """

    find: Callable[[str], Target]
    target: str
    regressions: Path
    into: Callable[[Target], Path]
    seed: int
    ends_s: float
    stopping_s: float = STOPPING_S
    exit_first: bool = False
    others: bool = True
    machine: type[ProgramMachine] = ProgramMachine


@dataclass(frozen=True, slots=True)
class _DueCheck:
    """A regression to check on one target."""

    path: Path
    artifact: Artifact
    expected: Expectation


def run(
    order: JobOrder, view: Reporter, tell: Callable[[events.Event], None] | None = None
) -> JobResult:
    """Run the job to its end, its limit or a signal; ``tell`` gets every event that ``view`` gets.

    Raises ``DeadheatError`` only where the job could not begin: no target, a damaged file.
    """
    return _Job(order, view, tell or (lambda _event: None)).run()


class _Job:
    def __init__(
        self, order: JobOrder, view: Reporter, tell: Callable[[events.Event], None]
    ) -> None:
        self._order = order
        self._view = view
        self._also_tell = tell
        self._began_s = time.monotonic()
        self._results: list[Regression] = []
        self._names: dict[str, str] = {}  # of targets, by label
        self._again: dict[str, tuple[str, ...]] = {}  # what names them to a command
        self._engine: Engine | None = None

    def run(self) -> JobResult:
        order = self._order
        target = self._found(order.target)
        own = label_of(target.name, target.wire.name)
        self._names[own] = target.name
        self._again[own] = target.again
        due = self._due(target)
        mine = due.pop(own, ())
        others = {label: self._other(label) for label in due}

        async def work() -> None:
            for label, other in others.items():
                await self._elsewhere(label, other, due[label])
            self._view.waiting(events.Phase.STARTING)
            async with opened(target, ends_s=self._killed_s()) as live:
                await self._check(live, mine)
                await self._search(live, frozenset(_known(mine)))

        limit_s = self._killed_s() - time.monotonic()
        ended = until_done(work, max(limit_s, 0.05))
        everything = {**due, own: mine}
        self._rest_is_unfinished(everything, str(ended.error or ""))
        return self._result(target, ended.interrupted, ended.error)

    def _tell(self, event: events.Event) -> None:
        self._view.tell(event)
        self._also_tell(event)

    # -- what there is to do -----------------------------------------------------------------

    def _found(self, word: str) -> Target:
        """The target of this name, within the limit. Raises ``DeadheatError``."""
        late = StartFailed(
            f"{word} could not be fetched within the budget. Give it a larger --budget, or fetch "
            "it before the job."
        )
        with alarm(self._order.ends_s - time.monotonic() - self._order.stopping_s, late):
            return self._order.find(word)

    def _other(self, label: str) -> Target | DeadheatError:
        """The target, found before the event loop: a download blocks, and Ctrl-C must end it."""
        try:
            return self._found(label)
        except DeadheatError as error:
            return error

    def _due(self, target: Target) -> dict[str, tuple[_DueCheck, ...]]:
        """The regressions to check, by the label of their target."""
        order = self._order
        own = label_of(target.name, target.wire.name)
        due: dict[str, list[_DueCheck]] = {own: []}
        group = group_of(target.name, target.wire.name)
        for path, artifact in committed(order.regressions, group):
            if artifact.target.profile != target.wire.name:
                raise BadArtifact(
                    f"{path} is for the profile {artifact.target.profile}, and {target.name} "
                    f"speaks {target.wire.name}. Move it to another folder."
                )
            others = artifact.expect if order.others else ()
            for label in dict.fromkeys((own, *others)):
                expected = expected_of(artifact, label)
                due.setdefault(label, []).append(_DueCheck(path, artifact, expected))
        return {
            label: tuple(sorted(cases, key=lambda case: case.expected is Expectation.DIVERGES))
            for label, cases in due.items()
        }

    # -- doing it ----------------------------------------------------------------------------

    async def _elsewhere(
        self, label: str, target: Target | DeadheatError, due: tuple[_DueCheck, ...]
    ) -> None:
        """Check regressions on another target than the job's: its errors are theirs."""
        error = target if isinstance(target, DeadheatError) else None
        if not isinstance(target, DeadheatError):
            self._view.waiting(f"starting {label} for its regressions")
            try:
                async with opened(target, ends_s=self._killed_s()) as live:
                    await self._check(live, due)
            except DeadheatError as caught:
                error = caught
        if error is not None:
            for case in self._missing(label, due):
                self._note(case, label, RegressionStatus.UNAVAILABLE, None, 0.0, str(error))

    async def _check(self, live: LiveTarget, due: tuple[_DueCheck, ...]) -> None:
        label = label_of(live.target.name, live.target.wire.name)
        for case in due:
            began_s = time.monotonic()
            known = case.expected is Expectation.DIVERGES
            kept_s = self._left_s() * (1 - _PART_FOR_KNOWN) if known else 0.0
            replayed = await replay(
                live, case.artifact, None, self._moving(case), self._out_of_time(kept_s)
            )
            late = self._out_of_time(kept_s)()
            standing = _standing(case.expected, replayed, out_of_time=late)
            why = _why(standing, replayed)
            self._note(case, label, standing, replayed, time.monotonic() - began_s, why)

    def _out_of_time(self, kept_s: float) -> Callable[[], bool]:
        return lambda: self._left_s() <= kept_s

    def _moving(self, case: _DueCheck) -> Callable[[int, int, int], None]:
        def tell(number: int, wanted: int, _diverged: int) -> None:
            self._view.moving(f"regression {case.path.name}: {number:,} of {wanted:,} trials")

        return tell

    async def _search(self, live: LiveTarget, known: frozenset[Signature]) -> None:
        order = self._order
        if order.exit_first and any(one.standing in RED for one in self._results):
            return
        self._tell(
            events.Started(
                live.target.name, str(live.promises), order.seed, live.target.via, live.met
            )
        )
        plan = Plan(
            seed=order.seed,
            folder=order.into(live.target),
            seconds=max(self._left_s(), 0.0),
            exit_first=order.exit_first,
            known=known,
        )
        self._engine = searching(live, plan, self._tell, order.machine)
        await self._engine.run()

    def _killed_s(self) -> float:
        """The instant from which servers are killed instead of asked to stop."""
        return self._order.ends_s - self._order.stopping_s / 2

    def _left_s(self) -> float:
        return self._order.ends_s - time.monotonic() - self._order.stopping_s

    # -- what it came to ---------------------------------------------------------------------

    def _note(
        self,
        case: _DueCheck,
        label: str,
        standing: RegressionStatus,
        replayed: Replayed | None,
        seconds: float,
        why: str,
    ) -> None:
        one = Regression(
            case.path,
            case.artifact,
            label,
            self._names.get(label, label),
            case.expected,
            standing,
            replayed,
            seconds,
            why,
            self._again.get(label, ()),
        )
        self._results.append(one)
        diverged = replayed.rate.diverged if replayed is not None else 0
        trials = replayed.rate.trials if replayed is not None else 0
        self._tell(events.Checked(case.path, label, standing, diverged, trials))

    def _missing(self, label: str, due: tuple[_DueCheck, ...]) -> tuple[_DueCheck, ...]:
        done = {(one.path, one.target) for one in self._results}
        return tuple(case for case in due if (case.path, label) not in done)

    def _rest_is_unfinished(self, due: dict[str, tuple[_DueCheck, ...]], why: str) -> None:
        for label, cases in due.items():
            for case in self._missing(label, cases):
                said = why or "the budget was over before its turn came. Give it a larger --budget."
                self._note(case, label, RegressionStatus.UNFINISHED, None, 0.0, said)

    def _result(self, target: Target, interrupted: bool, error: DeadheatError | None) -> JobResult:
        summary: Summary | None = self._engine.summary() if self._engine is not None else None
        red = any(one.standing in RED for one in self._results)
        red = red or bool(summary is not None and summary.findings)
        skipped = summary is None and red  # exit first: a regression was red
        if error is None and not interrupted and not skipped and not (summary and summary.findings):
            error = _proves_nothing(target, summary)
        broken = any(one.standing in PROVES_NOTHING for one in self._results)
        code = ExitCode.CLEAN
        if interrupted:
            code = ExitCode.INTERRUPTED
        elif red:
            code = ExitCode.DIVERGED
        elif error is not None:
            code = error.exit_code
        elif broken:
            code = ExitCode.TARGET
        return JobResult(
            target=target.name,
            seed=self._order.seed,
            regressions=tuple(self._results),
            summary=summary,
            error=error,
            interrupted=interrupted,
            exit_code=int(code),
            seconds=time.monotonic() - self._began_s,
        )


def _proves_nothing(target: Target, summary: Summary | None) -> DeadheatError | None:
    if summary is None:
        return StartFailed(
            f"{target.name} was not ready within the budget, or its regressions took all of it. "
            "Give it a larger --budget."
        )
    return nothing_exercised(of_run(summary))


def _known(due: tuple[_DueCheck, ...]) -> tuple[Signature, ...]:
    return tuple(
        signature_of(case.artifact) for case in due if case.expected is Expectation.DIVERGES
    )


def _standing(expected: Expectation, replayed: Replayed, *, out_of_time: bool) -> RegressionStatus:
    match replayed.evidence:
        case Unproven() if not out_of_time and replayed.other is None:
            return RegressionStatus.NOT_COMPARABLE
        case _:
            pass
    enough = isinstance(replayed.evidence, AbsentBelow)
    match expected:
        case Expectation.CLEAN if replayed.divergence is not None:
            return RegressionStatus.CAME_BACK
        case Expectation.CLEAN if replayed.other is not None:
            return RegressionStatus.OTHER
        case Expectation.CLEAN:
            return RegressionStatus.SILENT if enough else RegressionStatus.UNFINISHED
        case Expectation.DIVERGES if replayed.divergence is not None:
            return RegressionStatus.KNOWN
        case Expectation.DIVERGES:
            return RegressionStatus.GONE if enough else RegressionStatus.QUIET


def _why(standing: RegressionStatus, replayed: Replayed) -> str:
    if not isinstance(replayed.evidence, Unproven):
        return ""
    match standing:
        case RegressionStatus.NOT_COMPARABLE:
            return unproven_text(replayed.evidence)
        case RegressionStatus.UNFINISHED:
            return f"{unproven_text(replayed.evidence)}. Give it a larger --budget."
        case _:
            return ""
