"""How fast the checker is, on histories that it generates itself.

    python -m tests.quality.bench_checker --help
    python -m tests.quality.bench_checker --sizes 10,300,3000 --clients 2,5 --beside ./other

A cell is one setting (operations, clients, share of lists, share of unknown outcomes,
legal or with one fault); its figures are the median CPU times over some histories: to
*decide*, and to *check*, which explains a divergence as well. Each is the best of a few
times in a row, as it is of a checker beside, which only decides. Every cell has the same
number of histories, as faults cost differently: with six each is there once, if it shows.
At the end stand the goals, and whether each held; exit code 1 if one did not, if a
cell was undecided, or if a verdict was wrong.

``--beside COMMAND`` measures another checker on the same histories, in the same run.
It is started once, reads one JSON object a line and answers each with one line:

    {"repeat": 5, "limit_ms": 5000, "operations": [[client, kind, session, shown, answered, call,
     return], …]}
    {"verdict": "legal" | "diverged" | "undecided", "cpu_ms": 0.123}

``kind``: create, delete, get or list. ``session``: the one addressed. ``shown``: of a create
the id, of a list the ids, else whether it was there. ``answered`` false: nobody knows whether
the call took effect, and ``return`` is null; of such a create the id is not known. Times are
ns, intervals closed. Every id is created at most once, and no session exists before the first
call. ``cpu_ms`` is the best of ``repeat`` times, without reading the line; undecided after
``limit_ms``. The ratio is ours to decide by its; where it was undecided its limit counts.
What it does is printed and no goal: it makes exit code 1 only by contradicting a verdict.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tests.quality.generated import Cell, histories

from deadheat.check.checker import DEFAULT_BUDGET, check
from deadheat.check.decide.legality import legal
from deadheat.model.history import Created, Deleted, Found, History, Listed, Ok
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")

# To decide, for the best time. Short ones again and again, as a clock's tick and cold caches would
# be most of it. Long ones no less than those: they lie outside the caches that the machine's other
# users share, whose work then shows in all but the best.
SHORT, LONG = 49, 7
# To check, which takes ten times as long.
EXPLAINED = {30: 49, 300: 5, 3_000: 3}


def repeats(operations: int) -> tuple[int, int]:
    """How often one history is decided, and checked; the best time counts."""
    explained = next((n for size, n in EXPLAINED.items() if operations <= size), 2)
    return SHORT if operations <= 30 else LONG, explained


@dataclass(frozen=True)
class Figure:
    """One cell measured. Times in ms of CPU, medians."""

    cell: Cell
    count: int
    decided: float
    checked: float
    worst: float  # of ``checked``
    undecided: int
    wrong: int
    other: float | None = None
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float | None:
        """Ours by the other's; below 1 we are faster."""
        return None if self.other is None else self.decided / self.other


