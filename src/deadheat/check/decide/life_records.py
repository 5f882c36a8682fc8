"""What is known of each session's life: the records that the deciders fill and read.

Rule: they are mutable and plain, as this is the hot path of every trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deadheat.model.history import Operation

# Beyond every instant of a monotonic clock in nanoseconds (2**62 ns are 146 years).
NEVER = 1 << 62
BEFORE = -NEVER


class Conflict(Exception):
    """No legal order exists; ``sessions`` and ``operations`` (indices) say where to look."""

    def __init__(self, sessions: Iterable[str], operations: Iterable[int]) -> None:
        self.sessions = tuple(dict.fromkeys(sessions))
        self.operations = tuple(dict.fromkeys(operations))


class NeedsSearch(Exception):
    """The history holds something that only the generic search decides."""


class Life:
    """What is known of one session. Instants are ns; see the module's rules."""

    __slots__ = (
        "answers", "created", "d1", "deleted", "deletes", "early", "early_by", "existing",
        "gone", "killer", "late", "late_by", "loose_deletes", "loose_renames", "made",
        "missing", "odd", "renames", "session", "title",
    )  # fmt: skip

    def __init__(self, session: str) -> None:
        self.session = session
        self.existing = False
        self.created: Operation | None = None
        self.title: str | None = None
        self.made = NEVER
        self.early, self.early_by = NEVER, -1
        self.late, self.late_by = BEFORE, -1
        self.d1, self.gone, self.killer = NEVER, NEVER, -1
        self.deleted: Operation | None = None
        self.deletes: list[Operation] = []
        self.loose_deletes: list[Operation] = []
        self.missing: list[Operation] = []
        self.renames: list[Operation] = []
        self.loose_renames: list[Operation] = []
        self.odd = False  # some answer shows a title other than the one it was made with
        self.answers = False  # some answer proves that it existed

    def seen(self, op: Operation, end: int) -> None:
        """An answer that shows the session at some instant of ``[op.call_ns, end]``."""
        self.answers = True
        if end < self.early:
            self.early, self.early_by = end, op.index
        if op.call_ns > self.late:
            self.late, self.late_by = op.call_ns, op.index


class Lives:
    """Every session of a history, its lists, and the creates whose id is unknown."""

    __slots__ = (
        "by_id", "lists", "loose_creates", "operations", "orphans", "pool", "pooled", "shared",
    )  # fmt: skip

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self.operations = operations
        self.by_id: dict[str, Life] = {}
        self.lists: list[Operation] = []
        self.loose_creates: list[Operation] = []
        self.orphans: list[Life] = []
        # The creates that any orphan may be (by call), when no title tells; and their calls.
        self.shared: list[Operation] = []
        self.pool: list[int] = []
        self.pooled: dict[str, int] = {}  # who shares it, and by when each must be there
