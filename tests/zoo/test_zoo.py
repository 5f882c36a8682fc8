"""No alarm on a correct server, whatever its habits: each animal of the zoo is searched in silence.

The short form is a minute of the normal suite: a few programs each, the same ones, and some of the
racy twins. The long one (``-m quality``) is ``table.py``'s: 2,000 fresh programs each, every twin.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.zoo.serving import Missing, raw_served, stack_served, trusted
from tests.zoo.table import den as den_of_its_own
from tests.zoo.table import searched
from tests.zoo.visiting import Visit, visit
from tests.zoo.wild import WILD
from tests.zoo.zoo import BY_NAME, ZOO, complaints, too_few_raced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.zoo.animal import Animal

pytestmark = pytest.mark.live

# CI sets it: there an animal whose stack is missing is a failure.
_REQUIRED = os.environ.get("DEADHEAT_REQUIRE_OPENCODE") == "1"
# A twin shows within the first few programs: both of its races are in most of them.
_TWIN_WITHIN = 60
# One twin for each kind of collection and way of sending; the stacks' are all tried.
_TWINS = {
    "plain",
    "http-1.0",
    "acts-on-head",
    "put",
    "ids-again",
    "pages-offset",
    "reads-lag",
    "tls",
}


@pytest.fixture(scope="module")
def den(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the animals live: what is built for one is there for its twin."""
    folder = tmp_path_factory.mktemp("zoo")
    with trusted(folder):
        yield folder


@pytest.fixture(scope="module")
def raw(den: Path) -> Iterator[Mapping[str, str]]:
    """The URLs of the raw server's animals, which share a process."""
    with raw_served([animal.name for animal in WILD], den) as urls:
        yield urls


@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)
def test_it_is_searched_in_silence(
    animal: Animal, den: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        url = _at(stack, animal, den, request)
        if animal.twin and (animal.stack is not None or animal.name in _TWINS):
            seen = visit(animal, url, 1, tmp_path / "twin", _TWIN_WITHIN, shared=True, racy=True)
            assert seen.alarm, seen
        said = _searched(animal, url, tmp_path)
    assert not said, "\n".join(said)


def _searched(animal: Animal, url: str, folder: Path) -> tuple[str, ...]:
    """Complaints of one short search; on a busy machine too few programs may race: of another."""
    said: tuple[str, ...] = ()
    for seed in range(1, 6):
        seen = visit(animal, url, seed, folder, animal.short, shared=True)
        said = complaints(animal, seen, animal.short)
        if said != (too_few_raced(seen),):
            break
    return said


_SILENT = Visit(
    programs=10, raced=9, overlaps=30, undecided=0, alarm="", anomaly="", refused="", refusal="",
    silent=(), harm=0, seconds=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "seen",
    [
        replace(_SILENT, alarm="ghost  a session deleted with success is still there"),
        replace(_SILENT, refused="it cannot be judged", refusal="NotThisApi"),
        replace(_SILENT, programs=9),
        replace(_SILENT, raced=4),
        replace(_SILENT, silent=("rename",)),
        replace(_SILENT, undecided=1),
        replace(_SILENT, harm=1),
    ],
    ids=("alarm", "refused", "programs", "raced", "silent", "undecided", "harm"),
)
def test_a_visit_that_proves_nothing_is_a_complaint(seen: Visit) -> None:
    assert complaints(BY_NAME["plain"], _SILENT, 10) == ()
    assert len(complaints(BY_NAME["plain"], seen, 10)) == 1


def test_where_it_must_refuse_anything_else_is_a_complaint() -> None:
    cut = BY_NAME["titles-cut"]
    refused = replace(_SILENT, programs=0, raced=0, refused="titles are cut", refusal="NotThisApi")
    assert complaints(cut, refused, 10) == ()
    assert complaints(cut, replace(refused, harm=1), 10)
    assert complaints(cut, replace(refused, refusal="TargetDied"), 10)
    assert complaints(cut, _SILENT, 10)


def test_the_zoo_is_as_large_as_it_says() -> None:
    assert len(ZOO) == len(BY_NAME) >= 40
    for animal in ZOO:
        assert animal.habit
        assert animal.because
        assert animal.promises
        assert (animal.carts is None) is not (animal.stack is None)


def _at(stack: ExitStack, animal: Animal, den: Path, request: pytest.FixtureRequest) -> str:
    if animal.stack is None:
        urls: Mapping[str, str] = request.getfixturevalue("raw")
        return urls[animal.name]
    try:
        return stack.enter_context(stack_served(animal, den))
    except Missing as missing:
        if _REQUIRED:
            pytest.fail(f"DEADHEAT_REQUIRE_OPENCODE=1, but {missing}", pytrace=False)
        pytest.skip(f"NOT TESTED on {animal.name}: {missing}")


@pytest.mark.quality
@pytest.mark.timeout(4 * 3600)  # minutes each; one that waits for 30 s answers, an hour
@pytest.mark.parametrize("animal", ZOO, ids=lambda animal: animal.name)
def test_two_thousand_programs_are_silent_and_its_twin_is_found(
    animal: Animal, tmp_path: Path
) -> None:
    with den_of_its_own() as folder:
        assert not searched(animal, folder, tmp_path, 2_000)
