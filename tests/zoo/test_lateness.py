"""`check` says which settle time to write, and with that the server is silent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from tests.zoo.serving import raw_served
from tests.zoo.visiting import target_of, visit
from tests.zoo.zoo import ZOO

from deadheat.drive.checkup import dry_run
from deadheat.drive.settle_time import advised

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.drive.checkup import CheckedCall


@pytest.mark.live
@pytest.mark.parametrize("name", ["settles", "accepted-202"])
def test_the_settle_time_that_it_says_leads_to_silence(name: str, tmp_path: Path) -> None:
    kept = next(animal for animal in ZOO if animal.name == name)
    # What it says of statuses stays; of time it says nothing.
    calls = {key: value for key, value in kept.declares.items() if key == "calls"}
    unsaid = replace(kept, declares=calls)
    with raw_served([name], tmp_path) as urls:

        async def steps(settle: str | None) -> tuple[CheckedCall, ...]:
            animal = (
                unsaid if settle is None else replace(kept, declares={**calls, "settle": settle})
            )
            return await dry_run(target_of(animal, urls[name]), urls[name], "abc123")

        wrong = [step.wrong for step in anyio.run(steps, None) if step.wrong]
        said = {found for one in wrong for found in re.findall('Write settle = "(.*?)"', one)}
        assert len(said) == 1, wrong
        (settle,) = said
        assert not [step.wrong for step in anyio.run(steps, settle) if step.wrong]
        told = replace(kept, declares={**calls, "settle": settle})
        seen = visit(told, urls[name], 7, tmp_path, 20, shared=True)
    assert (seen.alarm, seen.refused) == ("", "")
    assert seen.raced > 0


@pytest.mark.parametrize(
    ("seen_s", "settle"),
    [
        ((0.001,), "50ms"),
        ((0.02, 0.03), "90ms"),
        ((0.117,), "400ms"),
        ((0.4,), "2s"),
        ((2.5,), "8s"),
    ],
)
def test_it_is_three_times_the_longest_that_was_seen(seen_s: tuple[float], settle: str) -> None:
    assert advised(seen_s) == settle
