"""Artifacts: one shrunk failing example on disk, with everything needed to replay it.

Rules
- Versioned JSON with a stable order of keys. ``format_version`` grows when an
  older deadheat could not read the file; a newer file is refused, never guessed at.
- Nothing of the machine: no absolute path, no secret, no address but loopback's.
- Whatever a server said is kept as it was, lone surrogates too; what no terminal should be shown
  raw stands there as JSON escapes.
- Written whole or not at all (a temporary file beside it, then a rename).
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from cattrs.gen import make_dict_unstructure_fn, override

from deadheat.check.checker import check
from deadheat.errors import BadArtifact, CannotSave
from deadheat.files.artifact_tags import WORDS
from deadheat.files.artifact_text import pretty, without_secrets
from deadheat.files.codec import model_converter
from deadheat.files.fingerprint import fingerprint_of
from deadheat.files.migrations import migrated
from deadheat.model.edits import Edit
from deadheat.model.grounds import (
    Counterfactual,
    Reason,
    Step,
    Unanswered,
    announcements_named,
    calls_named,
)
from deadheat.model.history import Created, History
from deadheat.model.program import Program, Recreate, makes, problems

# Not for typing only: cattrs reads these annotations when the program runs.
from deadheat.model.promises import Promises  # noqa: TC001
from deadheat.model.release import Via
from deadheat.model.verdict import Anomaly, Diverged, Divergence, ListDiff, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import cattrs

FORMAT = "deadheat-artifact"
# 2: parents, children, renames, forks. 3: ``expect``. 4: what the event stream said, control
# requests, hangs. 5: names that creates share (``Recreate``, ``Exists``, promises about them).
# 6: reasons are values, no sentences. What an older one wrote is read as it is: what it does not
# know is empty.
FORMAT_VERSION = 6


class Expectation(StrEnum):
    """What a committed example must show on one target."""

    CLEAN = "clean"  # fixed there, or never broken: it must stay silent
    DIVERGES = "diverges"  # a known bug: it is expected to show


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """Which server: ``name`` as on the command line, its profile, version and promises.

    ``via``: what the requests travelled over, and so what the gate held back.
    """

    name: str
    profile: str
    version: str | None
    promises: Promises
    settle_ms: int
    timeout_s: float
    via: Via = Via.TCP


@dataclass(frozen=True, slots=True)
class RateRecord:
    """How often it showed in fresh trials: the rate and its interval, as fractions."""

    diverged: int
    trials: int
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine that measured it."""

    deadheat: str
    python: str
    hypothesis: str
    system: str
    cores: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The search that found it: its seed, and how many programs it had run by then."""

    seed: int
    programs: int
    trials_to_shrink: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why no order is legal; the fields of ``model.verdict.Divergence`` of the same names."""

    proof: tuple[Step, ...]
    counterfactual: Counterfactual | None
    also_fits: tuple[Anomaly, ...]
    first_impossible: int | None
    strongest_promise_held: str
    slack_ns: int | None
    lists: tuple[ListDiff, ...]
    heard: tuple[int, ...] = ()


def explanation_of(divergence: Divergence) -> Explanation:
    """The explanation that a divergence carries."""
    return Explanation(**_explained_by(divergence))


def _explained_by(said: Divergence | Explanation) -> dict[str, Any]:
    return {field.name: getattr(said, field.name) for field in fields(Explanation)}


@dataclass(frozen=True, slots=True)
class Artifact:
    """See the module's docstring.

    ``rate`` belongs to ``program``; ``most_reliable`` is given when another
    program shows the same divergence more often, with ``most_reliable_rate``.
    ``sessions`` maps the program's names to the ids in ``history``. ``expect``: of a committed
    one, by the target's label (``regressions.label_of``).
    """

    anomaly: Anomaly
    signature: tuple[str, ...]
    reason: Reason
    target: TargetRecord
    program: Program
    rate: RateRecord | None
    proven_minimal: bool
    needs_race: bool
    most_reliable: Program | None
    most_reliable_rate: RateRecord | None
    transient: bool
    explanation: Explanation
    witness: tuple[int, ...]
    culprit: int
    about: tuple[str, ...]
    sessions: dict[str, str]
    history: History
    origin: Origin
    environment: Environment
    expect: dict[str, Expectation] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """The name of each id in texts."""
        return names_of(self.sessions)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits of what was found: the signature and the program's structure."""
        return fingerprint_of(self.anomaly, self.signature, self.program, transient=self.transient)

    @property
    def filename(self) -> str:
        """``ghost-1a2b3c4d.json``."""
        return f"{self.anomaly}-{self.fingerprint}.json"


