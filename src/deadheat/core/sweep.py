"""The straight way: one sweep over the events that builds a legal order, or gives up.

Most legal histories need no search. Reads are placed as soon as they fit, which
costs nothing, as they change nothing (Lowe 2017); writes as late as their answer,
or when a read that is about to return needs them.

Rules
- Sound: what it returns is a legal order in real time, step by step. It never
  says that there is none; None means that the full decision has to look.
- Gives up on what it would have to think about: a title that is known here and not
  there, an id of two creates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.core.history import (
    Absent,
    Created,
    Deleted,
    Fail,
    Found,
    Info,
    Kind,
    Listed,
    Operation,
    Renamed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class _GiveUp(Exception):
    """This history needs the full decision."""


def sweep(operations: Sequence[Operation], *, strict_delete: bool) -> tuple[int, ...] | None:
    """The indices of a legal order, or None when this way does not lead to one."""
    try:
        return _Sweep(operations, strict_delete=strict_delete).run()
    except _GiveUp:
        return None


class _Sweep:
    __slots__ = (
        "creates",
        "deletes",
        "done",
        "gone",
        "live",
        "loose",
        "ops",
        "order",
        "renames",
        "shown",
        "strict",
        "waiting",
    )

    def __init__(self, operations: Sequence[Operation], *, strict_delete: bool) -> None:
        self.ops = operations
        self.strict = strict_delete
        self.live: dict[str, str | None] = {}
        self.gone: set[str] = set()
        self.order: list[int] = []
        self.done = bytearray(len(operations))
        self.waiting: dict[int, None] = {}  # reads that do not fit yet
        self.shown: dict[int, dict[str, str | None]] = {}
        # Writes that are open, by what they would do.
        self.creates: dict[str, int] = {}
        self.loose: dict[str, int] = {}  # creates whose id nobody knows, by title
        self.deletes: dict[str, list[int]] = {}
        self.renames: dict[tuple[str, str], int] = {}

    def run(self) -> tuple[int, ...]:
        events: list[tuple[int, int, int]] = []
        for i, op in enumerate(self.ops):
            outcome = op.outcome
            if type(outcome) is Fail:
                continue
            events.append((op.call_ns, 0, i))  # at equal times calls come before returns
            if type(outcome) is not Info:
                if op.return_ns is None:
                    raise _GiveUp
                events.append((op.return_ns, 1, i))
        events.sort()
        done, called, returned = self.done, self._called, self._returned
        for _, end, i in events:
            if not end:
                called(i)
            elif not done[i]:
                returned(i)
        return tuple(self.order)

    def _called(self, i: int) -> None:
        op = self.ops[i]
        session, outcome = op.invocation.session, op.outcome
        if type(outcome) is Info:
            self._open(op.kind, session, op.invocation.title, i)
            return
        result = outcome.result  # type: ignore[union-attr]
        match result:
            case Listed(entries):
                shown = {entry.session: entry.title for entry in entries}
                if len(shown) != len(entries):
                    raise _GiveUp
                self.shown[i] = shown
                self._read(i)
            case Found() | Absent():
                self._read(i)
            case Created(born):
                if born in self.creates:
                    raise _GiveUp
                self.creates[born] = i
            case Deleted() | Renamed():
                self._open(op.kind, session, op.invocation.title, i)
            case _:
                raise _GiveUp

    def _open(self, kind: Kind, session: str | None, title: str | None, i: int) -> None:
        if kind is Kind.CREATE:
            if title in self.loose:
                raise _GiveUp
            if title is not None:
                self.loose[title] = i
        elif session is not None and kind is Kind.DELETE:
            self.deletes.setdefault(session, []).append(i)
        elif session is not None and kind is Kind.RENAME and title is not None:
            self.renames[session, title] = i

    def _read(self, i: int) -> None:
        if self._fits(i):
            self._place(i)
        else:
            self.waiting[i] = None

    def _fits(self, i: int) -> bool:
        shown = self.shown.get(i)
        if shown is not None:
            return shown == self.live
        op = self.ops[i]
        session, result = op.invocation.session, op.outcome.result  # type: ignore[union-attr]
        if type(result) is Found:
            return session in self.live and result.title in (None, self.live[session])
        return session not in self.live

    def _place(self, i: int) -> None:
        self.done[i] = 1
        self.order.append(self.ops[i].index)

    def _returned(self, i: int) -> None:
        if i not in self.waiting:
            self._write(i)
            return
        shown, op = self.shown.get(i), self.ops[i]
        if shown is not None:
            for session in [s for s in self.live if s not in shown]:
                self._end(session)
            for session, title in shown.items():
                self._reach(session, title)
        elif type(op.outcome.result) is Found:  # type: ignore[union-attr]
            self._reach(str(op.invocation.session), op.outcome.result.title)  # type: ignore[union-attr]
        else:
            self._end(str(op.invocation.session))
        if not self.done[i]:
            raise _GiveUp

    def _reach(self, session: str, title: str | None) -> None:
        """Make the session live under this title, by writes that are open."""
        if session not in self.live:
            create = self.creates.get(session)
            if create is not None and not self.done[create]:
                self._write(create)
            elif create is None and title is not None and title in self.loose:
                self._born(session, title, self.loose.pop(title))
            else:
                raise _GiveUp
        if title is not None and self.live.get(session) != title:
            rename = self.renames.get((session, title))
            if rename is None or self.done[rename]:
                raise _GiveUp
            self._write(rename)

    def _end(self, session: str) -> None:
        for delete in self.deletes.get(session, ()):
            if not self.done[delete]:
                self._write(delete)
                return
        raise _GiveUp

    def _born(self, session: str, title: str | None, i: int) -> None:
        if session in self.live or session in self.gone:
            raise _GiveUp
        self.live[session] = title
        self._changed(i)

    def _write(self, i: int) -> None:
        op = self.ops[i]
        session, title = str(op.invocation.session), op.invocation.title
        match op.kind:
            case Kind.CREATE:
                self._born(op.outcome.result.session, title, i)  # type: ignore[union-attr]
                return
            case Kind.DELETE if session in self.live:
                del self.live[session]
                self.gone.add(session)
            case Kind.DELETE if not self.strict:
                self._place(i)  # somebody else had removed it
                return
            case Kind.RENAME if session in self.live:
                self.live[session] = title
            case _:
                raise _GiveUp
        self._changed(i)

    def _changed(self, i: int) -> None:
        """A write has taken effect: reads that waited for it go directly behind it."""
        self._place(i)
        if self.waiting:
            for read in [read for read in self.waiting if self._fits(read)]:
                del self.waiting[read]
                self._place(read)
