"""A campaign on disk: one folder, written so that it opens again whatever happens.

    DIR/campaign.sqlite   settings, tallies, findings, samples, events (SQLite, WAL)
    DIR/found/*.json      one failing example for each finding, written whole or not at all
    DIR/histories/*.json  whole histories of sightings, the newest ``keep``
    DIR/report.html  DIR/log.txt  DIR/lock

Rules
- A finding is on disk, file first, then row, both synced, before it is reported. Tallies
  are written about once a second: what a ``kill -9`` loses of them is that second.
- The lock is the kernel's (flock): it goes with the process, however that ends.
- A full disk is a ``CannotSave`` that says how to go on; nothing written before it is touched.
- Everything that grows with time is bounded: samples are thinned, events and histories capped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from deadheat.campaign.rows import (
    STORE_VERSION,
    finding_of,
    finding_text,
    sample_of,
    sample_text,
    settings_of,
    settings_values,
)
from deadheat.errors import BadArtifact, BadStore, CannotSave, StoreInUse
from deadheat.files import artifact as artifacts
from deadheat.files import media
from deadheat.files.results import CampaignFinding, CampaignRecord
from deadheat.trials.coverage import Coverage, Pairing, Relation, Silence, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from deadheat.campaign.rows import Settings
    from deadheat.files.results import Sample

DATABASE = "campaign.sqlite"
# A chart is 800 pixels wide: more samples than these are not seen. Beyond it every other goes.
_MOST_SAMPLES = 2_000
_MOST_EVENTS = 10_000
# Two of these at most.
_LOG_BYTES = 4_000_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS overlaps (overlap TEXT PRIMARY KEY, seen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS silence (
    pairing TEXT PRIMARY KEY, trials INTEGER NOT NULL, diverged INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS findings (
    key TEXT PRIMARY KEY, file TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS shares (
    number INTEGER PRIMARY KEY, programs INTEGER NOT NULL, skip INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS samples (at_s REAL PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, at_s REAL NOT NULL, kind TEXT NOT NULL, line TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class OpenShare:
    """A share that has been dealt and is not done."""

    number: int
    programs: int
    skip: int


class Store:
    """The folder, held by this process. A context manager."""

    def __init__(self, folder: Path, settings: Settings | None) -> None:
        """Open ``folder``; with ``settings`` it must be new.

        Raises ``StoreInUse``, ``BadStore``, ``CannotSave``.
        """
        self.folder = folder
        existed = (folder / DATABASE).exists()
        if settings is None and not existed:
            raise BadStore(
                f"{folder} holds no campaign. Start one: deadheat campaign TARGET --into FOLDER."
            )
        if settings is not None and existed:
            raise BadStore(
                f"{folder} holds a campaign already. Go on with it: "
                f"deadheat campaign --resume {folder}."
            )
        with self._writing():
            (folder / "found").mkdir(parents=True, exist_ok=True)
            (folder / "histories").mkdir(exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StoreInUse(
                f"another campaign is writing to {folder}. Wait for its end, or name another "
                "folder with --into."
            ) from None
        try:
            with self._writing():
                self._database = _connected(folder / DATABASE)
                self._database.executescript(_SCHEMA)
            if settings is not None:
                self._put_settings(settings)
            with _reading(folder / DATABASE):
                self.settings = _settings(self._database, folder)
                self._events = int(self._one("SELECT COALESCE(MAX(number), 0) FROM events"))
                self._adopt_orphans()
                if existed and (damage := self._one("PRAGMA quick_check")) != "ok":
                    raise sqlite3.DatabaseError(damage.splitlines()[-1])
                self.record()  # all that a campaign goes on with
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go. Call ``tick`` first: it writes what is not written yet."""
        with contextlib.suppress(sqlite3.Error, AttributeError):
            self._database.close()
        os.close(self._lock)

    # --- settings ---------------------------------------------------------------------------

    def _put_settings(self, settings: Settings) -> None:
        with self._transaction(durable=True) as database:
            database.executemany(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in settings_values(settings).items()],
            )

    def change(self, **changes: Any) -> None:
        """Set another budget for a resumed campaign."""
        self._put_settings(replace(self.settings, **changes))
        self.settings = _settings(self._database, self.folder)

    def note(self, name: str, value: object) -> None:
        """Note a fact about the whole campaign: its promises, why it ended."""
        with self._transaction(durable=True) as database:
            database.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)", (f"fact {name}", json.dumps(value))
            )

    # --- findings ---------------------------------------------------------------------------

    def save(self, finding: CampaignFinding) -> CampaignFinding:
        """Write a finding's example and its row, durably; returns the finding with its path.

        The file that it replaces goes last. Raises ``CannotSave``.
        """
        with self._writing():
            path = artifacts.write(finding.artifact, self.folder / "found")
        saved = replace(finding, path=path)
        before = self._file_of(finding.key)
        with self._transaction(durable=True) as database:
            self._put_finding(database, saved)
        if before is not None and before != path.name and not self._used(before):
            (self.folder / "found" / before).unlink(missing_ok=True)
        return saved

    def drop(self, key: str) -> None:
        """Remove a finding that has turned out to be another one, which is saved."""
        before = self._file_of(key)
        with self._transaction(durable=True) as database:
            database.execute("DELETE FROM findings WHERE key = ?", (key,))
        if before is not None and not self._used(before):
            (self.folder / "found" / before).unlink(missing_ok=True)

    def _put_finding(self, database: sqlite3.Connection, finding: CampaignFinding) -> None:
        database.execute(
            "INSERT OR REPLACE INTO findings VALUES (?, ?, ?)",
            (finding.key, finding.path.name, finding_text(finding)),
        )

    def _file_of(self, key: str) -> str | None:
        row = self._database.execute("SELECT file FROM findings WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _used(self, file: str) -> bool:
        return bool(self._one("SELECT COUNT(*) FROM findings WHERE file = ?", file))

    def findings(self) -> tuple[CampaignFinding, ...]:
        """All of them, in the order in which they were first seen."""
        return _findings(self._database, self.folder)

    def _adopt_orphans(self) -> None:
        """Add examples whose row a kill has prevented: they are written and not reported yet."""
        for left in (self.folder / "found").glob(".*.tmp"):
            left.unlink(missing_ok=True)
        known = {row[0] for row in self._database.execute("SELECT file FROM findings")}
        keys = {row[0] for row in self._database.execute("SELECT key FROM findings")}
        for path in sorted((self.folder / "found").glob("*.json")):
            if path.name in known:
                continue
            try:
                artifact = artifacts.read(path)
            except BadArtifact:
                continue
            key = str(artifacts.signature_of(artifact))
            if key in keys:  # the smaller example that was to replace it, or the one replaced
                path.unlink(missing_ok=True)
                continue
            found = CampaignFinding(
                key, artifact, path, False, False, 0, 0, 1, 0.0, 0.0, artifact.origin.programs
            )
            with self._transaction(durable=True) as database:
                self._put_finding(database, found)
            keys.add(key)

    def keep_history(self, text: str, number: int) -> None:
        """Save one whole history; the newest ``keep`` stay."""
        keep = self.settings.keep
        if keep <= 0:
            return
        path = self.folder / "histories" / f"{number % keep:05d}.json"
        temporary = path.with_suffix(".tmp")
        with self._writing():
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)

    # --- tallies ----------------------------------------------------------------------------

    def tick(
        self,
        totals: Mapping[str, float],
        coverage: Coverage,
        shares: Iterable[OpenShare],
        findings: Iterable[CampaignFinding],
        sample: Sample | None,
    ) -> None:
        """Write all that has been counted, in one transaction. Raises ``CannotSave``."""
        with self._transaction() as database:
            database.executemany("INSERT OR REPLACE INTO totals VALUES (?, ?)", totals.items())
            database.executemany(
                "INSERT OR REPLACE INTO overlaps VALUES (?, ?)",
                [(str(overlap), seen) for overlap, seen in coverage.seen.items()],
            )
            database.executemany(
                "INSERT OR REPLACE INTO silence VALUES (?, ?, ?)",
                [(str(p), s.trials, s.diverged) for p, s in coverage.silence.items()],
            )
            database.execute("DELETE FROM shares")
            database.executemany(
                "INSERT INTO shares VALUES (?, ?, ?)",
                [(s.number, s.programs, s.skip) for s in shares],
            )
            for finding in findings:
                self._put_finding(database, finding)
            if sample is not None:
                self._put_sample(database, sample)

    def _put_sample(self, database: sqlite3.Connection, sample: Sample) -> None:
        row = (sample.at_s, sample_text(sample))
        database.execute("INSERT OR REPLACE INTO samples VALUES (?, ?)", row)
        count = int(database.execute("SELECT COUNT(*) FROM samples").fetchone()[0])
        if count > _MOST_SAMPLES:
            database.execute(
                "DELETE FROM samples WHERE at_s IN (SELECT at_s FROM (SELECT at_s, "
                "ROW_NUMBER() OVER (ORDER BY at_s) AS n FROM samples) WHERE n % 2 = 0)"
            )

    def event(self, at_s: float, kind: str, line: str) -> None:
        """Write one event; the newest 10,000 stay."""
        line = media.line(line)
        self._events += 1
        with self._transaction() as database:
            database.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?)", (self._events, at_s, kind, line)
            )
            if self._events % 100 == 0:
                database.execute(
                    "DELETE FROM events WHERE number <= ?", (self._events - _MOST_EVENTS,)
                )
        self._log(f"{at_s:10.1f}  {line}\n")

    def _log(self, line: str) -> None:
        path = self.folder / "log.txt"
        with self._writing():
            if path.exists() and path.stat().st_size > _LOG_BYTES:
                path.replace(self.folder / "log.1.txt")
            with path.open("a", encoding="utf-8") as log:
                log.write(line)

    def write_text(self, name: str, text: str) -> Path:
        """Write a file beside the database, whole or not at all. Raises ``CannotSave``."""
        path = self.folder / name
        temporary = self.folder / f".{name}.tmp"
        with self._writing():
            temporary.write_text(media.file_text(text), encoding="utf-8")
            temporary.replace(path)
        return path

    # --- reading ----------------------------------------------------------------------------

    def totals(self) -> dict[str, float]:
        """The sums by name."""
        return _totals(self._database)

    def coverage(self) -> Coverage:
        """The coverage so far."""
        return _coverage(self._database)

    def shares(self) -> tuple[OpenShare, ...]:
        """The shares that were dealt and are not done."""
        rows = self._database.execute("SELECT number, programs, skip FROM shares ORDER BY number")
        return tuple(OpenShare(*row) for row in rows)

    def fact(self, name: str) -> Any:
        """The fact of that name; None if it was not noted."""
        return _fact(self._database, name)

    def record(self) -> CampaignRecord:
        """The whole campaign, for a report."""
        return _record(self._database, self.folder)

    # --- the database -----------------------------------------------------------------------

    def _one(self, query: str, *values: object) -> Any:
        return self._database.execute(query, values).fetchone()[0]

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing; ``durable``: on the disk itself when this returns."""
        database = self._database
        with self._writing():
            database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, CannotSave, sqlite3.OperationalError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            raise CannotSave(
                f"{self.folder} cannot be written ({why}). What was reported as found is saved: "
                f"make room, then go on with deadheat campaign --resume {self.folder}."
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise _damaged(self.folder / DATABASE, exc) from exc


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, LookupError) as exc:
        raise _damaged(path, exc) from exc


def _damaged(path: Path, why: Exception) -> BadStore:
    found = path.parent / "found"
    said = f"{path} is not a complete campaign ({why}). Its examples are in {found}: keep them,"
    return BadStore(f"{said} and start another one.")


def read_record(folder: Path) -> CampaignRecord:
    """A campaign's record, also while it runs. Raises ``BadStore``."""
    path = folder / DATABASE
    if not path.exists():
        raise BadStore(f"{folder} holds no campaign. Name the folder of one.")
    with _reading(path), contextlib.closing(_connected(path, readonly=True)) as database:
        return _record(database, folder)


