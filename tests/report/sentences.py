"""Every value that says why a divergence is one, in a history of one's own, with its sentence.

``tests/pins/sentences.txt`` holds the sentences; ``test_pins.py`` compares them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.check.histories import MS, Build

from deadheat.check.explain.placements import Alternatives
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import (
    Absurd,
    AnnouncedTwice,
    BeforeItsCall,
    Belied,
    Breaks,
    ByAnomaly,
    ByAnswer,
    Changed,
    Constraint,
    Died,
    Follows,
    Gave,
    HadRemoved,
    HadTaken,
    LacksTitle,
    LeftAlone,
    MadeTwice,
    Missed,
    MorePlaces,
    NeverAnnounced,
    NeverGone,
    NoMaker,
    NoPlace,
    NotDone,
    RealTime,
    Rejected,
    Removed,
    RuledOut,
    SameId,
    Showed,
    ShowsTitle,
    ShowsTwice,
    Silent,
    Suppose,
    TakenAlong,
    Told,
    TooEarly,
    TooLate,
    Unanswered,
    UnknownTitle,
    WithoutIt,
    WouldAnswer,
)
from deadheat.model.history import (
    Absent,
    Announcement,
    Change,
    Control,
    Created,
    Custom,
    Found,
    Info,
    Invocation,
    Kind,
    Renamed,
    Stream,
    Undeclared,
    Unknown,
)
from deadheat.model.verdict import Anomaly, Divergence
from deadheat.report.reasons import Reasons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deadheat.model.grounds import Counterfactual, Reason, Step

NAMES = {"ses_a": "a", "ses_b": "b"}
ARCHIVE = Custom("archive", "soon")
# By index: what the sentences below speak of.
MADE, BELOW, NEW, GONE, AGAIN, LIST, REST, GET, LOST, MARK, ODD, OLD = range(12)
HISTORY = replace(
    Build()
    .create("ses_a", 0, 1, "old")
    .add(Invocation(Kind.CREATE, parent="ses_a"), Created("ses_b"), 2, 3)
    .add(Invocation(Kind.RENAME, "ses_a", "new"), Renamed(), 4, 5)
    .delete("ses_a", 6, 7)
    .delete("ses_a", 6.5, 8)
    .list(9, 10, "ses_b")
    .list(11, 12, "ses_a", rest=True)
    .get("ses_b", 13, 14, Absent(), rest=True)
    .add(Invocation(Kind.DELETE, "ses_b"), Info(Unknown.TIMEOUT), 15, None)
    .add(
        Invocation(Kind.CUSTOM, "ses_a", custom=ARCHIVE),
        Undeclared(418, "teapot"),
        16,
        17,
        status=418,
    )
    .add(Invocation(Kind.CREATE), Info(Unknown.SERVER_ERROR, "broken"), 18, None, status=500)
    .get("ses_a", 19, 20, Found("old"))
    .history,
    stream=Stream(
        (
            Announcement(Change.CREATED, "ses_a", 5 * MS),
            Announcement(Change.UPDATED, "ses_a", 6 * MS, "new"),
            Announcement(Change.DELETED, "ses_a", 8 * MS),
            Announcement(Change.DELETED, "ses_a", 9 * MS),
        ),
        30 * MS,
    ),
    controls=(Control(1_000 * MS, 1_015 * MS, 1_020 * MS, "GET /session with 200"),),
)


def _after(before: int, after: int, because: object) -> Follows:
    return Follows(Constraint(before, after, because))  # type: ignore[arg-type]


def _place(call: int, after: int | None, cause: object) -> NoPlace:
    return NoPlace(call, Rejected(after, None, cause))  # type: ignore[arg-type]


STEPS: tuple[Step, ...] = (
    _after(GONE, LIST, RealTime()),
    _after(MADE, REST, Showed(REST, "ses_a")),
    _after(REST, GONE, Showed(REST, "ses_a")),
    _after(MADE, GONE, Removed(GONE, "ses_a")),
    _after(GONE, AGAIN, Removed(GONE, "ses_a")),
    _after(GONE, BELOW, LeftAlone("ses_b")),
    _after(LIST, GONE, TakenAlong("ses_b")),
    _after(LIST, MADE, Missed(LIST, "ses_a")),
    _after(GONE, LIST, Missed(LIST, "ses_a")),
    _after(GET, BELOW, Missed(GET, "ses_b", undeleted=True)),
    _after(LOST, GET, HadRemoved("ses_b")),
    _after(BELOW, GONE, HadTaken(GET, GONE, "ses_b")),
    _after(LIST, GET, HadTaken(GET, GONE, "ses_b")),
    _after(MADE, NEW, Changed("ses_a")),
    _after(NEW, OLD, ShowsTitle()),
    _after(OLD, NEW, LacksTitle(OLD, NEW)),
    _after(NEW, MADE, LacksTitle(OLD, NEW)),
    RuledOut(
        Constraint(LIST, GONE, TakenAlong("ses_b")),
        (Constraint(GONE, LIST, RealTime()), Constraint(MADE, REST, Showed(REST, "ses_a"))),
    ),
    Suppose(Constraint(GONE, LIST, Missed(LIST, "ses_a"))),
    Absurd(),
    ShowsTwice(LIST),
    MadeTwice(MADE, BELOW, same=True),
    MadeTwice(MADE, BELOW, same=False),
    SameId((MADE, BELOW), "ses_a"),
    NoMaker(REST, "ses_a", unanswered=False),
    NoMaker(GONE, "ses_a", unanswered=False),
    NoMaker(REST, "ses_a", unanswered=True),
    NeverGone(LIST, "ses_a"),
    UnknownTitle(OLD, "ses_a", "old"),
    Gave(LIST),
    WithoutIt(LIST),
    BeforeItsCall(heard=2, call=GONE),
    NotDone(heard=1, call=NEW),
    Belied(heard=2, read=REST, undone=False, refused=None),
    Belied(heard=0, read=LIST, undone=False, refused=None),
    Belied(heard=1, read=OLD, undone=False, refused=None),
    Belied(heard=2, read=REST, undone=True, refused=None),
    Belied(heard=2, read=REST, undone=True, refused=AGAIN),
    AnnouncedTwice(2, 3),
    NeverAnnounced(GONE, Change.DELETED, "ses_a"),
    NeverAnnounced(LOST, Change.DELETED, "ses_b"),
    Told("{0} was told of in 2.0 ms, and {1} too."),
    _place(LIST, None, TooEarly(GONE)),
    _place(GONE, LIST, TooLate(LIST)),
    _place(LIST, MADE, WouldAnswer(("ses_a", "ses_b"))),
    _place(LIST, MADE, WouldAnswer(("ses_b",))),
    _place(LIST, MADE, WouldAnswer(None)),
    _place(GET, BELOW, WouldAnswer(("ses_b",))),
    _place(OLD, NEW, WouldAnswer(())),
    _place(OLD, NEW, WouldAnswer(("ses_a",))),
    _place(MARK, NEW, WouldAnswer(None, "refused")),
    _place(LIST, None, Breaks(GET)),
    MorePlaces(3),
)
# The call that each edit is about.
EDITED = {
    How.NOT_CREATED_AGAIN: NEW,
    How.EARLIER: LIST,
    How.EACH_EARLIER: LIST,
    How.WRITTEN: OLD,
    How.EACH_WRITTEN: OLD,
    How.OWN_ID: BELOW,
    How.ON_TIME: MADE,
}
EDITS: tuple[Counterfactual, ...] = (
    *(Edit(how, EDITED.get(how, GONE), ("ses_a", "ses_b")) for how in How),
    Edit(How.NOTHING, MADE, ("ses_a",)),
    Edit(How.NOTHING, NEW, ("ses_a",)),
    Told("delete({0}) had done nothing"),
)
REASONS: tuple[tuple[Reason, int], ...] = (
    (ByAnswer(), MARK),
    (ByAnswer(), ODD),
    (Unanswered(0), LOST),
    (Died(None), LOST),
    (Died(-9), LOST),
    (Silent(), LOST),
    (Told("{1} was told of"), LIST),
)
WITNESS = tuple(op.index for op in HISTORY.operations)
BARE = Divergence(HISTORY, Anomaly.IMPOSSIBLE, WITNESS, LIST, ("ses_a", "ses_b"), ByAnomaly())


def sentences() -> Iterator[str]:
    """Each value's sentences, in the order above."""
    yield "-- reasons"
    for anomaly in Anomaly:
        one = replace(BARE, anomaly=anomaly, reason=ByAnomaly("ses_a"))
        yield f"{anomaly}: {Reasons(one, NAMES).reason}"
    exists = replace(
        BARE,
        anomaly=Anomaly.WRONG_STATUS,
        reason=ByAnomaly("ses_a"),
        counterfactual=Edit(How.NOT_EXISTS, MADE, ("ses_a",)),
    )
    yield f"{exists.anomaly}: {Reasons(exists, NAMES).reason}"
    for reason, culprit in REASONS:
        yield Reasons(replace(BARE, reason=reason, culprit=culprit), NAMES).reason
    yield ""
    yield "-- proofs"
    for step in STEPS:
        told = Reasons(replace(BARE, proof=(step,)), NAMES).proof
        calls = ", ".join(map(str, told[0].calls))
        yield f"{type(step).__name__} [{calls}]"
        yield from (f"    {line.text}" for line in told)
    yield ""
    yield "-- places"
    rejected = tuple(step.rejected for step in STEPS if isinstance(step, NoPlace))
    yield from Reasons(BARE, NAMES).places(Alternatives(LIST, (), rejected))
    yield ""
    yield "-- it would be legal if"
    for edit in EDITS:
        yield Reasons(replace(BARE, counterfactual=edit), NAMES).legal_if
    yield ""
    yield "-- without names"
    yield Reasons(replace(BARE, proof=STEPS[:1], reason=ByAnomaly("ses_a")), {}).proof[0].text
