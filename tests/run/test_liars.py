"""All-clears that are none: each way in which a race fails to take place, by each command.

A server in memory, or the machine that sends, keeps the race of a saved example from taking
place. Whoever is asked "is it fixed?" says *not comparable*, with the reason as data, and exits
with 3. The honest twin, whose race takes place and stays quiet, is called quiet by each of them.
"""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from tests.examples import double_delete, example
from tests.run.simulated import SimulatedTarget

from deadheat.cli.console import View
from deadheat.cli.verify import table_code, verified_code
from deadheat.errors import ExitCode, NotComparable, TargetDied
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import RateRecord
from deadheat.files.results import Presence, RegressionStatus
from deadheat.model.history import (
    REFUSED,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Seen,
    Unknown,
)
from deadheat.model.promises import DeletePromise, Promises
from deadheat.model.raced import Unraced, UnracedReason
from deadheat.run import ci as job
from deadheat.run import compare as comparison
from deadheat.run import limits
from deadheat.run import search as session
from deadheat.run import verify as verifying
from deadheat.run.plan import Plan
from deadheat.trials.evidence import AbsentBelow, Unproven

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from deadheat.drive.executor import Execution
    from deadheat.drive.live import LiveTarget
    from deadheat.drive.target import Target
    from deadheat.files.artifact import Artifact
    from deadheat.files.results import Bisected, Verified
    from deadheat.model.program import Program


def changed(
    execution: Execution, which: tuple[int, int], outcome: Outcome | None, status: int | None
) -> Execution:
    """The call of this round and lane did nothing and got another answer (None: it was not sent).

    What needs the session that it did not make is not sent; one that it did not delete is there.
    """
    operations: list[Operation] = []
    lost: str | None = None
    kept: str | None = None
    for op in execution.history.operations:
        if op.place is not None and op.place[:2] == which:
            lost = f"ses_{op.invocation.title}" if op.kind is Kind.CREATE else None
            kept = op.invocation.session
            if outcome is None:
                continue
            known = None if isinstance(outcome, Info) else op.return_ns
            now = replace(op, outcome=outcome, status=status, return_ns=known)
        elif lost is not None and op.invocation.session == lost:
            continue
        elif op.at_rest and kept is not None:
            now = replace(op, outcome=_with(kept, op))
        else:
            now = op
        operations.append(replace(now, index=len(operations)))
    return replace(execution, history=replace(execution.history, operations=tuple(operations)))


def _with(session: str, read: Operation) -> Outcome:
    title = session.removeprefix("ses_")
    if read.kind is Kind.LIST:
        return Ok(Listed((Seen(session, title),)))
    return Ok(Found(title)) if read.invocation.session == session else read.outcome


def silent(execution: Execution) -> Execution:
    """Not one call reached anybody."""
    operations = tuple(
        replace(op, outcome=Fail("ConnectError"), status=None, return_ns=None)
        for op in execution.history.operations
    )
    return replace(execution, history=replace(execution.history, operations=operations))


def blind(execution: Execution) -> Execution:
    """All calls were answered, and nobody could look at what came of them."""
    operations = tuple(
        replace(op, outcome=Fail(REFUSED), status=429) if op.at_rest else op
        for op in execution.history.operations
    )
    return replace(execution, history=replace(execution.history, operations=operations))


@dataclass(frozen=True, slots=True)
class Liar:
    """``why``: what each trial says, None: there are none; ``make`` alters an honest target."""

    name: str
    why: Unraced | None
    make: Callable[[SimulatedTarget], None]


def lying(lies: Callable[[Execution], Execution]) -> Callable[[SimulatedTarget], None]:
    def make(live: SimulatedTarget) -> None:
        live.lies = lambda one: lies(one) if one.program == recorded().program else one

    return make


def late(live: SimulatedTarget) -> None:
    live.misses_us = 3_000


def gone(live: SimulatedTarget) -> None:
    def before(_program: Program) -> None:
        if len(live.ran) >= 5:
            raise TargetDied("It does not answer any more. Start it again.")

    live.before = before


