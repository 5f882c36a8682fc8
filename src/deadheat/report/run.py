"""The summary of a run or a replay, for a person, and one line for a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.errors import ExitCode
from deadheat.files import media
from deadheat.files.artifact import RateRecord, sessions_of
from deadheat.model.release import LANE_US, NEIGHBOUR_US
from deadheat.report.diagram import diagram_of_divergence, text
from deadheat.report.finding import clean_text, finding_text
from deadheat.report.words import counted, duration_text, percent, rate_text, via_text
from deadheat.trials.evidence import CONFIDENCE, Unproven, rate_refuted

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Replayed, Summary
    from deadheat.trials.stats import Rate
    from deadheat.trials.tally import Tally


def run_text(summary: Summary | None, *, interrupted: bool, proves: bool = True) -> str:
    """The summary of a run: every distinct divergence, then what was exercised.

    ``proves`` False: the run ended in an error, so its silence is not worth a word.
    """
    if summary is None:
        return "interrupted before anything was run" if interrupted else "nothing was run"
    parts = [
        finding_text(found.artifact, found.path, summary.again, kept=found.kept)
        for found in summary.findings
    ]
    if len(parts) > 1:
        parts.insert(0, f"{len(parts)} distinct divergences")
    if not parts:
        parts.append(
            clean_text(summary.raced, summary.overlaps)
            if proves
            else "no divergence seen, which proves nothing here"
        )
    parts.append(_exercised(summary, interrupted=interrupted))
    return "\n" + "\n\n".join(parts)


def _exercised(summary: Summary, *, interrupted: bool) -> str:
    words = [
        (
            f"{summary.target}, seed {summary.seed}: {counted(summary.programs, 'program')}, "
            f"{counted(summary.trials, 'trial')}, {counted(summary.requests, 'request')}, "
            f"{counted(summary.overlaps, 'overlap')} in {duration_text(summary.elapsed_s)}"
        )
    ]
    if not summary.findings:
        words.append(f"under the promises: {summary.promises}")
    if summary.undecided:
        words.append(f"{summary.undecided:,} trials undecided: they prove nothing either way")
    if summary.missed_rounds:
        words.append(
            f"{summary.missed_rounds:,} of {summary.rounds:,} concurrent rounds missed their "
            f"offsets by more than {NEIGHBOUR_US} µs + {LANE_US} µs a lane: "
            "they say nothing about offsets"
        )
    if (note := via_text(summary.via)) is not None:
        words.append(note)
    if summary.restarts:
        words.append(f"the server was started again {counted(summary.restarts, 'time')}")
    if summary.left_behind:
        words.append(
            f"left behind, as deleting did not work: {counted(summary.left_behind, 'session')}"
        )
    if interrupted:
        words.append("interrupted: this is what was found until then")
    return "\n".join(words)


def _verdict(summary: Summary, exit_code: int) -> str:
    if summary.findings:
        return "diverged"
    match exit_code:
        case ExitCode.CLEAN:
            return "clean"
        case ExitCode.INTERRUPTED:
            return "interrupted"
        case _:
            return "nothing proven"


def machine_line(summary: Summary | None, exit_code: int) -> str:
    """``deadheat-result: {…}``: one line, stable keys."""
    if summary is None:
        body: dict[str, object] = {"exit": exit_code, "verdict": "nothing run"}
    else:
        body = {
            "exit": exit_code,
            "verdict": _verdict(summary, exit_code),
            "target": summary.target,
            "seed": summary.seed,
            "programs": summary.programs,
            "trials": summary.trials,
            "requests": summary.requests,
            "overlaps": summary.overlaps,
            "undecided": summary.undecided,
            "rounds": summary.rounds,
            "missed_rounds": summary.missed_rounds,
            "via": summary.via.value,
            "seconds": round(summary.elapsed_s, 2),
            "raced": summary.raced,
            "would_have_seen": round(rate_refuted(summary.raced), 6)
            if exit_code == ExitCode.CLEAN and summary.raced
            else None,
            "divergences": [
                {
                    "anomaly": found.artifact.anomaly.value,
                    "calls": list(found.artifact.signature),
                    "file": found.path.as_posix(),
                    "finished": found.finished,
                }
                for found in summary.findings
            ],
        }
    return "deadheat-result: " + media.json_text(body)


def replay_text(artifact: Artifact, path: Path, replayed: Replayed, target: str) -> str:
    """What a replay showed."""
    found = replayed.divergence
    if found is None:
        return _quiet(artifact, path, replayed, target)
    sessions = sessions_of(artifact.program, found.history)
    lines = [
        f"{artifact.anomaly}  {path} diverges again on {target}",
        "",
        text(diagram_of_divergence(artifact.program, found, sessions)),
        "",
    ]
    if replayed.until_first:
        lines.append(
            f"it showed in trial {replayed.rate.trials} "
            f"({_interval(replayed.rate)}; --trials N for a closer figure)"
        )
    else:
        lines.append(rate_text(_record(replayed.rate)))
    return "\n".join([*lines, *_recorded(artifact, replayed)])


def _quiet(artifact: Artifact, path: Path, replayed: Replayed, target: str) -> str:
    lines = [f"{artifact.anomaly}  {path} did not show on {target} in {replayed.trials:,} trials"]
    raced = replayed.rate.trials
    if raced:
        lines.append(
            f"{raced:,} of them raced: its rate there is below "
            f"{percent(rate_refuted(raced))} ({percent(CONFIDENCE)})"
        )
    if isinstance(replayed.evidence, Unproven):
        lines.append("which proves nothing yet")
    if replayed.other is not None:
        sessions = sessions_of(artifact.program, replayed.other.history)
        lines += [
            f"another divergence showed instead: {replayed.other.anomaly}",
            "",
            text(diagram_of_divergence(artifact.program, replayed.other, sessions)),
            "",
        ]
    return "\n".join([*lines, *_recorded(artifact, replayed)])


def _recorded(artifact: Artifact, replayed: Replayed) -> list[str]:
    under = [f"under the promises: {replayed.promises}"] if replayed.promises else []
    return [*under, _recorded_rate(artifact)]


def _recorded_rate(artifact: Artifact) -> str:
    if artifact.rate is None:
        return f"recorded on {artifact.target.name} without a rate"
    return f"recorded on {artifact.target.name}: {rate_text(artifact.rate)}"


def _interval(rate: Rate) -> str:
    low, high = percent(rate.low).removesuffix(" %"), percent(rate.high)
    return f"the rate is between {low} and {high}, 95 %"


def _record(rate: Rate) -> RateRecord:
    return RateRecord(rate.diverged, rate.trials, rate.low, rate.high, rate.confidence)


def offset_picture(picture: tuple[tuple[int, Tally], ...]) -> str:
    """Rate against offset, in bars. Tuning spends its trials unevenly, so counts stand beside."""
    widest = max(
        (tally.diverged / tally.decided for _, tally in picture if tally.decided), default=0
    )
    lines = ["offset        diverged"]
    for offset_us, tally in picture:
        share = tally.diverged / tally.decided if tally.decided else 0.0
        bar = "█" * round(30 * share / widest) if widest else ""
        counts = f"{tally.diverged}/{tally.decided}"
        lines.append(f"{offset_us:>8,} µs  {counts:>9}  {percent(share):>7}  {bar}".rstrip())
    return "\n".join(lines)
