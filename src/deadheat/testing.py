"""deadheat in a pytest suite: one line makes a test that is red when a race shows.

    from deadheat.testing import race_test

    test_sessions = race_test("opencode@1.2.1", budget="30s")
    test_carts = race_test(app, profile="fuzz/carts.toml")               # an ASGI app
    test_other = race_test(fixture="server_url", profile="fuzz/carts.toml")

Rules
- The committed regressions run first, then the search, all within the budget.
- A divergence is an ``AssertionError`` whose text is the lane diagram and how to see it again. A
  run that proves nothing fails, too.
- What diverged goes into Hypothesis's example database, and is tried first the next time, until
  it has been silent for long enough. ``--hypothesis-seed`` draws other programs.
- Paths are relative to pytest's rootdir.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from deadheat import artifact as artifacts
from deadheat import job, session
from deadheat.console import View
from deadheat.duration import seconds_of
from deadheat.errors import BadArtifact, ExitCode, NothingExercised, UserError
from deadheat.generate.machine import ProgramMachine
from deadheat.report.cases import (
    SERVER_IS_NOT,
    UNFINISHED,
    power_text,
    regression_case,
    regression_story,
)
from deadheat.report.terminal import finding_text
from deadheat.results import PROVES_NOTHING, RED, Standing
from deadheat.targets.asgi import served
from deadheat.targets.catalog import PROFILES, resolve
from deadheat.targets.profile import Profile, read_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest
    from hypothesis.database import ExampleDatabase

    from deadheat.artifact import Artifact
    from deadheat.drive.target import Target
    from deadheat.results import Example, JobResult

__all__ = [
    "Bundle",
    "Profile",
    "ProgramMachine",
    "RaceFound",
    "consumes",
    "initialize",
    "invariant",
    "multiple",
    "precondition",
    "race_test",
    "rule",
]


class RaceFound(AssertionError):
    """A divergence: the text is the lane diagram and how to see it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``race_test`` and the fixture take besides the target; see ``race_test``."""

    profile: str | os.PathLike[str] | Profile | Mapping[str, Any] | None = None
    budget: str | float = "30s"
    seed: int = 0
    exit_first: bool = True
    machine: type[ProgramMachine] = ProgramMachine
    regressions: str | os.PathLike[str] = "fuzz/regressions"
    into: str | os.PathLike[str] = ".deadheat"
    allow_remote: bool = False


def race_test(
    target: Any = None, *, fixture: str | None = None, **options: Any
) -> Callable[[pytest.FixtureRequest], None]:
    """A test that searches ``target`` for races; assign it to a name that begins with ``test``.

    ``target``: a word of ``deadheat targets``, a URL, a ``Target``, or an ASGI app; or instead
    ``fixture``: the name of a fixture of yours that gives a URL or an ASGI app.

    ``profile``: how to speak to a URL or an app: ``opencode``, a profile's file, a ``Profile``, or
    the same as a dictionary. ``budget``: a hard limit on everything. ``seed``: which programs.
    ``exit_first``: stop at the first divergence. ``machine``: a ``ProgramMachine`` of your own.
    ``regressions``, ``into``: the folders of committed and of found examples.
    """
    given = Options(**options)  # a wrong name is told where it is written
    seconds_of(given.budget)
    if (target is None) == (fixture is None):
        raise UserError("race_test takes a target, or fixture=NAME of one that gives it.")

    def test(request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        race(request, target if fixture is None else request.getfixturevalue(fixture), given)

    test.__doc__ = f"deadheat on {fixture or target!r}"
    cast("Any", test).is_race_test = True
    return test


@dataclass(frozen=True, slots=True)
class Races:
    """The fixture ``deadheat``: call it with a target and the options of ``race_test``."""

    request: pytest.FixtureRequest

    def __call__(self, target: Any, **options: Any) -> None:
        """Raises ``RaceFound``, or ``DeadheatError`` for what proves nothing."""
        __tracebackhide__ = True
        race(self.request, target, Options(**options))


def race(request: pytest.FixtureRequest, target: Any, options: Options) -> None:
    """One whole job as a test. Raises ``RaceFound``, ``DeadheatError``, ``KeyboardInterrupt``."""
    __tracebackhide__ = True
    began_s = time.monotonic()
    root = request.config.rootpath
    known = _Known(request.node.nodeid, root)
    with _target(target, options, root) as found, View(quiet=True) as view:
        folder = _short(root / options.into) / session.folder_name(found.name)
        first = known.recall(found, folder)
        budget = request.config.getoption("--deadheat-budget", None) or options.budget
        order = job.JobOrder(
            find=lambda _name: found,
            target=found.name,
            regressions=_short(root / options.regressions),
            into=lambda _target: folder,
            seed=_seed(request, options.seed),
            ends_s=began_s + seconds_of(budget),
            exit_first=options.exit_first,
            others=False,
            first=first,
            machine=options.machine,
        )
        try:
            result = job.run(order, view)
        except RuntimeError as exc:
            if "Already running" not in str(exc):
                raise
            raise UserError(
                "deadheat runs an event loop of its own. Call it from a plain `def` test."
            ) from None
    known.learn(result)
    _judge(request, result, found)


def _seed(request: pytest.FixtureRequest, given: int) -> int:
    """``--hypothesis-seed`` goes before the test's own; ``random`` draws one."""
    asked = request.config.getoption("--hypothesis-seed", None)
    if not asked:
        return given
    return session.random_seed() if asked == "random" else int(asked)


