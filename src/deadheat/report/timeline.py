"""A failing trial drawn to its measured times: one row a call, one scale for all.

Rules
- Every bar is the recorded interval. Stretches in which nothing was in flight are drawn short and
  marked, as they say nothing; within and around calls the scale is linear.
- Positions are in thousandths of the width: the drawing stretches, words are outside of it.
- The order shown is the longest that works: of all calls but the culprit, or of those that
  contradict each other. Each call takes effect at the first instant that this order leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.check.checker import silenced
from deadheat.check.decide.legality import legal
from deadheat.check.decide.wing_gong import Order
from deadheat.check.explain.placements import alternatives
from deadheat.check.fragment import Decider, decider_of
from deadheat.files.artifact import divergence_of
from deadheat.model.history import Created, Listed, Offspring, Ok, may_change
from deadheat.report.calls import answer_text, call_text, described
from deadheat.report.reasons import reasons_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deadheat.files.artifact import Artifact
    from deadheat.model.history import Operation
    from deadheat.model.release import Release

WIDTH = 1_000.0
# An idle stretch longer than this part of the busy time is cut to half of it.
_LONGEST_IDLE = 0.08
# A bar is never thinner than this: it has to be seen and hovered.
_THINNEST = 4.0
_MOST_ENTRIES = 12
# Steps of the search for the order that the dots show; a page of a campaign has many pictures.
_ORDER_BUDGET = 10_000


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of details of a call."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """The row of one call. ``lane`` empty: at rest. ``effect``: where it takes effect in the order.

    ``step``: its place in that order. ``starts_round``: a line is drawn above it.
    """

    number: int
    call: str
    lane: str
    answer: str
    left: float
    width: float
    release: float | None
    effect: float | None
    step: int | None
    culprit: bool
    witness: bool
    change: bool
    unanswered: bool
    starts_round: bool
    together: bool
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class IdleGap:
    """An idle stretch, drawn short."""

    left: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis."""

    left: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole drawing. ``order``: the order that works; ``breaks``: why it ends there.

    ``rejected``: each other place of the culprit, and why it is none. ``hidden``: reads at rest
    that do not matter.
    """

    rows: tuple[CallRow, ...]
    cuts: tuple[IdleGap, ...]
    ticks: tuple[Tick, ...]
    order: tuple[str, ...]
    whole_order: bool
    breaks: str
    rejected: tuple[str, ...]
    hidden: int


def drawing_of(artifact: Artifact) -> Drawing:
    """The recorded trial of an artifact."""
    names, reasons = artifact.names, reasons_of(artifact)
    shown = _shown(artifact)
    scale = _Scale(shown)
    told = alternatives(divergence_of(artifact), artifact.target.promises)
    order, whole = _order(artifact, told.longest)
    instants = _instants(artifact, order)
    steps = {index: n for n, index in enumerate(order, start=1)}
    calls = dict(artifact.program.placed())
    spoken = {
        op.index: described(calls[op.place])
        if op.place is not None and op.place in calls
        else call_text(op, names)
        for op in artifact.history.operations
    }
    releases = _releases(artifact)
    rows: list[CallRow] = []
    last_round: int | None = None
    for op in shown:
        r = -1 if op.place is None else op.place[0]
        together = op.place is not None and len(artifact.program.rounds[r]) > 1
        end_ns = scale.end_ns if op.return_ns is None else op.return_ns
        left = scale.at(op.call_ns)
        effect_ns = instants.get(op.index)
        release = releases.get((op.place[0], op.place[1])) if op.place is not None else None
        rows.append(
            CallRow(
                number=op.index,
                call=spoken[op.index],
                lane="" if op.place is None else f"client {op.place[1] + 1}",
                answer=answer_text(op, names),
                left=left,
                width=max(scale.at(end_ns) - left, _THINNEST),
                release=left if together and op.place is not None and op.place[2] == 0 else None,
                effect=None if effect_ns is None else scale.at(effect_ns),
                step=steps.get(op.index),
                culprit=op.index == artifact.culprit,
                witness=op.index in artifact.witness,
                change=may_change(op),
                unanswered=op.return_ns is None,
                starts_round=r != last_round and last_round is not None,
                together=together,
                facts=_facts(op, names, release),
            )
        )
        last_round = r
    return Drawing(
        tuple(rows),
        scale.cuts(),
        scale.ticks(),
        tuple(spoken[index] for index in order),
        whole,
        reasons.reason,
        reasons.places(told),
        len(artifact.history.operations) - len(shown),
    )


def _shown(artifact: Artifact) -> tuple[Operation, ...]:
    """The program's calls in reading order, then the reads at rest that matter."""
    during = [op for op in artifact.history.operations if op.place is not None]
    during.sort(key=lambda op: op.place or (0, 0, 0))
    matters = {*artifact.witness, artifact.culprit}
    rest = [op for op in artifact.history.operations if op.place is None and op.index in matters]
    return (*during, *rest)


def _releases(artifact: Artifact) -> dict[tuple[int, int], Release]:
    """The releases by round and lane."""
    together = [r for r, lanes in enumerate(artifact.program.rounds) if len(lanes) > 1]
    return {
        (r, release.lane): release
        for r, releases in zip(together, artifact.history.releases, strict=False)
        for release in releases
    }


