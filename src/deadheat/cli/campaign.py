"""``campaign`` and ``report``: search for hours, and write a page about it."""

from __future__ import annotations

import sys
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from deadheat.campaign.rows import Settings
from deadheat.campaign.run import REPORT, CampaignOrder, CampaignResult, run_campaign
from deadheat.campaign.store import read_record
from deadheat.cli.common import find
from deadheat.cli.console import View
from deadheat.cli.options import (
    EXIT_CODES,
    FOLDER,
    HTTP2,
    PROFILE,
    REMOTE,
    Duration,
    Size,
    http2_wanted,
    max_rps_wanted,
)
from deadheat.cli.output import say, tell
from deadheat.cli.screen import CampaignView
from deadheat.cli.trust import TRUST, must_be_trusted
from deadheat.errors import BadArtifact, CannotSave, UserError
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.report.campaign import campaign_text
from deadheat.report.html import campaign_page, example_page
from deadheat.run import search as session
from deadheat.run.event_lines import lines_to
from deadheat.targets.python.loader import named

if TYPE_CHECKING:
    from deadheat.run.events import Event

# OpenCode keeps each session's files in its home, and its memory grows: some hundred programs
# later it is no slower, some ten thousand later it is.
_RECYCLE_PROGRAMS = 2_000
_RECYCLE_BYTES = 2 * 1024**3
_KEEP = 200


@click.command(epilog=EXIT_CODES)
@click.argument("target", required=False)
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    help="Stop after this long.  [default: until Ctrl-C]",
)
@click.option("--programs", type=click.IntRange(1), metavar="N", help="Stop after N programs.")
@click.option("--seed", type=int, help="Draw the same programs again.  [default: random]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Go on with a campaign where it stopped. --for and --programs are then totals.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes, each with a server of its own.  [default: as many as help, by measuring]",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Run the workers on a Dask cluster; `local` starts one here. Needs deadheat[cluster].",
)
@click.option(
    "--events",
    metavar="FILE",
    help="Write what happens as NDJSON; - is stdout.",
)
@click.option("--no-progress", is_flag=True, help="Plain lines also on a terminal.")
@click.option(
    "--keep", type=click.IntRange(0), default=_KEEP, show_default=True, metavar="N",
    help="Whole histories of sightings to keep.",
)  # fmt: skip
@click.option(
    "--recycle", type=click.IntRange(0), default=_RECYCLE_PROGRAMS, show_default=True, metavar="N",
    help="Give the server a fresh home after N programs; 0: never.",
)  # fmt: skip
@click.option(
    "--memory", type=Size(), default=_RECYCLE_BYTES, show_default="2G", metavar="SIZE",
    help="And when it holds more memory than this; 0: never.",
)  # fmt: skip
@PROFILE
@HTTP2
@TRUST
@REMOTE
@FOLDER
def campaign(
    target: str | None,
    seconds: float | None,
    programs: int | None,
    seed: int | None,
    resume: Path | None,
    workers: int | None,
    cluster: str | None,
    events: str | None,
    no_progress: bool,
    keep: int,
    recycle: int,
    memory: int,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Fuzz TARGET for hours: find everything, shrink it, keep going.

    Everything is in one folder, written as it happens: report.html to look at,
    found/ with the failing examples. It survives kill -9; --resume goes on.

    \b
    Examples:
      deadheat campaign opencode@1.0.152 --for 8h
      deadheat campaign demo --programs 2000 --workers 2
      deadheat campaign --resume .deadheat/opencode@1.0.152/campaign-20260101-220000 --for 16h
    """
    if (target is None) == (resume is None):
        raise UserError("Name a TARGET, or a campaign with --resume DIR, and not both.")
    settings = None
    if target is not None:
        if "://" in target and urlsplit(target).username is not None:
            raise UserError(
                "a campaign keeps TARGET in its folder, so a user or password may not be in it. "
                "Write [auth] into the profile."
            )
        artifacts.check_writable(into)
        with View(quiet=events == "-") as view:
            found = find(target, profile, allow_remote, view)  # downloads, and says what is wrong
        now = time.localtime()
        settings = Settings(
            word=_whole(target),
            profile=None if profile is None else _whole(profile),
            allow_remote=allow_remote,
            seed=session.random_seed() if seed is None else seed,
            seconds=seconds,
            programs=programs,
            keep=keep,
            recycle_programs=recycle,
            recycle_bytes=memory,
            began=time.strftime("%Y-%m-%d %H:%M:%S", now),
            http2=http2_wanted(),
            max_rps=max_rps_wanted(),
        )
        folder = _fresh(into / session.folder_name(found.name), now)
    else:
        assert resume is not None
        folder = resume
        with View(quiet=events == "-") as view:
            must_be_trusted(read_record(resume).target, str(resume), view)
    order = CampaignOrder(folder, settings, workers, cluster, seconds, programs)
    result = _watched(order, events, no_progress=no_progress)
    if events != "-":
        say(campaign_text(result.record, result.report, proves=result.error is None))
    if result.error is not None:
        tell(result.error)
    sys.exit(result.exit_code)


def _whole(word: str) -> str:
    """The absolute name of a file, so that a resume elsewhere finds it; any other word as it is."""
    if (python := named(word)) is not None:
        return f"{python[0].absolute()}:{python[1]}"
    return str(Path(word).absolute()) if word.endswith(".toml") else word


def _fresh(parent: Path, now: time.struct_time) -> Path:
    name = time.strftime("campaign-%Y%m%d-%H%M%S", now)
    folder, n = parent / name, 1
    while folder.exists():
        n += 1
        folder = parent / f"{name}-{n}"
    return folder


def _watched(order: CampaignOrder, events: str | None, *, no_progress: bool) -> CampaignResult:
    with (
        lines_to(events, append=True) as lines,
        CampaignView(plain=no_progress, quiet=events == "-") as view,
    ):

        def tell(event: Event, at_s: float) -> None:
            view.tell(event, at_s)
            lines.tell(event, at_s)

        return run_campaign(order, tell)


@click.command()
@click.argument("path", metavar="DIR|FILE", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it.  [default: report.html in DIR, or FILE with .html]",
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report(path: Path, output: Path | None, show: bool) -> None:
    """Write the report of a campaign, or of one saved example, as one HTML file.

    It needs no network and can be sent as it is.

    \b
    Examples:
      deadheat report .deadheat/opencode@1.0.152/campaign-20260101-220000 --open
      deadheat report .deadheat/demo/ghost-1a2b3c4d.json
    """
    if path.is_dir():
        page = campaign_page(read_record(path))
        where = output or path / REPORT
    else:
        if not path.exists():
            raise BadArtifact(f"{path} does not exist. Name a campaign's folder or an example.")
        page = example_page(artifacts.read(path), path)
        where = output or path.with_suffix(".html")
    try:
        where.write_text(media.file_text(page), encoding="utf-8")
    except OSError as exc:
        raise CannotSave(
            f"{where} cannot be written ({exc.strerror}). Name another with --output."
        ) from exc
    say(where)
    if show:
        webbrowser.open(where.absolute().as_uri())
