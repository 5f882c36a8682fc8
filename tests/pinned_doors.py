"""Texts of what other programs and people's fingers rely on, for ``pinned.py``.

Events, the machine's lines, the command line, public names, and the seeds of what is random.
"""

from __future__ import annotations

import enum
import json
import random
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from tests.campaign.crewed import FakeCrew, coordinator, did, works
from tests.campaign.test_coordinator import BOUNDED, LARGE, OTHER_SHAPE, RAW, better, found
from tests.campaign.test_worker import Run as WorkerRun
from tests.examples import example, ghost
from tests.report.test_ci import EVERY
from tests.run.test_engine import Run as EngineRun

from deadheat import errors
from deadheat.campaign import protocol, worker
from deadheat.campaign.store import Store
from deadheat.cli.commands import LazyCommand
from deadheat.cli.main import cli
from deadheat.files.results import Presence, RegressionStatus, Summary, VersionRow
from deadheat.model.hiccups import Hiccup
from deadheat.model.history import Kind
from deadheat.report.ci import job_machine_line
from deadheat.report.comparison import versions_json
from deadheat.report.run import machine_line
from deadheat.run import events
from deadheat.run.event_lines import event_line
from deadheat.targets.catalog import resolve
from deadheat.trials.stats import rate

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = Path("a/b.json")
SIGNATURE = ghost()[1].signature
KEY = f"{SIGNATURE} #2"
SNAPSHOT = events.Snapshot(
    *("demo", 7.12345, 60.0, 1, 2, 3, 4, 5, 6, 7.12345, 8.12345, 9, 10, 11, True, 12, 13, 14),
    findings=(events.FindingState(KEY, 4, "shrinking", 0.12345, 5, 1.12345, 2.0),),
    workers=(events.WorkerState("w1", "searching", 3, 4),),
)
# One of each, with nothing left at its default.
EVENTS: tuple[events.Event, ...] = (
    events.Started("demo", "none", 7, met=(Hiccup(Kind.LIST, 429, "busy"),)),
    events.Progress(events.Phase.SEARCHING, 1, 2, 3, 4, 5, 6, 7.12345, "of 8"),
    events.DivergenceFound(KEY, SIGNATURE, 3, 4, PATH),
    events.Shrunk(KEY, SIGNATURE, 4, 20),
    events.Saved(KEY, example(), PATH, kept=True),
    events.MoreReliable(KEY, example(), PATH),
    events.TargetRestarted(1, "last\nwords"),
    events.Checked(PATH, "demo", RegressionStatus.GONE, 2, 180),
    events.Opened("demo", 7, PATH),
    events.GivenUp(KEY),
    events.Known(KEY),
    events.Recycled("w1"),
    events.WorkerStarted("w1", "none"),
    events.WorkerLost("w1", "killed"),
    events.Workers(2, "1 worker: 3.0 programs/s; trying 2"),
    events.Plateau(3, 4),
    SNAPSHOT,
    events.Ended("time", SNAPSHOT),
)
CLEAN = Summary(
    *("demo", "p", 1, 100, 100, 900, 50, 0, 0, 0, 12.0, "time", {"delete": 9}, {"delete": 9}, ()),
    raced=100,
)


def event_lines() -> Iterator[str]:
    """The lines of ``--events``; and the words of what is counted on."""
    yield from (event_line(event, 1.23456) for event in EVENTS)
    yield ""
    yield f"phases: {'; '.join(events.Phase)}"


def _campaign(folder: Path) -> list[events.Event]:
    """What a campaign tells in which everything happens that can."""
    key = ""

    def answer(crew: FakeCrew, name: str, order: protocol.WorkerOrder) -> None:
        nonlocal key
        match order:
            case protocol.Share(number=0) if not key:
                crew.say(name, did(order, 1))
                crew.say(name, found(LARGE))
                crew.say(name, protocol.ServerRestarted(True, "last\nwords"))
                crew.say(name, protocol.ServerRestarted(False, ""))
            case protocol.Pursue() if not key:
                key = order.key
                crew.say(name, better(key, RAW, finished=False))
                crew.say(name, better(key, example()))
                crew.die(name, "Killed")
            case protocol.Share() if key:
                crew.say(name, found(OTHER_SHAPE))
                works(crew, name, order)
            case protocol.Pursue():  # it is the same after all
                crew.say(name, better(order.key, example()))
            case _:
                works(crew, name, order)

    told: list[events.Event] = []
    with Store(folder, replace(BOUNDED, programs=2_000)) as store:
        coordinator(store, FakeCrew(answer, most=2), told).run()
    return told


