"""One run or replay, whole: event loop, signals, the time limit, and what is left at the end.

Rules
- SIGINT and SIGTERM cancel the work; the server is stopped, and what was found
  is in the result.
- With ``hard`` the time limit also covers the start of the server; a run that is
  cut off there is an error of the target.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from deadheat.campaign import events
from deadheat.campaign.engine import Engine
from deadheat.campaign.plan import Plan
from deadheat.campaign.replay import replay as replay_trials
from deadheat.core.evidence import Unproven
from deadheat.drive.live import open_target
from deadheat.drive.until import run_until
from deadheat.errors import (
    DeadheatError,
    ExitCode,
    NotComparable,
    NothingExercised,
    StartFailed,
)
from deadheat.report.wording import duration_text, hiccups_text, unproven_text, via_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from deadheat.artifact import Artifact
    from deadheat.campaign.events import Reporter
    from deadheat.core.ledger import Tally
    from deadheat.drive.target import Target
    from deadheat.results import Replayed, Summary

# Stopping a server and writing the last artifact take about this long; a hard limit
# leaves room for it.
_STOPPING_S = 0.6


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What the user asked for."""

    target: Target
    seed: int
    folder: Path
    seconds: float | None
    programs: int | None
    exit_first: bool
    hard: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """``error``: why the run ended early; the summary tells what there was until then.

    ``picture``: divergences against offset, where offsets were tuned.
    """

    summary: Summary | None
    exit_code: ExitCode
    interrupted: bool = False
    error: DeadheatError | None = None
    picture: tuple[tuple[int, Tally], ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """``replayed`` None: it never came to a trial."""

    replayed: Replayed | None
    exit_code: ExitCode
    interrupted: bool = False
    error: DeadheatError | None = None


def random_seed() -> int:
    """A seed short enough to type."""
    return random.SystemRandom().randrange(1_000_000)


def folder_name(target: str) -> str:
    """The target's name as a folder: ``opencode@1.0.152``, ``carts``, ``127.0.0.1-4096``."""
    if target.endswith(".toml"):
        return folder_name(PurePath(target).stem)
    target = re.sub(r"^(\.\./)+", "", target)  # a file beside or above this folder
    return re.sub(r"[^A-Za-z0-9@._-]+", "-", target.removeprefix("http://")).strip("-")


def run(
    order: RunOrder,
    view: Reporter,
    work_of: Callable[[Engine], Awaitable[Summary]] = Engine.run,
) -> RunResult:
    """Run to the end of the plan, to an error, or to a signal.

    ``work_of``: what the engine is for; default: the search.
    """
    # Here, and not for a replay, which draws no programs: Hypothesis is the slowest to import.
    from deadheat.generate.source import ProgramSource

    engines: list[Engine] = []
    began_s = time.monotonic()

    async def work() -> None:
        view.waiting(events.Phase.STARTING)
        hard_s = order.seconds if order.hard else None
        ends_s = None if hard_s is None else began_s + hard_s - _STOPPING_S / 2
        async with open_target(order.target, secrets.token_hex(3), ends_s=ends_s) as live:
            view.tell(
                events.Started(
                    order.target.name, str(live.promises), order.seed, order.target.via, live.met
                )
            )
            spent_s = time.monotonic() - began_s if order.hard else 0.0
            kept_s = _STOPPING_S if order.hard else 0.0
            seconds = None if order.seconds is None else order.seconds - spent_s - kept_s
            plan = Plan(
                seed=order.seed,
                folder=order.folder,
                seconds=seconds,
                programs=order.programs,
                exit_first=order.exit_first,
            )
            programs = ProgramSource(
                order.seed,
                kinds=order.target.kinds,
                families=order.target.families,
                own=order.target.own,
            )
            engine = Engine(
                live,
                plan,
                programs,
                time.monotonic,
                view.tell,
                watch=lambda _program, execution, _verdict: programs.learn(execution.history),
            )
            engines.append(engine)
            await work_of(engine)

    limit_s = order.seconds if order.hard else None
    interrupted, error = run_until(work, None if limit_s is None else limit_s - _STOPPING_S / 2)
    if not engines:
        if error is None and not interrupted:
            error = StartFailed(
                f"{order.target.name} was not ready within the budget. Give it a larger --budget."
            )
        code = error.exit_code if error is not None else ExitCode.INTERRUPTED
        return RunResult(None, code, interrupted, error)
    summary = engines[0].summary()
    if interrupted:
        return RunResult(summary, ExitCode.INTERRUPTED, interrupted=True)
    picture = engines[0].picture
    if summary.findings:
        return RunResult(summary, ExitCode.DIVERGED, error=error, picture=picture)
    if error is None:
        error = nothing_exercised(summary)
    return RunResult(summary, ExitCode.CLEAN if error is None else error.exit_code, error=error)


def replay(artifact: Artifact, target: Target, trials: int | None, view: Reporter) -> ReplayResult:
    """Replay one artifact against ``target``."""
    done: list[Replayed] = []

    def tell(number: int, wanted: int, diverged: int) -> None:
        view.moving(f"replaying: {diverged} of {number} trials diverged, at most {wanted}")

    async def work() -> None:
        view.waiting(events.Phase.STARTING)
        async with open_target(target, secrets.token_hex(3)) as live:
            view.remark(via_text(target.via))
            view.remark(hiccups_text(live.met))
            done.append(await replay_trials(live, artifact, trials, tell))

    interrupted, error = run_until(work, None)
    if not done:
        code = error.exit_code if error is not None else ExitCode.INTERRUPTED
        return ReplayResult(None, code, interrupted, error)
    shown = done[0].divergence is not None or done[0].other is not None
    if not shown and isinstance(done[0].evidence, Unproven):
        error = NotComparable(f"not comparable: {unproven_text(done[0].evidence)}")
        return ReplayResult(done[0], error.exit_code, error=error)
    return ReplayResult(done[0], ExitCode.DIVERGED if shown else ExitCode.CLEAN)


def nothing_exercised(summary: Summary) -> NothingExercised | None:
    """DESIGN §4: exercised, or not green."""
    if min(summary.programs, summary.trials) == 0:  # the first may have been cut off
        return NothingExercised(
            "no program was run in the time given. Give it more (--for, in CI --budget)."
        )
    silent = sorted(kind for kind in summary.drawn if not summary.answered.get(kind))
    if silent:
        return NothingExercised(
            f"no {', no '.join(silent)} ever succeeded, so silence proves nothing. "
            "Check the server, or give it more time."
        )
    if summary.overlaps == 0:
        return NothingExercised(
            "no two calls ever overlapped, so silence proves nothing. Give it more time."
        )
    if summary.restarts and not (summary.findings or summary.known):
        return NothingExercised(  # a death is a finding, and so is a hang
            f"the server stopped answering and had to be started again {summary.restarts} times, "
            "so silence proves nothing. Check the server."
        )
    return unanswered(
        summary.programs, summary.raced, summary.unanswered, summary.unanswered_s, summary.elapsed_s
    )


def unanswered(
    programs: int, raced: int, lost: int, lost_s: float, elapsed_s: float
) -> NothingExercised | None:
    """Silence of a server that mostly did not answer; None: it did.

    ``lost``: programs in which no two calls that raced were answered; ``lost_s`` went on those.
    """
    if lost * 2 > programs:
        return NothingExercised(
            f"in {lost:,} of {programs:,} programs no two calls that race were answered (refused, "
            "or no answer at all), so silence proves nothing. Check the server."
        )
    if lost_s * 2 > elapsed_s:
        return NothingExercised(
            f"{duration_text(lost_s)} of {duration_text(elapsed_s)} went on calls without an "
            "answer, so silence proves nothing. Check the server."
        )
    if raced == 0:
        return NothingExercised(
            "no two answered calls ever overlapped in a program that could be judged, so silence "
            "proves nothing. Give it more time."
        )
    return None
