"""Shows a campaign: a screen on a terminal, plain lines elsewhere.

Rules
- What happened scrolls by above; below it the state, redrawn once a second.
- Everything to stderr. Colour and movement only on a terminal, and not with ``plain``.
- Names and log lines of the server are shown as text, never as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from deadheat.cli.console import SafeConsole
from deadheat.files import media
from deadheat.report.words import bytes_text, duration_text, percent
from deadheat.run import events
from deadheat.run.event_text import event_text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

_STYLE: dict[type, str] = {
    events.DivergenceFound: "bold red",
    events.Saved: "bold",
    events.WorkerLost: "yellow",
    events.TargetRestarted: "yellow",
    events.Plateau: "cyan",
}
# On a screen these would scroll past what matters; the state below shows them.
_STATE_SHOWS = (events.Recycled, events.WorkerStarted)
# Elsewhere, one line of the state.
_LINE_EVERY_S = 15.0
_MOST_FINDINGS = 12


class CampaignView:
    """Shows the events of a campaign. A context manager."""

    def __init__(self, *, plain: bool = False, quiet: bool = False) -> None:
        self._console = SafeConsole(stderr=True, highlight=False, no_color=plain or None)
        self._quiet = quiet
        moves = not plain and not quiet and self._console.is_terminal
        self._live = Live(console=self._console, auto_refresh=False) if moves else None
        self._shown_s = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, event: events.Event, at_s: float) -> None:
        """Show one thing that happened; a new state is drawn, or said now and then."""
        if self._quiet:
            return
        if isinstance(event, events.Snapshot):
            if self._live is not None:
                self._live.update(state_of(event), refresh=True)
                return
            if at_s - self._shown_s < _LINE_EVERY_S:
                return
            self._shown_s = at_s
        elif self._live is not None and isinstance(event, _STATE_SHOWS):
            return
        line = Text(f"{duration_text(at_s):>12}  ", style="dim")
        line.append(Text(media.line(event_text(event)), style=_STYLE.get(type(event), "")))
        self._console.print(line, soft_wrap=True)


def state_of(snapshot: events.Snapshot) -> RenderableType:
    """What the screen shows of this state."""
    head = Text.assemble((f"deadheat campaign {snapshot.target}", "bold"), "   ", _budget(snapshot))
    counts = Table.grid(padding=(0, 3))
    counts.add_row(
        _pair("programs", f"{snapshot.programs:,} ({snapshot.programs_per_s:.0f}/s)"),
        _pair("requests", f"{snapshot.requests:,} ({snapshot.requests_per_s:.0f}/s)"),
        _pair("trials", f"{snapshot.trials:,}"),
    )
    plateau = ", plateau" if snapshot.plateau else ""
    pairs = f"{snapshot.pairings_seen}/{snapshot.pairings} pairs, {snapshot.overlaps} ways{plateau}"
    server = f"{snapshot.restarts} deaths, {snapshot.recycled} recycled"
    counts.add_row(
        _pair("overlap", pairs),
        _pair("server", server),
        _pair("undecided", f"{snapshot.undecided:,}"),
    )
    parts: list[RenderableType] = [Rule(style="dim"), head, counts]
    if snapshot.findings:
        parts.append(_findings(snapshot.findings, snapshot.elapsed_s))
    else:
        parts.append(Text("no divergence so far", style="green"))
    parts.append(_workers(snapshot))
    return Group(*parts)


def _budget(snapshot: events.Snapshot) -> Text:
    spent = duration_text(snapshot.elapsed_s)
    if snapshot.seconds is not None:
        spent += f" of {duration_text(snapshot.seconds)}"
    if snapshot.budget is not None:
        spent += f", {snapshot.programs:,} of {snapshot.budget:,} programs"
    return Text(f"{spent}   Ctrl-C ends it, all is kept", style="dim")


def _pair(name: str, value: str) -> Text:
    return Text.assemble((f"{name} ", "dim"), value)


def _findings(findings: tuple[events.FindingState, ...], now_s: float) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in ("divergence", "calls", "rate", "seen", "first", "last", ""):
        table.add_column(name, justify="left" if name in ("divergence", "") else "right")
    for finding in findings[-_MOST_FINDINGS:]:
        rate = "" if finding.rate is None else percent(finding.rate)
        table.add_row(
            Text(finding.key, style="red"),
            str(finding.calls),
            rate,
            f"{finding.sightings:,}×",
            f"{duration_text(now_s - finding.first_s)} ago",
            f"{duration_text(max(now_s - finding.last_s, 0))} ago",
            Text(finding.state),
        )
    return table


def _workers(snapshot: events.Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    for worker in snapshot.workers:
        memory = bytes_text(worker.server_bytes) if worker.server_bytes else ""
        table.add_row(
            Text(worker.name, style="dim"),
            f"{worker.programs:,} programs",
            memory,
            Text(worker.doing, style="dim"),
        )
    return table
