"""The command line: words to a target, a plan and an exit code.

Rules
- A user's mistake is one line on stderr that says what to do, never a traceback.
- Ctrl-C and SIGTERM stop the server, keep and print what was found.
- Exit codes are those of ``errors.ExitCode``; a bug of ours is never 1.
"""

from __future__ import annotations

import io
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import deadheat
from deadheat import artifact as artifacts
from deadheat import session
from deadheat.console import View
from deadheat.errors import DeadheatError, ExitCode, UserError
from deadheat.report import outcome
from deadheat.report.terminal import finding_text
from deadheat.targets.catalog import KINDS, resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.campaign.engine import Engine
    from deadheat.drive.target import Target
    from deadheat.results import Summary

_EXIT_CODES = """\b
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


_PROFILE = click.option("--profile", metavar="NAME", help="How to speak to a URL: opencode.")
_REMOTE = click.option(
    "--allow-remote", is_flag=True, help="Allow a URL that is not on this machine."
)
_FOLDER = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".deadheat"),
    show_default=True,
    help="Folder for the saved examples.",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(deadheat.__version__, prog_name="deadheat")
def cli() -> None:
    """Find races in HTTP session APIs, shrink them, and say how often they show.

    \b
    First minute, without npm or network:
      deadheat run demo --exitfirst
    A real one:
      deadheat run opencode@1.0.152
    """


@cli.command(epilog=_EXIT_CODES)
@click.argument("target")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    help="Stop after this long, shrinking included.  [default: 60s unless --programs is given]",
)
@click.option("--programs", type=click.IntRange(1), metavar="N", help="Stop after N programs.")
@click.option("--seed", type=int, help="Draw the same programs again.  [default: random]")
@click.option(
    "-x", "--exitfirst", is_flag=True, help="Stop once the first divergence is shrunk and measured."
)
@_PROFILE
@_REMOTE
@_FOLDER
def run(
    target: str,
    seconds: float | None,
    programs: int | None,
    seed: int | None,
    exitfirst: bool,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Fuzz TARGET: search, shrink what diverges, measure how often.

    \b
    Examples:
      deadheat run demo --exitfirst
      deadheat run opencode@1.0.152 --for 10m
      deadheat run http://127.0.0.1:4096 --profile opencode --programs 2000 --seed 7
    """
    if seconds is None and programs is None:
        seconds = 60.0
    artifacts.check_writable(into)
    with View() as view:
        found = _resolve(target, profile, allow_remote, view)
        order = session.RunOrder(
            found,
            seed=session.random_seed() if seed is None else seed,
            folder=into / session.folder_name(found.name),
            seconds=seconds,
            programs=programs,
            exit_first=exitfirst,
        )
        result = session.run(order, view)
    _say_and_end(result)


@cli.command(epilog=_EXIT_CODES)
@click.argument("target")
@click.option(
    "--budget",
    type=Duration(),
    default="60s",
    show_default=True,
    help="Hard limit on everything: server start, search, shrinking.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which programs are drawn.")
