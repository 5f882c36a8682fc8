"""One failing example, as a server that loses a delete would give it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.programs import TWO_DELETES, A, sequential
from tests.run.simulated import simulate

from deadheat.check.checker import check
from deadheat.files.artifact import (
    Artifact,
    Environment,
    Origin,
    RateRecord,
    TargetRecord,
    explanation_of,
    sessions_of,
)
from deadheat.model.history import (
    Created,
    Deleted,
    History,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
)
from deadheat.model.program import Create, Delete, Program
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged, Divergence

if TYPE_CHECKING:
    from deadheat.drive.executor import Execution

PROMISES = Promises()
_SLOW = 1_000_000_000


def ghost() -> tuple[Execution, Divergence]:
    """TWO_DELETES on a server that loses the second delete."""
    execution = simulate(TWO_DELETES, lost_delete=True)
    verdict = check(execution.history, PROMISES)
    assert isinstance(verdict, Diverged)
    return execution, verdict.divergence


def on_any_machine(artifact: Artifact) -> Artifact:
    """The same calls one after the other, recorded where they took for ever: no offset can be
    missed, and no machine is too slow to be compared."""
    operations = tuple(
        replace(op, call_ns=op.call_ns * _SLOW, return_ns=op.return_ns and op.return_ns * _SLOW)
        for op in artifact.history.operations
    )
    return replace(
        artifact,
        program=sequential(artifact.program),
        history=replace(artifact.history, operations=operations),
    )


def double_delete() -> Artifact:
    """Two deletes of one session that both claim to have done it, in a third of the trials."""
    race = Program((((Create(A),),), ((Delete(A),), (Delete(A),))))
    deleted = Ok(Deleted())
    create, asked = Invocation(Kind.CREATE, title="a"), Invocation(Kind.DELETE, "ses_a")
    operations = (
        Operation(0, 0, create, Ok(Created("ses_a")), 0, 900, False, (0, 0, 0), 200),
        Operation(1, 0, asked, deleted, 1_000, 1_900, False, (1, 0, 0), 200),
        Operation(2, 1, asked, deleted, 1_000, 1_900, False, (1, 1, 0), 200),
        Operation(3, 2, Invocation(Kind.LIST), Ok(Listed(())), 2_000, 2_900, True, None, 200),
    )
    verdict = check(History(operations), PROMISES)
    assert isinstance(verdict, Diverged)
    found = verdict.divergence
    return replace(
        example(),
        anomaly=found.anomaly,
        signature=found.signature.calls,
        reason=found.reason,
        program=race,
        rate=RateRecord(66, 200, 0.2653, 0.3998, 0.95),
        explanation=explanation_of(found),
        witness=found.witness,
        culprit=found.culprit,
        about=found.sessions,
        sessions=sessions_of(race, found.history),
        history=found.history,
    )


def example() -> Artifact:
    """The ghost, measured."""
    execution, divergence = ghost()
    return Artifact(
        anomaly=divergence.anomaly,
        signature=divergence.signature.calls,
        reason=divergence.reason,
        target=TargetRecord("demo", "opencode", None, PROMISES, 0, 10.0),
        program=TWO_DELETES,
        rate=RateRecord(23, 200, 0.0745, 0.1676, 0.95),
        proven_minimal=True,
        needs_race=True,
        most_reliable=None,
        most_reliable_rate=None,
        transient=False,
        explanation=explanation_of(divergence),
        witness=divergence.witness,
        culprit=divergence.culprit,
        about=divergence.sessions,
        sessions=sessions_of(TWO_DELETES, execution.history),
        history=divergence.history,
        origin=Origin(7, 12, 345),
        environment=Environment("0.1.0", "3.11.7", "6.170.15", "Linux x86_64", 2),
    )
