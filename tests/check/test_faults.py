"""A right server and fourteen wrong ones, simulated: caught, named, shown in a few calls."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.check.simulator import Run, simulate
from tests.check.visibility import EXPECTED, Fault

from deadheat.check.checker import check
from deadheat.check.decide.legality import contradicts
from deadheat.model.promises import Promises
from deadheat.model.verdict import Diverged, Divergence, Linearizable

STRICT = Promises()


def runs_showing(fault: Fault, count: int, first_seed: int) -> list[Run]:
    """Runs in which the fault shows, and as what it is."""
    found: list[Run] = []
    seed = first_seed
    while len(found) < count:
        run = simulate(Random(seed), fault)
        if run.visible and run.typical:
            found.append(run)
        seed += 1
        assert seed < first_seed + 400 * count, f"{fault} hardly ever shows"
    return found


def divergence_of_run(run: Run) -> Divergence:
    verdict = check(run.history, STRICT)
    assert isinstance(verdict, Diverged)
    return verdict.divergence


@pytest.mark.parametrize("fault", Fault)
def test_every_visible_fault_is_caught(fault: Fault) -> None:
    seen = 0
    for seed in range(700 if fault is Fault.TORN_LIST else 120):
        run = simulate(Random(seed), fault)
        if run.visible:
            seen += 1
            assert contradicts(run.history, STRICT, 200_000), f"{fault}, seed {seed}"
    assert seen >= 15


def test_faults_are_named_and_shown_in_seven_calls() -> None:
    named: Counter[tuple[Fault, str]] = Counter()
    sizes: list[int] = []
    for fault in Fault:
        for run in runs_showing(fault, 8, 10_000):
            divergence = divergence_of_run(run)
            named[fault, divergence.anomaly] += 1
            sizes.append(len(divergence.witness))
            assert divergence.proof, "no proof"
            assert divergence.counterfactual is not None
    right = sum(count for (fault, anomaly), count in named.items() if anomaly == EXPECTED[fault])
    assert right >= 0.95 * len(sizes), named
    assert sum(size <= 7 for size in sizes) >= 0.95 * len(sizes)


def test_the_right_twin_is_never_accused() -> None:
    for seed in range(400):
        rng = Random(seed)
        run = simulate(rng, None, calls=rng.choice([6, 15, 30]), clients=rng.choice([2, 4, 8]))
        assert isinstance(check(run.history, STRICT), Linearizable), seed


@pytest.mark.quality
def test_the_right_twin_is_never_accused_in_100_000() -> None:
    for seed in range(100_000):
        rng = Random(seed)
        run = simulate(rng, None, calls=rng.choice([6, 15, 30]), clients=rng.choice([2, 4, 8]))
        assert isinstance(check(run.history, STRICT), Linearizable), seed


@pytest.mark.quality
def test_confusion_table() -> None:
    """Prints the table of the note (``-s``): which fault was called what, first."""
    table: Counter[tuple[str, str]] = Counter()
    sizes: Counter[int] = Counter()
    for fault in Fault:
        for run in runs_showing(fault, 100, 500_000):
            divergence = divergence_of_run(run)
            table[fault.value, divergence.anomaly.value] += 1
            sizes[len(divergence.witness)] += 1
    for (fault_name, anomaly), count in sorted(table.items()):
        print(f"{fault_name:15} {anomaly:15} {count}")
    print("witness sizes", sorted(sizes.items()))
    total = sum(sizes.values())
    right = sum(
        count for (fault_name, anomaly), count in table.items()
        if EXPECTED[Fault(fault_name)].value == anomaly
    )  # fmt: skip
    assert right >= 0.95 * total
    assert sum(count for size, count in sizes.items() if size <= 7) >= 0.95 * total
