"""An event in one sentence: for terminals, a campaign's log, and its report.

Rule: one sentence for one fact, in every view. What is longer (the end of a log, a table) is the
view's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.report.words import counted, duration_text, percent, size_text
from deadheat.run import events

if TYPE_CHECKING:
    from deadheat.files.artifact import RateRecord


def event_text(event: events.Event) -> str:
    """One line without its end; indented where it is a detail of the line before."""
    match event:
        case events.Progress():
            return _progress(event)
        case events.Snapshot():
            return (
                f"{event.programs:,} programs ({event.programs_per_s:.0f}/s), "
                f"{event.requests:,} requests ({event.requests_per_s:.0f}/s), "
                f"{event.overlaps} kinds of overlap, {len(event.findings)} divergences"
            )
        case events.Started(target, promises, seed):
            return f"fuzzing {target}, seed {seed}, promises: {promises}"
        case events.DivergenceFound(key, _, program, calls, path):
            # Its folder: the file goes once a smaller example has replaced it.
            return f"found {key} in program {program:,} ({calls} calls): {path.parent}"
        case events.Shrunk(key, _, calls, trials):
            after = "" if trials is None else f" after {trials:,} trials"
            return f"  {key}: {calls} calls{after}"
        case events.Saved(key, artifact, path, kept):
            done = "kept the better example of" if kept else "saved"
            size = size_text(artifact.program)
            return f"{done} {key} ({size}), {_how_often(artifact.rate)}: {path}"
        case events.MoreReliable(key, artifact):
            return f"  {key}: a larger program {_how_often(artifact.most_reliable_rate)}"
        case events.TargetRestarted(restarts, log_tail, worker):
            if not worker:
                return f"the server died and was started again ({restarts})"
            last = "".join(f": {words}" for words in log_tail.strip().splitlines()[-1:])
            return f"the server of {worker} died and was started again{last}"
        case events.Checked(path, target, standing, _, trials):
            return f"regression {path.name} on {target}: {standing} ({trials:,} trials)"
        case events.Opened(target, _, folder):
            return f"campaign on {target}: {folder}"
        case events.GivenUp(key):
            return f"{key} is kept as it is: workers that shrink it are lost"
        case events.Known(key):
            return f"{key} is one that was known before"
        case events.Recycled(worker):
            return f"the server of {worker} was given a fresh home"
        case events.WorkerStarted(worker, promises):
            return f"worker {worker} is ready, promises: {promises}"
        case events.WorkerLost(worker, why):
            return f"worker {worker} is lost: {why}"
        case events.Workers(_, why):
            return why
        case events.Plateau(since, overlaps):
            return (
                f"plateau: no new kind of overlap since program {since:,} ({overlaps} kinds seen)"
            )
        case events.Ended(why):
            return f"ended: {why}"
        case _:
            assert_never(event)


def _progress(event: events.Progress) -> str:
    per_s = event.requests / event.elapsed_s if event.elapsed_s > 0 else 0.0
    line = (
        f"{event.phase}  {duration_text(event.elapsed_s)}  "
        f"{counted(event.divergences, 'divergence')}  {counted(event.programs, 'program')}  "
        f"{counted(event.trials, 'trial')}  {per_s:,.0f} requests/s  "
        f"{counted(event.overlaps, 'overlap')}"
    )
    if event.undecided:
        line += f"  {event.undecided} undecided"
    return f"{line}  ({event.detail})" if event.detail else line


def _how_often(rate: RateRecord | None) -> str:
    if rate is None or not rate.trials:
        return "its rate not measured yet"
    return f"diverges in {percent(rate.diverged / rate.trials)} of trials"
