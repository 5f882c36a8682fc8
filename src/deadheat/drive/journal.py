"""Notes on disk which sessions a run has made on a shared server, until they are gone.

Rules
- A session is noted when its create has answered, by one ``write``: it survives a SIGKILL of this
  process (not a power cut). A create that was in flight then is found by its title or its name,
  which hold the run's token.
- The file is locked while its run lives, and goes at its end when nothing can be left behind.
- Ids and the words that lead to the server are all that is noted: no title, no header, no secret.
- No place to write to is no reason not to search: then nothing is noted.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.errors import BadFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# As runs are named (``secrets.token_hex``).
_TOKEN = re.compile(r"[0-9a-f]{6,16}")
FOLDER = "made"  # in a store, beside found/


@dataclass(frozen=True, slots=True)
class Journal:
    """The folder of notes, and the command-line words by which ``cleanup`` finds the server."""

    store: Path
    word: str
    profile: str | None = None

    def begin(self, run: str) -> Notes:
        """Begin the notes of one run, locked."""
        return Notes(self, run)


class Notes:
    """The file of one run, while it runs."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._there: set[str] = set()
        self._file: int | None = None
        self._path = journal.store / FOLDER / f"{run}.jsonl"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError:
            return
        self._write({"run": run, "target": journal.word, "profile": journal.profile})

    def made(self, session: str) -> None:
        """Note that the session exists, or may exist."""
        if session not in self._there:
            self._there.add(session)
            self._write({"made": session})

    def gone(self, sessions: Iterable[str]) -> None:
        """Note that these sessions have been seen to be gone."""
        for session in sessions:
            if session in self._there:
                self._there.discard(session)
                self._write({"gone": session})

    def end(self, *, in_doubt: bool = False) -> None:
        """End the notes. ``in_doubt``: a session may still exist under one of its titles."""
        if self._file is None:
            return
        file, self._file = self._file, None
        if not self._there and not in_doubt:
            self._path.unlink(missing_ok=True)
        os.close(file)

    def _write(self, line: dict[str, str | None]) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, (json.dumps(line) + "\n").encode())
        except OSError:  # a full disk: what is noted so far is worth keeping
            os.close(self._file)
            self._file = None


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What one finished run has not been seen to remove."""

    path: Path
    run: str
    word: str
    profile: str | None
    sessions: tuple[str, ...]


def left_behind(store: Path) -> tuple[tuple[LeftBehind, ...], int]:
    """The finished runs in ``store`` that left sessions behind; and how many still run.

    Raises ``BadFile``.
    """
    found: list[LeftBehind] = []
    running = 0
    for path in sorted((store / FOLDER).glob("*.jsonl")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                text = file.read().decode(errors="replace")
        except BlockingIOError:
            running += 1
            continue
        except FileNotFoundError:  # its run has ended meanwhile
            continue
        except OSError as exc:
            raise BadFile(f"{path} cannot be read ({exc.strerror}). Look at the file.") from None
        found.append(_read(path, text))
    return tuple(found), running


def noted_in(store: Path) -> frozenset[Path]:
    """The notes in ``store`` of finished runs."""
    return frozenset(path for path in (store / FOLDER).glob("*.jsonl") if not _held(path))


def _held(path: Path) -> bool:
    """Is its run still alive?"""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # or it has gone meanwhile
        return True
    return False


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError


def _read(path: Path, text: str) -> LeftBehind:
    there: dict[str, None] = {}
    head: dict[str, str | None] = {}
    for n, line in enumerate(text.splitlines(keepends=True)):
        if not line.endswith("\n"):
            break  # cut off in the middle of a write
        try:
            said = json.loads(line)
            if n == 0:
                head = {key: _text(said[key]) for key in ("run", "target", "profile")}
            elif "made" in said:
                there[str(said["made"])] = None
            else:
                there.pop(str(said["gone"]), None)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise BadFile(f"{path}:{n + 1} is not a note of a session. Delete the file.") from None
    run, word = head.get("run"), head.get("target")
    if run is None or word is None:
        return LeftBehind(path, "", "", None, ())
    if not _TOKEN.fullmatch(run):  # another word might begin another client's titles
        raise BadFile(f"{path}:1 is not the start of a deadheat journal. Delete the file.")
    return LeftBehind(path, run, word, head["profile"], tuple(there))