def of_a_campaign() -> Iterator[str]:
    """The lines of ``campaign --events``: each event's fields, and what is in them."""
    with tempfile.TemporaryDirectory() as folder:
        told = _campaign(Path(folder))
    bodies = [json.loads(event_line(event, 1.0)) for event in told]
    for name in sorted({body["event"] for body in bodies}):
        shapes = [_shape(body) for body in bodies if body["event"] == name]
        yield f"{name}: {max(shapes, key=len)}"


def _shape(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key} {_shape(inner)}" for key, inner in value.items()) + "}"
        case list():
            return f"[{max(map(_shape, value), key=len, default='')}]"
        case _:
            return type(value).__name__


def results() -> Iterator[str]:
    """The machine's line of ``run`` and of ``ci``, and the table of ``replay --json``."""
    yield machine_line(CLEAN, 0)
    yield machine_line(None, 3)
    yield job_machine_line(EVERY)
    yield ""
    rows = (
        VersionRow(
            "demo", Presence.PRESENT, 9, 3, rate=rate(3, 9), why="why", unraced=1, undecided=2
        ),
        *(VersionRow("demo", standing) for standing in Presence),
    )
    yield json.dumps(versions_json(example(), rows))


def command_line() -> Iterator[str]:
    """Each command with its arguments and options, and the exit codes."""
    for name in sorted(cli.commands):
        command = cli.commands[name]
        yield f"deadheat {name}"
        real = command.real() if isinstance(command, LazyCommand) else command
        yield from sorted(f"  {_parameter(one)}" for one in real.params)
    yield ""
    yield from (f"{code.value} {code.name.lower()}" for code in errors.ExitCode)


def _parameter(one: click.Parameter) -> str:
    words = [", ".join((*one.opts, *one.secondary_opts))]
    flag = isinstance(one, click.Option) and one.is_flag
    if isinstance(one.type, click.Choice):
        words.append("|".join(map(str, one.type.choices)))
    elif not flag:
        words.append(one.type.name.upper())
    default = one.to_info_dict()["default"]
    words += [f"default {default}"] if default not in (None, False, ()) else []
    words += ["…"] if one.multiple or one.nargs != 1 else []
    words += ["required"] if one.required else []
    words += ["hidden"] if isinstance(one, click.Option) and one.hidden else []
    return " ".join(words)


def public_names() -> Iterator[str]:
    """What others import, and what an error makes of the process."""
    for module in ("deadheat", "deadheat.target", "deadheat.testing"):
        yield f"{module}: {' '.join(import_module(module).__all__)}"
    yield ""
    for name, one in vars(errors).items():
        if isinstance(one, type) and issubclass(one, errors.DeadheatError):
            yield f"{name}({one.__mro__[1].__name__}) {one.exit_code.value}"
    target = import_module("deadheat.target")
    for name, one in ((name, getattr(target, name)) for name in target.__all__):
        if not isinstance(one, type):
            continue
        yield ""
        if isinstance(one, enum.EnumType):
            yield f"{name}: {'; '.join(map(repr, one))}"
        else:
            words = getattr(one, "__dataclass_fields__", None)
            words = words or sorted(word for word in vars(one) if word[0] != "_")
            yield f"{name}: {' '.join(words)}"


@contextmanager
def recorded_seeds() -> Iterator[list[str]]:
    """The texts that generators of random numbers are made of, while it is open."""
    made: list[str] = []
    before = random.Random

    class Recording(before):  # type: ignore[misc, valid-type]
        def __new__(cls, *given: Any) -> Any:
            made.extend(one for one in given if isinstance(one, str))
            return before(*given)

    random.Random = Recording  # type: ignore[misc, assignment]
    try:
        yield made
    finally:
        random.Random = before  # type: ignore[misc]


def seeds() -> Iterator[str]:
    """The texts that seed what is random in a search and in a worker."""
    with tempfile.TemporaryDirectory() as folder, recorded_seeds() as made:
        anyio.run(EngineRun(Path(folder) / "engine", rate=0.15, programs=1).engine.run)
        anyio.run(WorkerRun(Path(folder) / "worker", 0.0, (LARGE.program,) * 60).run)
        worker.source(resolve("demo"), 7, 3)
    yield from dict.fromkeys(made)
