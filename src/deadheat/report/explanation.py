"""One divergence in plain words and pictures: what ``deadheat explain`` prints.

Rule: everything said is of the recorded trial; what other trials showed is said to be theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from deadheat.check.explain.placements import (
    Breaks,
    Rejected,
    TooEarly,
    TooLate,
    WouldAnswer,
    alternatives,
)
from deadheat.files.artifact import divergence_of
from deadheat.model.history import Absent, Listed, Ok, Operation
from deadheat.model.program import makes
from deadheat.model.verdict import MEANING, operations_by_index
from deadheat.report.calls import answer_text, call_text, call_with_result
from deadheat.report.diagram import diagram_of, named_reason, text
from deadheat.report.words import percent, rate_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deadheat.check.explain.placements import Alternatives
    from deadheat.files.artifact import Artifact
    from deadheat.model.history import Place
    from deadheat.trials.tally import Tally

# Columns of the picture of times: fits 80 beside the calls' names.
_WIDTH = 44


def explanation_text(artifact: Artifact) -> str:
    """The whole page, but for the race window."""
    names, made = artifact.names, _made(artifact)
    ops = operations_by_index(artifact.history)
    told = alternatives(divergence_of(artifact), artifact.target.promises)
    culprit = ops[told.culprit]
    shown = call_with_result(culprit, names, made)
    lines = [
        f"{artifact.anomaly}  {MEANING[artifact.anomaly]}",
        "",
        text(diagram_of(artifact)),
        "",
        "when (ms from the first call of the trial)",
        *_times(artifact, names),
        "",
        f"what no order can place: {shown}, which answered {answer_text(culprit, names)}",
    ]
    if told.longest:
        order = " → ".join(call_with_result(ops[index], names, made) for index in told.longest)
        lines += [
            f"the longest order that works: {order}",
            f"and there it stops: no place is left for {shown}"
            if len(told.longest) == len(artifact.witness) - 1
            else "and there it stops: what is left fits nowhere",
        ]
    if told.rejected:
        lines += ["", f"each place for {shown}, and why it is none:"]
        lines += [f"  - {line}" for line in rejected_places(artifact, told)]
    proof = [named_reason(line, artifact.about, names) for line in artifact.explanation.proof]
    if proof:
        lines += ["", "the proof:", *(f"  {n}. {line}" for n, line in enumerate(proof, start=1))]
    if artifact.explanation.counterfactual:
        legal = named_reason(artifact.explanation.counterfactual, artifact.about, names)
        lines.append(f"it would be legal if {legal}")
    lines.append(f"under the promises: {artifact.target.promises}")
    return "\n".join([*lines, "", *_recorded_window(artifact, names)])


def rejected_places(artifact: Artifact, told: Alternatives) -> tuple[str, ...]:
    """Each place that the culprit could have in an order of the others, and why it has none."""
    names = artifact.names
    ops = operations_by_index(artifact.history)
    start_ns = min((ops[index].call_ns for index in artifact.witness), default=0)
    words = _Words(ops[told.culprit], ops, names, _made(artifact), artifact.about, start_ns)
    return tuple(words.rejected(one) for one in told.rejected)


def window_text(picture: tuple[tuple[int, Tally], ...], drawn: str) -> str:
    """Where the race window seems to be. ``drawn``: rate against offset."""
    shown = [
        (offset, tally.diverged / tally.decided) for offset, tally in picture if tally.diverged
    ]
    if not shown:
        tried = sum(tally.decided for _, tally in picture)
        return f"{drawn}\nit did not show at any of these offsets, in {tried:,} trials"
    best, rate = max(shown, key=lambda one: one[1])
    low, high = shown[0][0], shown[-1][0]
    where = f"at {low:,} µs" if low == high else f"from {low:,} to {high:,} µs"
    most = "" if low == high else f", most at {best:,} µs"
    return f"{drawn}\nit showed {where}{most} ({percent(rate)} of the trials there)"


def _recorded_window(artifact: Artifact, names: Mapping[str, str]) -> list[str]:
    raced = [f"{call_text(op, names)} +{op_offset:,} µs" for op, op_offset in _offsets(artifact)]
    if not raced:
        return ["no calls were sent at the same time: this is no race"]
    rate = "was seen; how often was not measured"
    if artifact.rate is not None:
        rate = rate_text(artifact.rate)
    lines = [f"the race window: at {', '.join(raced)} it {rate}"]
    for releases in artifact.history.releases:
        first_ns = min((one.achieved_ns for one in releases), default=0)
        sent = ", ".join(
            f"{(one.achieved_ns - first_ns) // 1_000:,}"
            for one in sorted(releases, key=lambda one: one.lane)
        )
        lines.append(f"in this trial the lanes were released at {sent} µs")
    lines.append("other offsets: deadheat explain FILE --window 600 tries them")
    return lines


def _offsets(artifact: Artifact) -> list[tuple[Operation, int]]:
    by_place = {op.place: op for op in artifact.history.operations if op.place is not None}
    return [
        (by_place[place], call.offset_us)
        for place, call in artifact.program.placed()
        if len(artifact.program.rounds[place[0]]) > 1 and place in by_place
    ]


def _times(artifact: Artifact, names: Mapping[str, str]) -> list[str]:
    """One bar a call: the raced ones and those of the witness."""
    program = artifact.program
    ops = [
        op
        for op in artifact.history.operations
        if op.index in artifact.witness
        or (op.place is not None and len(program.rounds[op.place[0]]) > 1)
    ]
    # What came long before the race would leave no room for it.
    raced = [op for op in ops if op.place is None or len(program.rounds[op.place[0]]) > 1]
    ops = sorted(raced or ops, key=lambda op: (op.call_ns, op.index))
    start = min(op.call_ns for op in ops)
    ends = [op.return_ns for op in ops if op.return_ns is not None]
    end = max((*ends, *(op.call_ns for op in ops), start + 1))
    first = min(op.call_ns for op in artifact.history.operations)  # as the proof counts
    made = _made(artifact)
    labels = [call_with_result(op, names, made) for op in ops]
    width = max(map(len, labels))

    def column(ns: int) -> int:
        return round((ns - start) / (end - start) * (_WIDTH - 1))

    lines = []
    for op, label in zip(ops, labels, strict=True):
        left = column(op.call_ns)
        right = _WIDTH - 1 if op.return_ns is None else column(op.return_ns)
        bar = "│" if left == right else "├" + "─" * (right - left - 1) + "┤"
        if op.return_ns is None:
            bar = "├" + "─" * max(0, right - left) + "…"
        called = f"{(op.call_ns - first) / 1e6:.2f}"
        answered = "…" if op.return_ns is None else f"{(op.return_ns - first) / 1e6:.2f}"
        drawn = (" " * left + bar).ljust(_WIDTH + 1)
        lines.append(f"  {label.ljust(width)}  {drawn} {called}–{answered}")
    return lines


def _made(artifact: Artifact) -> dict[Place | None, str]:
    """What the program calls the session that it makes at each place."""
    return {place: var.name for place, call in artifact.program.placed() if (var := makes(call))}


@dataclass(frozen=True, slots=True)
class _Words:
    """Why a place is none, in a line. Times count from ``start_ns``, as those of the proof."""

    culprit: Operation
    ops: Mapping[int, Operation]
    names: Mapping[str, str]
    made: Mapping[Place | None, str]
    about: tuple[str, ...]
    start_ns: int

    def rejected(self, one: Rejected) -> str:
        it, culprit = call_with_result(self.culprit, self.names, self.made), self.culprit
        place = "came first of all"
        if one.after is not None:
            place = f"came right after {self._call(one.after)}"
        match one.cause:
            case TooEarly(other):
                x = self._call(other)
                return (
                    f"if {it} came before {x}: but {x} had been answered "
                    f"({self._at(self.ops[other].return_ns)}) before it was called "
                    f"({self._at(culprit.call_ns)})"
                )
            case TooLate(other):
                return (
                    f"if {it} came after {self._call(other)}: but that was called "
                    f"({self._at(self.ops[other].call_ns)}) after it had been answered "
                    f"({self._at(culprit.return_ns)})"
                )
            case WouldAnswer(sessions):
                return f"if {it} {place}, it would {self._would(sessions)}"
            case Breaks(other):
                answered = answer_text(self.ops[other], self.names)
                return f"if {it} {place}, {self._call(other)} could not have answered {answered}"
            case _:
                assert_never(one.cause)

    def _would(self, sessions: tuple[str, ...] | None) -> str:
        got = answer_text(self.culprit, self.names)
        outcome = self.culprit.outcome
        result = outcome.result if isinstance(outcome, Ok) else None
        if isinstance(result, Listed):
            got = f"[{self._named(s for s in self.about if s in result.sessions)}]"
        if sessions is None:
            return f"not answer {got}"
        there = self._named(sessions)
        if isinstance(result, Listed):
            if set(sessions) == result.sessions & set(self.about):
                return "show another title"
            others = " of these" if len(self.about) < len(self.names) else ""
            return f"show [{there}]{others}, and it showed {got}"
        if not sessions:
            return f"answer that it is not there, and it answered {got}"
        if isinstance(result, Absent):
            return f"find {there}, and it answered {got}"
        return f"not answer {got} of {there}"

    def _named(self, sessions: Iterable[str]) -> str:
        return ", ".join(self.names.get(session, session) for session in sessions)

    def _call(self, index: int) -> str:
        return call_with_result(self.ops[index], self.names, self.made)

    def _at(self, instant_ns: int | None) -> str:
        return "…" if instant_ns is None else f"{(instant_ns - self.start_ns) / 1e6:.1f} ms"
