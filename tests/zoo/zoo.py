"""All the animals, and what a visit must come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.zoo.animal import Ruling
from tests.zoo.stabled import STABLED
from tests.zoo.wild import WILD

from deadheat.errors import NotThisApi

if TYPE_CHECKING:
    from tests.zoo.animal import Animal
    from tests.zoo.visiting import Visit

ZOO: tuple[Animal, ...] = (*WILD, *STABLED)
# How a run ends that cannot judge what it was given: not this API, as the profile tells it.
REFUSAL = NotThisApi.__name__
BY_NAME = {animal.name: animal for animal in ZOO}


def complaints(animal: Animal, visit: Visit, programs: int) -> tuple[str, ...]:
    """What is not as it must be; none: the animal was searched in silence, or duly refused."""
    found = [f"an alarm on a correct server:\n{visit.alarm}"] if visit.alarm else []
    if visit.harm:
        found.append(f"{visit.harm} carts of somebody else were changed")
    if visit.refused:
        wanted = REFUSAL if animal.ruling is Ruling.REFUSED else ""
        if visit.refusal != wanted:
            found.append(f"refused ({visit.refusal}): {visit.refused}")
        return tuple(found)
    if animal.ruling is Ruling.REFUSED:
        found.append("judged, though it cannot be")
        return tuple(found)
    if visit.alarm:
        return tuple(found)
    if visit.programs < programs:
        found.append(f"{visit.programs} of {programs} programs")
    if visit.silent:
        found.append(f"no {', no '.join(visit.silent)} ever succeeded")
    if visit.raced < animal.races * visit.programs:
        found.append(too_few_raced(visit))
    if visit.undecided:
        found.append(f"{visit.undecided} programs undecided")
    return tuple(found)


def too_few_raced(visit: Visit) -> str:
    """The one complaint that the machine alone can be the cause of."""
    return f"only {visit.raced} of {visit.programs} programs raced"