def sessions_of(program: Program, history: History) -> dict[str, str]:
    """The id that each of the program's sessions got in ``history``.

    A session that a recreate made beside the one it names has that one's name and a mark: ``a'``.
    """
    by_place = {op.place: op for op in history.operations if op.place is not None}
    names: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for place, call in program.placed():
        op = by_place.get(place)
        if op is None or not isinstance(op.result, Created):
            continue
        session, made = op.result.session, makes(call)
        if made is not None:
            names[made.name] = session
        elif isinstance(call, Recreate):
            others.append((call.var.name, session))
    for name, session in others:
        mark = "'"
        while session not in names.values():
            names.setdefault(name + mark, session)
            mark += "'"
    return names


def names_of(sessions: Mapping[str, str]) -> dict[str, str]:
    """The name of each id; of one that two creates were given, the first one's."""
    return {session: name for name, session in reversed(tuple(sessions.items()))}


def environment() -> Environment:
    """This machine, as far as a reader of a rate needs it."""
    return Environment(
        deadheat=version("deadheat"),
        python=platform.python_version(),
        hypothesis=version("hypothesis"),
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
    )


def divergence_of(artifact: Artifact) -> Divergence:
    """The divergence that the artifact recorded."""
    return Divergence(
        history=artifact.history,
        anomaly=artifact.anomaly,
        witness=artifact.witness,
        culprit=artifact.culprit,
        sessions=artifact.about,
        reason=artifact.reason,
        transient=artifact.transient,
        **_explained_by(artifact.explanation),
    )


def signature_of(artifact: Artifact) -> Signature:
    """The signature that the artifact is filed under."""
    return divergence_of(artifact).signature


def _converter() -> cattrs.Converter:
    converter = model_converter()
    absent = override(omit_if_default=True)
    plain = make_dict_unstructure_fn(TargetRecord, converter, via=absent)
    converter.register_unstructure_hook(TargetRecord, plain)
    converter.register_unstructure_hook(  # last: it holds all of the above
        Artifact, make_dict_unstructure_fn(Artifact, converter, expect=absent)
    )
    return converter


_CONVERTER = _converter()


def to_json(artifact: Artifact) -> str:
    """The file's text. The same artifact always gives the same text."""
    body = cast("dict[str, Any]", _CONVERTER.unstructure(artifact))
    clean = {key: without_secrets(value, WORDS) for key, value in body.items()}
    return pretty({"format": FORMAT, "format_version": FORMAT_VERSION, **clean}) + "\n"


