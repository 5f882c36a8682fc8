"""``init``: a first profile from an OpenAPI document, and from what the server answers."""

from __future__ import annotations

import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import click

from deadheat.cli.options import ALLOW_REMOTE
from deadheat.cli.output import say
from deadheat.drive.event_loop import run_until
from deadheat.drive.openapi_lookup import find_document
from deadheat.drive.probe import ProbeRow, probe
from deadheat.drive.server.process import Launch, ServerProcess
from deadheat.errors import BadFile, CannotSave, ExitCode, UserError
from deadheat.files import media
from deadheat.targets.catalog import checked_url
from deadheat.targets.openapi.collections import (
    ApiCollection,
    base_path,
    collections,
    read_document,
)
from deadheat.targets.openapi.draft import draft_of, profile_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deadheat.drive.draft import Draft

T = TypeVar("T")

_TIMEOUT_S = 10.0  # as a profile's own default
_CODES = """\b
Exit codes:
  0    the profile is written
  2    a mistake in the command or the document
  3    no server answers, or it has no document
  130  interrupted
"""


@click.command(epilog=_CODES)
@click.argument("source")
@click.option("--url", metavar="URL", help="Where the server of a document in a file runs.")
@click.option(
    "--start",
    metavar="COMMAND",
    help="How deadheat starts the server, {port} filled in; goes into the profile.",
)
@click.option("--collection", metavar="PATH", help="Which one, if there are several: /carts.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it.  [default: the collection's name, .toml]",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--no-probe", is_flag=True, help="Ask no server: only what the document says.")
@ALLOW_REMOTE
def init(
    source: str,
    url: str | None,
    start: str | None,
    collection: str | None,
    output: Path | None,
    force: bool,
    no_probe: bool,
    allow_remote: bool,
) -> None:
    """Draft a profile from SOURCE: a server's URL, an OpenAPI 3 file, or - for standard input.

    It tries each call once (what it makes it deletes again) and writes what it saw.

    \b
    Examples:
      deadheat init http://127.0.0.1:8000
      deadheat init openapi.yaml --url http://127.0.0.1:8000 --collection /carts
      deadheat init openapi.json --no-probe -o fuzz/carts.toml
    """
    if start is not None and (url is not None or "://" in source):
        raise UserError("--start goes without a URL: deadheat starts the server. Leave one out.")
    if "://" in source:
        url = source
    if url is not None:
        checked_url(url, allow_remote=allow_remote)
    text, shown = _read(source, url)
    document = read_document(text, shown, lambda line: say(f"note: {media.line(line)}", err=True))
    found = _chosen(collections(document), collection, shown)
    draft = draft_of(found, base_path(document))
    file = output if output is not None else Path(f"{found.name}.toml")
    if file.exists() and not force:
        raise UserError(f"{file} is there already. Name another with -o, or add --force.")
    rows: tuple[ProbeRow, ...] = ()
    command = None if start is None else tuple(shlex.split(start))
    base = None if url is None else _base(url)
    if not no_probe and (base is not None or command is not None):
        draft, rows = _probed(draft, base, command)
    for row in rows:
        say(f"{row.asked:22} {row.answered:44} {row.written}".rstrip())
    _write(file, profile_text(draft, url=base, command=command, source=shown, probed=bool(rows)))
    _end(file, draft, probed=bool(rows))


def _read(source: str, url: str | None) -> tuple[str, str]:
    if source == "-":
        return sys.stdin.read(), "standard input"
    if "://" in source:
        assert url is not None
        path = urlsplit(source).path.rstrip("/")
        text, place = _waited(lambda: find_document(_base(url), path, _TIMEOUT_S))
        return text, f"{_base(url)}{place}"
    try:
        return Path(source).read_text(encoding="utf-8"), Path(source).name
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is not text"
        raise BadFile(f"{source} cannot be read ({why}). Name a document or a URL.") from None


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _chosen(found: tuple[ApiCollection, ...], wanted: str | None, shown: str) -> ApiCollection:
    if not found:
        raise UserError(
            f"{shown} has no collection: a path with GET and POST, and one of a single "
            "{parameter} below it with GET and DELETE. Write the profile by hand."
        )
    paths = ", ".join(one.path for one in found)
    if wanted is not None:
        match = next((one for one in found if one.path == wanted), None)
        if match is None:
            raise UserError(f"{shown} has no collection {wanted}. It has {paths}.")
        return match
    if len(found) > 1:
        others = ", ".join(one.path for one in found[1:])
        say(f"taking {found[0].path}; --collection takes another: {others}")
    return found[0]


def _probed(
    draft: Draft, base: str | None, command: tuple[str, ...] | None
) -> tuple[Draft, tuple[ProbeRow, ...]]:
    async def work() -> tuple[Draft, tuple[ProbeRow, ...]]:
        run = secrets.token_hex(3)
        if base is not None:
            return await probe(base, draft, run, _TIMEOUT_S)
        assert command is not None
        words = tuple(word.replace("{python}", sys.executable) for word in command)
        async with ServerProcess(Launch("the server", words, probe=draft.list.path)) as server:
            assert server.base_url is not None
            return await probe(server.base_url, draft, run, _TIMEOUT_S, alone=True)

    return _waited(work)


def _waited(work: Callable[[], Awaitable[T]]) -> T:
    """What ``work`` gives; an error of it, or Ctrl-C, ends the command."""
    given: list[T] = []

    async def kept() -> None:
        given.append(await work())

    interrupted, error = run_until(kept, None)
    if error is not None:
        raise error
    if interrupted or not given:
        sys.exit(ExitCode.INTERRUPTED)
    return given[0]


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(media.file_text(text), encoding="utf-8")
    except OSError as exc:
        raise CannotSave(
            f"{file} cannot be written ({exc.strerror}). Name another one with -o."
        ) from exc


def _end(file: Path, draft: Draft, *, probed: bool) -> None:
    for call, why in draft.unsure:
        say(f"  look at {call}: {why}")
    if not probed:
        say("no server was asked: look at every line")
    say(f"\nwritten to {file}. Next: deadheat check {file}")