@contextlib.contextmanager
def _target(target: Any, options: Options, root: Path) -> Iterator[Target]:
    if isinstance(target, str):
        yield _named(target, options, root)
    elif callable(target):
        with served(target) as url:
            yield _at(url, options, root, exclusive=True)
    elif hasattr(target, "wire"):
        yield target
    else:
        raise UserError(f"{type(target).__name__} is no target. Give a name, a URL or an ASGI app.")


def _named(word: str, options: Options, root: Path) -> Target:
    if "://" in word and options.profile not in PROFILES:
        resolve(word, profile=PROFILES[0], allow_remote=options.allow_remote)  # is it an address?
        return _at(word.rstrip("/"), options, root, exclusive=False)
    if "://" in word:
        return resolve(word, profile=PROFILES[0], allow_remote=options.allow_remote)
    return resolve(str(root / word) if word.endswith(".toml") else word)


def _at(url: str, options: Options, root: Path, *, exclusive: bool) -> Target:
    match options.profile:
        case None:
            raise UserError(
                "A URL or an app needs profile=…: a profile's file, a Profile, or 'opencode'."
            )
        case Profile() as profile:
            pass
        case str() | os.PathLike() as path if path in PROFILES:
            return resolve(url, profile=os.fspath(path))
        case str() | os.PathLike() as path:
            profile = read_profile(root / path)
        case body:
            profile = Profile.model_validate(body)
    return profile.target(profile.name, base_url=url, exclusive=exclusive)


class _Known:
    """What Hypothesis's example database knows of this test; nothing where there is none."""

    def __init__(self, nodeid: str, root: Path) -> None:
        self._key = b"deadheat " + nodeid.encode()
        self._root = root
        self._database: ExampleDatabase | None = settings().database
        self._stored: dict[Path, bytes] = {}

    def recall(self, target: Target, folder: Path) -> tuple[tuple[Path, Artifact], ...]:
        """Examples that diverged before, each again in its file."""
        found: list[tuple[Path, Artifact]] = []
        for stored in sorted(self._database.fetch(self._key)) if self._database else ():
            try:
                artifact = artifacts.from_json(stored.decode(), "an example in the database")
            except (BadArtifact, UnicodeDecodeError):
                self._forget(stored)
                continue
            if artifact.target.profile != target.wire.name:
                self._forget(stored)
                continue
            path = artifacts.write(artifact, folder)
            self._stored[path] = stored
            found.append((path, artifact))
        return tuple(found)

    def learn(self, result: JobResult) -> None:
        """Keep what diverged, drop what has been silent for long enough."""
        for one in result.regressions:
            if one.standing is Standing.SILENT and one.path in self._stored:
                self._forget(self._stored[one.path])
        for example in result.summary.findings if result.summary is not None else ():
            if self._database is not None:
                self._database.save(self._key, artifacts.to_json(example.artifact).encode())

    def _forget(self, stored: bytes) -> None:
        if self._database is not None:
            self._database.delete(self._key, stored)


def _judge(request: pytest.FixtureRequest, result: JobResult, target: Target) -> None:
    __tracebackhide__ = True
    if result.interrupted:
        raise KeyboardInterrupt
    if result.exit_code == ExitCode.DIVERGED:
        raise RaceFound(_story(request, result, target))
    if result.error is not None:
        raise result.error
    for one in result.regressions:
        if one.standing in PROVES_NOTHING:
            raise NothingExercised(regression_case(one).message)
    assert result.summary is not None
    gone = [one for one in result.regressions if one.standing is Standing.GONE]
    words = [power_text(result.summary), *(regression_case(one).message for one in gone)]
    request.node.user_properties.append(("deadheat", "; ".join(words)))


def _story(request: pytest.FixtureRequest, result: JobResult, target: Target) -> str:
    reachable = target.launch is not None  # else it is gone when the test is over
    again = f"again   pytest {request.node.nodeid!r}"
    parts = [
        f"{regression_case(one).message}\n{regression_story(one, reachable=reachable)}"
        for one in result.regressions
        if one.standing in RED
    ]
    for example in result.summary.findings if result.summary is not None else ():
        parts += [_finding(example, reachable=reachable)]
    return "\n\n".join([*parts, f"{again}\nseed {result.seed}. {SERVER_IS_NOT}"])


def _finding(example: Example, *, reachable: bool) -> str:
    path = example.path
    lines = [finding_text(example.artifact, path)]
    if not reachable:
        lines = [
            finding_text(example.artifact, None),
            f"saved   {path}",
            f"replay  deadheat replay {path} --against URL --profile …",
        ]
    if not example.finished:
        lines.append(UNFINISHED)
    return "\n".join(lines)


def _short(path: Path) -> Path:
    """As one would type it from here."""
    return Path(os.path.relpath(path))
