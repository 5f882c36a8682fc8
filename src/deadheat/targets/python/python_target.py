"""A target in Python, for an API that no profile can describe: subclass ``PythonTarget``.

    class Tickets(PythonTarget):
        name = "tickets"
        command = ("{python}", "-m", "uvicorn", "tickets:app", "--port", "{port}")

        def encode(self, call):
            match call.kind:
                case Kind.CREATE: return Request("POST", "/tickets", text=call.title)
                case Kind.LIST: return Request("GET", "/tickets")
                …

        def decode(self, call, answer):
            if answer.status == 404: return Absent()
            match call.kind:
                case Kind.CREATE: return Created(answer.text.split()[1])
                …

Rules
- ``decode`` returns what the answer means; ``None`` is a status that the API does not declare.
  A ``LookupError``, ``TypeError`` or ``ValueError`` in it means: an answer of another shape. Any
  other exception, and any in ``encode``, is a mistake in the class, and ends the run.
- Both are called for every request of every race: no state, no waiting.
"""

from __future__ import annotations

import json as json_text
import os
import re
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from deadheat.drive.masking import Mask
from deadheat.drive.server.process import Launch
from deadheat.drive.target import PLAIN, Target
from deadheat.drive.wire.api import WireRequest
from deadheat.errors import BadFile
from deadheat.files.redaction import COMMONPLACE, hide
from deadheat.model.history import (
    Absent,
    Answered,
    Created,
    Deleted,
    Exists,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Outcome,
    Renamed,
    Undeclared,
    Unknown,
)
from deadheat.model.promises import SOMETIME_MS, CreatePromise, Promises

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from deadheat.model.history import Custom, Invocation, Result


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: its path from the root, and a body of one kind or none."""

    method: str
    path: str
    json: Any = None
    text: str | None = None

    def body(self) -> bytes | None:
        """The body's bytes; None: no body."""
        if self.text is not None:
            return self.text.encode()
        return None if self.json is None else json_text.dumps(self.json).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer. ``location``: its header of that name."""

    status: int
    content: bytes
    location: str | None = None

    @property
    def text(self) -> str:
        """The content as text. Raises ``ValueError`` where it is not UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """The content as JSON. Raises ``ValueError`` where it is not JSON."""
        try:
            return json_text.loads(self.content)
        except RecursionError:
            raise ValueError("too deep") from None


_NS_PER_MS = 1_000_000


class PythonTarget:
    """One API, and how its server is started (``command``) or where it runs (``url``).

    In ``command`` and the values of ``env``, {port}, {home} (a temporary folder), {python}
    (deadheat's own) and {project} (the file's folder) are filled in. ``probe``: a path to GET
    until any answer comes. ``reset``: a request that empties the server, sent when what a trial
    made cannot be deleted. ``kinds``: the calls that ``encode`` knows. ``chosen_ids``: a create's
    ``call.session`` is the id to make it under. ``unique_ids``: it never gives an id twice (else
    that is looked for). ``exclusive``: nobody else uses the server at ``url``. ``custom``: the
    custom calls that are tried, with what each is given; ``step`` says what they mean (``own`` is
    the earlier name). ``settle_ms``: a change shows at the latest so long after its answer.
    """

    name: ClassVar[str] = ""
    command: ClassVar[tuple[str, ...]] = ()
    url: ClassVar[str | None] = None
    env: ClassVar[Mapping[str, str]] = {}
    probe: ClassVar[str | None] = None
    reset: ClassVar[Request | None] = None
    ready_within_s: ClassVar[float] = 30.0
    promises: ClassVar[Promises] = Promises()
    kinds: ClassVar[frozenset[Kind]] = PLAIN
    chosen_ids: ClassVar[bool] = False
    unique_ids: ClassVar[bool] = False
    exclusive: ClassVar[bool] = False
    custom: ClassVar[tuple[Custom, ...]] = ()
    own: ClassVar[tuple[Custom, ...]] = ()
    settle_ms: ClassVar[int] = 0
    timeout_s: ClassVar[float] = 10.0

    def encode(self, call: Invocation) -> Request:
        """The request for this call."""
        raise NotImplementedError

    def decode(self, call: Invocation, answer: Answer) -> Result | Info | Fail | str | None:
        """The meaning of an answer; None: a status that the API does not declare.

        Of a custom call it is one of the words of ``step``.
        """
        raise NotImplementedError

    def step(self, custom: Custom, there: bool, mark: Any) -> Iterable[tuple[str, Any]]:
        """What a custom call may answer, each word with the session's mark after it.

        ``there``: is the session there? ``mark``: what custom calls have made of it, None at first.
        """
        raise NotImplementedError

    def refuses(self, kind: Kind, mark: Any) -> bool:  # noqa: ARG002 - for subclasses
        """Must a get, delete or rename of a session with this mark answer ``FORBIDDEN``?"""
        return False

    def hides(self, mark: Any) -> bool:  # noqa: ARG002 - for subclasses
        """Do lists leave out a session with this mark?"""
        return False


