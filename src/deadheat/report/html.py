"""Reports as one HTML file each: a campaign, or one failing example.

Rules
- Self-contained: no network, no other file. The page's own policy (CSP) allows the one style and
  the one script that it carries, by their hashes, and nothing else.
- Jinja2 with autoescape on, always: what a server said stays text.
- The templates draw; what they draw is decided in ``timeline`` and ``charts``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from deadheat.files import media
from deadheat.files.results import grouped
from deadheat.report import charts
from deadheat.report import timeline as lanes
from deadheat.report.campaign import exercised, pairing_text, quiet_pairs, resume_line
from deadheat.report.diagram import program_lines, text
from deadheat.report.reasons import MEANING, reasons_of
from deadheat.report.words import (
    duration_text,
    percent,
    rate_text,
    replay_line,
    size_text,
    standing_text,
)
from deadheat.trials.coverage import plateaued

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact
    from deadheat.files.results import CampaignFinding, CampaignRecord, FindingGroup

# The policy forbids style attributes, so every place on a scale is a class.
_POSITIONS = "".join(f".at{n}{{left:{n}%}}" for n in range(101))
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the numbers at the top."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class LinkedLine:
    """A line of the proof; ``rows``: its calls, by their rows in the drawing."""

    text: str
    rows: tuple[lanes.CallRow, ...]


@dataclass(frozen=True, slots=True)
class ExampleView:
    """The values of one failing example that the page draws."""

    anchor: str
    key: str
    anomaly: str
    meaning: str
    standing: str
    size: str
    rate: str
    interval: charts.Interval | None
    drawing: lanes.Drawing
    proof: tuple[LinkedLine, ...]
    counterfactual: str
    held: str
    promises: str
    transient: str
    more_reliable: str
    more_reliable_rate: str
    offsets: tuple[charts.Bar, ...]
    replay: str
    made_by: str
    state: str = ""
    search: str = ""


def example_page(artifact: Artifact, path: Path) -> str:
    """One failing example as a page of its own."""
    shown = shown_of(artifact, path, "example")
    title = f"{artifact.anomaly} on {artifact.target.name}"
    return _page("example.html.j2", title=title, finding=shown, running=False)


def campaign_page(record: CampaignRecord) -> str:
    """A campaign as a page. While the campaign runs, the page reloads itself."""
    quiet = sorted(quiet_pairs(record), key=lambda pair: pair[1].trials)
    totals, groups = record.totals, grouped(record.findings)
    return _page(
        "campaign.html.j2",
        title=f"deadheat campaign on {record.target}",
        record=record,
        running=not record.ended,
        tiles=_tiles(record, groups),
        groups=[
            (
                _shown_in_campaign(group.head, record),
                [_shown_in_campaign(one, record) for one in group.variants],
            )
            for group in groups
        ],
        exercised=exercised(record),
        plateau=plateaued(totals.get("programs", 0), record.last_new),
        lines=charts.lines_of(record),
        matrix=charts.matrix_of(record),
        quiet=[
            (pairing_text(p), f"{s.trials:,}", percent(s.would_have_seen() or 0)) for p, s in quiet
        ],
        resume=resume_line(record),
    )


def _tiles(record: CampaignRecord, groups: tuple[FindingGroup, ...]) -> tuple[Tile, ...]:
    totals = record.totals
    elapsed_s = record.elapsed_s or 1.0
    return (
        Tile(str(len(groups)), "distinct divergences"),
        Tile(duration_text(record.elapsed_s), "at work"),
        Tile(f"{totals.get('programs', 0):,}", "programs"),
        Tile(f"{totals.get('requests', 0):,}", "requests"),
        Tile(f"{totals.get('requests', 0) / elapsed_s:,.0f}", "requests a second"),
        Tile(str(len(record.seen)), "kinds of overlap"),
        Tile(f"{totals.get('restarts', 0):,}", "server deaths"),
        Tile(f"{totals.get('recycled', 0):,}", "servers recycled"),
    )


def shown_of(
    artifact: Artifact, path: Path, anchor: str, key: str = "", again: tuple[str, ...] = ()
) -> ExampleView:
    """The view of one failing example."""
    reasons, drawing = reasons_of(artifact), lanes.drawing_of(artifact)
    rows = {row.number: row for row in drawing.rows}
    rate, reliable = artifact.rate, artifact.most_reliable
    explained, settle_ms = artifact.explanation, artifact.target.settle_ms
    passing = f"it went away within the target's settle time ({settle_ms} ms)"
    environment = artifact.environment
    return ExampleView(
        anchor=anchor,
        key=key or f"{artifact.anomaly} ({', '.join(artifact.signature)})",
        anomaly=artifact.anomaly.value,
        meaning=MEANING[artifact.anomaly],
        standing=standing_text(artifact),
        size=size_text(artifact.program),
        rate="its rate was not measured" if rate is None else rate_text(rate),
        interval=charts.interval_of(rate) if rate is not None and rate.trials else None,
        drawing=drawing,
        proof=tuple(
            LinkedLine(line.text, tuple(rows[call] for call in line.calls if call in rows))
            for line in reasons.proof
        ),
        counterfactual=reasons.legal_if,
        held=explained.strongest_promise_held,
        promises=str(artifact.target.promises),
        transient=passing if artifact.transient else "",
        more_reliable="" if reliable is None else text(program_lines(reliable), indent=""),
        more_reliable_rate=""
        if artifact.most_reliable_rate is None
        else rate_text(artifact.most_reliable_rate),
        offsets=(),
        replay=replay_line(artifact, path, again),
        made_by=f"deadheat {environment.deadheat}, seed {artifact.origin.seed}, "
        f"{environment.system}, {environment.cores} cores",
    )


def _shown_in_campaign(finding: CampaignFinding, record: CampaignRecord) -> ExampleView:
    anchor = f"f-{finding.artifact.fingerprint}"
    shown = shown_of(finding.artifact, finding.path, anchor, finding.key, record.again)
    share = f" ({percent(finding.hits / finding.programs)})" if finding.programs else ""
    search = (
        f"{finding.hits:,} of the {finding.programs:,} programs that could show it did{share}; "
        f"first after {duration_text(finding.first_s)} (program {finding.first_program:,}), "
        f"last {duration_text(max(record.elapsed_s - finding.last_s, 0))} before the end"
    )
    return replace(
        shown,
        # Tuning that met nothing has no picture.
        offsets=charts.offsets_of(finding.picture) if any(d for _, d, _ in finding.picture) else (),
        search=search,
        state="" if finding.settled else "still being shrunk",
    )


def _page(template: str, **values: object) -> str:
    style, script = _asset("page.css") + _POSITIONS, _asset("page.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # the package's own files
            script=Markup(script),
            policy=policy,
            **values,
        )
    )


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=media.page,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