def _connected(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    if readonly:
        return sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True, timeout=10)
    database = sqlite3.connect(path, isolation_level=None, timeout=10)
    database.execute("PRAGMA journal_mode = WAL")
    return database


def _settings(database: sqlite3.Connection, folder: Path) -> Settings:
    rows = database.execute("SELECT name, value FROM settings WHERE name NOT LIKE 'fact %'")
    values = {name: json.loads(value) for name, value in rows}
    found = values.get("version")
    if not isinstance(found, int):
        raise BadStore(f"{folder} holds an incomplete campaign. Start another one.")
    if found > STORE_VERSION:
        raise BadStore(
            f"{folder} has store format {found}, and this deadheat knows {STORE_VERSION}. "
            "Upgrade deadheat."
        )
    return settings_of(values)


def _fact(database: sqlite3.Connection, name: str) -> Any:
    row = database.execute(
        "SELECT value FROM settings WHERE name = ?", (f"fact {name}",)
    ).fetchone()
    return None if row is None else json.loads(row[0])


def _totals(database: sqlite3.Connection) -> dict[str, float]:
    return dict(database.execute("SELECT name, value FROM totals"))


def _coverage(database: sqlite3.Connection) -> Coverage:
    coverage = Coverage()
    seen = {parse(text): n for text, n in database.execute("SELECT overlap, seen FROM overlaps")}
    silence = {
        pairing_of(text): Silence(trials, diverged)
        for text, trials, diverged in database.execute(
            "SELECT pairing, trials, diverged FROM silence"
        )
    }
    coverage.merge(seen, silence)
    return coverage


