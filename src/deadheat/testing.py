"""deadheat in a pytest suite: one line makes a test that fails when a race shows.

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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from deadheat.errors import ExitCode, NothingExercised, UserError
from deadheat.files.duration import seconds_of
from deadheat.files.results import PROVES_NOTHING, RED, RegressionStatus
from deadheat.generate.database import FoundProgram, RaceFound, falsify
from deadheat.generate.machine import ProgramMachine
from deadheat.model.program import Children, Create, Delete, Fork, Get, List, Rename
from deadheat.report.cases import (
    SERVER_IS_NOT,
    UNFINISHED,
    power_text,
    regression_case,
    regression_story,
)
from deadheat.report.finding import finding_text
from deadheat.run import ci as job
from deadheat.run import search as session
from deadheat.run.events import NoReporter
from deadheat.run.limits import STOPPING_S
from deadheat.run.oracle import SavedProgram
from deadheat.targets.asgi import served
from deadheat.targets.catalog import PROFILES, resolve
from deadheat.targets.profile.profile import Profile, read_profile
from deadheat.targets.python.loader import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    from deadheat.drive.target import Target
    from deadheat.files.results import Finding, JobResult
    from deadheat.model.program import Program

__all__ = [
    "Bundle",
    "Children",
    "Create",
    "Delete",
    "Fork",
    "Get",
    "List",
    "Profile",
    "ProgramMachine",
    "RaceFound",
    "Rename",
    "consumes",
    "initialize",
    "invariant",
    "multiple",
    "precondition",
    "race_test",
    "rule",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that ``race_test`` and the fixture share; see ``race_test``."""

    profile: str | os.PathLike[str] | Profile | Mapping[str, Any] | None = None
    budget: str | float = "30s"
    seed: int = 0
    exit_first: bool = True
    machine: type[ProgramMachine] = ProgramMachine
    regressions: str | os.PathLike[str] = "fuzz/regressions"
    into: str | os.PathLike[str] = ".deadheat"
    allow_remote: bool = False
    max_rps: float | None = None


def race_test(
    target: Any = None, *, fixture: str | None = None, **options: Any
) -> Callable[[pytest.FixtureRequest], None]:
    """Makes a test that searches ``target`` for races; give it a name that begins with ``test``.

    ``target``: a word of ``deadheat targets``, a URL, a ``Target``, or an ASGI app; or instead
    ``fixture``: the name of a fixture of yours that gives a URL or an ASGI app.

    ``profile``: how to speak to a URL or an app: ``opencode``, a profile's file, a ``Profile``, or
    the same as a dictionary. ``budget``: a hard limit on everything. ``seed``: which programs.
    ``exit_first``: stop at the first divergence. ``machine``: a ``ProgramMachine`` of your own.
    ``regressions``, ``into``: the folders of committed and of found examples. ``max_rps``: at most
    so many requests a second.
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
    """Run a whole job as a test. Raises ``RaceFound``, ``DeadheatError``, ``KeyboardInterrupt``."""
    __tracebackhide__ = True
    began_s = time.monotonic()
    root = request.config.rootpath
    with _target(target, options, root) as searched:
        found = replace(searched, max_rps=options.max_rps or searched.max_rps)
        oracle = _JobOracle(request, found, options, began_s)
        try:
            falsify(oracle, name=request.node.nodeid, test=request.node.name)
        except RuntimeError as exc:
            if "Already running" not in str(exc):
                raise
            raise UserError(
                "deadheat runs an event loop of its own. Call it from a plain `def` test."
            ) from None
        except RaceFound as exc:
            raise RaceFound(str(exc)) from None  # its notes show the diagram once more
    request.node.user_properties.append(("deadheat", oracle.said))


class _JobOracle:
    """Implements ``generate.database.Oracle`` by whole jobs, each within the budget."""

    def __init__(
        self, request: pytest.FixtureRequest, target: Target, options: Options, began_s: float
    ) -> None:
        root = request.config.rootpath
        budget = request.config.getoption("--deadheat-budget", None) or options.budget
        self._request = request
        self._target = target
        self._options = options
        self._folder = _short(root / options.into) / session.folder_name(target.name)
        self._regressions = _short(root / options.regressions)
        self._seed = _seed(request, options.seed)
        self._ends_s = began_s + seconds_of(budget)
        self.said = ""

    def replay(self, program: Program) -> FoundProgram | None:
        """Run live what Hypothesis's database has kept."""
        live = SavedProgram(
            self._target,
            self._folder,
            seed=self._seed,
            out_of_time=lambda: time.monotonic() > self._ends_s - STOPPING_S,
        )
        evidence = live.replay(program)
        if evidence is None:
            return None
        came_back = f"it diverged before, and again in trial {live.trials}"
        return FoundProgram(evidence.program, f"{evidence.text}\n\n{came_back}\n{self._again()}")

    def search(self, programs: int) -> FoundProgram | None:
        """The committed regressions, then the search, within the budget (not ``programs``).

        Raises ``RaceFound`` itself for what is no new example.
        """
        del programs
        order = job.JobOrder(
            find=lambda _name: self._target,
            target=self._target.name,
            regressions=self._regressions,
            into=lambda _target: self._folder,
            seed=self._seed,
            ends_s=self._ends_s,
            exit_first=self._options.exit_first,
            others=False,
            machine=self._options.machine,
        )
        result = job.run(order, NoReporter())
        if result.interrupted:
            raise KeyboardInterrupt
        if result.exit_code == ExitCode.DIVERGED:
            found = result.summary.findings if result.summary is not None else ()
            story = self._story(result)
            if not found:
                raise RaceFound(story)
            return FoundProgram(found[0].artifact.program, story)
        if result.error is not None:
            raise result.error
        for one in result.regressions:
            if one.standing in PROVES_NOTHING:
                raise NothingExercised(regression_case(one).message)
        assert result.summary is not None
        gone = [one for one in result.regressions if one.standing is RegressionStatus.GONE]
        words = [power_text(result.summary), *(regression_case(one).message for one in gone)]
        self.said = "; ".join(words)
        return None

    def _again(self) -> str:
        return f"again   pytest {self._request.node.nodeid!r}\nseed {self._seed}. {SERVER_IS_NOT}"

    def _story(self, result: JobResult) -> str:
        reachable = self._target.launch is not None  # else it is gone when the test is over
        parts = [
            f"{regression_case(one).message}\n{regression_story(one, reachable=reachable)}"
            for one in result.regressions
            if one.standing in RED
        ]
        for example in result.summary.findings if result.summary is not None else ():
            parts += [_finding(example, reachable=reachable)]
        return "\n\n".join([*parts, self._again()])


def _seed(request: pytest.FixtureRequest, given: int) -> int:
    """The seed: ``--hypothesis-seed``, or else the test's own; ``random`` draws one."""
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
        kind = type(target).__name__
        raise UserError(f"{kind} is not a target. Give a name, a URL or an ASGI app.")


def _named(word: str, options: Options, root: Path) -> Target:
    if "://" in word and options.profile not in PROFILES:
        resolve(word, profile=PROFILES[0], allow_remote=options.allow_remote)  # is it an address?
        return _at(word.rstrip("/"), options, root, exclusive=False)
    if "://" in word:
        return resolve(word, profile=PROFILES[0], allow_remote=options.allow_remote)
    return resolve(str(root / word) if word.endswith(".toml") or named(word) else word)


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


def _finding(example: Finding, *, reachable: bool) -> str:
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
    """The path as one would type it from here."""
    return Path(os.path.relpath(path))