def from_json(text: str, name: str) -> Artifact:
    """Read an artifact; ``name`` is only used in messages. Raises ``BadArtifact``."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadArtifact(
            f"{name} is not complete JSON ({exc}). Take the file from the run's folder again."
        ) from exc
    if not isinstance(whole, dict) or whole.pop("format", None) != FORMAT:
        raise BadArtifact(
            f"{name} is not a deadheat artifact. Give a file that `deadheat run` has saved."
        )
    found = whole.pop("format_version", None)
    if type(found) is not int or found < 1:
        raise BadArtifact(
            f"{name} is damaged: it does not name its format version. Take the file from the "
            "run's folder again."
        )
    if found > FORMAT_VERSION:
        raise BadArtifact(
            f"{name} has format {found}, and this deadheat reads up to {FORMAT_VERSION}. "
            "Upgrade deadheat to replay it."
        )
    try:
        artifact = _CONVERTER.structure(migrated(whole, found), Artifact)
    except Exception as exc:  # cattrs raises many kinds
        raise BadArtifact(
            f"{name} is damaged: {_first_line(exc)}. Take the file from the run's folder again."
        ) from exc
    wrong = _wrong_with(artifact)
    if wrong is not None:
        raise BadArtifact(f"{name} cannot be replayed: {wrong}. Correct it, or run again.")
    return artifact if "explanation" in whole else _explained(artifact)


def _explained(artifact: Artifact) -> Artifact:
    """An old file explains nothing; its history is still a proof, and says why by itself."""
    if artifact.anomaly is Anomaly.CRASH:
        return artifact
    verdict = check(artifact.history, artifact.target.promises)
    if isinstance(verdict, Diverged):
        for one in verdict.all:
            if one.witness == artifact.witness and one.anomaly == artifact.anomaly:
                return replace(artifact, explanation=explanation_of(one))
    return artifact


def _wrong_with(artifact: Artifact) -> str | None:
    for program in filter(None, (artifact.program, artifact.most_reliable)):
        if not program.calls():
            return "it holds a program without a call"
        for problem in problems(program):
            return f"it holds a program that cannot be sent: {problem}"
    for rate in filter(None, (artifact.rate, artifact.most_reliable_rate)):
        if not (
            0 <= rate.diverged <= rate.trials
            and 0 <= rate.low <= rate.high <= 1
            and 0 < rate.confidence < 1
        ):
            return "its rate is impossible"
    timeout_s, settle_s = artifact.target.timeout_s, artifact.target.settle_ms / 1000
    if not (0 < timeout_s <= 86_400 and 0 <= settle_s <= 86_400):  # a day
        return "its time limits cannot be kept"
    known = {op.index for op in artifact.history.operations}
    if not known.issuperset((*artifact.witness, artifact.culprit)):
        return "its witness names calls that its history does not have"
    if artifact.culprit not in artifact.witness:
        return "the call that it blames is not in its witness"
    return _wrong_with_the_proof(artifact, known)


def _wrong_with_the_proof(artifact: Artifact, known: set[int]) -> str | None:
    proof, legal_if = artifact.explanation.proof, artifact.explanation.counterfactual
    named = [call for step in proof for call in calls_named(step)]
    if isinstance(legal_if, Edit) and legal_if.call is not None:
        named.append(legal_if.call)
    if not known.issuperset(named):
        return "its proof names calls that its history does not have"
    stream = artifact.history.stream
    announced = 0 if stream is None else len(stream.announcements)
    heard = (*artifact.explanation.heard, *(n for step in proof for n in announcements_named(step)))
    if not all(0 <= n < announced for n in heard):
        return "its witness names announcements that its history does not have"
    reason = artifact.reason
    if isinstance(reason, Unanswered) and not 0 <= reason.control < len(artifact.history.controls):
        return "its reason names a control request that its history does not have"
    return None


def _first_line(exc: Exception) -> str:
    lines = str(exc).splitlines() or [""]
    return f"{type(exc).__name__} {lines[0]}".strip()[:160]


def read(path: Path) -> Artifact:
    """Read a file. Raises ``BadArtifact``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise BadArtifact(f"{path} does not exist. Check the path.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BadArtifact(f"{path} cannot be read ({_first_line(exc)}). Check the file.") from exc
    return from_json(text, str(path))


def write(artifact: Artifact, folder: Path) -> Path:
    """Write the artifact into ``folder`` (made if needed) under its own name; returns the path.

    Raises ``CannotSave``.
    """
    path = folder / artifact.filename
    temporary = folder / f".{artifact.filename}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(to_json(artifact))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(folder)  # or a power cut may undo the rename
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as exc:
        raise CannotSave(_not_writable(folder, exc.strerror)) from exc
    return path


def is_better(one: Artifact, other: Artifact) -> bool:
    """Is ``one`` the better example of a divergence? For another target or promises, the newer.

    What is proven to be minimal goes before what is not, then fewer calls, then the rate that it
    has at least: a higher one and a better measured one are both more use.
    """
    its, old = one.target, other.target
    same = (its.name, its.profile, its.promises) == (old.name, old.profile, old.promises)
    return not same or _worth(one) > _worth(other)


def _worth(artifact: Artifact) -> tuple[bool, int, float]:
    rate = -1.0 if artifact.rate is None else artifact.rate.low
    return artifact.proven_minimal, -len(artifact.program.calls()), rate


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def check_writable(folder: Path) -> None:
    """Check, before a long run, that ``folder`` can be written. Raises ``CannotSave``."""
    there = next((part for part in (folder, *folder.absolute().parents) if part.exists()), None)
    if there is None or not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise CannotSave(_not_writable(folder, None))


def _not_writable(folder: Path, why: str | None) -> str:
    because = f" ({why})" if why else ""
    return f"{folder} cannot be written{because}. Name another folder with --into."
