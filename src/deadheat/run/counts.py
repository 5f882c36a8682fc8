"""What a run has done so far, in numbers; each trial is counted once, each program once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deadheat.model.history import Ok, Undeclared, overlapping_pairs
from deadheat.model.raced import answered_race
from deadheat.model.release import missed_rounds
from deadheat.model.verdict import Undecided, Verdict

if TYPE_CHECKING:
    from deadheat.drive.executor import Execution


@dataclass(slots=True)
class Counts:
    """The running numbers of ``results.Summary``."""

    programs: int = 0
    trials: int = 0
    overlaps: int = 0
    undecided: int = 0
    rounds: int = 0
    missed_rounds: int = 0
    known: int = 0
    raced: int = 0
    unanswered: int = 0
    unanswered_s: float = 0.0
    drawn: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def ran(self, execution: Execution, verdict: Verdict) -> None:
        """Count one trial, whatever it was for."""
        history = execution.history
        self.trials += 1
        self.overlaps += overlapping_pairs(history)
        self.rounds += len(history.releases)
        self.missed_rounds += missed_rounds(history.releases)
        self.undecided += isinstance(verdict, Undecided)
        for op in history.operations:
            answered = isinstance(op.outcome, Ok) and not isinstance(op.outcome.result, Undeclared)
            if answered and not op.at_rest:
                self.answered[op.called] += 1

    def searched(self, execution: Execution, verdict: Verdict, took_s: float) -> None:
        """Count that trial as one of the search, of a new program."""
        if not isinstance(verdict, Undecided):
            self.raced += overlapping_pairs(execution.history) > 0
        if not answered_race(execution.program, execution.history):
            self.unanswered += 1
            self.unanswered_s += took_s
