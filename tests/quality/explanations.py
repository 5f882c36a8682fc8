"""Which fault is called what, and five explanations whole: what a reader of the checker sees.

    python -m tests.quality.explanations --each 100
    python -m tests.quality.explanations --each 20 --artifact .deadheat/….json

A simulated server of each fault is run until the fault shows, ``--each`` times; the table says
what the checker called it first, and in how many calls it showed it. Then the explanation of
one run each of four faults, and of the artifact (say, the ghost of a real OpenCode that
``deadheat run opencode@1.0.152`` saved); without one, of a fifth fault. Exit code 1 when the
right name is first in less than 95 %, or less than 95 % are shown in at most seven calls.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.check.test_faults import divergence_of_run, runs_showing
from tests.check.visibility import EXPECTED, Fault

from deadheat.files.artifact import divergence_of, read
from deadheat.model.program import Var
from deadheat.model.promises import Promises
from deadheat.model.verdict import operations_by_index
from deadheat.report.calls import answer_text, call_text
from deadheat.report.reasons import MEANING, Reasons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.check.simulator import Run

    from deadheat.model.verdict import Divergence

SHOWN = (Fault.TORN_LIST, Fault.RESURRECTION, Fault.DOUBLE_DELETE, Fault.STALE_LIST, Fault.GHOST)


def told(divergence: Divergence, promises: Promises) -> Iterator[str]:
    """The name, the calls of the witness, and why no order of them is legal."""
    names = {session: Var(n).name for n, session in enumerate(divergence.sessions)}
    ops = operations_by_index(divergence.history)
    reasons = Reasons(divergence, names)
    yield f"{divergence.anomaly}: {MEANING[divergence.anomaly]}"
    yield f"promised: {promises}"
    for index in divergence.witness:
        mark = "  <- cannot be" if index == divergence.culprit else ""
        yield f"  {call_text(ops[index], names)} -> {answer_text(ops[index], names)}{mark}"
    yield f"because {reasons.reason}"
    for n, line in enumerate(reasons.proof, 1):
        yield f"  {n}. {line.text}"
    yield f"legal if {reasons.legal_if}"


def main() -> int:
    """Print the table and the explanations."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--each", type=int, default=100, help="runs of each fault (100)")
    parser.add_argument("--seed", type=int, default=500_000)
    parser.add_argument("--artifact", type=Path, help="a saved example, to be explained as well")
    chosen = parser.parse_args()
    table: Counter[tuple[Fault, str]] = Counter()
    sizes: Counter[int] = Counter()
    runs: dict[Fault, Run] = {}
    for fault in Fault:
        for run in runs_showing(fault, chosen.each, chosen.seed):
            divergence = divergence_of_run(run)
            table[fault, divergence.anomaly.value] += 1
            sizes[len(divergence.witness)] += 1
            runs.setdefault(fault, run)
    print(f"{'fault':<16} {'called':<16} {'runs':>5}")
    for (fault, anomaly), count in sorted(table.items()):
        wrong = "" if EXPECTED[fault].value == anomaly else "   not the right name"
        print(f"{fault.value:<16} {anomaly:<16} {count:>5}{wrong}")
    total = sum(sizes.values())
    right = sum(n for (fault, anomaly), n in table.items() if EXPECTED[fault].value == anomaly)
    short = sum(n for size, n in sizes.items() if size <= 7)
    print(f"right name first in {right} of {total}; shown in at most seven calls: {short}; "
          f"by calls: {dict(sorted(sizes.items()))}")  # fmt: skip
    shown = [(fault.value, divergence_of_run(runs[fault]), Promises()) for fault in SHOWN]
    if chosen.artifact is not None:
        artifact = read(chosen.artifact)
        title = f"{artifact.target.name} {artifact.target.version or ''}: a recorded trial"
        shown[-1] = (title, divergence_of(artifact), artifact.target.promises)
    for title, divergence, promises in shown:
        print(f"\n=== {title}\n")
        print("\n".join(told(divergence, promises)))
    return 0 if min(right, short) >= 0.95 * total else 1


if __name__ == "__main__":
    sys.exit(main())
