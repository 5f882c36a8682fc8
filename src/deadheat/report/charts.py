"""Numbers as pictures: lines over time, an interval, a histogram, the overlap matrix.

Rule: only geometry and words are made here, in thousandths of a width and hundredths of a height;
the template draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from deadheat.report.words import bytes_text, duration_text, percent
from deadheat.trials.coverage import (
    Relation,
    Sequence,
    Silence,
    in_order,
    possible_pairings,
    telling,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Row

    from deadheat.files.artifact import RateRecord
    from deadheat.files.results import CampaignRecord, Sample
    from deadheat.trials.coverage import Overlap, Pairing

WIDTH, HEIGHT = 1_000.0, 100.0
# The eye sees no more points than these in a chart of this size.
_MOST_POINTS = 250


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over time. ``points`` in SVG's form; ``now``: its last value."""

    title: str
    points: str
    area: str
    top: str
    now: str
    end: str
    marks: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one moment."""

    left: float
    text: str


def lines_of(record: CampaignRecord) -> tuple[Curve, ...]:
    """The curves of a campaign, in the order in which a person asks."""
    samples = _thinned(record.samples)
    if len(samples) < 2:
        return ()
    found = tuple(
        Moment(_x(f.first_s, samples), f"{f.key} after {duration_text(f.first_s)}")
        for f in record.findings
    )
    return (
        _line("distinct divergences", samples, lambda s: s.findings, "{:.0f}".format, found),
        _line("kinds of overlap", samples, lambda s: s.overlaps, "{:.0f}".format),
        _speed("programs a second", samples, lambda s: s.programs),
        _speed("requests a second", samples, lambda s: s.requests),
        _line("server memory", samples, lambda s: s.server_bytes, _bytes),
        _line("coordinator memory", samples, lambda s: s.coordinator_bytes, _bytes),
        _line("server deaths", samples, lambda s: s.restarts, "{:.0f}".format),
    )


def _bytes(value: float) -> str:
    return bytes_text(int(value))


def _thinned(samples: Row[Sample]) -> tuple[Sample, ...]:
    step = max(1, len(samples) // _MOST_POINTS)
    thinned = list(samples[::step])
    if samples and thinned[-1] is not samples[-1]:
        thinned.append(samples[-1])
    return tuple(thinned)


def _x(at_s: float, samples: Row[Sample]) -> float:
    return round(WIDTH * min(at_s / (samples[-1].at_s or 1.0), 1.0), 1)


def _line(
    title: str,
    samples: Row[Sample],
    value: Callable[[Sample], float],
    text: Callable[[float], str],
    marks: tuple[Moment, ...] = (),
) -> Curve:
    return _drawn(title, [(s.at_s, float(value(s))) for s in samples], samples, text, marks)


def _speed(title: str, samples: Row[Sample], value: Callable[[Sample], float]) -> Curve:
    """The slope between samples; a resume has no slope."""
    points = [
        (b.at_s, max(value(b) - value(a), 0.0) / (b.at_s - a.at_s))
        for a, b in pairwise(samples)
        if b.at_s > a.at_s
    ]
    return _drawn(title, points, samples, "{:,.0f}".format, ())


def _drawn(
    title: str,
    points: Row[tuple[float, float]],
    samples: Row[Sample],
    text: Callable[[float], str],
    marks: tuple[Moment, ...],
) -> Curve:
    top = max((value for _, value in points), default=0.0) or 1.0
    shown = [
        (_x(at, samples), round(HEIGHT - value / top * (HEIGHT - 6) - 2, 2)) for at, value in points
    ]
    drawn = " ".join(f"{x},{y}" for x, y in shown)
    first, last = (shown[0][0], shown[-1][0]) if shown else (0.0, 0.0)
    return Curve(
        title,
        drawn,
        f"{first},{HEIGHT} {drawn} {last},{HEIGHT}",
        text(top),
        text(points[-1][1]) if points else "",
        duration_text(samples[-1].at_s),
        marks,
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its interval on a scale from 0; all in thousandths of the width."""

    low: float
    high: float
    point: float
    top: str


