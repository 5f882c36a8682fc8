"""Overlap coverage: which pairs of calls have been in flight together, and in which order.

Rules
- A pair is two answered calls of different lanes whose intervals share an instant, at least one
  of them a change. Reads at rest overlap nothing.
- ``first`` is the call that was released first. Whether it was also *answered* first is read off
  the clock; whether it *took effect* first, off the order in which the checker could place the
  two (no such order for a divergence).
- A trial counts once for each pairing, however many such pairs it had: pairs of one trial are not
  independent, and silence is stated in trials.
- Everything has a text form, as workers send it and stores keep it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deadheat.model.history import READING, Kind, Ok, ancestors, may_change, overlap, parents_of
from deadheat.model.verdict import Linearizable, Verdict
from deadheat.trials.evidence import rate_refuted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from deadheat.model.history import History, Operation

# What a campaign must have run without one new overlap before it says that it has come to a
# plateau: enough for a pair that one program in a hundred has (99 %), and half of all there were.
PLATEAU_PROGRAMS = 459
_PLATEAU_PART = 0.5


class Relation(StrEnum):
    """What the two calls are about. A create addresses its parent, a fork its source."""

    SAME = "same"  # one session
    FAMILY = "family"  # a session and one above it
    OTHER = "other"  # sessions that have nothing to do with each other
    ALL = "all"  # one of them reads the whole collection


class Sequence(StrEnum):
    """Whether the call of a pair that was released first also took effect first."""

    KEPT = "kept"
    OVERTAKEN = "overtaken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Pairing:
    """Two kinds of call, in order of their release, and what they have in common.

    A kind as ``Operation.called`` says it.
    """

    first: str
    second: str
    relation: Relation

    def __str__(self) -> str:
        return f"{self.first}/{self.second}/{self.relation}"


@dataclass(frozen=True, slots=True, order=True)
class Overlap:
    """A pairing, and the order in which its calls were answered and took effect."""

    pairing: Pairing
    answered: Sequence
    effect: Sequence

    def __str__(self) -> str:
        return f"{self.pairing}/{self.answered}/{self.effect}"


def parse(text: str) -> Overlap:
    """The overlap that ``str`` spelt. Raises ``ValueError``."""
    first, second, relation, answered, effect = text.split("/")
    pairing = Pairing(first, second, Relation(relation))
    return Overlap(pairing, Sequence(answered), Sequence(effect))


def overlaps_of(history: History, verdict: Verdict) -> Counter[Overlap]:
    """The pairs of one trial, each kind of overlap with how often it happened."""
    answered = [op for op in history.operations if not op.at_rest and isinstance(op.outcome, Ok)]
    placed: dict[int, int] = {}
    if isinstance(verdict, Linearizable):
        placed = {index: n for n, index in enumerate(verdict.order)}
    parents = parents_of(history.operations)
    found: Counter[Overlap] = Counter()
    for i, one in enumerate(answered):
        for other in answered[i + 1 :]:
            if one.lane == other.lane or not overlap(one, other):
                continue
            if not may_change(one) and not may_change(other):
                continue
            first, second = (one, other) if one.call_ns <= other.call_ns else (other, one)
            pairing = Pairing(first.called, second.called, _relation(first, second, parents))
            found[Overlap(pairing, _answered(first, second), _effect(first, second, placed))] += 1
    return found


def _relation(one: Operation, other: Operation, parents: Mapping[str, str]) -> Relation:
    if Kind.LIST in (one.kind, other.kind):
        return Relation.ALL
    a, b = _addressed(one), _addressed(other)
    if a is None or b is None:
        return Relation.OTHER
    if a == b:
        return Relation.SAME
    if a in ancestors(b, parents) or b in ancestors(a, parents):
        return Relation.FAMILY
    return Relation.OTHER


def _addressed(op: Operation) -> str | None:
    if op.kind is Kind.CREATE:
        return op.invocation.parent or op.invocation.session
    return op.invocation.session


def _answered(first: Operation, second: Operation) -> Sequence:
    if first.return_ns is None or second.return_ns is None:
        return Sequence.UNKNOWN
    return Sequence.KEPT if first.return_ns <= second.return_ns else Sequence.OVERTAKEN


def _effect(first: Operation, second: Operation, placed: Mapping[int, int]) -> Sequence:
    if first.index not in placed or second.index not in placed:
        return Sequence.UNKNOWN
    kept = placed[first.index] < placed[second.index]
    return Sequence.KEPT if kept else Sequence.OVERTAKEN


def in_order(kinds: Collection[str]) -> tuple[str, ...]:
    """These kinds in the order of lists: those of the session model, then custom ones by name."""
    known = tuple(kind.value for kind in Kind if kind in kinds)
    return (*known, *sorted(set(kinds).difference(known)))


def telling(first: str, second: str) -> bool:
    """Is it worth knowing that two such calls overlapped? Not if both only read.

    Of custom calls a campaign names those that may change something.
    """
    return first not in READING or second not in READING


def possible_pairings(kinds: Collection[str], families: bool) -> tuple[Pairing, ...]:
    """Every pairing that programs of these calls can have, in the order of the kinds."""
    ordered = in_order(kinds)
    found = [
        Pairing(first, second, relation)
        for first in ordered
        for second in ordered
        if telling(first, second)
        for relation in _possible(first, second, families)
    ]
    return tuple(found)


def _possible(first: str, second: str, families: bool) -> tuple[Relation, ...]:
    if Kind.LIST in (first, second):
        return (Relation.ALL,)
    if {first, second} == {Kind.CREATE, Kind.RECREATE}:
        return (Relation.SAME, Relation.OTHER)
    if Kind.CREATE in (first, second) and not families:
        return (Relation.OTHER,)  # nothing can name the session before its create has answered
    if not families:
        return (Relation.SAME, Relation.OTHER)
    return (Relation.SAME, Relation.FAMILY, Relation.OTHER)


@dataclass(frozen=True, slots=True)
class Silence:
    """The judged trials in which one pairing overlapped, and how many of them diverged."""

    trials: int = 0
    diverged: int = 0

    def would_have_seen(self, confidence: float = 0.99) -> float | None:
        """The rarest race that so many quiet trials would have shown; None when it was not quiet.

        A share of the trials in which such a pair overlapped, not of all programs.
        """
        if self.diverged or not self.trials:
            return None
        return rate_refuted(self.trials, confidence)


class Coverage:
    """What a campaign has exercised so far. It only grows."""

    def __init__(self) -> None:
        self.seen: Counter[Overlap] = Counter()
        self.silence: dict[Pairing, Silence] = {}

    def add(self, overlaps: Mapping[Overlap, int], *, judged: bool, diverged: bool) -> int:
        """Count one trial; returns how many of its overlaps are new."""
        new = sum(overlap not in self.seen for overlap in overlaps)
        self.seen.update(overlaps)
        if judged:
            for pairing in {overlap.pairing for overlap in overlaps}:
                before = self.silence.get(pairing, Silence())
                self.silence[pairing] = Silence(before.trials + 1, before.diverged + diverged)
        return new

    def merge(
        self, seen: Mapping[Overlap, int], silence: Mapping[Pairing, Silence]
    ) -> tuple[Overlap, ...]:
        """Add counts from elsewhere; returns the overlaps that are new here."""
        new = tuple(overlap for overlap in seen if overlap not in self.seen)
        self.seen.update(seen)
        for pairing, more in silence.items():
            before = self.silence.get(pairing, Silence())
            self.silence[pairing] = Silence(
                before.trials + more.trials, before.diverged + more.diverged
            )
        return new

    def never(self, possible: Iterable[Pairing]) -> tuple[Pairing, ...]:
        """The pairings that have not overlapped yet."""
        seen = {overlap.pairing for overlap in self.seen}
        return tuple(pairing for pairing in possible if pairing not in seen)

    def __len__(self) -> int:
        """Different overlaps seen: the number that a campaign steers by."""
        return len(self.seen)


def plateaued(programs: int, last_new: int) -> bool:
    """Has no program since number ``last_new`` overlapped in a new way for a long time?"""
    since = programs - last_new
    return since >= max(PLATEAU_PROGRAMS, programs * _PLATEAU_PART)
