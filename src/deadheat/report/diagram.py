"""The lane diagram: a program with what each call answered, as plain text.

    a = create()
    b = create()
    ┌ delete(a)            200 deleted
    └ delete(b)  +700 µs   200 deleted
    list()                 [b]          ✗ b was deleted with success, …

Rules
- One line a call, in reading order; lanes of one round share a bracket; a later
  call of the same lane is indented under the first.
- Of the reads at rest only those that the witness needs are shown.
- What the server announced has lines of its own, below the program, where it matters.
- The culprit's line ends with the reason; where an announcement is wrong, that one's does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deadheat.files import media
from deadheat.files.artifact import names_of
from deadheat.report.calls import answer_text, call_text, described
from deadheat.report.reasons import Reasons, reasons_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.files.artifact import Artifact
    from deadheat.model.history import History
    from deadheat.model.program import Program
    from deadheat.model.verdict import Divergence


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call: ``bracket`` and ``call`` with its offset, what it ``answered``, and a ``note``."""

    call: str
    offset: str
    answered: str
    note: str = ""


def program_lines(program: Program) -> tuple[CallLine, ...]:
    """The program alone, before it has run."""
    return _lines(program, {}, {})


def diagram_of(artifact: Artifact) -> tuple[CallLine, ...]:
    """The artifact's program beside the answers of its recorded history."""
    names = artifact.names
    return history_lines(
        artifact.program,
        artifact.history,
        names,
        artifact.witness,
        artifact.culprit,
        reasons_of(artifact).reason,
        artifact.explanation.heard,
    )


def diagram_of_divergence(
    program: Program, divergence: Divergence, sessions: Mapping[str, str]
) -> tuple[CallLine, ...]:
    """The same for a divergence that is not saved yet."""
    names = names_of(sessions)
    return history_lines(
        program,
        divergence.history,
        names,
        divergence.witness,
        divergence.culprit,
        Reasons(divergence, names).reason,
        divergence.heard,
    )


def history_lines(
    program: Program,
    history: History,
    names: Mapping[str, str],
    witness: tuple[int, ...],
    culprit: int,
    reason: str,
    heard: tuple[int, ...] = (),
) -> tuple[CallLine, ...]:
    """The program's lines with answers, the announcements and the reads at rest that matter."""
    by_place = {op.place: op for op in history.operations if op.place is not None}
    answers = {place: answer_text(op, names) for place, op in by_place.items()}
    blamed = -1 if heard else culprit
    notes = {place: f"✗ {reason}" for place, op in by_place.items() if op.index == blamed}
    lines = list(_lines(program, answers, notes))
    lines += _announced(history, heard, names, f"✗ {reason}")
    for op in history.operations:
        if op.at_rest and (op.index in witness or op.index == culprit):
            note = f"✗ {reason}" if op.index == blamed else ""
            lines.append(CallLine(call_text(op, names), "", answer_text(op, names), note))
    return tuple(lines)


def _announced(
    history: History, heard: tuple[int, ...], names: Mapping[str, str], note: str
) -> list[CallLine]:
    """The lines of the event stream; the note goes to the last one."""
    said = () if history.stream is None else history.stream.announcements
    lines: list[CallLine] = []
    for n in heard:
        one = said[n]
        told = f"announced: {names.get(one.session, one.session)} {one.change}"
        arrived = f"at {one.arrived_ns / 1e6:.1f} ms"
        lines.append(CallLine(told, "", arrived, note if n == heard[-1] else ""))
    return lines


def _lines(
    program: Program,
    answers: Mapping[tuple[int, int, int], str],
    notes: Mapping[tuple[int, int, int], str],
) -> tuple[CallLine, ...]:
    found: list[CallLine] = []
    for r, lanes in enumerate(program.rounds):
        for n, lane in enumerate(lanes):
            for i, call in enumerate(lane):
                place = (r, n, i)
                bracket = _bracket(n, i, len(lanes), len(lane))
                offset = f"+{call.offset_us:,} µs" if call.offset_us else ""
                found.append(
                    CallLine(
                        bracket + described(call),
                        offset,
                        answers.get(place, ""),
                        notes.get(place, ""),
                    )
                )
    return tuple(found)


def _bracket(lane: int, position: int, lanes: int, length: int) -> str:
    if lanes == 1:
        return ""
    first = lane == 0 and position == 0
    last = lane == lanes - 1 and position == length - 1
    if position:
        return "└   " if last else "│   "
    return "┌ " if first else "└ " if last else "├ "


def text(lines: tuple[CallLine, ...], indent: str = "    ") -> str:
    """The lines as text, columns aligned. What cannot be shown is as wide as it is written."""
    shown = [
        tuple(map(media.line, (line.call, line.offset, line.answered, line.note))) for line in lines
    ]
    widths = [max((len(line[column]) for line in shown), default=0) for column in range(3)]
    rows: list[str] = []
    for line in shown:
        padded = [cell.ljust(w) for cell, w in zip(line[:-1], widths, strict=True) if w]
        rows.append((indent + "   ".join([*padded, line[-1]])).rstrip())
    return "\n".join(rows)
