"""From the instants that the search found to one legal order of every operation.

Rules
- A session comes as late and goes as early as its own answers and its lists allow;
  every other answer then has an instant of its own within that.
- A key is a tuple that sorts: instant, phase of that instant, then finer. What must
  stand next to something is keyed ``key + (-1,)`` (just before it) or
  ``key + (n,)``, n > 0 (after it); every key is closed with a 0 before it is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from deadheat.check.decide.life_records import NEVER
from deadheat.check.decide.registers import points
from deadheat.model.history import Absent, Created, Deleted, Found, Info, Kind, Ok, Renamed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.check.decide.life_records import Life, Lives
    from deadheat.check.decide.list_nodes import Nodes
    from deadheat.check.decide.registers import Value
    from deadheat.model.history import Operation

Key: TypeAlias = tuple[int, ...]
Span: TypeAlias = tuple[Key, Key]  # when a session, or one of its titles, comes and goes

# Phases of one instant: who goes before any list, the lists, who comes after them all,
# and who goes then (where there are no lists to go before).
EARLY, AT_NODE, LATE, LAST = 0, 1, 2, 3
BEFORE_IT, AFTER_IT = (-1,), (1,)
# A write at the instant its session comes, and an end at the instant of the coming:
# after what stands directly after the coming (1), in this order.
THEN_WRITTEN, THEN_GONE = 5, 7


def order_of(
    lives: Lives,
    values: dict[str, list[Value]],
    nodes: Nodes | None,
    placed: tuple[tuple[int, int], ...],
) -> tuple[int, ...]:
    """Indices of the operations that take effect, in a legal order.

    ``nodes`` is None when lists count per session; they are then left out, as
    they have no place of their own.
    """
    first: dict[object, Key] = {}
    last: dict[object, Key] = {}
    keyed: list[tuple[Key, int]] = []
    if nodes is not None:
        for k, (j, instant) in enumerate(placed):
            key: Key = (instant, AT_NODE, k)
            for token in nodes.members[j]:
                if token not in first:
                    first[token] = key
                last[token] = key
            op = nodes.operation[j]
            if op is not None:
                keyed.append(((*key, 0), op.index))
    spans: dict[str, Span] = {}
    for session, life in lives.by_id.items():
        if life.created is not None or life.existing or life in lives.orphans:
            ends = EARLY if nodes is not None else LAST
            spans[session] = _span(life, first.get(session), last.get(session), ends)
    if lives.orphans:
        _name_creators(lives, spans)
    writes: dict[int, Key] = {}
    titles: dict[str, dict[str | None, Span]] = {}
    for session, found in values.items():
        begun = _written(found, spans[session], first if nodes is not None else None)
        titles[session] = _title_spans(found, begun, spans[session])
        writes.update((v.write.index, key) for key, v in begun if v.write is not None)
    for session, span in spans.items():
        life = lives.by_id[session]
        if life.created is not None:
            keyed.append(((*span[0], 0), life.created.index))
        if life.deletes or life.loose_deletes:
            keyed.extend(_deletes(life, span))
    for op in lives.operations:
        if op.index in writes:
            keyed.append(((*writes[op.index], 0), op.index))
        elif type(op.outcome) is Ok and op.return_ns is not None:
            at = _answered(op, spans, titles)
            if at is not None:
                keyed.append(((*at, 0), op.index))
    keyed.sort()
    return tuple([index for _, index in keyed])


def _span(life: Life, first: Key | None, last: Key | None, ends: int) -> Span:
    early, late = life.early, life.late
    come: Key = (early, LATE, -1)
    if first is not None and first[0] <= early:
        come = first + BEFORE_IT
    if late >= NEVER:
        return come, (NEVER, LAST)
    gone: Key = (late, ends)
    if last is not None and last[0] >= late:
        gone = last + AFTER_IT
    if (*gone, 0) <= (*come, 0):
        gone = (*come, THEN_GONE)
    return come, gone


def _written(
    found: list[Value], span: Span, first: dict[object, Key] | None
) -> list[tuple[Key, Value]]:
    """When each title but the first is written, in order."""
    come = span[0]
    begun: list[tuple[Key, Value]] = []
    if first is None:
        for n, (at, value) in enumerate(points(found)):
            begun.append(((at, LATE, n), value))
    else:
        for value in found[1:]:
            node = first[value.token]
            # Of two that are due at one instant, the one whose node came first.
            begun.append((min(node + BEFORE_IT, (value.early, LATE, node[2])), value))
        begun.sort(key=lambda pair: (*pair[0], 0))
    return [
        ((*come, THEN_WRITTEN, n) if (*key, 0) <= (*come, THEN_WRITTEN, 0) else key, value)
        for n, (key, value) in enumerate(begun)
    ]


def _title_spans(
    found: list[Value], begun: list[tuple[Key, Value]], span: Span
) -> dict[str | None, Span]:
    ends = [*(key for key, _ in begun[1:]), span[1]]
    spans: dict[str | None, Span] = {None: (span[0], begun[0][0])}
    spans[found[0].token[1]] = spans[None]
    for (key, value), end in zip(begun, ends, strict=True):
        spans[value.token[1]] = (key, end)
    return spans


def _name_creators(lives: Lives, spans: dict[str, Span]) -> None:
    """Tell the unanswered creates of the pool apart: the earliest call for the first to come."""
    unknown = [life for life in lives.orphans if life.created is None]
    unknown.sort(key=lambda life: (*spans[life.session][0], 0))
    for life, op in zip(unknown, lives.shared, strict=False):
        life.created = op


def _deletes(life: Life, span: Span) -> Iterable[tuple[Key, int]]:
    gone = span[1]
    instant = gone[0]
    killed = False
    for op in (*life.deletes, *life.loose_deletes):
        end = NEVER if op.return_ns is None else op.return_ns
        if not killed and op.call_ns <= instant <= end:
            killed = True
            yield (*gone, 0), op.index
        elif op in life.deletes:  # idempotent: it finds nothing any more
            later = op.call_ns > instant
            yield ((op.call_ns, LATE, 0) if later else (*gone, 1, 0)), op.index


def _answered(
    op: Operation, spans: dict[str, Span], titles: dict[str, dict[str | None, Span]]
) -> Key | None:
    """Where an answered read stands (lists have their own place, writes were placed)."""
    if op.kind is Kind.LIST or isinstance(op.outcome, Info):
        return None
    session = op.invocation.session or ""
    span = spans.get(session)
    result = op.outcome.result  # type: ignore[union-attr]
    call, end = op.call_ns, op.return_ns or 0
    kind = type(result)
    if kind is Created:
        return None
    if span is None:
        return (call, LATE)  # a session that never was
    if kind is Deleted:
        return None
    if kind is Absent:
        come, gone = span
        if end < come[0]:
            return (end, LATE)
        if call <= come[0]:
            return come + BEFORE_IT
        return gone + AFTER_IT if call <= gone[0] else (call, LATE)
    if isinstance(result, Found) and result.title is not None and session in titles:
        found = titles[session]
        span = found.get(result.title, found[None])
    elif not isinstance(result, Found | Renamed):
        return None
    come, gone = span
    if call <= come[0]:
        return come + AFTER_IT
    return (call, LATE) if call < gone[0] else gone + BEFORE_IT