class Beside:
    """The other checker, as long as it runs."""

    def __init__(self, command: str, limit_ms: float) -> None:
        self.limit_ms = limit_ms
        self.process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.process.kill()
        self.process.wait()

    def judge(self, history: History, repeat: int) -> tuple[str, float]:
        """Its verdict and CPU time in ms."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"repeat": repeat, "limit_ms": self.limit_ms, "operations": rows(history)}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the checker beside ended without an answer")
        answer = json.loads(line)
        verdict = str(answer["verdict"])
        return verdict, self.limit_ms if verdict == "undecided" else float(answer["cpu_ms"])


def rows(history: History) -> list[list[object]]:
    """The operations as ``--beside`` describes them."""
    found: list[list[object]] = []
    for op in history.operations:
        shown: object = None
        if isinstance(op.outcome, Ok):
            match op.outcome.result:
                case Created(session):
                    shown = session
                case Listed() as listed:
                    shown = sorted(listed.sessions)
                case other:
                    shown = isinstance(other, Found | Deleted)
        ok = isinstance(op.outcome, Ok)
        asked = op.invocation
        found.append([op.lane, asked.kind.value, asked.session, shown, ok, op.call_ns,
                      op.return_ns])  # fmt: skip
    return found


def best(repeat: int, call: Callable[[], T]) -> tuple[float, T]:
    """The best of ``repeat`` times in a row, in ms of CPU, and what the call gave."""
    least = float("inf")
    for _ in range(repeat):
        start = time.process_time_ns()
        found = call()
        least = min(least, (time.process_time_ns() - start) / 1e6)
    return least, found


def measure(cell: Cell, found: list[History], beside: Beside | None) -> Figure:
    """Judge each history, in turn by us and by the other."""
    decided: list[float] = []
    checked: list[float] = []
    others: list[float] = []
    verdicts: Counter[str] = Counter()
    undecided = wrong = 0
    repeat, explained = repeats(cell.operations)
    for history in found:
        quick, _ = best(repeat, partial(legal, history, Promises(), DEFAULT_BUDGET))
        full, verdict = best(explained, partial(check, history, Promises()))
        decided.append(quick)
        checked.append(full)
        undecided += isinstance(verdict, Undecided)
        wrong += not isinstance(verdict, Undecided) and (
            isinstance(verdict, Diverged) is not cell.faulty
        )
        if beside is not None:
            said, took = beside.judge(history, repeat)
            verdicts[said] += 1
            others.append(took)
    median = statistics.median
    return Figure(
        cell, len(found), median(decided), median(checked), max(checked), undecided, wrong,
        median(others) if others else None, verdicts,
    )  # fmt: skip


HEAD = (
    f"{'ops':>6} {'clients':>7} {'lists':>5} {'info':>5} {'kind':>6} {'n':>2} {'decide ms':>10} "
    f"{'us/op':>6} {'check ms':>10} {'worst ms':>10}"
)


def line(figure: Figure) -> str:
    """One row of the table."""
    cell = figure.cell
    kind = "faulty" if cell.faulty else "legal"
    text = (
        f"{cell.operations:>6} {cell.clients:>7} {cell.lists:>5} {cell.info:>5} {kind:>6} "
        f"{figure.count:>2} {figure.decided:>10.3f} {1e3 * figure.decided / cell.operations:>6.2f} "
        f"{figure.checked:>10.3f} {figure.worst:>10.3f}"
    )
    if figure.undecided or figure.wrong:
        text += f"  {figure.undecided} undecided, {figure.wrong} wrong"
    if figure.ratio is not None:
        given_up = figure.verdicts["undecided"]
        text += f" {figure.other:>10.3f} {figure.ratio:>9.4f}"
        text += f"  gave up {given_up} of {figure.count}" if given_up else ""
    return text


def goals(figures: list[Figure]) -> list[tuple[bool, str]]:
    """What issue 3 asks of the time to decide, and whether it held; only what was measured."""
    told: list[tuple[bool, str]] = []

    def slowest(operations: int, clients: int | None, most_ms: float) -> None:
        some = [f for f in figures if f.cell.operations == operations
                and clients in (None, f.cell.clients)]  # fmt: skip
        if some:
            worst = max(some, key=lambda f: f.decided)
            who = "" if clients is None else f" of {clients} clients"
            text = f"{operations:,} operations{who} within {most_ms:g} ms: at most "
            text += f"{worst.decided:.3f} ms in {len(some)} cells"
            told.append((worst.decided <= most_ms, text))

    slowest(10, None, 0.1)
    slowest(3_000, 30, 100)
    slowest(30_000, 30, 2_000)
    by_cell = {f.cell: f for f in figures}
    growth: list[tuple[float, Cell]] = []
    for cell, figure in by_cell.items():
        if cell.operations == 30_000:
            small = Cell(300, cell.clients, cell.lists, cell.info, cell.faulty)
            if small in by_cell:
                growth.append((figure.decided / by_cell[small].decided / 100, cell))
    if growth:
        most, cell = max(growth, key=lambda pair: pair[0])
        over = sum(times >= 3 for times, _ in growth)
        text = "cost per operation grows less than 3 times from 300 to 30,000: at most "
        text += f"{most:.1f} times ({cell}); {over} of {len(growth)} cells over"
        told.append((most < 3, text))
    told.append((not any(f.undecided for f in figures), "no cell undecided"))
    told.append((not any(f.wrong for f in figures), "no verdict wrong"))
    return told


def compared(figures: list[Figure]) -> list[str]:
    """What the other checker's figures say."""
    told: list[str] = []
    with_other = [f for f in figures if f.ratio is not None]
    for faulty in (False, True):
        some = [f for f in with_other if f.cell.faulty is faulty]
        if not some:
            continue
        ratios = sorted(f.ratio or 0.0 for f in some)
        worst = max(some, key=lambda f: f.ratio or 0.0)
        told.append(
            f"{'violations' if faulty else 'legal'}: ours by the other's at most {ratios[-1]:.2f} "
            f"({worst.cell}), median {statistics.median(ratios):.3f}; over 3 in "
            f"{sum(r > 3 for r in ratios)}, over 1 in {sum(r > 1 for r in ratios)} of {len(some)}"
        )
    many = [f for f in with_other if f.cell.faulty and f.cell.clients >= 5]
    if many:
        faster = sum((f.ratio or 0.0) < 1 for f in many)
        told.append(f"violations from 5 clients up: faster in {faster} of {len(many)} cells")
    return told