def settling(live: SimulatedTarget) -> None:
    live.target = replace(live.target, settle_ms=500)


REFUSES = Fail(REFUSED)
LIARS = (
    Liar(
        "create refused",
        Unraced(UnracedReason.REFUSED, "create", 409),
        lying(lambda one: changed(one, (1, 0), REFUSES, 409)),
    ),
    Liar(
        "delete refused in the race",
        Unraced(UnracedReason.REFUSED, "delete", 423),
        lying(lambda one: changed(one, (2, 1), REFUSES, 423)),
    ),
    Liar(
        "call not bound",  # nobody told the id
        Unraced(UnracedReason.UNBOUND, "delete"),
        lying(lambda one: changed(one, (2, 1), None, None)),
    ),
    Liar(
        "call reached nobody",
        Unraced(UnracedReason.UNSENT, "delete"),
        lying(lambda one: changed(one, (2, 0), Fail("ConnectError"), None)),
    ),
    Liar(
        "no answer",
        Unraced(UnracedReason.UNANSWERED, "delete"),
        lying(lambda one: changed(one, (2, 0), Info(Unknown.TIMEOUT), None)),
    ),
    Liar("reads at rest refused", Unraced(UnracedReason.REFUSED, "list", 429), lying(blind)),
    Liar("offsets missed", Unraced(UnracedReason.OFF_TIME), late),
    Liar("nobody answers", None, lying(silent)),
    Liar("server gone", None, gone),
    Liar("other promises", None, settling),
)
by_liar = pytest.mark.parametrize("liar", LIARS, ids=lambda one: one.name)


def recorded() -> Artifact:
    """The ghost, as often as it takes for few trials, where calls took longer than here."""
    whole = example()
    operations = tuple(
        replace(op, call_ns=op.call_ns * 10, return_ns=op.return_ns and op.return_ns * 10)
        for op in whole.history.operations
    )
    return replace(
        whole,
        rate=RateRecord(120, 200, 0.5285, 0.6684, 0.95),
        history=replace(whole.history, operations=operations),
        environment=artifacts.environment(),
    )


