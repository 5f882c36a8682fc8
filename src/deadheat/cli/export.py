"""``export``: a saved example for people without deadheat."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from deadheat.cli.output import give, say
from deadheat.errors import BadArtifact, CannotExport, CannotSave, UserError
from deadheat.export.har import har
from deadheat.export.markdown import markdown
from deadheat.export.recipe import Recipe, TableRow
from deadheat.export.requests import reading, reads_of, sent_of, start_of, steps_of
from deadheat.export.scripts import curl_lines, pytest_file, script
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.run.replay import trials_wanted
from deadheat.targets.catalog import profile_of

if TYPE_CHECKING:
    from deadheat.export.recipe import Reads, RequestTemplate
    from deadheat.model.history import Operation
    from deadheat.targets.profile.profile import Profile


class ExportFormat(StrEnum):
    """The formats of an export."""

    SCRIPT = "script"
    PYTEST = "pytest"
    CURL = "curl"
    MARKDOWN = "markdown"
    HAR = "har"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "form",
    type=click.Choice([form.value for form in ExportFormat]),
    required=True,
    help="script: one Python file that reproduces by itself. pytest: a test for the target's own "
    "repository. curl: lines for a shell. markdown: a bug report. har: the recorded trial.",
)
@click.option("--stdlib", is_flag=True, help="A script that does not need httpx.")
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Versions for the bug report, as `replay --save-table` wrote them.",
)
@click.option(
    "--profile", metavar="FILE", help="Where the target's profile is.  [default: as recorded]"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it.  [default: standard output]",
)
def export(
    file: Path,
    form: str,
    stdlib: bool,
    table: Path | None,
    profile: str | None,
    output: Path | None,
) -> None:
    """Write a saved failing example as a file for people without deadheat.

    \b
    Examples:
      deadheat export ghost-1a2b3c4d.json --as script -o repro.py
      deadheat export ghost-1a2b3c4d.json --as script --stdlib -o repro.py
      deadheat export ghost-1a2b3c4d.json --as markdown --table versions.json
      deadheat export ghost-1a2b3c4d.json --as pytest -o test_ghost.py
      deadheat export double-create-1a2b3c4d.json --as curl --profile carts.toml
    """
    kind = ExportFormat(form)
    if stdlib and kind is not ExportFormat.SCRIPT:
        raise UserError("--stdlib goes with --as script. Leave it out.")
    if table is not None and kind is not ExportFormat.MARKDOWN:
        raise UserError("--table goes with --as markdown. Leave it out.")
    artifact = artifacts.read(file)
    spoken = profile_of(
        artifact.target.name, artifact.target.profile, artifact.target.version, profile
    )
    wire = spoken.wire()
    list_all, get, delete = reading(artifact, wire)
    recipe = Recipe(
        artifact,
        steps_of(artifact, wire),
        list_all,
        get,
        delete,
        start_of(artifact),
        trials_wanted(artifact),
        file.name,
        () if table is None else read_table(table),
        _reads(spoken, kind),
        tuple(spoken.headers.items()) + spoken.bearer(),
        spoken.basic(),
    )
    name = "repro.py" if output is None else output.name
    match kind:
        case ExportFormat.SCRIPT:
            text = script(recipe, name, stdlib=stdlib)
        case ExportFormat.PYTEST:
            text = pytest_file(recipe, "test_repro.py" if output is None else name)
        case ExportFormat.CURL:
            text = curl_lines(recipe, "repro.sh" if output is None else name)
        case ExportFormat.MARKDOWN:
            text = markdown(recipe, "repro.py", with_script=True)
        case ExportFormat.HAR:

            def request_of(op: Operation) -> RequestTemplate:
                return sent_of(wire, op)

            text = har(recipe, request_of)
        case _:
            assert_never(kind)
    if output is None:
        give(media.file_text(text))
        return
    try:
        output.write_text(media.file_text(text), encoding="utf-8")
    except OSError as exc:
        raise CannotSave(
            f"{output} cannot be written ({exc.strerror}). Name another file with --output."
        ) from exc
    how = {
        ExportFormat.SCRIPT: f"`python {output} --help` says how to run it",
        ExportFormat.PYTEST: f"pytest {output}",
        ExportFormat.CURL: f"bash {output}",
    }
    say(f"written to {output}" + (f": {how[kind]}" if kind in how else ""), err=True)


def _reads(profile: Profile, kind: ExportFormat) -> tuple[tuple[str, Reads], ...]:
    """How a script reads answers; a report leaves the script out where there cannot be one."""
    try:
        return reads_of(profile)
    except CannotExport:
        if kind in (ExportFormat.SCRIPT, ExportFormat.PYTEST):
            raise
        return ()


def read_table(path: Path) -> tuple[TableRow, ...]:
    """Read what ``replay --save-table`` wrote. Raises ``BadArtifact``."""
    try:
        whole: Any = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            TableRow(
                str(row["target"]),
                int(row["trials"]),
                int(row["diverged"]),
                str(row["verdict"]) + (f": {row['why']}" if row["why"] else ""),
            )
            for row in whole["versions"]
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BadArtifact(
            f"{path} is not a table of versions. Write one with `deadheat replay FILE "
            "--against A,B --save-table TABLE`."
        ) from exc
