"""Makes the history of a trial: times from 0, only what belongs to it.

Rules
- Ids that were there before, or that an earlier trial left behind, are not part of it, and on a
  server that others use too, neither is any unknown id.
- What the trial was given, or a list showed under its tag, is always part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deadheat.model.history import History, Listed, Ok, Operation, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deadheat.drive.binding import TrialRun
    from deadheat.drive.ownership import Ownership
    from deadheat.drive.target import Target
    from deadheat.model.history import Control, Seen


def history_of(
    run: TrialRun,
    target: Target,
    ownership: Ownership,
    outside: frozenset[str],
    stream: Stream | None,
    controls: Sequence[Control],
) -> History:
    """The history of that trial. ``outside``: ids that are not part of it."""
    start = min((op.call_ns for op in run.operations), default=0)
    ours = run.ours()

    def counts(entry: Seen) -> bool:
        if entry.session in outside:
            return False
        return (
            entry.session in ours
            or ownership.of_trial(entry.title, run.number)
            or (target.exclusive and not ownership.of_run(entry.title))
        )

    def since(instant_ns: int | None) -> int | None:
        return None if instant_ns is None else instant_ns - start

    if stream is not None:
        told = (
            replace(
                one,
                arrived_ns=one.arrived_ns - start,
                title=one.title and target.mask.text(one.title),
            )
            for one in stream.announcements
        )
        stream = Stream(tuple(told), since(stream.flushed_ns))
    return History(
        tuple(
            replace(
                _projected(op, counts), call_ns=op.call_ns - start, return_ns=since(op.return_ns)
            )
            for op in run.operations
        ),
        releases=tuple(run.releases),
        stream=stream,
        controls=tuple(
            replace(one, call_ns=one.call_ns - start, return_ns=since(one.return_ns))
            for one in controls
        ),
    )


def _projected(op: Operation, counts: Callable[[Seen], bool]) -> Operation:
    """The operation, with only those entries of a list that belong to the trial."""
    if not (isinstance(op.result, Listed)):
        return op
    return replace(op, outcome=Ok(Listed(tuple(filter(counts, op.result.entries)))))
