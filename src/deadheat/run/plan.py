"""The plan of a search: how long, how thorough, and which findings it knows already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from deadheat.model.verdict import Signature


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how to search: ``seconds`` and ``programs`` bound it, whichever ends first.

    ``known``: signatures that are counted when they show, and are no findings.
    """

    seed: int
    folder: Path
    seconds: float | None = None
    programs: int | None = None
    exit_first: bool = False
    measure_trials: int = 200
    shrink_trials: int = 20_000
    known: frozenset[Signature] = frozenset()
