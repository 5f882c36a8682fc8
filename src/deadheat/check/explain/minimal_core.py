"""Reduces a history to the fewest operations that already contradict each other.

Rules
- Sound: forgetting an id everywhere, or a read, or a rename whose title no call read, or
  what came after the first impossible answer, never makes a contradiction that was not
  there. What else may have changed something stays. Of a session that is kept, those
  above it are kept too: their deletes may be what took it.
- Minimal: nothing that may be forgotten is left (Junker 2004, QuickXplain: a few
  checks for each operation that stays, however many there were).
- Reads in the race are forgotten first, so that what stays is what anyone can
  still see at rest; the later of two that say the same stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from deadheat.check.decide.legality import Impossible, contradicts
from deadheat.check.decide.wing_gong import pending
from deadheat.check.projections import forgettable, only_sessions, with_all_above
from deadheat.model.history import (
    MAKING,
    Created,
    Found,
    History,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    Unknown,
    ancestors,
    parents_of,
    shown_sessions,
    touched_sessions,
)
from deadheat.model.promises import CascadePromise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deadheat.check.decide.legality import Budget
    from deadheat.model.promises import Promises

T = TypeVar("T")

# Up to here every read is weighed against every other; beyond, the checker's own
# hint is tried first, as each check costs time in proportion to the history.
SMALL = 300


@dataclass(frozen=True, slots=True)
class Witness:
    """``core``: the contradictory operations; ``concerned``: all operations on its sessions.

    ``sessions`` are those that contradict themselves, then those that the others need
    (above them, or their source); there are ``main`` of the first.
    """

    sessions: tuple[str, ...]
    main: int
    core: History
    concerned: History
    culprit: int


def find_witness(history: History, promises: Promises, budget: Budget, hint: Impossible) -> Witness:
    """Reduce ``history``, which is impossible under ``promises``."""

    def impossible(candidate: History) -> bool:
        return contradicts(candidate, promises, budget)

    sessions = _highest(history, _fewest_sessions(history, hint, impossible), impossible)
    concerned = only_sessions(history, sessions)
    core = _fewest_reads(concerned, hint, impossible, promises=promises)
    culprit = first_impossible(core, impossible)
    core = cut_after(core, culprit)
    needed = with_all_above(history, sessions) - sessions
    named = (*sorted(sessions), *sorted(needed))
    return Witness(named, len(sessions), core, concerned, culprit)


def around(witness: Witness, index: int, promises: Promises, budget: Budget) -> Witness:
    """The same contradiction with operation ``index`` in it, if a smallest core has room for it."""

    def impossible(candidate: History) -> bool:
        return contradicts(candidate, promises, budget)

    core = _fewest_reads(witness.concerned, Impossible(), impossible, index, promises=promises)
    culprit = first_impossible(core, impossible)
    core = cut_after(core, culprit)
    if index not in {op.index for op in core.operations}:
        return witness
    return replace(witness, core=core, culprit=culprit)


def partial_cascade(
    history: History, index: int, promises: Promises, budget: Budget
) -> Witness | None:
    """What shows that the refused delete ``index`` took something below its session.

    As if it had not been made, the history of some session below is impossible; as if nobody
    knew its answer, it is legal.
    """

    def impossible(candidate: History) -> bool:
        return contradicts(candidate, promises, budget)

    refused = next((op for op in history.operations if op.index == index), None)
    if refused is None or refused.kind is not Kind.DELETE:
        return None
    top = refused.invocation.session or ""
    parents = parents_of(history.operations)
    in_parts = replace(promises, cascade=CascadePromise.GRADUAL)  # what it did, it did half
    unknown = replace(refused, outcome=Info(Unknown.TIMEOUT), return_ns=None)
    for child in sorted(child for child in parents if top in ancestors(child, parents)):
        both = only_sessions(history, frozenset({top, child}))
        without = replace(both, operations=tuple(op for op in both.operations if op != refused))
        if not impossible(without):
            continue
        guessed = replace(both, operations=(*without.operations, unknown))
        if contradicts(guessed, in_parts, budget):
            continue
        core = _fewest_reads(without, Impossible(), impossible, promises=promises)
        shown = tuple(op for op in both.operations if op.at_rest and op.invocation.session == top)
        told = {op.index: op for op in (*core.operations, refused, *shown)}
        core = replace(core, operations=tuple(told.values()))
        needed = with_all_above(history, frozenset({top, child})) - {top, child}
        return Witness((top, child, *sorted(needed)), 2, core, both, index)
    return None


def preferred(units: Sequence[T], impossible: Callable[[Sequence[T]], bool]) -> list[T]:
    """The fewest ``units`` that are still ``impossible``; earlier ones are kept first."""

    def needed(base: list[T], grown: bool, rest: list[T]) -> list[T]:
        if grown and impossible(base):
            return []
        if len(rest) == 1:
            return rest
        half = len(rest) // 2
        front, back = rest[:half], rest[half:]
        kept_back = needed([*base, *front], bool(front), back)
        kept_front = needed([*base, *kept_back], bool(kept_back), front)
        return [*kept_front, *kept_back]

    return needed([], True, list(units)) if units else []


def _fewest_sessions(
    history: History, hint: Impossible, impossible: Callable[[History], bool]
) -> frozenset[str]:
    hinted = frozenset(hint.sessions)
    if hinted and impossible(only_sessions(history, hinted)):
        found = preferred(
            sorted(hinted), lambda ids: impossible(only_sessions(history, frozenset(ids)))
        )
        return frozenset(found)
    narrowed = _lists_near(history, hint, impossible)
    shown = [op.result.sessions for op in narrowed.operations if isinstance(op.result, Listed)]
    everywhere = frozenset.intersection(*shown) if shown else frozenset()
    ids = frozenset().union(narrowed.existing, *map(touched_sessions, narrowed.operations))
    # Those that some lists show and others do not are likely; those in all of them are not.
    likely = sorted(frozenset().union(*shown) - everywhere, key=str)
    order = [*likely, *sorted(ids - set(likely))]
    parents = parents_of(narrowed.operations)
    # What is wrong with a parent may show in each of its children: the parent is to be named.
    order.sort(key=lambda session: len(ancestors(session, parents)))
    if likely and impossible(only_sessions(narrowed, frozenset(likely))):
        order = [session for session in order if session in likely]
    found = preferred(order, lambda ids: impossible(only_sessions(narrowed, frozenset(ids))))
    return frozenset(found)


def _highest(
    history: History, sessions: frozenset[str], impossible: Callable[[History], bool]
) -> frozenset[str]:
    """What is wrong with a parent, or a fork's source, shows in all that came of it: to be named
    is where it is wrong already."""
    while needed := with_all_above(history, sessions) - sessions:
        if not impossible(only_sessions(history, needed)):
            break
        found = preferred(
            sorted(needed), lambda ids: impossible(only_sessions(history, frozenset(ids)))
        )
        sessions = frozenset(found)
    return sessions


def _lists_near(
    history: History, hint: Impossible, impossible: Callable[[History], bool]
) -> History:
    """The history without lists far from where the search got stuck, if they do not matter."""
    lists = sorted(
        (op for op in history.operations if op.kind is Kind.LIST and isinstance(op.outcome, Ok)),
        key=lambda op: op.call_ns,
    )
    hinted = [n for n, op in enumerate(lists) if op.index in set(hint.operations)]
    if not hinted or len(lists) <= 16:
        return history
    reach = 8
    while reach < len(lists):
        near = {op.index for op in lists[max(0, hinted[0] - reach) : hinted[-1] + reach + 1]}
        operations = tuple(
            op for op in history.operations if op.kind is not Kind.LIST or op.index in near
        )
        narrowed = replace(history, operations=operations)
        if impossible(narrowed):
            return narrowed
        reach *= 4
    return history


def _fewest_reads(
    history: History,
    hint: Impossible,
    impossible: Callable[[History], bool],
    favourite: int | None = None,
    *,
    promises: Promises,
) -> History:
    reads = [op for op in history.operations if forgettable(op)]
    # Most worth keeping first.
    reads.sort(
        key=lambda op: (op.index == favourite, op.at_rest, op.kind is Kind.LIST, op.index),
        reverse=True,
    )
    silent = _without_a_say(history) if promises.one_life else frozenset[int]()
    base = tuple(op for op in history.operations if not forgettable(op) and op.index not in silent)

    def still(chosen: Sequence[Operation]) -> bool:
        return impossible(replace(history, operations=(*base, *chosen)))

    if len(reads) > SMALL:
        at_rest = [op for op in reads if op.at_rest]
        hinted = [op for op in reads if op.index in set(hint.operations)]
        for few in (at_rest, hinted):
            if len(few) < len(reads) and still(few):
                reads = few
                break
    kept = {op.index for op in preferred(reads, still)} | {op.index for op in base}
    core = replace(history, operations=tuple(op for op in history.operations if op.index in kept))
    return _fewest_renames(core, impossible)


def _fewest_renames(history: History, impossible: Callable[[History], bool]) -> History:
    """The history without renames whose title no answer shows, if still impossible.

    In a legal order such a title shows to no call, so the order stays legal without the call.
    """
    titles = _titles_shown(history)
    for op in history.operations:
        answered = isinstance(op.result, Renamed)
        if answered and op.invocation.title not in (None, *titles):
            rest = tuple(other for other in history.operations if other is not op)
            if impossible(replace(history, operations=rest)):
                history = replace(history, operations=rest)
    return history


def _without_a_say(history: History) -> frozenset[int]:
    """Unanswered calls that explain nothing here: no orphan, no title that was seen."""
    made = set(history.existing)
    shown: set[str] = set()
    titles = _titles_shown(history)
    for op in history.operations:
        shown |= shown_sessions(op)
        if isinstance(op.result, Created):
            made.add(op.result.session)
    return frozenset(
        op.index
        for op in history.operations
        if isinstance(op.outcome, Info)
        and (
            (op.kind in MAKING and shown <= made)
            or (
                op.kind is Kind.RENAME
                and op.invocation.title is not None
                and op.invocation.title not in titles
            )
        )
    )


def _titles_shown(history: History) -> frozenset[str]:
    titles: set[str] = set()
    for op in history.operations:
        if isinstance(op.outcome, Ok):
            match op.result:
                case Listed(entries) | Offspring(entries):
                    titles.update(e.title for e in entries if e.title is not None)
                case Found(str() as title):
                    titles.add(title)
    return frozenset(titles)


def first_impossible(history: History, impossible: Callable[[History], bool]) -> int:
    """The index of the first answer up to which the history cannot be explained.

    Legal histories are closed under prefixes, so this is a binary search.
    """
    answered = sorted(
        (op for op in history.operations if op.return_ns is not None),
        key=lambda op: (op.return_ns or 0, op.index),
    )
    if not answered:
        return history.operations[0].index if history.operations else -1
    low, high = 0, len(answered) - 1
    while low < high:
        middle = (low + high) // 2
        if impossible(prefix(history, answered[: middle + 1])):
            high = middle
        else:
            low = middle + 1
    return answered[low].index


def prefix(history: History, answered: Sequence[Operation]) -> History:
    """The history at the instant when exactly ``answered`` had been answered."""
    now = answered[-1].return_ns or 0
    done = {op.index for op in answered}
    cut = (
        op if op.index in done else pending(op) for op in history.operations if op.call_ns <= now
    )
    return replace(history, operations=tuple(op for op in cut if op is not None))


def cut_after(history: History, culprit: int) -> History:
    """The history without calls made after ``culprit`` was answered, and without open reads."""
    ends = [op.return_ns for op in history.operations if op.index == culprit]
    now = ends[0] if ends else None
    if now is None:
        return history
    return replace(
        history,
        operations=tuple(
            op
            for op in history.operations
            if op.call_ns <= now
            and not (forgettable(op) and (op.return_ns is None or op.return_ns > now))
        ),
    )


def indices(operations: Iterable[Operation]) -> tuple[int, ...]:
    """The operations' indices, in the order of their calls."""
    return tuple(op.index for op in sorted(operations, key=lambda op: (op.call_ns, op.index)))
