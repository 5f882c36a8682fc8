"""Fingerprints: eight hex digits of a finding, by which its file is named.

Rules
- A hash of a text that is written here, word by word. Its words are those that Python had for the
  classes of ``model.program`` when the first example was saved; no class and no field that is given
  another name changes them, or every committed regression would be filed a second time.
- A call or a field that is new gets words of its own; what a program without it is called stays.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from deadheat.model.program import Create, CustomCall, Fork, List, Program, Var, kind_of, structure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.model.history import Custom
    from deadheat.model.program import Call
    from deadheat.model.verdict import Anomaly


def fingerprint_of(
    anomaly: Anomaly, signature: tuple[str, ...], program: Program, *, transient: bool
) -> str:
    """Eight hex digits of what was found: the signature and the program's structure."""
    text = canonical_text(anomaly, signature, program, transient=transient)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def canonical_text(
    anomaly: Anomaly, signature: tuple[str, ...], program: Program, *, transient: bool
) -> str:
    """The text that is hashed."""
    passing = "transient " if transient else ""
    calls = _tuple(repr(call) for call in signature)
    return f"{passing}{anomaly.value} {calls} {_program(structure(program))}"


def _program(program: Program) -> str:
    rounds = (
        _tuple(_tuple(_call(call) for call in lane) for lane in lanes) for lanes in program.rounds
    )
    return f"Program(rounds={_tuple(rounds)})"


def _call(call: Call) -> str:
    offset = f"offset_us={call.offset_us}"
    match call:
        case Create():
            parent = "None" if call.parent is None else _var(call.parent)
            return f"Create(var={_var(call.var)}, {offset}, parent={parent})"
        case Fork():
            return f"Fork(var={_var(call.var)}, source={_var(call.source)}, {offset})"
        case List():
            return f"List({offset})"
        case CustomCall():
            return f"OwnCall(own={_custom(call.custom)}, var={_var(call.var)}, {offset})"
        case _:
            return f"{kind_of(call).capitalize()}(var={_var(call.var)}, {offset})"


def _var(var: Var) -> str:
    return f"Var(index={var.index})"


def _custom(custom: Custom) -> str:
    return f"Own(name={custom.name!r}, argument={custom.argument!r}, pure={custom.pure})"


def _tuple(items: Iterable[str]) -> str:
    """As Python writes a tuple: with a comma after one that is alone."""
    written = tuple(items)
    return f"({', '.join(written)}{',' * (len(written) == 1)})"