class Servers:
    """Simulated targets by name, in the place of real ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lives: dict[str, SimulatedTarget] = {}

        @asynccontextmanager
        async def opened(target: Target, _run: str, **_words: object) -> AsyncIterator[LiveTarget]:
            yield self._lives[target.name].as_live()

        monkeypatch.setattr(limits, "open_target", opened)

    def up(self, name: str, rate: float, liar: Liar | None = None) -> Target:
        live = SimulatedTarget(random.Random(name), rate)
        live.target = replace(live.target, name=name)
        if liar is not None:
            liar.make(live)
        self._lives[name] = live
        return live.target

    def live(self, name: str) -> SimulatedTarget:
        return self._lives[name]

    def find(self, word: str) -> Target:
        return self._lives[word].target


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    return Servers(monkeypatch)


def says_why(liar: Liar, evidence: object) -> bool:
    """Nothing proved, and why not, as data."""
    if not isinstance(evidence, Unproven):
        return False
    if liar.name == "other promises":
        return bool(evidence.other_promises)
    if liar.why is None:
        return evidence.undecided == evidence.trials > 0
    return evidence.unraced == ((liar.why, evidence.trials),)


@by_liar
def test_replay(liar: Liar, servers: Servers) -> None:
    with View() as view:
        done = session.replay(recorded(), servers.up("liar", 0.0, liar), None, view)
        honest = session.replay(recorded(), servers.up("honest", 0.0), None, view)
    assert done.exit_code is ExitCode.TARGET
    if liar.name == "server gone":
        assert isinstance(done.error, TargetDied)
    else:
        assert isinstance(done.error, NotComparable)
        assert done.replayed is not None
        assert says_why(liar, done.replayed.evidence)
    assert honest.exit_code is ExitCode.CLEAN
    assert honest.replayed is not None
    assert isinstance(honest.replayed.evidence, AbsentBelow)


@by_liar
def test_versions(liar: Liar, servers: Servers) -> None:
    servers.up("liar", 0.0, liar)
    servers.up("honest", 0.0)
    with View() as view:
        rows = comparison.compare(recorded(), ["honest", "liar"], servers.find, None, view).rows
    quiet, lied = rows
    assert (quiet.standing, lied.standing) == (Presence.NOT_SEEN, Presence.NOT_COMPARABLE)
    assert lied.why
    assert liar.name == "server gone" or says_why(liar, lied.evidence)
    assert table_code([lied]) is ExitCode.TARGET


@by_liar
@pytest.mark.parametrize("beside", [False, True])
def test_verify(liar: Liar, beside: bool, servers: Servers) -> None:
    old = servers.up("old", 0.5)

    def verify(target: Target) -> Verified:
        with View() as view:
            return verifying.verify(
                recorded(), target, lambda: old, 0.99, view, baseline_at_once=beside
            )

    target = servers.up("liar", 0.0, liar)
    if liar.name == "server gone":
        with pytest.raises(TargetDied):
            verify(target)
    else:
        found = verify(target)
        assert says_why(liar, found.evidence)
        assert verified_code(found) is ExitCode.TARGET
    quiet = verify(servers.up("honest", 0.0))
    assert isinstance(quiet.evidence, AbsentBelow)
    assert verified_code(quiet) is ExitCode.CLEAN


@by_liar
def test_bisect(liar: Liar, servers: Servers) -> None:
    servers.up("1", 0.5)
    servers.up("honest", 0.0)
    servers.up("liar", 0.0, liar)

    def bisect(good: str) -> Bisected:
        with View() as view:
            return comparison.bisect(
                *(recorded(), ("1", good), servers.find),
                present_first=True,
                confidence=0.99,
                view=view,
            )

    with pytest.raises((NotComparable, TargetDied)):
        bisect("liar")
    assert bisect("honest").without_it == "honest"


@by_liar
def test_ci(liar: Liar, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"programs": 1}  # of the search: the regressions are what matters
    monkeypatch.setattr(job, "Plan", lambda **words: Plan(**{**words, **few}))
    committed = recorded()  # and clean is what is expected, where nothing is said
    artifacts.write(committed, tmp_path / "regressions" / "liar")
    artifacts.write(committed, tmp_path / "regressions" / "honest")

    def run(word: str) -> tuple[RegressionStatus, int]:
        order = job.JobOrder(
            find=servers.find,
            target=word,
            regressions=tmp_path / "regressions",
            into=lambda _target: tmp_path / "found",
            seed=1,
            ends_s=time.monotonic() + 120,
            others=False,
        )
        with View() as view:
            result = job.run(order, view)
        (one,) = result.regressions
        assert one.standing is RegressionStatus.SILENT or one.why
        return one.standing, result.exit_code

    servers.up("liar", 0.0, liar)
    servers.up("honest", 0.0)
    wanted = (
        RegressionStatus.UNFINISHED
        if liar.name == "server gone"
        else RegressionStatus.NOT_COMPARABLE
    )
    assert run("liar") == (wanted, ExitCode.TARGET)
    assert run("honest")[0] is RegressionStatus.SILENT


def test_silence_under_a_weaker_promise_is_none_of_what_was_recorded(servers: Servers) -> None:
    """Two deletes of one session that both claim success: no divergence where that is allowed."""
    for promise in DeletePromise:
        target = servers.up("weaker", 0.0)
        servers.live("weaker").promises = Promises(delete=promise)
        with View() as view:
            done = session.replay(double_delete(), target, None, view)
        assert done.replayed is not None
        evidence = done.replayed.evidence
        if promise is DeletePromise.IDEMPOTENT:
            assert isinstance(evidence, Unproven)
            assert "delete idempotent" in evidence.other_promises
        else:
            assert isinstance(evidence, AbsentBelow)
