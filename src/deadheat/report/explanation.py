"""The text of ``deadheat explain``: a divergence in plain words and pictures.

Rule: everything said is of the recorded trial; what other trials showed is said to be theirs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.check.explain.placements import alternatives
from deadheat.files.artifact import divergence_of
from deadheat.model.program import makes
from deadheat.model.verdict import EVENTS, Anomaly, operations_by_index
from deadheat.report.calls import answer_text, call_text, call_with_result
from deadheat.report.diagram import diagram_of, text
from deadheat.report.reasons import MEANING, Reasons
from deadheat.report.words import percent, rate_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.files.artifact import Artifact
    from deadheat.model.history import Operation, Place
    from deadheat.trials.tally import Tally

# Found without looking for an order: by what was announced, and by calls that got no answer.
_OF_NO_ORDER = EVENTS | {
    Anomaly.SERVER_ERROR,
    Anomaly.HANG,
    Anomaly.UNRESPONSIVE,
    Anomaly.CRASH,
}
# Columns of the picture of times: fits 80 beside the calls' names.
_WIDTH = 44


def explanation_text(artifact: Artifact) -> str:
    """The whole explanation, without the race window."""
    names, made = artifact.names, _made(artifact)
    ops = operations_by_index(artifact.history)
    divergence = divergence_of(artifact)
    reasons = Reasons(divergence, names)
    told = alternatives(divergence, artifact.target.promises)
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
    ]
    if artifact.anomaly in _OF_NO_ORDER:
        lines.append(f"what went wrong: {reasons.reason}")
        told = replace(told, longest=(), rejected=())
    else:
        answered = answer_text(culprit, names)
        lines.append(f"what no order can place: {shown}, which answered {answered}")
    if told.longest:
        order = " → ".join(call_with_result(ops[index], names, made) for index in told.longest)
        lines += [
            f"the longest order that works: {order}",
            f"and there it stops: no place is left for {shown}"
            if len(told.longest) == len(artifact.witness) - 1
            else "and there it stops: what is left fits nowhere",
        ]
    if told.rejected:
        lines += ["", f"each place for {shown}, and why it is not possible:"]
        lines += [f"  - {line}" for line in reasons.places(told)]
    proof = [f"  {n}. {line.text}" for n, line in enumerate(reasons.proof, start=1)]
    if proof:
        lines += ["", "the proof:", *proof]
    if reasons.legal_if:
        lines.append(f"it would be legal if {reasons.legal_if}")
    lines.append(f"under the promises: {artifact.target.promises}")
    return "\n".join([*lines, "", *_recorded_window(artifact, names)])


def window_text(picture: tuple[tuple[int, Tally], ...], drawn: str) -> str:
    """The race window, as far as it was found. ``drawn``: rate against offset."""
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
        return ["no calls were sent at the same time: this is not a race"]
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
    """A bar for each call: the raced ones and those of the witness."""
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
    """The program's name for the session that each place makes."""
    return {place: var.name for place, call in artifact.program.placed() if (var := makes(call))}
