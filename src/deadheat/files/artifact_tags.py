"""How an artifact's file names the kinds of calls, results, outcomes and reasons.

Rules
- A word in a file stays: a class that is given another name keeps its word here.
- Each class of a union has a word, and no two the same one.
"""

from __future__ import annotations

from typing import Any

from deadheat.model import edits, grounds, history, program
from deadheat.model.answer_word import RESULTS

# By the key that holds the word in the file.
TAGS: dict[str, tuple[Any, dict[type[Any], str]]] = {
    "call": (
        program.Call,
        {
            **program.KINDS,
            program.CustomCall: "owncall",
        },
    ),
    "result": (
        history.Result,
        RESULTS,
    ),
    "outcome": (
        history.Outcome,
        {history.Ok: "ok", history.Fail: "fail", history.Info: "info"},
    ),
    "because": (
        grounds.Because,
        {
            grounds.RealTime: "real-time",
            grounds.Showed: "showed",
            grounds.Removed: "removed",
            grounds.LeftAlone: "left-alone",
            grounds.TakenAlong: "taken-along",
            grounds.Missed: "missed",
            grounds.HadRemoved: "had-removed",
            grounds.HadTaken: "had-taken",
            grounds.Changed: "changed",
            grounds.ShowsTitle: "shows-title",
            grounds.LacksTitle: "lacks-title",
        },
    ),
    "cause": (
        grounds.Cause,
        {
            grounds.TooEarly: "too-early",
            grounds.TooLate: "too-late",
            grounds.WouldAnswer: "would-answer",
            grounds.Breaks: "breaks",
        },
    ),
    "step": (
        grounds.Step,
        {
            grounds.Follows: "follows",
            grounds.RuledOut: "ruled-out",
            grounds.Suppose: "suppose",
            grounds.Absurd: "absurd",
            grounds.ShowsTwice: "shows-twice",
            grounds.MadeTwice: "made-twice",
            grounds.SameId: "same-id",
            grounds.NoMaker: "no-maker",
            grounds.NeverGone: "never-gone",
            grounds.UnknownTitle: "unknown-title",
            grounds.Gave: "gave",
            grounds.NoPlace: "no-place",
            grounds.MorePlaces: "more-places",
            grounds.WithoutIt: "without-it",
            grounds.BeforeItsCall: "before-its-call",
            grounds.NotDone: "not-done",
            grounds.Belied: "belied",
            grounds.AnnouncedTwice: "announced-twice",
            grounds.NeverAnnounced: "never-announced",
            grounds.Told: "told",
        },
    ),
    "edit": (grounds.Counterfactual, {edits.Edit: "edit", grounds.Told: "told"}),
    "reason": (
        grounds.Reason,
        {
            grounds.ByAnomaly: "by-anomaly",
            grounds.ByAnswer: "by-answer",
            grounds.Unanswered: "unanswered",
            grounds.Died: "died",
            grounds.Silent: "silent",
            grounds.Told: "told",
        },
    ),
}

WORDS: frozenset[str] = frozenset(word for _, words in TAGS.values() for word in words.values())