def pairing_of(text: str) -> Pairing:
    """The pairing that ``str(pairing)`` wrote."""
    first, second, relation = text.split("/")
    return Pairing(first, second, Relation(relation))


def _again(settings: Settings) -> tuple[str, ...]:
    """The words that name the target on a command line, where its examples do not record them."""
    if "://" not in settings.word:
        return ()
    file = settings.profile if (settings.profile or "").endswith(".toml") else None
    profile = () if file is None else ("--profile", file)
    return (*profile, *(("--allow-remote",) if settings.allow_remote else ()))


def _findings(database: sqlite3.Connection, folder: Path) -> tuple[CampaignFinding, ...]:
    found: list[CampaignFinding] = []
    for key, file, body in database.execute("SELECT key, file, body FROM findings"):
        path = folder / "found" / file
        found.append(finding_of(key, artifacts.read(path), path, body))
    return tuple(sorted(found, key=lambda finding: (finding.first_s, finding.key)))


def _record(database: sqlite3.Connection, folder: Path) -> CampaignRecord:
    settings = _settings(database, folder)
    totals = _totals(database)
    coverage = _coverage(database)
    samples = database.execute("SELECT body FROM samples ORDER BY at_s")
    log = database.execute("SELECT at_s, line FROM events ORDER BY number DESC LIMIT 200")
    return CampaignRecord(
        target=settings.word,
        promises=_fact(database, "promises") or "",
        seed=settings.seed,
        folder=folder,
        began=settings.began,
        elapsed_s=totals.get("elapsed_s", 0.0),
        ended=_fact(database, "ended") or "",
        kinds=tuple(_fact(database, "kinds") or ()),
        families=bool(_fact(database, "families")),
        totals={name: int(value) for name, value in totals.items() if name != "elapsed_s"},
        findings=_findings(database, folder),
        samples=tuple(sample_of(body) for (body,) in samples),
        seen=dict(coverage.seen),
        silence=coverage.silence,
        last_new=int(totals.get("last_new", 0)),
        log=tuple(f"{at_s:.0f} s  {line}" for at_s, line in log)[::-1],
        again=_again(settings),
    )
