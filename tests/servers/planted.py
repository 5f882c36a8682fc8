"""One small live server with one planted race, or its correct twin.

    python -P tests/servers/planted.py RACE --port N [--correct]

The race ``lost-delete`` is the bundled demo's (``deadheat.targets.demo.server``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run by path, with -P

from tests.servers import announcing, families, narrow, reads, writes

from deadheat.targets.demo.session_http import options, serve

if TYPE_CHECKING:
    from deadheat.targets.demo.session_http import SessionCollection

STORES: dict[str, type[SessionCollection]] = {
    "duplicate-id": writes.CheckThenAct,
    "lost-create": writes.WholeFile,
    "resurrection": writes.TouchOnRead,
    "stale-list": reads.CachedList,
    "list-fails": reads.FragileList,
    "late-delete": writes.Acknowledged,
    "late-write": writes.LateTouch,
    "split-delete": writes.SplitDelete,
    "id-reuse": writes.FreedId,
    "double-delete": writes.BothDeleted,
    "torn-list": reads.PagedList,
    "joined-list": reads.JoinedList,
    "get-fails": reads.FragileGet,
    "phantom": writes.Draft,
    "crash": writes.Fatal,
    "orphan": families.LateChild,
    "partial-cascade": families.OneByOne,
    "rename-back": families.RenameBack,
    "lost-rename": families.AllTitles,
    "end-of-delete": narrow.EndOfDelete,
    "end-of-list": narrow.EndOfList,
    "duplicate-event": announcing.SaidTwice,
    "early-event": announcing.SaidTooSoon,
    "missing-event": announcing.SaidLast,
    "deadlock": announcing.CrossedLocks,
    "stall": announcing.StandsStill,
}


def main() -> None:
    """The command line."""
    parser = options("a session server with one planted race")
    parser.add_argument("race", choices=sorted(STORES))
    args = parser.parse_args()
    store = STORES[args.race]
    serve(lambda: store(args.correct), f"planted {args.race}", args.port)


if __name__ == "__main__":
    main()
