"""Findings and summaries as text for a terminal; the words are the same with and without colour.

Rule: these functions return plain strings; who prints them adds the colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.model.release import missed
from deadheat.report.diagram import diagram_of, program_lines, text
from deadheat.report.reasons import MEANING, reasons_of
from deadheat.report.words import (
    fixed_text,
    percent,
    rate_text,
    replay_line,
    size_text,
    standing_text,
)
from deadheat.trials.evidence import rate_refuted

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.files.artifact import Artifact, RateRecord
    from deadheat.model.release import Release


def finding_text(
    artifact: Artifact, path: Path | None, again: tuple[str, ...] = (), *, kept: bool = False
) -> str:
    """A whole finding: name, rate, diagram, where it is saved, how to replay it.

    ``again``: see ``replay_line``. ``kept``: what is saved is a better one of an earlier run.
    """
    lines = [
        f"{artifact.anomaly}  {MEANING[artifact.anomaly]}",
        f"{standing_text(artifact)} ({size_text(artifact.program)}), {_rate(artifact.rate)}",
    ]
    if artifact.rate is not None and (fixed := fixed_text(artifact.rate)) is not None:
        lines.append(fixed)
    if artifact.transient:
        lines.append(
            f"it went away within the target's settle time ({artifact.target.settle_ms} ms)"
        )
    lines += ["", text(diagram_of(artifact)), ""]
    lines += [_missed(releases) for releases in artifact.history.releases if missed(releases)]
    if artifact.most_reliable is not None:
        lines += [
            (
                f"shows more often ({size_text(artifact.most_reliable)}), "
                f"{_rate(artifact.most_reliable_rate)}"
            ),
            "",
            text(program_lines(artifact.most_reliable)),
            "",
        ]
    lines += _why(artifact)
    lines.append(f"under the promises: {artifact.target.promises}")
    if path is not None:
        lines.append(
            f"kept    {path} (of an earlier run, and better)" if kept else f"saved   {path}"
        )
        lines.append(f"replay  {replay_line(artifact, path, again)}")
    return "\n".join(lines)


def _missed(releases: tuple[Release, ...]) -> str:
    """A note that this trial was released at other offsets than the program's."""
    in_order = sorted(releases, key=lambda release: release.lane)
    first_ns = min(release.achieved_ns for release in releases)
    wanted = ", ".join(f"{release.wanted_ns // 1_000:,}" for release in in_order)
    achieved = ", ".join(f"{(r.achieved_ns - first_ns) // 1_000:,}" for r in in_order)
    return f"in this trial its lanes were released at {achieved} µs, not at {wanted} µs"


def _rate(rate: RateRecord | None) -> str:
    return (
        "its rate was not measured (no time left, or too few trials raced)"
        if rate is None
        else rate_text(rate)
    )


def _why(artifact: Artifact) -> list[str]:
    """The proof in words, what would make it legal, and the weaker promise that still held."""
    explained, reasons = artifact.explanation, reasons_of(artifact)
    lines = [f"  {i}. {line.text}" for i, line in enumerate(reasons.proof, start=1)]
    if lines:
        lines = ["why no order of the calls is legal:", *lines]
    if reasons.legal_if:
        lines.append(f"it would be legal if {reasons.legal_if}")
    if explained.strongest_promise_held:
        lines.append(f"still held: {explained.strongest_promise_held}")
    return lines


def clean_text(programs: int, overlaps: int) -> str:
    """What silence proves (DESIGN §4, last rule)."""
    if programs == 0:
        return "clean: nothing raced"
    rarest = rate_refuted(programs)
    return (
        f"clean: 0 of {programs:,} programs that raced diverged, {overlaps:,} overlapping pairs; "
        f"a race showing in {percent(rarest)} of these programs would have been seen (99 %)"
    )
