"""Commands that compare targets by a saved example: replay on several, bisect, verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deadheat.cli.common import target_of
from deadheat.cli.console import View
from deadheat.cli.options import EXIT_CODES, PROFILE, REMOTE
from deadheat.cli.output import say
from deadheat.cli.trust import TRUST, is_trusted
from deadheat.errors import CannotSave, ExitCode, UnknownTarget, UserError
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.files.results import Presence
from deadheat.report import comparison as report
from deadheat.run import compare as comparison
from deadheat.run import verify as verifying
from deadheat.targets.opencode import releases as opencode
from deadheat.trials.evidence import Present, Unproven

if TYPE_CHECKING:
    from deadheat.drive.target import Target
    from deadheat.files.results import Verified, VersionRow


class Confidence(click.ParamType):  # type: ignore[type-arg]
    """``99`` or ``99.9``: per cent; as a fraction."""

    name = "percent"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """More than 50 and less than 100."""
        if isinstance(value, float):
            return value
        try:
            percent = float(str(value).strip().removesuffix("%"))
        except ValueError:
            self.fail(f"{value!r} is not a confidence. Write 99 or 99.9.", param, ctx)
        if not 50 <= percent < 100:
            self.fail(f"{value!r} is not a confidence. Give 50 or more, below 100.", param, ctx)
        return percent / 100


CONFIDENCE = click.option(
    "--confidence",
    type=Confidence(),
    default=0.99,
    show_default="99",
    metavar="PERCENT",
    help="How sure the answer must be.",
)


def compare(
    path: Path,
    artifact: artifacts.Artifact,
    words: tuple[str, ...],
    trials: int | None,
    profile: str | None,
    allow_remote: bool,
    save: Path | None,
) -> ExitCode:
    """``replay`` against several targets: print the table; returns the exit code."""
    with View() as view:

        def find(word: str) -> Target:
            return target_of(artifact, path, word, profile, allow_remote, view)

        found = comparison.compare(artifact, words, find, trials, view)
    if found.rows:
        say(f"{artifact.anomaly}  {path}, recorded on {artifact.target.name}\n")
        say(report.versions_table(found.rows))
    if save is not None:
        save_table(artifact, found.rows, save)
    if found.interrupted:
        say("interrupted: this is what was found until then", err=True)
        return ExitCode.INTERRUPTED
    return table_code(found.rows)


def table_code(rows: list[VersionRow]) -> ExitCode:
    """The exit code of a table: 1 if anything diverged, 3 if nothing could be compared."""
    standings = {row.standing for row in rows}
    if standings & {Presence.PRESENT, Presence.DIFFERENT}:
        return ExitCode.DIVERGED
    return ExitCode.CLEAN if Presence.NOT_SEEN in standings else ExitCode.TARGET


def save_table(artifact: artifacts.Artifact, rows: list[VersionRow], path: Path) -> None:
    """The table as JSON. Raises ``CannotSave``."""
    text = media.json_text(report.versions_json(artifact, rows), indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise CannotSave(f"{path} cannot be written ({exc.strerror}). Name another file.") from exc


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--good", required=True, metavar="VERSION", help="A release without it.")
@click.option("--bad", required=True, metavar="VERSION", help="A release that shows it.")
@CONFIDENCE
def bisect(file: Path, good: str, bad: str, confidence: float) -> None:
    """Find the release in which a saved failing example came or went.

    Walks the releases that npm has between the two. Each is tried trial by trial beside
    one that has it: it is bad for certain once it shows it, and good only when the
    other has shown it so often that the whole bisection keeps within --confidence.

    \b
    Examples:
      deadheat bisect ghost-1a2b3c4d.json --good 1.2.1 --bad 1.0.185
      deadheat bisect ghost-1a2b3c4d.json --good 1.0.0 --bad 1.0.152 --confidence 99.9

    Exits with 0 once a release is named.
    """
    artifact = artifacts.read(file)
    with View() as view:
        view.waiting("asking npm which releases there are")
        words, present_first = between(_release(good), _release(bad))
        view.note(f"{len(words)} releases from {words[0]} to {words[-1]}")

        def find(word: str) -> Target:
            return target_of(artifact, file, word, None, False, view)

        found = comparison.bisect(
            artifact,
            words,
            find,
            present_first=present_first,
            confidence=confidence,
            view=view,
        )
    say(report.bisected_text(found))


def between(good: str, bad: str) -> tuple[tuple[str, ...], bool]:
    """The targets in order, and whether the bad one comes first. Raises ``UnknownTarget``."""
    if good == bad:
        raise UserError(f"{good} cannot be both good and bad. Name two releases.")
    versions = opencode.versions_between(good, bad)
    return tuple(f"opencode@{version}" for version in versions), versions[0] == bad


def _release(word: str) -> str:
    family, at, version = word.partition("@")
    if not at:
        return word
    if family != "opencode":
        raise UnknownTarget(f"{word!r} has no releases to walk. Name two of opencode's.")
    return version


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--against", required=True, metavar="TARGET", help="What is said to be fixed.")
@click.option(
    "--baseline",
    metavar="TARGET",
    help="Measure this one, which has it, in between.  "
    "[default: the recorded one, if the machine is not as it was]",
)
@CONFIDENCE
@PROFILE
@TRUST
@REMOTE
def verify(
    file: Path,
    against: str,
    baseline: str | None,
    confidence: float,
    profile: str | None,
    allow_remote: bool,
) -> None:
    """Is a saved failing example fixed, or was it only lucky?

    Runs as many trials as its recorded rate asks for, and says "fixed" only when
    a race at a third of that rate would have been seen in trials that raced: all calls
    sent on time, and answered. On a machine unlike the one that recorded it (slower,
    other cores) the rate says nothing: then the old version is measured too, trial by trial.

    \b
    Examples:
      deadheat verify ghost-1a2b3c4d.json --against opencode@1.2.1
      deadheat verify ghost-1a2b3c4d.json --against opencode --baseline opencode@1.0.152
      deadheat verify ghost-1a2b3c4d.json --against http://127.0.0.1:4096 --profile opencode

    \b
    Exits with 0 when it is fixed, 1 when it is not (or something else diverges),
    3 when it cannot be known.
    """
    artifact = artifacts.read(file)
    with View() as view:
        target = target_of(artifact, file, against, profile, allow_remote, view)

        def old() -> Target | None:
            word = baseline or artifact.target.name
            if baseline is None and "://" in word:
                return None  # the server there now need not be the recorded one
            if baseline is None and word != against and not is_trusted(word, str(file), view):
                return None
            return target_of(artifact, file, word, None, allow_remote, view)

        found = verifying.verify(
            artifact, target, old, confidence, view, baseline_at_once=baseline is not None
        )
    say(report.verified_text(artifact, str(file), found))
    sys.exit(verified_code(found))


def verified_code(found: Verified) -> ExitCode:
    """The exit code: 0 fixed, 1 not fixed or something else diverged, 3 unknown."""
    if isinstance(found.evidence, Present) or found.seen is not None:
        return ExitCode.DIVERGED
    return ExitCode.TARGET if isinstance(found.evidence, Unproven) else ExitCode.CLEAN
