"""A whole run or replay: event loop, signals, the time limit, and the last clean-up.

Rules
- SIGINT and SIGTERM cancel the work; the server is stopped, and what was found
  is in the result.
- With ``hard`` the time limit also covers the start of the server; a run that is
  cut off there is an error of the target.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from deadheat.errors import (
    DeadheatError,
    ExitCode,
    NotComparable,
    StartFailed,
)
from deadheat.report.words import hiccups_text, unproven_text, via_text
from deadheat.run import events
from deadheat.run.engine import Engine
from deadheat.run.exercised import nothing_exercised, of_run
from deadheat.run.limits import STOPPING_S, opened, until_done, with_target
from deadheat.run.plan import Plan
from deadheat.run.replay import replay as replay_trials
from deadheat.trials.evidence import Unproven

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Replayed, Summary
    from deadheat.generate.machine import ProgramMachine
    from deadheat.run.events import Reporter
    from deadheat.trials.tally import Tally


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


def searching(
    live: LiveTarget,
    plan: Plan,
    tell: Callable[[events.Event], None],
    machine: type[ProgramMachine] | None = None,
) -> Engine:
    """An engine that searches ``live`` with drawn programs, and learns how long its calls take.

    ``machine``: which rules draw; None: all of the target's.
    """
    # Here, and not for a replay, which draws no programs: Hypothesis is the slowest to import.
    from deadheat.generate.machine import ProgramMachine
    from deadheat.generate.source import ProgramSource

    target = live.target
    programs = ProgramSource(
        plan.seed,
        machine or ProgramMachine,
        kinds=target.kinds,
        families=target.families,
        custom=target.custom,
    )
    return Engine(
        live,
        plan,
        programs,
        time.monotonic,
        tell,
        watch=lambda _program, execution, _verdict: programs.learn(execution.history),
    )


def run(
    order: RunOrder,
    view: Reporter,
    work_of: Callable[[Engine], Awaitable[Summary]] = Engine.run,
) -> RunResult:
    """Run to the end of the plan, to an error, or to a signal.

    ``work_of``: what the engine is for; default: the search.
    """
    engines: list[Engine] = []
    began_s = time.monotonic()

    async def work() -> None:
        view.waiting(events.Phase.STARTING)
        hard_s = order.seconds if order.hard else None
        ends_s = None if hard_s is None else began_s + hard_s - STOPPING_S / 2
        async with opened(order.target, ends_s=ends_s) as live:
            view.tell(
                events.Started(
                    order.target.name, str(live.promises), order.seed, order.target.via, live.met
                )
            )
            spent_s = time.monotonic() - began_s if order.hard else 0.0
            kept_s = STOPPING_S if order.hard else 0.0
            seconds = None if order.seconds is None else order.seconds - spent_s - kept_s
            plan = Plan(
                seed=order.seed,
                folder=order.folder,
                seconds=seconds,
                programs=order.programs,
                exit_first=order.exit_first,
            )
            engines.append(searching(live, plan, view.tell))
            await work_of(engines[0])

    limit_s = order.seconds if order.hard else None
    ended = until_done(work, None if limit_s is None else limit_s - STOPPING_S / 2)
    interrupted, error = ended.interrupted, ended.error
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
        error = nothing_exercised(of_run(summary))
    return RunResult(summary, ExitCode.CLEAN if error is None else error.exit_code, error=error)


def replay(artifact: Artifact, target: Target, trials: int | None, view: Reporter) -> ReplayResult:
    """Replay one artifact against ``target``."""
    done: list[Replayed] = []

    def tell(number: int, wanted: int, diverged: int) -> None:
        view.moving(f"replaying: {diverged} of {number} trials diverged, at most {wanted}")

    async def work(live: LiveTarget) -> None:
        view.remark(via_text(target.via))
        view.remark(hiccups_text(live.met))
        done.append(await replay_trials(live, artifact, trials, tell))

    view.waiting(events.Phase.STARTING)
    ended = with_target(target, work)
    if not done:
        code = ended.error.exit_code if ended.error is not None else ExitCode.INTERRUPTED
        return ReplayResult(None, code, ended.interrupted, ended.error)
    shown = done[0].divergence is not None or done[0].other is not None
    if not shown and isinstance(done[0].evidence, Unproven):
        error = NotComparable(f"not comparable: {unproven_text(done[0].evidence)}")
        return ReplayResult(done[0], error.exit_code, error=error)
    return ReplayResult(done[0], ExitCode.DIVERGED if shown else ExitCode.CLEAN)
