"""The options and value types that several commands share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deadheat.files.duration import seconds_of
from deadheat.model.promises import EventPromise

if TYPE_CHECKING:
    from collections.abc import Callable

    from deadheat.drive.target import Target

EXIT_CODES = """\b
Exit codes:
  0    nothing diverged
  1    a divergence was found
  2    a mistake in the command, a file or an option
  3    the target is broken, or nothing was exercised
  4    deadheat itself failed: please report it
  130  interrupted (what was found is kept and printed)
"""


F = TypeVar("F", bound="Callable[..., Any]")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """``90``, ``90s``, ``10m``, ``8h``; in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, more than 0."""
        try:
            return seconds_of(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


PROFILE = click.option(
    "--profile", metavar="NAME|FILE", help="How to speak to a URL: opencode, or a profile in TOML."
)


def _remember(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    ctx.meta["deadheat.http2"] = given


def http2_wanted() -> bool:
    """Was ``--http2`` given to the command that is running?"""
    return bool(click.get_current_context().meta.get("deadheat.http2", False))


# Not an argument of every command: only ``common.find`` needs it.
HTTP2 = click.option(
    "--http2",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Speak HTTP/2 to an https:// URL: the requests of a round leave in one packet.",
)


class Size(click.ParamType):  # type: ignore[type-arg]
    """``500M``, ``2G``, or bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes, 0 or more."""
        if isinstance(value, int):
            return value
        text = str(value).strip().upper().removesuffix("B")
        units = {"K": 1024, "M": 1024**2, "G": 1024**3}
        factor = units.get(text[-1:], 1)
        try:
            size = float(text[:-1] if factor > 1 else text) * factor
        except ValueError:
            size = -1.0
        if not 0 <= size < float("inf"):
            self.fail(f"{value!r} is not a size. Write 500M or 2G.", param, ctx)
        return int(size)


def max_rps_wanted() -> float | None:
    """The value of ``--max-rps`` of the command that is running."""
    wanted: float | None = click.get_current_context().meta.get("deadheat.max_rps")
    return wanted


def _put(ctx: click.Context, param: click.Parameter, given: object) -> None:
    ctx.meta[f"deadheat.{param.name}"] = given


def observing(target: Target, recorded_s: float | None = None) -> Target:
    """The target with the values of ``--hang-after``, ``--max-rps`` and ``--no-stream``.

    ``recorded_s``: else a call hangs after so long.
    """
    meta = click.get_current_context().meta
    seconds = meta.get("deadheat.hang_after") or recorded_s
    if seconds is not None:
        target = replace(target, timeout_s=seconds)
    if meta.get("deadheat.max_rps") is not None:
        target = replace(target, max_rps=meta["deadheat.max_rps"])
    if meta.get("deadheat.no_stream"):
        silent = replace(target.promises, events=EventPromise.NONE)
        target = replace(target, promises=silent, events=None)
    return target


HANG_AFTER = click.option(
    "--hang-after",
    type=Duration(),
    metavar="DURATION",
    expose_value=False,
    callback=_put,
    help="A call without an answer for so long hangs, if others are answered.  [default: 10s]",
)
NO_STREAM = click.option(
    "--no-stream",
    is_flag=True,
    expose_value=False,
    callback=_put,
    help="Do not listen to the target's event stream.",
)
MAX_RPS = click.option(
    "--max-rps",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    expose_value=False,
    callback=_put,
    help="At most N requests a second on average, races as they are.  [default: no limit]",
)
ALLOW_REMOTE = click.option(
    "--allow-remote", is_flag=True, help="Allow a URL that is not on this machine."
)


def REMOTE(command: F) -> F:  # noqa: N802 - used as the other options are
    """``--allow-remote`` and ``--max-rps``: where requests go, and how many."""
    return ALLOW_REMOTE(MAX_RPS(command))


FOLDER = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".deadheat"),
    show_default=True,
    help="Folder for the saved examples.",
)
CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration.  [default: deadheat.toml or [tool.deadheat] in pyproject.toml]",
)
REGRESSIONS = click.option(
    "--regressions",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the committed examples.  [default: fuzz/regressions]",
)