# It stands in keys of files, beside the kinds that there are.
_CUSTOM_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_RESULTS = (Answered, Created, Exists, Deleted, Renamed, Found, Absent, Listed, Offspring)


class PythonWire:
    """A ``Wire`` made of such a class."""

    def __init__(self, spoken: PythonTarget, file: str) -> None:
        self.name = spoken.name
        self._spoken = spoken
        self._file = file

    def encode(self, invocation: Invocation) -> WireRequest:
        """See ``Wire.encode``. Raises ``BadFile`` for a mistake in the class."""
        try:
            request = self._spoken.encode(invocation)
            return _wired(request)
        except Exception as exc:
            raise self._mistake(f"encode of {invocation.kind}", exc) from exc

    def decode(
        self, invocation: Invocation, status: int, body: bytes, location: str | None = None
    ) -> Outcome:
        """See ``Wire.decode``. Raises ``BadFile`` for a mistake in the class."""
        try:
            said = self._spoken.decode(invocation, Answer(status, body, location))
        except (LookupError, TypeError, ValueError) as exc:
            if status >= 500:
                return Info(Unknown.SERVER_ERROR)
            return Info(Unknown.GARBLED, f"{status}, decode: {type(exc).__name__}")
        except Exception as exc:
            raise self._mistake(f"decode of {invocation.kind}", exc) from exc
        if invocation.kind is Kind.CUSTOM and isinstance(said, Absent):
            said = "absent"
        if isinstance(said, str):
            return Ok(Answered(said))
        if said is None:
            return Info(Unknown.SERVER_ERROR) if status >= 500 else Ok(Undeclared(status))
        if isinstance(said, Info | Fail):
            return said
        match said:
            case Created(str(session)) if not _is_utf8(session):
                return Info(Unknown.GARBLED, f"{status}, an id that no address can hold")
            case Listed(entries) | Offspring(entries):
                # One of these nobody can ask for, so it is none that anybody here has made.
                kept = tuple(entry for entry in entries if _is_utf8(entry.session))
                said = replace(said, entries=kept)
            case _:
                pass
        if not isinstance(said, _RESULTS):
            raise BadFile(
                f"{self._file}: decode of {invocation.kind} returned {said!r:.60}, which is "
                "not a result. Return Created, Found, Absent, … of deadheat.target, or None."
            )
        return Ok(said)

    def _mistake(self, where: str, exc: Exception) -> BadFile:
        line = mistake_line(exc, self._file)
        said = "it is not written" if isinstance(exc, NotImplementedError) else f"{exc}"
        return BadFile(
            f"{self._file}{line}: {where}: {type(exc).__name__}: {said.rstrip('.')}. Correct it."
        )


def _is_utf8(session: str) -> bool:
    """Can the id be in an address? Half of a surrogate pair, which JSON may hold, cannot."""
    return session.isascii() or not any("\ud800" <= c <= "\udfff" for c in session)


