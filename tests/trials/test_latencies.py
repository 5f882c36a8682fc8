"""Offsets follow how long calls take, and only beyond what is drawn anyway."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.quality.simulated import Simulated, random_program

from deadheat.model.history import Control, Info, Unknown
from deadheat.trials.latencies import LONGEST_US, Latencies


def known(latency_us: tuple[int, int]) -> Latencies:
    server = Simulated(0, Random(1), latency_us=latency_us)
    latencies = Latencies()
    for n in range(12):
        latencies.add(server.run(random_program(Random(n), 12)))
    return latencies


def test_the_end_of_a_slow_call_is_among_them() -> None:
    offsets_us = known((8_000, 8_200)).offsets_us(3_000)
    assert any(7_500 <= offset <= 8_100 for offset in offsets_us)
    assert all(3_000 < offset < 9_000 for offset in offsets_us)
    assert list(offsets_us) == sorted(set(offsets_us))


def test_a_fast_server_teaches_nothing_new() -> None:
    assert known((800, 2_400)).offsets_us(3_000) == ()
    assert known((800, 2_400)).offsets_us(0)


def test_a_few_calls_are_not_believed() -> None:
    latencies = Latencies()
    latencies.add(
        Simulated(0, Random(1), latency_us=(8_000, 9_000)).run(random_program(Random(1), 5))
    )
    assert latencies.offsets_us(0) == ()


def test_what_waited_for_a_server_to_come_back_is_no_latency() -> None:
    server = Simulated(0, Random(1), latency_us=(12_000_000, 12_200_000))
    histories = [server.run(random_program(Random(n), 12)) for n in range(12)]
    control = Control(10_000_000_000, 10_000_000_000, None)
    waited, timed_out = Latencies(), Latencies()
    for history in histories:
        waited.add(replace(history, controls=(control,)))
        first, *others = history.operations
        lost = replace(first, outcome=Info(Unknown.TIMEOUT), return_ns=None)
        timed_out.add(replace(history, operations=(lost, *others)))
    assert waited.offsets_us(0) == timed_out.offsets_us(0) == ()


def test_no_offset_takes_for_ever() -> None:
    slow = known((12_000_000, 12_200_000)).offsets_us(0)
    assert slow == ()
    assert max(known((1_050_000, 1_060_000)).offsets_us(0)) <= LONGEST_US
