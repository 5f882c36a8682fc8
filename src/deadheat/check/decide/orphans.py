"""Sessions that answers show and no answered create made: which create may have made them?

Rules
- Every such orphan needs an unanswered create of its own, called before the
  orphan was first seen. A title that both carry settles which.
- Without titles any of them may be any orphan. Their windows are nested (each
  open to the end), so Hall's condition is a count: the j-th deadline must not
  come before the j-th call. ``Lives.pool`` keeps the calls for the order search,
  which counts again with the deadlines that lists bring.
- An unknown title (None) is none of those that the history writes to that session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.decide.life_records import NEVER, Conflict, NeedsSearch
from deadheat.model.history import Found, Listed, Ok, Operation

if TYPE_CHECKING:
    from deadheat.check.decide.life_records import Life, Lives


def adopt(lives: Lives, *, strict_delete: bool) -> None:
    """Set ``made`` of every orphan. Raises ``Conflict`` when one has no possible create."""
    creates = sorted(lives.loose_creates, key=lambda op: (op.call_ns, op.index))
    tagged: dict[str, Operation] = {}
    for op in creates:
        title = op.invocation.title
        if title is not None:
            if title in tagged:
                raise NeedsSearch
            tagged[title] = op
    shown = seen_titles(lives, {life.session for life in lives.orphans})
    strangers: list[Life] = []  # show a title that no call writes: made by an untitled create
    silent: list[Life] = []  # show none
    taken: dict[str, Life] = {}
    for life in lives.orphans:
        written = {op.invocation.title for op in (*life.renames, *life.loose_renames)}
        foreign = shown[life.session] - written
        tags = sorted(foreign & tagged.keys())
        if tags:
            tag = tags[0]
            if tag in taken:
                raise Conflict(
                    (taken[tag].session, life.session), (taken[tag].early_by, life.early_by)
                )
            taken[tag] = life
            life.created, life.title = tagged[tag], tag
            life.made, life.odd = tagged[tag].call_ns, True
        else:
            (strangers if foreign else silent).append(life)
    free = [op for op in creates if op.invocation.title not in taken]
    untitled = [op for op in free if op.invocation.title is None]
    if strangers and silent and len(untitled) < len(free):
        raise NeedsSearch
    _share(lives, strangers + silent, untitled if strangers else free, strict_delete=strict_delete)


def _share(
    lives: Lives, orphans: list[Life], creates: list[Operation], *, strict_delete: bool
) -> None:
    deadlines: list[tuple[int, Life]] = []
    for life in orphans:
        ends = [op.return_ns for op in life.deletes if op.return_ns is not None]
        gone = min(ends, default=NEVER) if strict_delete else NEVER
        deadlines.append((min(life.early, gone), life))
    deadlines.sort(key=lambda pair: (pair[0], pair[1].session))
    for j, (deadline, _) in enumerate(deadlines):
        if j >= len(creates) or creates[j].call_ns > deadline:
            early = [life for _, life in deadlines[: j + 1]]
            raise Conflict((life.session for life in early), (life.early_by for life in early))
    lives.shared = creates
    for _, life in deadlines:
        life.made = creates[0].call_ns
    if len(deadlines) > 1:
        lives.pool = [op.call_ns for op in creates]
        lives.pooled = {life.session: deadline for deadline, life in deadlines}


def seen_titles(lives: Lives, sessions: set[str]) -> dict[str, set[str]]:
    """The titles that answers show for each of ``sessions``."""
    found: dict[str, set[str]] = {session: set() for session in sessions}
    for op in lives.operations:
        if not isinstance(op.outcome, Ok):
            continue
        result = op.result
        if isinstance(result, Listed):
            for entry in result.entries:
                if entry.session in found and entry.title is not None:
                    found[entry.session].add(entry.title)
        elif isinstance(result, Found) and result.title is not None:
            session = op.invocation.session or ""
            if session in found:
                found[session].add(result.title)
    return found
