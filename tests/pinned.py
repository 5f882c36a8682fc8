"""Texts of what must not change by accident, for ``test_pins.py``; the gold files are in ``pins/``.

    python -m tests.pinned NAME …    writes these anew (names: the files of ``tests/pins``)

Write one anew only when its change is meant, and say in the commit who meets it: the users who have
files, stores, seeds or scripts of before. What is on a user's disk is migrated, or read as it is.
"""

from __future__ import annotations

import difflib
import sys
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tests import pinned_doors
from tests.report.sentences import sentences

from deadheat.check.explain.levels import Level
from deadheat.files import artifact as artifacts
from deadheat.files.artifact import FORMAT_VERSION, divergence_of, to_json
from deadheat.files.fingerprint import canonical_text, fingerprint_of
from deadheat.generate.grammar import spelled
from deadheat.generate.source import ProgramSource
from deadheat.model.history import Custom, Kind
from deadheat.model.program import (
    Call,
    Children,
    Create,
    CustomCall,
    Delete,
    Fork,
    Get,
    List,
    Program,
    Recreate,
    Rename,
    Var,
    kind_of,
    needs,
    var_of,
)
from deadheat.model.verdict import Anomaly, Signature
from deadheat.trials.coverage import Overlap, Pairing, Relation, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLD = Path(__file__).parent / "pins"
ROOT = Path(__file__).parent.parent
# Of all formats there were; no file of ``fuzz/regressions``, which come and go.
FILES = tuple(sorted(ROOT.glob("tests/artifacts/*.json")))

A, B, C = Var(0), Var(1), Var(27)
PAY, PEEK = Custom("pay", 'it\'s "7" é'), Custom("peek", pure=True)
RACE = ((Delete(A, 40), List()), (Rename(B, 1_230), Get(B)))
PROGRAMS = {
    "nothing": Program(()),
    "two deletes": Program((((Create(A),),), ((Delete(A),), (Delete(A, 700),)))),
    "reads and a rename": Program((((Create(A),),), ((Create(B),),), RACE)),
    "a family": Program((((Create(A),),), ((Create(B, 0, A),),), ((Delete(A),), (Children(A),)))),
    "a fork": Program((((Create(A),),), ((Fork(B, A, 5),), (Delete(A),)))),
    "one name": Program((((Create(A),),), ((Recreate(A),), (Delete(A, 90),)))),
    "own calls": Program((((Create(A),),), ((CustomCall(PAY, A, 3),), (CustomCall(PEEK, A),)))),
    "a far name": Program((((Create(C),),), ((Get(C),), (Delete(C),)))),
}
# By what the target of a search has.
SUPPLIES: dict[str, Callable[[int], ProgramSource]] = {
    "what each target has": ProgramSource,
    "families": lambda seed: ProgramSource(
        seed, kinds=frozenset(Kind) - {Kind.CUSTOM, Kind.RECREATE}, families=True
    ),
    "chosen names": lambda seed: ProgramSource(
        seed, kinds=ProgramSource(0)._kinds | {Kind.RECREATE, Kind.RENAME}
    ),
    "own calls": lambda seed: ProgramSource(seed, custom=(PAY, PEEK)),
}


def written(program: Program) -> str:
    """In a spelling of this file's own: what people are shown may change."""

    def one(call: Call) -> str:
        custom = call.custom if isinstance(call, CustomCall) else None
        words = [kind_of(call), *([custom.argument] if custom and custom.argument else [])]
        of, needed = var_of(call), needs(call)
        words += [] if of is None else [of.name]
        words += [] if needed in (None, of) else [needed.name]
        words += [f"+{call.offset_us}"] if call.offset_us else []
        return " ".join(words)

    return " / ".join(
        " | ".join(", ".join(one(call) for call in lane) for lane in lanes)
        for lanes in program.rounds
    )


def drawn() -> Iterator[str]:
    """The first programs of some seeds, of one Hypothesis."""
    yield f"hypothesis {version('hypothesis')}"
    for name, supply in SUPPLIES.items():
        for seed in (1, 7, 20_260_101):
            yield ""
            yield f"{name}, seed {seed}"
            yield from (written(program) for program in islice(supply(seed), 10))


def choices() -> Iterator[str]:
    """What spells a program in Hypothesis's databases, of all kinds that the grammar has."""
    for name, program in PROGRAMS.items():
        if not any(isinstance(call, CustomCall) for call in program.calls()):
            yield f"{name}: {' '.join(map(str, spelled(program)))}"


def fingerprints() -> Iterator[str]:
    """What names the files of findings."""
    for path in FILES:
        yield f"{path.relative_to(ROOT)}: {artifacts.read(path).fingerprint}"
    for n, (name, program) in enumerate(PROGRAMS.items()):
        signature = ("delete", "pay's", "read")[: n % 4]
        yield ""
        yield f"{name}: " + fingerprint_of(Anomaly.GHOST, signature, program, transient=n % 2 > 0)
        yield canonical_text(Anomaly.GHOST, signature, program, transient=n % 2 > 0)


def migrated() -> Iterator[str]:
    """What reading a file of an earlier format, and writing it, changes in it."""
    for path in FILES:
        before, after = path.read_text(), to_json(artifacts.read(path))
        if f'"format_version": {FORMAT_VERSION},' not in before:
            yield f"== {path.relative_to(ROOT)}"
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
            yield from (line for line in lines if line[:2] not in ("--", "++", "@@"))


def keys() -> Iterator[str]:
    """What seeds, campaigns and stores know things by."""
    for path in FILES:
        yield f"{path.relative_to(ROOT)}: {divergence_of(artifacts.read(path)).signature}"
    yield ""
    for calls in ((), ("delete",), ("create", "delete 409", "read")):
        for transient in (False, True):
            yield str(Signature(Anomaly.LOST_UPDATE, calls, transient))
    yield ""
    for relation in Relation:
        for answered in Sequence:
            pairing = Pairing("delete", "pay", relation)
            yield f"{pairing}  {Overlap(pairing, answered, Sequence.KEPT)}"
    for kind in (Anomaly, Kind, Level, Sequence):
        yield ""
        yield f"{kind.__name__}: {'; '.join(kind)}"


PINS: dict[str, Callable[[], Iterator[str]]] = {
    "campaign-events.txt": pinned_doors.of_a_campaign,
    "choices.txt": choices,
    "events.ndjson": pinned_doors.event_lines,
    "command-line.txt": pinned_doors.command_line,
    "fingerprints.txt": fingerprints,
    "keys.txt": keys,
    "migrated.txt": migrated,
    "programs.txt": drawn,
    "public-names.txt": pinned_doors.public_names,
    "results.txt": pinned_doors.results,
    "seeds.txt": pinned_doors.seeds,
    "sentences.txt": sentences,
}


def text_of(name: str) -> str:
    """The gold file's text as it would be written now."""
    return "".join(f"{line}\n" for line in PINS[name]())


def main(names: list[str]) -> None:
    """Write these gold files anew."""
    for name in names:
        GOLD.joinpath(name).write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
