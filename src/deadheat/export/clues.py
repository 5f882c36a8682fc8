"""Finds the answers by which a script, without a checker, sees the divergence again.

Rules
- Sound: a script that sees answers that fit all clues, in that order, for some choice of sessions,
  with no other change of those sessions until the last of them, sees a contradiction under the
  recorded promises. It is the recorded witness under other names, and a witness is a proof by
  itself.
- An order of two calls is only a clue where the contradiction needs it, as far as the checker
  can tell: without such, each lane may be as fast or slow as it likes.
- One fact of one session is the same by a list and by a get.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deadheat.check.checker import check
from deadheat.errors import CannotExport
from deadheat.model.history import (
    Absent,
    Created,
    Deleted,
    Found,
    History,
    Info,
    Kind,
    Listed,
    Offspring,
    Ok,
    Operation,
    Renamed,
    Seen,
    Undeclared,
    Unknown,
)
from deadheat.model.verdict import Anomaly, Diverged

if TYPE_CHECKING:
    from deadheat.files.artifact import Artifact

_ALONE = (Anomaly.WRONG_STATUS, Anomaly.SERVER_ERROR)


@dataclass(frozen=True, slots=True)
class Clue:
    """An answer to look for. Sessions are the program's names, calls the places in the list.

    ``kind``: of the call; ``read`` is a list or a get. ``answer``: ``created``, ``deleted``,
    ``renamed``, ``absent``, ``shown`` or ``status N``. ``shows``: sessions, each with the call
    whose title it carries (None: any). ``lacks``: sessions not shown. ``parent``: of a create.
    ``after``: calls that must have been answered before this one was sent.
    """

    kind: str
    answer: str
    session: str | None = None
    parent: str | None = None
    shows: tuple[tuple[str, int | None], ...] = ()
    lacks: tuple[str, ...] = ()
    at_rest: bool = False
    after: tuple[int, ...] = ()


def clues_of(artifact: Artifact) -> tuple[Clue, ...]:
    """The clues, in the order of the calls. Raises ``CannotExport``."""
    if artifact.anomaly is Anomaly.CRASH:
        raise CannotExport(
            "a script cannot tell a crash of a server from its own mistakes. "
            "Use `deadheat replay`, or --as markdown."
        )
    ops = _ordered(artifact)
    if len(ops) == 1 and artifact.anomaly in _ALONE:
        return (Clue(ops[0].kind.value, f"status {ops[0].status}"),)
    names = artifact.names
    about = [session for session in artifact.about if session in names]
    before = _needed_order(artifact, ops)
    titles: dict[str | None, int] = {
        op.invocation.title: n for n, op in enumerate(ops) if op.invocation.title
    }
    renamed = {op.invocation.session for op in ops if op.kind is Kind.RENAME}
    return tuple(
        replace(
            _clue(op, names, about, titles, renamed),
            after=tuple(i for i in range(len(ops)) if (i, n) in before),
            at_rest=op.at_rest,
        )
        for n, op in enumerate(ops)
    )


def last_clue(artifact: Artifact) -> int:
    """The place, among the clues, of the answer after which no order is left."""
    return [op.index for op in _ordered(artifact)].index(artifact.culprit)


def _ordered(artifact: Artifact) -> list[Operation]:
    by_index = {op.index: op for op in artifact.history.operations}
    return sorted((by_index[i] for i in artifact.witness), key=lambda op: (op.call_ns, op.index))


def _clue(
    op: Operation,
    names: dict[str, str],
    about: list[str],
    titles: dict[str | None, int],
    renamed: set[str | None],
) -> Clue:
    session = names.get(op.invocation.session or "")
    parent = names.get(op.invocation.parent or "")

    def shown(entries: tuple[Seen, ...]) -> tuple[tuple[str, int | None], ...]:
        there = [entry for entry in entries if entry.session in about]
        if len({entry.session for entry in there}) < len(there):
            raise CannotExport(
                "a list that shows one session twice cannot be looked for by a script. "
                "Use `deadheat replay`."
            )
        return tuple(
            (names[e.session], titles.get(e.title) if e.session in renamed else None) for e in there
        )

    match op.outcome:
        case Ok(Created(made)):
            source = session if op.kind is Kind.FORK else parent
            return Clue(op.kind.value, "created", names.get(made), source)
        case Ok(Deleted()):
            return Clue("delete", "deleted", session)
        case Ok(Renamed()):
            return Clue("rename", "renamed", session)
        case Ok(Absent()) if op.kind is Kind.GET and session is not None:
            return Clue("read", "shown", lacks=(session,))
        case Ok(Absent()):
            return Clue(op.kind.value, "absent", session, parent)
        case Ok(Found(title)) if session is not None:
            return Clue("read", "shown", shows=shown((Seen(op.invocation.session or "", title),)))
        case Ok(Listed(entries) as listed):
            shows = shown(entries)
            lacks = tuple(names[s] for s in about if s not in listed.sessions)
            kind = "read" if len(shows) + len(lacks) == 1 else "list"
            return Clue(kind, "shown", shows=shows, lacks=lacks)
        case Ok(Offspring(entries)):
            shows = shown(entries)
            return Clue("children", "shown", session, shows=shows)
        case Ok(Undeclared(status)):
            return Clue(op.kind.value, f"status {status}", session)
        case Info(Unknown.SERVER_ERROR):
            return Clue(op.kind.value, f"status {op.status}", session)
        case _:
            raise CannotExport(
                f"a {op.kind} without an answer is part of this example, and a script cannot "
                "wait for that. Use `deadheat replay`."
            )


def _needed_order(artifact: Artifact, ops: list[Operation]) -> set[tuple[int, int]]:
    """Pairs of places: the first was answered before the second was called, and must be."""
    loose = _loosened(artifact, ops)
    used = ops if loose is None else loose
    return {
        (i, j)
        for i, one in enumerate(used)
        for j, two in enumerate(used)
        if one.return_ns is not None and one.return_ns < two.call_ns
    }


def _loosened(artifact: Artifact, ops: list[Operation]) -> list[Operation] | None:
    """The calls with all the time of their rounds, if they still contradict each other."""
    lanes = [op.place[:2] for op in ops if op.place is not None]
    if len(set(lanes)) < len(lanes):  # what follows what within a lane is no matter of rounds
        return None
    rounds = len(artifact.program.rounds)
    wide: list[Operation] = []
    for n, op in enumerate(ops):
        r = op.place[0] if op.place is not None else rounds + n
        ended = None if op.return_ns is None else 10 * r + 9
        wide.append(replace(op, call_ns=10 * r, return_ns=ended))
    about = frozenset(artifact.about)
    projected = tuple(_only(op, about) for op in wide)
    verdict = check(History(projected, artifact.history.existing), artifact.target.promises)
    return wide if isinstance(verdict, Diverged) else None


def _only(op: Operation, about: frozenset[str]) -> Operation:
    match op.outcome:
        case Ok(Listed(entries)):
            return replace(op, outcome=Ok(Listed(tuple(e for e in entries if e.session in about))))
        case _:
            return op
