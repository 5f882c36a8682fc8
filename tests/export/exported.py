"""An exported script in a process of its own kind: loaded as a module, fed with histories.

And histories for it: programs run on a server in memory that forgets, delays and makes up things.
"""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests import opencode
from tests.examples import example

from deadheat.export.recipe import Recipe
from deadheat.export.requests import reading, reads_of, steps_of
from deadheat.export.scripts import script
from deadheat.files.artifact import Artifact, explanation_of, sessions_of
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Listed,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.model.program import Create, Delete, Get, List, Program, Rename, Var
from deadheat.report.calls import described
from deadheat.targets.opencode.releases import profile_of

if TYPE_CHECKING:
    from random import Random

    from deadheat.model.history import Place
    from deadheat.model.program import (
        Call,
    )
    from deadheat.model.promises import Promises
    from deadheat.model.verdict import Divergence


def recipe_of(artifact: Artifact, start: Any = None) -> Recipe:
    wire = opencode.WIRE
    steps = steps_of(artifact, wire)
    reads = reads_of(profile_of(None))
    return Recipe(artifact, steps, *reading(artifact, wire), start, 100, "ghost.json", reads=reads)


def artifact_of(program: Program, divergence: Divergence, promises: Promises) -> Artifact:
    base = example()
    return replace(
        base,
        anomaly=divergence.anomaly,
        signature=divergence.signature.calls,
        reason=divergence.reason,
        target=replace(base.target, promises=promises),
        program=program,
        explanation=explanation_of(divergence),
        witness=divergence.witness,
        culprit=divergence.culprit,
        about=divergence.sessions,
        sessions=sessions_of(program, divergence.history),
        history=divergence.history,
    )


def loaded(artifact: Artifact, *, stdlib: bool = True) -> Any:
    """The exported script as a module."""
    module = types.ModuleType("repro")
    sys.modules.setdefault("repro", module)
    exec(
        compile(script(recipe_of(artifact), "repro.py", stdlib=stdlib), "repro.py", "exec"),
        module.__dict__,
    )
    return module


def judged(module: Any, program: Program, history: History) -> str | None:
    """What the script says of this history; None: nothing wrong."""
    trial = module.Trial(None, 1)
    trial.ids = sessions_of(program, history)
    names = {session: name for name, session in trial.ids.items()}
    calls = dict(program.placed())
    for op in history.operations:
        asked = op.invocation
        made = asked.session
        if isinstance(op.outcome, Ok) and isinstance(op.outcome.result, Created):
            made = op.outcome.result.session
        text = described(calls[op.place]) if op.place is not None else f"{op.kind}()"
        call = module.Call(
            text,
            op.kind.value,
            names.get(made or ""),
            "",
            "",
            None,
            0,
            names.get(asked.parent or ""),
        )
        shown: dict[str, str | None] | None = None
        match op.outcome:
            case Ok(Listed(entries)):
                shown = {entry.session: entry.title for entry in entries}
            case Ok(Found(title)):
                shown = {str(asked.session): title}
            case Ok(Absent()) if op.kind is Kind.GET:
                shown = {}
            case _:
                pass
        trial.ops.append(
            module.Op(call, op.at_rest, op.status, shown, asked.title, op.call_ns, op.return_ns)
        )
    found: str | None = trial.contradiction()
    return found


def random_program(rng: Random) -> Program:
    """One to three sessions, then a race of two or three lanes, then perhaps another call."""
    made = [Var(n) for n in range(rng.randint(1, 3))]

    def call() -> Call:
        kind = rng.choice((Delete, Delete, Get, Rename))
        return List() if rng.random() < 0.15 else kind(rng.choice(made))

    lanes = tuple(
        tuple(call() for _ in range(rng.choice((1, 1, 2)))) for _ in range(rng.choice((2, 2, 3)))
    )
    after = (((call(),),),) if rng.random() < 0.4 else ()
    return Program((*((((Create(var),),)) for var in made), lanes, *after))


def faulty(program: Program, rng: Random) -> History:
    """One trial on a server that gets one call in six wrong; every call is answered."""
    live: dict[str, str | None] = {}
    ids: dict[Var, str] = {}
    operations: list[Operation] = []
    now = 0

    def answer(call: Call | Invocation, place: Place | None, call_ns: int, end_ns: int) -> None:
        wrong = rng.random() < 1 / 6
        asked, outcome, status = _answer(call, place, live, ids, wrong=wrong)
        lane = 9 if place is None else place[1]
        operations.append(
            Operation(
                len(operations), lane, asked, outcome, call_ns, end_ns, place is None, place, status
            )
        )

    for r, lanes in enumerate(program.rounds):
        spans: list[tuple[int, int, int, Place, Call]] = []
        for l, lane in enumerate(lanes):
            at = now + rng.randint(0, 20)
            for i, call in enumerate(lane):
                end = at + rng.randint(2, 40)
                spans.append((rng.randint(at, end), at, end, (r, l, i), call))
                at = end + rng.randint(1, 10)
        for _, at, end, place, call in sorted(spans, key=lambda span: span[0]):
            answer(call, place, at, end)
        now = max(end for _, _, end, _, _ in spans) + 5
    for asked in (Invocation(Kind.LIST), *(Invocation(Kind.GET, s) for s in ids.values())):
        answer(asked, None, now, now + 3)
        now += 5
    return History(tuple(operations))


def _answer(
    call: Call | Invocation,
    place: Place | None,
    live: dict[str, str | None],
    ids: dict[Var, str],
    *,
    wrong: bool,
) -> tuple[Invocation, Outcome, int]:
    match call:
        case Create(var):
            ids[var] = session = f"ses_{var.name}"
            live[session] = title = f"t {var.name}"
            return Invocation(Kind.CREATE, title=title), Ok(Created(session)), 200
        case Delete(var):
            asked = Invocation(Kind.DELETE, ids[var])
            there = ids[var] in live
            if not wrong:
                live.pop(ids[var], None)
            return asked, Ok(Deleted() if there else Absent()), 200 if there else 404
        case Rename(var):
            title = f"t {var.name} {place}"
            asked = Invocation(Kind.RENAME, ids[var], title)
            if ids[var] not in live and not wrong:
                return asked, Ok(Absent()), 404
            live[ids[var]] = title
            return asked, Ok(Renamed()), 200
        case Get(var):
            return _answer(Invocation(Kind.GET, ids[var]), place, live, ids, wrong=wrong)
        case List():
            return _answer(Invocation(Kind.LIST), place, live, ids, wrong=wrong)
        case Invocation(Kind.LIST):
            if wrong and place is not None:
                return call, Ok(Undeclared(409)), 409
            shown = list(live.items())[1:] if wrong else list(live.items())
            return call, Ok(Listed(tuple(Seen(*entry) for entry in shown))), 200
        case Invocation(_, session):
            if (session in live) is wrong:
                return call, Ok(Absent()), 404
            return call, Ok(Found(live.get(str(session)))), 200
        case _:
            return Invocation(Kind.LIST), Info(Unknown.TIMEOUT), 0
