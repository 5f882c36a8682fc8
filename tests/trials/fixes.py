"""Simulated fixes and races that are left, for the rules of ``trials.baseline``."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from deadheat.trials.baseline import BesideBaseline
from deadheat.trials.evidence import (
    DRIFT,
    AbsentBelow,
    Evidence,
    Present,
    Side,
    TrialResult,
    Unproven,
    UntilProven,
)
from deadheat.trials.tally import Tally

if TYPE_CHECKING:
    from random import Random

DESIGNS = ("record", "baseline")


class Wrong(Enum):
    """What a simulated verification came to, when it was not right."""

    MISSED = "said fixed of a race that is left"
    ALARM = "said not fixed of a fix"
    UNDECIDED = "could not tell"


def simulate(
    design: str, runs: int, confidence: float, rng: Random, low: float = 0.02, high: float = 0.9
) -> dict[Wrong, int]:
    """``runs`` fixes and as many races that are left; how often each error was made.

    The rate is drawn log-uniformly from ``low`` to ``high`` and recorded with 200 trials. A race
    that is left shows at a third of its rate (the worst that is allowed for) in every other
    run, else anywhere from a third to the whole. Beside a baseline both drift together.
    """
    told = dict.fromkeys(Wrong, 0)
    for n in range(runs):
        truth = low * (high / low) ** rng.random()
        left = truth * (1 / DRIFT if n % 2 else rng.uniform(1 / DRIFT, 1))
        for new in (0.0, left):
            match _verify(design, truth, new, confidence, rng):
                case AbsentBelow() if new:
                    told[Wrong.MISSED] += 1
                case Present() if not new:
                    told[Wrong.ALARM] += 1
                case Unproven():
                    told[Wrong.UNDECIDED] += 1
                case _:
                    pass
    return told


def _verify(design: str, truth: float, new: float, confidence: float, rng: Random) -> Evidence:
    if design == "baseline":
        beside = BesideBaseline(confidence)
        while (side := beside.next()) is not None:
            if beside.pairs % 50 == 0:  # the load of the machine changes, for both
                drift = rng.uniform(1 / DRIFT, 1)
            rate = drift * (truth if side is Side.OLD else new)
            beside.feed(TrialResult.SHOWN if rng.random() < rate else TrialResult.QUIET)
        assert beside.conclusion is not None
        return beside.conclusion
    shown = sum(rng.random() < truth for _ in range(200))
    # What never showed again has no rate: it is looked for at 1 %, and that is what is promised.
    until = UntilProven(Tally(200, shown) if shown else None, confidence)
    while until.next():
        until.feed(TrialResult.SHOWN if rng.random() < new else TrialResult.QUIET)
    return until.evidence
