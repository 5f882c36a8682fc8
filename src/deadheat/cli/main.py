"""The console script: the group of commands, and what becomes of an error.

Rules
- A user's mistake is one line on stderr that says what to do, never a traceback.
- Ctrl-C and SIGTERM stop the server, keep and print what was found.
- Exit codes are those of ``errors.ExitCode``; a bug of ours is never 1.
"""

from __future__ import annotations

import io
import sys

import click

from deadheat.cli.commands import commands
from deadheat.cli.options import EXIT_CODES
from deadheat.cli.output import say, tell, tell_bug
from deadheat.errors import DeadheatError, ExitCode
from deadheat.files import media


@click.group(
    commands=[*commands()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="deadheat", prog_name="deadheat")
def cli() -> None:
    """Find races in HTTP session APIs, shrink them, and say how often they show.

    \b
    First minute, without npm or network:
      deadheat run demo --exitfirst
    A real one:
      deadheat run opencode@1.0.152
    """


def _mistake(exc: click.UsageError) -> None:
    """Print the mistake in one line; the bare ``deadheat`` gets the help instead."""
    context = exc.ctx
    if context is not None and context.command is cli and not sys.argv[1:]:
        click.echo(context.get_help(), err=True)
        return
    said = exc.format_message().replace("\n", " ").rstrip(".")
    path = "deadheat" if context is None else context.command_path
    say(f"deadheat: {said}. See `{path} --help`.", err=True)


def main(words: list[str] | None = None) -> None:
    """The console script; ``words``: the command line, default: the process's own."""
    for stream in (sys.stdout, sys.stderr):  # the diagram's brackets on a terminal without them
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        cli(words, standalone_mode=False)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.UsageError as exc:
        _mistake(exc)
        sys.exit(ExitCode.USER)
    except click.ClickException as exc:
        say(f"deadheat: {media.line(exc.format_message())}", err=True)
        sys.exit(ExitCode.USER)
    except DeadheatError as exc:
        tell(exc)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.exit(ExitCode.CLEAN)
    except Exception:  # noqa: BLE001 - the last resort, so that a bug of ours is never exit 1
        tell_bug()
        sys.exit(ExitCode.INTERNAL)


if __name__ == "__main__":
    main()