def contradictions(figures: list[Figure]) -> int:
    """Histories on which the other checker says otherwise."""
    return sum(f.verdicts["legal" if f.cell.faulty else "diverged"] for f in figures)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def main() -> int:
    """Measure the grid and print it."""
    parser = argparse.ArgumentParser(
        description="CPU time of check() over a grid of generated histories.",
        epilog="The protocol of --beside stands at the top of this file.",
    )
    sizes = "10,30,100,300,1000,3000,10000,30000"
    parser.add_argument("--sizes", default=sizes, help=f"operations, by commas ({sizes})")
    parser.add_argument("--clients", default="2,5,10,30,100", help="by commas")
    parser.add_argument("--lists", default="0.1,0.4", help="shares of lists (0.1,0.4)")
    parser.add_argument("--info", default="0,0.15", help="shares without an answer (0,0.15)")
    parser.add_argument("--count", type=int, default=6, help="histories for each cell (6)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beside", metavar="COMMAND", help="another checker, on the same ones")
    parser.add_argument("--limit", type=float, default=5.0, help="its seconds a history (5)")
    chosen = parser.parse_args()
    beside = Beside(chosen.beside, 1e3 * chosen.limit) if chosen.beside else None
    print(HEAD + (f" {'other ms':>10} {'ours/its':>9}" if beside else ""))
    figures: list[Figure] = []
    cells = [
        Cell(int(size), int(clients), lists, info, faulty)
        for size in _numbers(chosen.sizes)
        for clients in _numbers(chosen.clients)
        for lists in _numbers(chosen.lists)
        for info in _numbers(chosen.info)
        for faulty in (False, True)
    ]
    try:
        for cell in cells:
            found = histories(cell, chosen.count, chosen.seed)
            if not found:
                print(f"{cell}: no fault showed")
                continue
            figures.append(measure(cell, found, beside))
            print(line(figures[-1]), flush=True)
    except KeyboardInterrupt:
        print("stopped; so far:")
    finally:
        if beside is not None:
            beside.__exit__(None, None, None)
    told = goals(figures)
    for held, text in told:
        print(f"{'held    ' if held else 'NOT HELD'} {text}")
    for text in compared(figures):
        print(f"beside   {text}")
    against = contradictions(figures)
    if against:
        print(f"NOT HELD the other checker contradicts {against} verdicts")
    return 0 if all(held for held, _ in told) and not against else 1


if __name__ == "__main__":
    sys.exit(main())