def _wired(request: Request) -> WireRequest:
    return WireRequest(request.method, request.path, request.body())


class _Meaning:
    """What custom calls mean, by the class; its mistakes are reported with their line."""

    def __init__(self, spoken: PythonTarget, file: str) -> None:
        self._spoken = spoken
        self._file = file

    def step(self, custom: Custom, there: bool, mark: Any) -> Iterable[tuple[str, Any]]:
        """See ``CustomCalls.step``. Raises ``BadFile``."""
        try:
            return [(str(word), after) for word, after in self._spoken.step(custom, there, mark)]
        except Exception as exc:
            line = mistake_line(exc, self._file)
            raise BadFile(
                f"{self._file}{line}: step of {custom.name}: {type(exc).__name__}: {exc}. "
                "Correct it."
            ) from exc

    def refuses(self, kind: Kind, mark: Any) -> bool:
        """See ``CustomCalls.refuses``."""
        return bool(self._spoken.refuses(kind, mark))

    def hides(self, mark: Any) -> bool:
        """See ``CustomCalls.hides``."""
        return bool(self._spoken.hides(mark))


def mistake_line(exc: BaseException, file: str) -> str:
    """``:12`` where the exception passed through that file; the innermost line of it."""
    name = file.rpartition("/")[2]
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(exc.__traceback__)
        if frame.filename.rpartition("/")[2] == name
    ]
    return f":{lines[-1]}" if lines and lines[-1] is not None else ""


def target_of(spoken: PythonTarget, word: str, file: Path, python: str) -> Target:
    """The target that the class describes. Raises ``BadFile``."""
    if not spoken.name:
        raise BadFile(f'{word} has no name. Write name = "tickets" into the class.')
    if bool(spoken.command) is (spoken.url is not None):
        raise BadFile(f"{word} needs a command that starts its server, or its url, and not both.")
    calls = spoken.custom or spoken.own
    for custom in calls:
        if not _CUSTOM_NAME.fullmatch(custom.name) or custom.name in set(Kind):
            raise BadFile(
                f"{word} has a custom call named {custom.name!r}. Give it another name, such as "
                "archive."
            )
    known = {"{python}": python, "{project}": str(file.absolute().parent)}

    def filled(text: str) -> str:
        for blank, value in known.items():
            text = text.replace(blank, value)
        return text

    # The class has read them by itself: what the environment holds, too, is taken from there. A
    # short value ("1", "true") may well be in both by chance.
    theirs = {v for key, v in os.environ.items() if key not in COMMONPLACE and len(v) >= 8}
    secrets = [value for value in spoken.env.values() if value in theirs]
    for secret in secrets:
        hide(secret)
    launch = None
    if spoken.command:
        launch = Launch(
            name=word,
            argv=tuple(map(filled, spoken.command)),
            env=tuple((key, filled(value)) for key, value in spoken.env.items()),
            mask=Mask.of(secrets),
            probe=spoken.probe,
            ready_within_s=spoken.ready_within_s,
        )
    named = spoken.promises.create is not CreatePromise.NEW
    settle_ms = spoken.settle_ms or (SOMETIME_MS if spoken.promises.sometime else 0)
    return Target(
        name=word,
        wire=PythonWire(spoken, file.name),
        launch=launch,
        base_url=None if spoken.url is None else spoken.url.rstrip("/"),
        promises=spoken.promises.settling(spoken.settle_ms * _NS_PER_MS),
        exclusive=spoken.exclusive or launch is not None,
        unique_ids=spoken.unique_ids,
        kinds=spoken.kinds | ({Kind.RECREATE} if named else set()),
        reset=None if spoken.reset is None or launch is None else _wired(spoken.reset),
        chosen_ids=spoken.chosen_ids,
        custom=calls,
        custom_model=_Meaning(spoken, file.name) if calls else None,
        settle_ms=settle_ms,
        timeout_s=spoken.timeout_s,
        mask=Mask.of(secrets),
    )