@click.option(
    "-x", "--exitfirst", is_flag=True, help="Stop once the first divergence is shrunk and measured."
)
@_PROFILE
@_REMOTE
@_FOLDER
def ci(
    target: str,
    budget: float,
    seed: int,
    exitfirst: bool,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """The bounded form of run: a hard time limit, a fixed seed, no colour.

    The last line of stdout is `deadheat-result: ` and one JSON object.

    \b
    Examples:
      deadheat ci opencode@1.2.1 --budget 60s
      deadheat ci demo --budget 20s --exitfirst
    """
    began_s = time.monotonic()
    artifacts.check_writable(into)
    with View(plain=True) as view:
        found = _resolve(target, profile, allow_remote, view)
        order = session.RunOrder(
            found,
            seed=seed,
            folder=into / session.folder_name(found.name),
            seconds=max(budget - (time.monotonic() - began_s), 0.1),
            programs=None,
            exit_first=exitfirst,
            hard=True,
        )
        result = session.run(order, view)
    _say(result)
    click.echo(outcome.machine_line(result.summary, int(result.exit_code)))
    _end(result)


@cli.command(epilog=_EXIT_CODES)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--against", metavar="TARGET", help="Another server than the recorded one.")
@click.option(
    "--trials",
    type=click.IntRange(1),
    metavar="N",
    help="Run exactly N trials.  [default: until it diverges, or as many as its rate asks for]",
)
@_PROFILE
@_REMOTE
def replay(
    files: tuple[Path, ...],
    against: str | None,
    trials: int | None,
    profile: str | None,
    allow_remote: bool,
) -> None:
    """Run saved failing examples again.

    Without --trials each one is run until it diverges, or until so many trials
    were quiet that its recorded rate is refuted (99 %).

    \b
    Examples:
      deadheat replay .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json
      deadheat replay ghost-1a2b3c4d.json --against opencode@1.2.1
      deadheat replay ghost-1a2b3c4d.json --trials 500
    """
    loaded = [(path, artifacts.read(path)) for path in files]
    worst = ExitCode.CLEAN
    for path, artifact in loaded:
        with View() as view:
            target = _target_of(artifact, path, against, profile, allow_remote, view)
            result = session.replay(artifact, target, trials, view)
        if result.replayed is not None:
            click.echo(outcome.replay_text(artifact, path, result.replayed, target.name))
        if result.error is not None:
            raise result.error
        if result.interrupted:
            sys.exit(ExitCode.INTERRUPTED)
        worst = max(worst, result.exit_code)
    sys.exit(worst)


@cli.command(epilog=_EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="DURATION",
    default="5m",
    show_default=True,
    help="Stop after this long.",
)
@click.option("--against", metavar="TARGET", help="Another server than the recorded one.")
@_PROFILE
@_REMOTE
@_FOLDER
def shrink(
    file: Path,
    seconds: float,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Go on shrinking a saved failing example, with a larger budget.

    The result is saved in the target's folder under --into; a smaller example
    gets a file of its own.

    \b
    Example:
      deadheat shrink .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json --for 10m
    """
    artifact = artifacts.read(file)

    def work(engine: Engine) -> Awaitable[Summary]:
        return engine.shrink_again(artifact, file)

    _say_and_end(_rework(artifact, file, seconds, against, profile, allow_remote, into, work))


@cli.command(epilog=_EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--trials", type=click.IntRange(20), default=600, show_default=True, help="Trials to spend."
)
@click.option("--against", metavar="TARGET", help="Another server than the recorded one.")
@_PROFILE
@_REMOTE
@_FOLDER
def tune(
    file: Path,
    trials: int,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
) -> None:
    """Look for the offsets at which a saved failing example diverges most.

    A coarse sweep, then most trials around the best offsets; the winner is
    measured on fresh trials, so that its rate is not that of a lucky one.

    \b
    Example:
      deadheat tune .deadheat/demo/ghost-1a2b3c4d.json --trials 1000
    """
    artifact = artifacts.read(file)

    def work(engine: Engine) -> Awaitable[Summary]:
        return engine.tune_again(artifact, file, trials)

    result = _rework(artifact, file, None, against, profile, allow_remote, into, work)
    if result.picture:
        click.echo(outcome.offset_picture(result.picture))
    _say_and_end(result)


def _rework(
    artifact: artifacts.Artifact,
    file: Path,
    seconds: float | None,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    into: Path,
    work: Callable[[Engine], Awaitable[Summary]],
) -> session.RunResult:
    artifacts.check_writable(into)
    with View() as view:
        target = _target_of(artifact, file, against, profile, allow_remote, view)
        order = session.RunOrder(
            target,
            seed=artifact.origin.seed,
            folder=into / session.folder_name(target.name),
            seconds=seconds,
            programs=None,
            exit_first=True,
        )
        return session.run(order, view, work)


def _target_of(
    artifact: artifacts.Artifact,
    file: Path,
    against: str | None,
    profile: str | None,
    allow_remote: bool,
    view: View,
) -> Target:
    """The target to run an example on: the recorded one, or another of the same profile."""
    word = against or artifact.target.name
    used = profile or (artifact.target.profile if "://" in word else None)
    target = _resolve(word, used, allow_remote, view)
    if target.wire.name != artifact.target.profile:
        raise UserError(
            f"{file} is for the profile {artifact.target.profile}, and {target.name} "
            f"speaks {target.wire.name}. Name a target of that profile with --against."
        )
    return target


def _say_and_end(result: session.RunResult) -> None:
    _say(result)
    _end(result)


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
def show(files: tuple[Path, ...]) -> None:
    """Print saved failing examples, without running anything.

    \b
    Example:
      deadheat show .deadheat/opencode@1.0.152/ghost-1a2b3c4d.json
    """
    for path in files:
        click.echo(finding_text(artifacts.read(path), path))


@cli.command()
def targets() -> None:
    """Say what can be named as TARGET, with an example of each."""
    width = max(len(word) for word, _, _ in KINDS)
    for word, meaning, example in KINDS:
        click.echo(f"{word.ljust(width)}  {meaning}")
        click.echo(f"{' ' * width}  $ {example}")


def _say(result: session.RunResult) -> None:
    proves = result.error is None
    click.echo(outcome.run_text(result.summary, interrupted=result.interrupted, proves=proves))


def _end(result: session.RunResult) -> NoReturn:
    """With findings an error is told, and the exit code is that of the findings."""
    if result.error is not None:
        _tell(result.error)
    sys.exit(result.exit_code)


def _tell(error: DeadheatError) -> None:
    click.echo(f"deadheat: {error}", err=True)
    tail = getattr(error, "log_tail", "")
    if tail:
        click.echo(
            "its last output:\n" + "\n".join(f"  {row}" for row in tail.splitlines()), err=True
        )


def _resolve(word: str, profile: str | None, allow_remote: bool, view: View) -> Target:
    return resolve(word, profile=profile, allow_remote=allow_remote, report=view.waiting)


def _mistake(exc: click.UsageError) -> None:
    """One line, but for the bare ``deadheat``, which gets the help."""
    context = exc.ctx
    if context is not None and context.command is cli and not sys.argv[1:]:
        click.echo(context.get_help(), err=True)
        return
    said = exc.format_message().replace("\n", " ").rstrip(".")
    path = "deadheat" if context is None else context.command_path
    click.echo(f"deadheat: {said}. See `{path} --help`.", err=True)


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):  # the diagram's brackets on a terminal without them
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)
    except click.UsageError as exc:
        _mistake(exc)
        sys.exit(ExitCode.USER)
    except click.ClickException as exc:
        click.echo(f"deadheat: {exc.format_message()}", err=True)
        sys.exit(ExitCode.USER)
    except DeadheatError as exc:
        _tell(exc)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.exit(ExitCode.CLEAN)
    except Exception:  # noqa: BLE001 - the last resort, so that a bug of ours is never exit 1
        traceback.print_exc()
        click.echo(
            "deadheat: this is a bug in deadheat. Please report it with the text above.", err=True
        )
        sys.exit(ExitCode.INTERNAL)


if __name__ == "__main__":
    main()
