"""Findings and summaries as text for a terminal; the words are the same with and without colour.

Rule: these functions return plain strings; who prints them adds the colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.core.divergence import MEANING
from deadheat.core.stats import rarest_seen
from deadheat.report.diagram import diagram_of, program_lines, text
from deadheat.report.wording import percent, rate_text, size_text, standing_text

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.artifact import Artifact, RateRecord


def finding_text(artifact: Artifact, path: Path | None) -> str:
    """One finding, whole: name, rate, diagram, where it is saved, how to replay it."""
    lines = [
        f"{artifact.anomaly}  {MEANING[artifact.anomaly]}",
        f"{standing_text(artifact)} ({size_text(artifact.program)}), {_rate(artifact.rate)}",
    ]
    if artifact.transient:
        lines.append(
            f"it went away within the target's settle time ({artifact.target.settle_ms} ms)"
        )
    lines += ["", text(diagram_of(artifact)), ""]
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
    lines.append(f"under the promises: {artifact.target.promises}")
    if path is not None:
        lines.append(f"saved   {path}")
        lines.append(f"replay  deadheat replay {path}")
    return "\n".join(lines)


def _rate(rate: RateRecord | None) -> str:
    return "its rate was not measured (no time left)" if rate is None else rate_text(rate)


def clean_text(programs: int, overlaps: int) -> str:
    """What silence proves (DESIGN §4, last rule)."""
    if programs == 0:
        return "clean: no program was run"
    rarest = rarest_seen(programs, 0.99)
    return (
        f"clean: 0 of {programs:,} programs diverged, {overlaps:,} overlapping pairs of calls; "
        f"a race showing in {percent(rarest)} of these programs would have been seen (99 %)"
    )