def interval_of(rate: RateRecord) -> Interval:
    """The interval, on the smallest round scale that holds it."""
    scale = next(top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if rate.high <= top)
    shown = rate.diverged / rate.trials if rate.trials else 0.0

    def at(value: float) -> float:
        return round(WIDTH * value / scale, 1)

    return Interval(at(rate.low), at(rate.high), at(shown), percent(scale))


@dataclass(frozen=True, slots=True)
class Bar:
    """How often it diverged at one offset."""

    offset: str
    share: float
    text: str


def offsets_of(picture: Row[tuple[int, int, int]]) -> tuple[Bar, ...]:
    """Rate against offset; the longest bar is the highest rate."""
    picture = [one for one in picture if one[2]]
    rates = [diverged / decided if decided else 0.0 for _, diverged, decided in picture]
    widest = max(rates, default=0.0) or 1.0
    return tuple(
        Bar(
            f"+{offset_us:,} µs",
            round(WIDTH * share / widest, 1),
            f"{percent(share)} ({diverged} of {decided})",
        )
        for (offset_us, diverged, decided), share in zip(picture, rates, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """One pairing in the matrix. ``level`` 0: never seen; 1 to 4: how often."""

    relation: str
    seen: str
    level: int
    answered: str
    effect: str
    silence: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A kind of call that was released first, and its cells by the kind released second.

    None: such a pair changes nothing, so its overlap says nothing.
    """

    first: str
    cells: tuple[tuple[Cell, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix of pairs: kind × kind."""

    kinds: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    seen: int
    possible: int


_RELATIONS = {
    Relation.SAME: "same session",
    Relation.FAMILY: "parent and child",
    Relation.OTHER: "other session",
    Relation.ALL: "all sessions",
}


def matrix_of(record: CampaignRecord) -> Matrix:
    """Which pairs have overlapped, how often, in which order, and which never."""
    kinds = in_order(record.kinds)
    possible = possible_pairings(kinds, record.families)
    cells = {pairing: _cell(pairing, record) for pairing in possible}
    rows = tuple(
        MatrixRow(
            first,
            tuple(
                tuple(cell for p, cell in cells.items() if (p.first, p.second) == (first, second))
                if telling(first, second)
                else None
                for second in kinds
            ),
        )
        for first in kinds
    )
    seen = sum(cell.level > 0 for cell in cells.values())
    return Matrix(kinds, rows, seen, len(possible))


def _cell(pairing: Pairing, record: CampaignRecord) -> Cell:
    ways = {o: n for o, n in record.seen.items() if o.pairing == pairing}
    total = sum(ways.values())
    level = 0 if not total else min(4, 1 + len(str(total)) // 2)
    return Cell(
        _RELATIONS[pairing.relation],
        _short(total) if total else "never",
        level,
        _turned(ways, total, lambda overlap: overlap.answered, "answered"),
        _turned(ways, total, lambda overlap: overlap.effect, "took effect"),
        silence_text(record.silence.get(pairing, Silence())),
    )


def _turned(
    ways: dict[Overlap, int], total: int, which: Callable[[Overlap], Sequence], word: str
) -> str:
    if not total:
        return ""
    kept = sum(n for overlap, n in ways.items() if which(overlap) is Sequence.KEPT)
    turned = sum(n for overlap, n in ways.items() if which(overlap) is Sequence.OVERTAKEN)
    return f"{word} in order {kept:,}×, overtaken {turned:,}×"


def silence_text(silence: Silence) -> str:
    """What the silence of a pairing proves."""
    rarest = silence.would_have_seen()
    if rarest is not None:
        return (
            f"quiet in {silence.trials:,} trials: a race showing in {percent(rarest)} of them "
            "would have been seen (99 %)"
        )
    if silence.trials:
        return f"{silence.diverged:,} of {silence.trials:,} trials with it diverged"
    return ""


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1_000:.0f}k" if count >= 10_000 else f"{count:,}"
