"""Makes sentences of the steps of a refutation.

Rules
- Calls are spelt as ``report.calls`` spells them. Times count from the first call of the trial.
- Of a list, only what matters is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from deadheat.model.grounds import (
    Absurd,
    AnnouncedTwice,
    BeforeItsCall,
    Belied,
    Breaks,
    Changed,
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
    Removed,
    RuledOut,
    SameId,
    Showed,
    ShowsTitle,
    ShowsTwice,
    Suppose,
    TakenAlong,
    Told,
    TooEarly,
    TooLate,
    UnknownTitle,
    WithoutIt,
    WouldAnswer,
)
from deadheat.model.history import (
    MAKING,
    Absent,
    Change,
    Deleted,
    Found,
    Kind,
    Listed,
    Offspring,
    Ok,
)
from deadheat.model.verdict import operations_by_index
from deadheat.report.calls import Sentences, answer_text, capital

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deadheat.model.grounds import Constraint, Rejected, Step
    from deadheat.model.history import Announcement, Operation
    from deadheat.model.verdict import Divergence


class Words:
    """Names one divergence's calls, sessions and steps. ``names``: of its sessions."""

    def __init__(self, divergence: Divergence, names: Mapping[str, str]) -> None:
        history = divergence.history
        self._about = divergence.sessions
        self._names = names
        self._ops = operations_by_index(history)
        self._sentences = Sentences((self._ops[index] for index in divergence.witness), names)
        self._start_ns = min((op.call_ns for op in history.operations), default=0)
        self._heard = () if history.stream is None else history.stream.announcements
        self._flushed_ns = None if history.stream is None else history.stream.flushed_ns

    def name(self, session: str) -> str:
        """The name of the session."""
        return self._names.get(session, session)

    def call(self, index: int) -> str:
        """The call's name in a sentence."""
        return self._sentences.spelt(self._ops[index])

    def _at(self, instant_ns: int | None) -> str:
        return "…" if instant_ns is None else f"{(instant_ns - self._start_ns) / 1e6:.1f} ms"

    def _answered(self, index: int) -> str:
        return self._at(self._ops[index].return_ns)

    def _called(self, index: int) -> str:
        return self._at(self._ops[index].call_ns)

    def filled(self, text: str) -> str:
        """An old sentence with names in place of ``{0}``, ``{1}`` …."""
        for n, session in enumerate(self._about):
            text = text.replace(f"{{{n}}}", self.name(session))
        return text

    def answer(self, op: Operation) -> str:
        """The answer; of a list, only what matters."""
        match op.outcome:
            case Ok(Listed() | Offspring() as listed):
                shown = (session for session in self._about if session in listed.sessions)
                return f"[{self._listed(shown)}]"
            case _:
                return answer_text(op, self._names)

    def _listed(self, sessions: Iterable[str]) -> str:
        return ", ".join(sorted(map(self.name, sessions)))

    def _verb(self, index: int) -> str:
        return "misses" if self._ops[index].kind is Kind.LIST else "does not find"

    # -- steps ------------------------------------------------------------------------------

    def told(self, step: Step) -> tuple[str, ...]:
        """The lines of one step."""
        match step:
            case Told(text):
                return (self.filled(text),)
            case Follows(constraint):
                return (f"{capital(self._constraint(constraint))}.",)
            case Suppose(constraint):
                return (f"Suppose {self._constraint(constraint)}:",)
            case RuledOut(constraint, others):
                first, second = self.call(constraint.before), self.call(constraint.after)
                whys = "; ".join(map(self._constraint, others))
                return (f"{capital(first)} cannot come before {second}: {whys}.",)
            case Absurd():
                return ("That cannot be.",)
            case ShowsTwice() | MadeTwice() | SameId() | NoMaker() | NeverGone() | UnknownTitle():
                return (self._flaw(step),)
            case Gave(call):
                return (f"{capital(self.call(call))} answered {self.answer(self._ops[call])}.",)
            case NoPlace(call, rejected):
                return (f"{capital(self.rejected(call, rejected))}.",)
            case MorePlaces(places):
                return (f"And so for {places} more places.",)
            case WithoutIt():
                return ("The other calls contradict each other, whatever its place.",)
            case BeforeItsCall() | NotDone() | Belied() | AnnouncedTwice() | NeverAnnounced():
                return self._announced(step)
            case _:
                assert_never(step)

    def _constraint(self, constraint: Constraint) -> str:
        first, second = constraint.before, constraint.after
        x, y = self.call(first), self.call(second)
        match constraint.because:
            case RealTime():
                return (
                    f"{x} had been answered ({self._answered(first)}) "
                    f"before {y} was called ({self._called(second)})"
                )
            case Showed(by, session):
                order = f"after {x}" if by == second else f"before {y}"
                return f"{self.call(by)} shows {self.name(session)}, so it comes {order}"
            case Removed(by, session) if by == second:
                return f"{y} removed {self.name(session)}, so it comes after {x}"
            case Removed(_, session):
                return (
                    f"{x} answered that it removed {self.name(session)}, so it comes "
                    f"before {y}, which removed it for good"
                )
            case LeftAlone(session):
                return f"{x} left {self.name(session)} there, so it comes before {y}"
            case TakenAlong(session):
                name = self.name(session)
                return f"{x} shows {name}, which {y} takes along, so it comes before it"
            case Missed(by, session, undeleted):
                order = f"after {x}" if by == second else f"before {y}"
                alone = ": nothing deleted it" if undeleted else ""
                return f"{self._missing(by, session)}, so it comes {order}{alone}"
            case HadRemoved(session):
                return f"{self._missing(second, session)}, so {x} had removed it by then"
            case HadTaken(by, taker, session):
                order = f"comes after {x}" if second == taker else f"{x} was before that"
                taken = f"so {self.call(taker)} had taken it by then, and {order}"
                return f"{self._missing(by, session)}, {taken}"
            case Changed(session):
                return f"{y} changed {self.name(session)}, so it comes after {x}"
            case ShowsTitle():
                return f"{y} shows the title of {x}, so it comes after it"
            case LacksTitle(read, write):
                fact = f"{self.call(read)} does not show the title of {self.call(write)}"
                order = "it comes before it" if first == read else f"{y} came after that"
                return f"{fact}, so {order}"
            case _:
                assert_never(constraint.because)

    def _missing(self, by: int, session: str) -> str:
        return f"{self.call(by)} {self._verb(by)} {self.name(session)}"

    def _flaw(
        self, step: ShowsTwice | MadeTwice | SameId | NoMaker | NeverGone | UnknownTitle
    ) -> str:
        match step:
            case ShowsTwice(by):
                return f"{capital(self.call(by))} shows one session twice."
            case MadeTwice(one, other, same):
                what = "one session" if same else "a session each, of one name"
                return (
                    f"{self.call(one)} and {self.call(other)} say that they made {what}, "
                    "and nothing deleted it between them."
                )
            case SameId(creates, session):
                # No create of them is the one to bear its name.
                who = " and ".join(self._sentences.without_result(self._ops[i]) for i in creates)
                name = self.name(session)
                return f"{who} answered the same id, {name}, and an id is given once."
            case NoMaker(by, session, unanswered):
                removed = self._is(by, Deleted) and not unanswered
                verb = "says that it deleted" if removed else "shows"
                said = f"{capital(self.call(by))} {verb} {self.name(session)}"
                if unanswered:
                    return f"{said}, and no unanswered create is left that can have made it."
                return f"{said}, and nothing created it."
            case NeverGone(by, session):
                missing = capital(self._missing(by, session))
                return f"{missing}, which was there all the time: nothing deleted it."
            case UnknownTitle(by, session, title):
                shown = f"{capital(self.call(by))} shows {self.name(session)}"
                return f"{shown} under a title that nothing gave it (“{title}”)."
            case _:
                assert_never(step)

    def _is(self, index: int, result: type[Absent | Deleted]) -> bool:
        outcome = self._ops[index].outcome
        return isinstance(outcome, Ok) and isinstance(outcome.result, result)

    # -- places -----------------------------------------------------------------------------

    def rejected(self, call: int, one: Rejected) -> str:
        """Why ``call`` cannot stand at a place, in one clause."""
        it = self.call(call)
        place = "came first of all"
        if one.after is not None:
            place = f"came right after {self.call(one.after)}"
        match one.cause:
            case TooEarly(other):
                x = self.call(other)
                return (
                    f"if {it} came before {x}: but {x} had been answered "
                    f"({self._answered(other)}) before it was called ({self._called(call)})"
                )
            case TooLate(other):
                return (
                    f"if {it} came after {self.call(other)}: but that was called "
                    f"({self._called(other)}) after it had been answered ({self._answered(call)})"
                )
            case WouldAnswer() as would:
                return f"if {it} {place}, it would {self._would(self._ops[call], would)}"
            case Breaks(other):
                answered = self.answer(self._ops[other])
                return f"if {it} {place}, {self.call(other)} could not have answered {answered}"
            case _:
                assert_never(one.cause)

    def _would(self, it: Operation, would: WouldAnswer) -> str:
        got, sessions = self.answer(it), would.sessions
        result = it.result
        if would.word:
            return f"answer {would.word}, and it answered {got}"
        if sessions is None:
            return f"not answer {got}"
        about = set(self._about)
        if isinstance(result, Listed):
            if set(sessions) == result.sessions & about:
                return "show another title"
            others = " of these" if len(about) < len(self._names) else ""
            return f"show [{self._listed(sessions)}]{others}, and it showed {got}"
        if it.kind in MAKING:
            return f"not answer {got}"
        if not sessions:
            return f"answer that it is not there, and it answered {got}"
        if isinstance(result, Absent) or (it.kind is Kind.GET and not isinstance(result, Found)):
            return f"find {self._listed(sessions)}, and it answered {got}"
        if isinstance(result, Found):
            return "show another title"
        return f"not answer {got} of {self._listed(sessions)}"

    # -- the event stream -------------------------------------------------------------------

    def _announced(
        self, step: BeforeItsCall | NotDone | Belied | AnnouncedTwice | NeverAnnounced
    ) -> tuple[str, ...]:
        match step:
            case BeforeItsCall(heard, call):
                return (self._had_arrived(heard, call),)
            case NotDone(heard, call):
                asked = self.call(call)
                return (
                    f"{asked} answered that there was nothing to rename.",
                    f"{self._news(heard)}, with the title of {asked}, arrived all the same.",
                )
            case Belied(heard, read, undone, refused):
                said = f"{capital(self.call(read))} {self._not_yet(self._heard[heard])}."
                lines = [self._had_arrived(heard, read), said]
                if refused is not None:
                    lines.append(f"{self.call(refused)} answered that it did nothing.")
                elif undone:
                    name = self.name(self._heard[heard].session)
                    lines.append(f"No call deleted {name} or anything above it.")
                return tuple(lines)
            case AnnouncedTwice(first, second):
                one, other = self._heard[first], self._heard[second]
                at, again = self._at(one.arrived_ns), self._at(other.arrived_ns)
                said = f"That {self.name(one.session)} was {one.change} was announced at {at}"
                once = f"A session is {one.change} once, however many calls ask for it."
                return (f"{said}, and again at {again}.", once)
            case NeverAnnounced(call, change, session):
                ended = self._ops[call].return_ns
                done = "" if ended is None else f" ({self._at(ended)})"
                said = f"{self.call(call)} was answered with success{done}"
                later = f"A change made after it was announced at {self._at(self._flushed_ns)}"
                return (
                    f"{said}, so {self.name(session)} was {change}.",
                    f"{later}, and by then nothing had been said of this one.",
                )
            case _:
                assert_never(step)

    def _news(self, heard: int) -> str:
        one = self._heard[heard]
        return f"The announcement that {self.name(one.session)} was {one.change}"

    def _had_arrived(self, heard: int, call: int) -> str:
        return (
            f"{self._news(heard)} had arrived ({self._at(self._heard[heard].arrived_ns)}) "
            f"before {self.call(call)} was called ({self._called(call)})."
        )

    def _not_yet(self, one: Announcement) -> str:
        name = self.name(one.session)
        match one.change:
            case Change.DELETED:
                return f"shows {name}, so it was not deleted yet"
            case Change.CREATED:
                return (
                    f"does not show {name}, and nothing had deleted it, so it was not created yet"
                )
            case Change.UPDATED:
                return f"shows the title that {name} had before, so it was not updated yet"
            case _:
                assert_never(one.change)
