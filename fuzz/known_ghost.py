"""Record OpenCode's ghost at its known minimum: two sessions, two deletes at once.

What `deadheat run` finds and shrinks to in minutes, for scripts that start from the example: the
program is the known one, the history that proves it and the rate are of this run, on the
real server. Prints the path of the example.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import anyio

from deadheat.drive.live import open_target
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import Artifact, Origin, RateRecord, TargetRecord
from deadheat.model.program import Create, Delete, Program, Var
from deadheat.model.verdict import Anomaly, Diverged, Divergence, Undecided
from deadheat.run.trial import once
from deadheat.targets.catalog import resolve
from deadheat.trials.stats import rate

# On a loaded machine the ghost may hide for some hundred trials.
_PATIENCE = 10


def ghost_program(offset_us: int) -> Program:
    a, b = Var(0), Var(1)
    return Program((((Create(a),),), ((Create(b),),), ((Delete(a),), (Delete(b, offset_us),))))


async def record(word: str, offset_us: int, trials: int) -> Artifact:
    """The example with its rate in ``trials`` trials (more only until it has shown once)."""
    target = resolve(word, report=lambda line: print(line, file=sys.stderr))
    program = ghost_program(offset_us)
    ghost: Divergence | None = None
    diverged = done = 0
    async with open_target(target, secrets.token_hex(3)) as live:
        while done < trials or (ghost is None and done < _PATIENCE * trials):
            verdict = (await once(live, program, patient=False)).verdict
            if isinstance(verdict, Undecided):
                continue
            done += 1
            found = verdict.all if isinstance(verdict, Diverged) else ()
            ghosts = [one for one in found if one.anomaly is Anomaly.GHOST]
            diverged += bool(ghosts) and done <= trials  # what came later has no fixed number
            ghost = ghosts[0] if ghosts else ghost
        if ghost is None:
            raise SystemExit(f"{word} showed no ghost in {done} trials; try another --offset")
        measured = rate(diverged, trials)
        return Artifact(
            anomaly=ghost.anomaly,
            signature=ghost.signature.calls,
            reason=ghost.reason,
            target=TargetRecord(
                target.name,
                target.wire.name,
                target.version,
                live.promises,
                target.settle_ms,
                target.timeout_s,
            ),
            program=program,
            rate=RateRecord(diverged, trials, measured.low, measured.high, measured.confidence),
            proven_minimal=False,
            needs_race=True,
            most_reliable=None,
            most_reliable_rate=None,
            transient=False,
            explanation=artifacts.explanation_of(ghost),
            witness=ghost.witness,
            culprit=ghost.culprit,
            about=ghost.sessions,
            sessions=artifacts.sessions_of(program, ghost.history),
            history=ghost.history,
            origin=Origin(0, 1, 0),
            environment=artifacts.environment(),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="opencode@1.0.152")
    parser.add_argument("--offset", type=int, default=400, help="µs between the two deletes")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--into", type=Path, default=Path(".deadheat"))
    given = parser.parse_args()
    print(artifacts.write(anyio.run(record, given.target, given.offset, given.trials), given.into))


if __name__ == "__main__":
    main()