def _facts(op: Operation, names: Mapping[str, str], release: Release | None) -> tuple[Fact, ...]:
    sent = op.call_ns / 1e6
    facts = [Fact("request", _request(op, names)), Fact("sent", f"{sent:.2f} ms")]
    if release is not None and op.place is not None and op.place[2] == 0:
        achieved, wanted = release.achieved_ns / 1_000, release.wanted_ns / 1_000
        facts.append(Fact("released", f"+{achieved:,.0f} µs (wanted +{wanted:,.0f} µs)"))
    if op.return_ns is None:
        facts.append(Fact("answer", f"{answer_text(op, names)}: open to the end"))
        return tuple(facts)
    took = (op.return_ns - op.call_ns) / 1e6
    facts.append(Fact("answered", f"{op.return_ns / 1e6:.2f} ms (took {took:.2f} ms)"))
    facts.append(Fact("answer", answer_text(op, names)))
    if isinstance(op.outcome, Ok):
        match op.outcome.result:
            case Listed(entries) | Offspring(entries):
                for entry in entries[:_MOST_ENTRIES]:
                    name = names.get(entry.session, "")
                    title = "" if entry.title is None else f", title {entry.title!r}"
                    facts.append(Fact(name or "entry", f"{entry.session}{title}"))
                if len(entries) > _MOST_ENTRIES:
                    facts.append(Fact("and", f"{len(entries) - _MOST_ENTRIES} more"))
            case Created(session):
                facts.append(Fact("id", session))
            case _:
                pass
    return tuple(facts)


def _request(op: Operation, names: Mapping[str, str]) -> str:
    asked = op.invocation
    words = [call_text(op, names)]
    if asked.session is not None:
        words.append(f"session {asked.session}")
    if asked.title is not None:
        words.append(f"title {asked.title!r}")
    if asked.parent is not None:
        words.append(f"parent {asked.parent}")
    return ", ".join(words)


def _order(artifact: Artifact, longest: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """The longest order that works, and whether it holds all calls but the culprit."""
    history, promises = artifact.history, artifact.target.promises
    if decider_of(history, promises) in (
        None,
        Decider.CUSTOM,
    ):  # what these mean only their target knows
        return longest, False
    others = tuple(op for op in history.operations if op.index != artifact.culprit)
    found = legal(silenced(replace(history, operations=others)), promises, _ORDER_BUDGET)
    if isinstance(found, Order) and found.order:
        shown = {op.index for op in _shown(artifact)}
        return tuple(i for i in found.order if i in shown), True
    return longest, False


def _instants(artifact: Artifact, order: Iterable[int]) -> dict[int, int]:
    """The first instant for each call that the order allows, within its interval."""
    ops = {op.index: op for op in artifact.history.operations}
    now_ns = 0
    found: dict[int, int] = {}
    for index in order:
        op = ops[index]
        now_ns = max(now_ns, op.call_ns)
        if op.return_ns is not None and now_ns > op.return_ns:
            return {}  # an order by weaker promises than real time: dots would mislead
        found[index] = now_ns
    return found


class _Scale:
    """Maps nanoseconds to thousandths of the width."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        spans = sorted(
            (op.call_ns, op.call_ns if op.return_ns is None else op.return_ns) for op in operations
        )
        busy: list[list[int]] = []
        for start, end in spans:
            if busy and start <= busy[-1][1]:
                busy[-1][1] = max(busy[-1][1], end)
            else:
                busy.append([start, end])
        self._busy = busy or [[0, 1]]
        total = sum(end - start for start, end in self._busy) or 1
        limit = total * _LONGEST_IDLE
        # Pieces of the axis: from, to, drawn length, cut?
        self._pieces: list[tuple[int, int, float, bool]] = []
        for n, (start, end) in enumerate(self._busy):
            if n:
                idle = start - self._busy[n - 1][1]
                cut = idle > limit
                self._pieces.append(
                    (self._busy[n - 1][1], start, limit / 2 if cut else float(idle), cut)
                )
            self._pieces.append((start, end, float(end - start), False))
        drawn = sum(length for *_, length, _ in self._pieces) or 1.0
        self._factor = WIDTH / drawn
        self.end_ns = self._busy[-1][1]

    def at(self, instant_ns: int) -> float:
        """The position of an instant."""
        left = 0.0
        for start, end, length, _ in self._pieces:
            if instant_ns <= end:
                part = (instant_ns - start) / (end - start) if end > start else 0.0
                return round((left + length * max(part, 0.0)) * self._factor, 1)
            left += length
        return WIDTH

    def cuts(self) -> tuple[IdleGap, ...]:
        """The idle stretches that are drawn short."""
        found: list[IdleGap] = []
        for start, end, length, cut in self._pieces:
            if cut:
                text = f"{(end - start) / 1e6:.1f} ms without a call"
                found.append(IdleGap(self.at(start), round(length * self._factor, 1), text))
        return tuple(found)

    def ticks(self) -> tuple[Tick, ...]:
        """The marks where busy stretches begin, as far as there is room, and at the end."""
        found: list[Tick] = []
        for start, _ in self._busy:
            left = self.at(start)
            if (not found or left - found[-1].left >= 140) and left <= 860:
                found.append(Tick(left, f"{start / 1e6:.1f} ms"))
        return (*found, Tick(WIDTH, f"{self.end_ns / 1e6:.1f} ms"))
