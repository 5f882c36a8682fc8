"""What a person sees while it works: a live line on a terminal, plain lines elsewhere.

Rules
- Results go to stdout, everything else to stderr.
- Colour and movement only on a terminal; elsewhere a line every few seconds.
- All that is printed is text, never markup, and passes ``media`` last of all (``SafeConsole``).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn
from rich.segment import Segment
from rich.text import Text

from deadheat.cli.wrapping import wrapped
from deadheat.files import media
from deadheat.report.words import hiccups_text, via_text
from deadheat.run import events
from deadheat.run.event_text import event_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderableType

# What a dead server said last; enough for the head of a traceback's end.
_TAIL_LINES = 5
# Without a terminal: often enough to see that it lives, seldom enough for a CI log.
_LINE_EVERY_S = 10.0


class SafeConsole(Console):
    """Rich's console, with control and direction characters made visible."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render as Rich does, with each text made safe."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n":
                yield segment
            else:
                yield Segment(media.lines(segment.text), segment.style)


class View:
    """Shows the events of a run. A context manager; ``tell`` is the engine's ``sink``."""

    def __init__(self, *, plain: bool = False, quiet: bool = False) -> None:
        self._console = SafeConsole(stderr=True, highlight=False, no_color=plain or None)
        self._quiet = quiet
        self._live = not plain and not quiet and self._console.is_terminal
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._last_line_s = 0.0
        self._counted_s = time.monotonic()
        self._last_phase: events.Phase | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Stop the live line while a question is asked."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()

    def note(self, line: str) -> None:
        """Print one line at once."""
        if not self._quiet:
            shown = media.line(line)
            if self._console.is_terminal:
                shown = wrapped(shown, self._console.width)
            self._console.print(Text(shown), soft_wrap=True)

    def waiting(self, what: str) -> None:
        """Show that something slow has begun."""
        if self._live:
            self._bar.update(self._task, description=media.line(what))
        else:
            self.note(what)

    def moving(self, what: str) -> None:
        """Show a step of something that has been announced; on a terminal only."""
        if self._live:
            self._bar.update(self._task, description=media.line(what))

    def counting(self, what: str) -> None:
        """Show that one more of many is done; without a terminal every few seconds."""
        if self._live:
            self._bar.update(self._task, description=media.line(what))
        elif time.monotonic() - self._counted_s >= _LINE_EVERY_S:
            self._counted_s = time.monotonic()
            self.note(what)

    def remark(self, text: str | None) -> None:
        """Show a note, if there is one."""
        if text is not None:
            self.note(f"note: {text}")

    def tell(self, event: events.Event) -> None:
        """Show one event."""
        if isinstance(event, events.Progress):
            self._progress(event)
            return
        self.note(event_text(event))
        match event:
            case events.Started(via=via, met=met):
                self.remark(via_text(via))
                self.remark(hiccups_text(met))
            case events.TargetRestarted(log_tail=log_tail):
                for row in log_tail.splitlines()[-_TAIL_LINES:]:
                    self.note(f"  its log: {row}")
            case _:
                pass

    def _progress(self, event: events.Progress) -> None:
        line = event_text(event)
        if self._live:
            self._bar.update(self._task, description=media.line(line))
        elif (
            event.elapsed_s - self._last_line_s >= _LINE_EVERY_S or event.phase != self._last_phase
        ):
            self._last_line_s, self._last_phase = event.elapsed_s, event.phase
            self.note(line)
