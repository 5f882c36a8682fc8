"""Makes sentences of a divergence's reasons, which the checker gives as values.

Rules
- Sentences about a divergence are made here and in ``report.steps``, and nowhere else.
- What a file of an earlier deadheat tells in words stays as it stands there, but for its ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from deadheat.files import media
from deadheat.files.artifact import divergence_of
from deadheat.model.edits import Edit, How
from deadheat.model.grounds import (
    ByAnomaly,
    ByAnswer,
    Died,
    MorePlaces,
    NoPlace,
    Silent,
    Told,
    Unanswered,
    WithoutIt,
    calls_named,
)
from deadheat.model.verdict import Anomaly, operations_by_index
from deadheat.report.calls import answer_text
from deadheat.report.steps import Words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deadheat.check.explain.placements import Alternatives
    from deadheat.files.artifact import Artifact
    from deadheat.model.grounds import Step
    from deadheat.model.verdict import Divergence

MEANING: dict[Anomaly, str] = {
    Anomaly.GHOST: "a session deleted with success is still there",
    Anomaly.RESURRECTION: "a deleted session was gone, then came back",
    Anomaly.LOST_CREATE: "a session created with success was never there",
    Anomaly.LOST_UPDATE: "a successful rename left no trace",
    Anomaly.PHANTOM: "a session that no call created",
    Anomaly.VANISHED: "a session disappeared, and no call deleted it",
    Anomaly.LATE: "a change answered with success took effect only later",
    Anomaly.STALE_READ: "a read answered with a past that was already over",
    Anomaly.TORN_LIST: "a list mixed two moments that never were one",
    Anomaly.TORN_READ: "a read showed a title that no call had written",
    Anomaly.DUPLICATE_ID: "two creates answered the same id",
    Anomaly.DOUBLE_DELETE: "two deletes of one session both claim to have done it",
    Anomaly.DOUBLE_CREATE: "two creates of one name both claim to have made it",
    Anomaly.ORPHAN: "a child outlived the delete that should have taken it",
    Anomaly.PARTIAL_CASCADE: "a delete of a parent took some children, then said it did nothing",
    Anomaly.WRONG_STATUS: "an answer whose status does not fit what the call did",
    Anomaly.SERVER_ERROR: "a valid call was answered with a server error",
    Anomaly.HANG: "a call never got an answer, while the server answered others",
    Anomaly.UNRESPONSIVE: "the server runs, but stopped answering",
    Anomaly.CRASH: "the server died",
    Anomaly.EARLY_EVENT: "a change was announced before it was made",
    Anomaly.MISSING_EVENT: "a change answered with success was never announced",
    Anomaly.DUPLICATE_EVENT: "one change was announced more than once",
    Anomaly.PHANTOM_EVENT: "a change was announced that no call has made",
    Anomaly.IMPOSSIBLE: "no order of the calls explains the answers",
}


@dataclass(frozen=True, slots=True)
class ProofLine:
    """One line of a proof, and its operations."""

    text: str
    calls: tuple[int, ...] = ()


def reasons_of(artifact: Artifact) -> Reasons:
    """The reasons of an artifact in words."""
    return Reasons(divergence_of(artifact), artifact.names)


class Reasons:
    """The reasons of one divergence in words. ``names``: of its sessions."""

    def __init__(self, divergence: Divergence, names: Mapping[str, str]) -> None:
        self._of = divergence
        self._names = names
        self._ops = operations_by_index(divergence.history)
        self._words = Words(divergence, names)

    @property
    def reason(self) -> str:
        """Why the culprit's answer is wrong, in one clause."""
        return media.line(self._reason())

    @property
    def proof(self) -> tuple[ProofLine, ...]:
        """Why no order of the calls is legal, line by line; empty without a proof."""
        steps = self._of.proof
        lines = [
            ProofLine(media.line(text), calls_named(step))
            for step in steps
            for text in self._words.told(step)
        ]
        if steps and (end := _end_of(steps[-1])):
            lines.append(ProofLine(end))
        return tuple(lines)

    @property
    def legal_if(self) -> str:
        """What would make the history legal, in one clause; empty if unknown."""
        match self._of.counterfactual:
            case None:
                return ""
            case Told(text):
                return media.line(self._words.filled(text))
            case Edit() as edit:
                return media.line(self._edited(edit))
            case _:
                assert_never(self._of.counterfactual)

    def places(self, told: Alternatives) -> tuple[str, ...]:
        """Each place that the culprit could have among the others, and why it is not possible."""
        return tuple(media.line(self._words.rejected(told.culprit, one)) for one in told.rejected)

    def _reason(self) -> str:
        match self._of.reason:
            case Told(text):
                return self._words.filled(text)
            case ByAnomaly(session):
                return self._by_anomaly(self._words.name(session) if session else "its session")
            case ByAnswer():
                op = self._ops[self._of.culprit]
                return f"{op.called} answered {answer_text(op, self._names)}"
            case Unanswered(n):
                control = self._of.history.controls[n]
                took_ms = ((control.return_ns or 0) - control.call_ns) / 1e6
                return (
                    f"no answer in {control.bound_ns / 1e9:g} s; meanwhile the server answered "
                    f"{control.answer or 'a control request'} in {took_ms:.0f} ms"
                )
            case Died(exit_code):
                ended = "" if exit_code is None else f" with exit code {exit_code}"
                return f"the server died{ended}"
            case Silent():
                return "no answer, and the server answers no other client any more"
            case _:
                assert_never(self._of.reason)

    def _by_anomaly(self, name: str) -> str:
        match self._of.anomaly:
            case Anomaly.GHOST:
                return f"{name} was deleted with success, and nothing created it again"
            case Anomaly.RESURRECTION:
                return f"{name} was deleted and seen to be gone, and nothing created it again"
            case Anomaly.LOST_CREATE:
                return f"{name} was created with success, and nothing deleted it"
            case Anomaly.LOST_UPDATE:
                return f"{name} was renamed with success, and shows another title"
            case Anomaly.PHANTOM:
                return f"nothing created {name}"
            case Anomaly.VANISHED:
                return f"{name} was there, and nothing deleted it"
            case Anomaly.STALE_READ:
                return f"this answer about {name} was already out of date when the call began"
            case Anomaly.TORN_LIST:
                return f"no single moment shows {name} like this"
            case Anomaly.TORN_READ:
                return f"no call ever gave {name} the title that this shows"
            case Anomaly.DUPLICATE_ID:
                return "the id that this answered was already given to another create"
            case Anomaly.DOUBLE_DELETE:
                return f"{name} had already been deleted by another call that claims it"
            case Anomaly.DOUBLE_CREATE:
                return f"{name} had already been made by another call that claims it"
            case Anomaly.ORPHAN:
                return f"{name} was below a session that was deleted with success, and outlived it"
            case Anomaly.PARTIAL_CASCADE:
                return f"this answered that it did nothing, and yet {name} went with it"
            case Anomaly.LATE:
                return f"a call about {name} had been answered before it took effect"
            case Anomaly.WRONG_STATUS:
                if self._says_it_exists():
                    return f"a create answered that {name} exists, and it was not there"
                return f"{name} was there, and a call on it answered that it was not"
            case Anomaly.EARLY_EVENT:
                return f"{name} was announced as changed before it was"
            case Anomaly.MISSING_EVENT:
                return f"this was answered with success, and never announced of {name}"
            case Anomaly.DUPLICATE_EVENT:
                return f"announced once more, of {name}"
            case Anomaly.PHANTOM_EVENT:
                return f"announced of {name}, and no call has done it"
            case (
                Anomaly.IMPOSSIBLE
                | Anomaly.SERVER_ERROR
                | Anomaly.HANG
                | Anomaly.UNRESPONSIVE
                | Anomaly.CRASH
            ):
                return "no order of the calls explains this answer"
            case _:
                assert_never(self._of.anomaly)

    def _says_it_exists(self) -> bool:
        match self._of.counterfactual:
            case Edit(How.NOT_EXISTS):
                return True
            case _:
                return False

    def _edited(self, edit: Edit) -> str:
        about = (*map(self._words.name, edit.sessions), "it", "it")
        call = "" if edit.call is None else self._words.call(edit.call)
        kind = "" if edit.call is None else self._ops[edit.call].called
        match edit.how:
            case How.NOTHING:
                return f"{call} had done nothing"
            case How.NO_DELETE:
                return "none of the deletes had done anything"
            case How.NOT_ABSENT:
                return f"{call} had not answered “absent”"
            case How.NO_DELETE_ABSENT:
                return "the deletes had not answered “absent”"
            case How.ABSENT:
                return "one of the deletes had answered “absent”"
            case How.SUCCESS:
                return f"{call} had answered success"
            case How.OWN_ID:
                return "the second create had answered an id of its own"
            case How.EXISTS:
                return "one of the creates had answered that it exists"
            case How.THE_OTHERS:
                return "one of the creates had answered the session of the other"
            case How.NOT_EXISTS:
                return f"{call} had not answered that it exists"
            case How.CREATED:
                return f"another client had created {about[0]}"
            case How.CREATED_AND_DELETED:
                return f"another client had created {about[0]}, and deleted it"
            case How.CREATED_AGAIN:
                return f"something had created {about[0]} again"
            case How.NOT_CREATED_AGAIN:
                return f"{call} had not created it again"
            case How.DELETED:
                return f"another client had deleted {about[0]}"
            case How.NO_PARENT:
                return f"{about[0]} had been made without a parent"
            case How.LEFT_ALONE:
                return f"{call} had answered nothing, or left {about[1]} alone"
            case How.EARLIER:
                return f"that {kind} had answered earlier"
            case How.EACH_EARLIER:
                return f"each {kind} had answered earlier"
            case How.IN_PARTS:
                return "that list had read each session on its own"
            case How.EACH_IN_PARTS:
                return "each list had read each session on its own"
            case How.ONCE:
                return "that list had shown each session once"
            case How.WRITTEN:
                return f"that {kind} had shown a title that was written"
            case How.EACH_WRITTEN:
                return "each read had shown a title that was written"
            case How.ON_TIME:
                return f"{call} had answered only once it was done"
            case _:
                assert_never(edit.how)


def _end_of(last: Step) -> str:
    """The line after the last step."""
    match last:
        case Told() | WithoutIt():
            return ""
        case NoPlace() | MorePlaces():
            return "No other place is left."
        case _:
            return "Contradiction."
