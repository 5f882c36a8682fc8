"""What several commands take: durations, and the options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

EXIT_CODES = """\b
Exit codes:
  0    nothing diverged
  1    a divergence was found
  2    a mistake in the command, a file or an option
  3    the target is broken, or nothing was exercised
  4    deadheat itself failed: please report it
  130  interrupted (what was found is kept and printed)
"""


class Duration(click.ParamType):  # type: ignore[type-arg]
    """``90``, ``90s``, ``10m``, ``8h``; in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, more than 0."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
        for unit in ("ms", "s", "m", "h"):
            if text.endswith(unit):
                text, factor = text[: -len(unit)].strip(), units[unit]
                break
        else:
            factor = 1.0
        try:
            seconds = float(text) * factor
        except ValueError:
            self.fail(f"{value!r} is no duration. Write 60s, 10m or 8h.", param, ctx)
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no positive duration. Write 60s, 10m or 8h.", param, ctx)
        return seconds


PROFILE = click.option("--profile", metavar="NAME", help="How to speak to a URL: opencode.")


def _remember(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    ctx.meta["deadheat.http2"] = given


def http2_wanted() -> bool:
    """Was ``--http2`` given to the command that runs?"""
    return bool(click.get_current_context().meta.get("deadheat.http2", False))


# Not an argument of every command: only ``ending.find`` needs it.
HTTP2 = click.option(
    "--http2",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Speak HTTP/2 to an https:// URL: the requests of a round leave in one packet.",
)
REMOTE = click.option(
    "--allow-remote", is_flag=True, help="Allow a URL that is not on this machine."
)
FOLDER = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".deadheat"),
    show_default=True,
    help="Folder for the saved examples.",
)
