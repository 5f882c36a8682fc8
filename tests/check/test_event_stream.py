"""What the event stream said: what contradicts the answers, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.check.histories import Build
from tests.check.simulator import simulate

from deadheat.check.checker import DEFAULT_BUDGET, check
from deadheat.check.event_stream import misannounced, owed
from deadheat.model.grounds import AnnouncedTwice, BeforeItsCall, Belied, NeverAnnounced
from deadheat.model.history import (
    Absent,
    Announcement,
    Change,
    Created,
    Deleted,
    Fail,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Ok,
    Operation,
    Outcome,
    Renamed,
    Result,
    Stream,
    Undeclared,
    Unknown,
)
from deadheat.model.promises import (
    CascadePromise,
    ChildrenPromise,
    DeletePromise,
    EventPromise,
    ListPromise,
    Promises,
    Shows,
)
from deadheat.model.verdict import EVENTS, Anomaly, Diverged, Divergence, Linearizable, Undecided

seeds = st.integers(min_value=0, max_value=2**32)
MS = 1_000_000
ONCE = Promises(events=EventPromise.EXACTLY_ONCE)
FAMILY = replace(
    ONCE,
    delete=DeletePromise.IDEMPOTENT,
    children=ChildrenPromise.CASCADE,
    cascade=CascadePromise.GRADUAL,
)
FIXED = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)


def told(
    built: Build,
    *said: tuple[Change, str, float] | tuple[Change, str, float, str],
    flushed: float | None = 100,
) -> History:
    """The history, and a stream that said this at these milliseconds."""
    announcements = tuple(
        Announcement(one[0], one[1], int(one[2] * MS), one[3] if len(one) == 4 else None)
        for one in said
    )
    flushed_ns = None if flushed is None else int(flushed * MS)
    return replace(built.history, stream=Stream(announcements, flushed_ns))


def events(history: History, promises: Promises = ONCE) -> list[Divergence]:
    verdict = check(history, promises)
    found = verdict.all if isinstance(verdict, Diverged) else ()
    return [one for one in found if one.anomaly in EVENTS]


def names(history: History, promises: Promises = ONCE) -> list[Anomaly]:
    return [one.anomaly for one in events(history, promises)]


BORN = (Change.CREATED, "a", 1.0)
GONE = (Change.DELETED, "a", 4.0)


def a_deleted() -> Build:
    return Build().create("a", 0, 2).delete("a", 3, 5)


def test_each_change_once_is_right_also_when_it_is_said_after_the_answer() -> None:
    assert isinstance(check(told(a_deleted(), BORN, GONE), ONCE), Linearizable)
    late = told(a_deleted(), (Change.CREATED, "a", 40), (Change.DELETED, "a", 50))
    assert isinstance(check(late, ONCE), Linearizable)


def test_nothing_is_said_where_nothing_is_promised_or_nobody_listened() -> None:
    twice = told(a_deleted(), BORN, GONE, GONE)
    assert names(twice, Promises()) == []
    assert names(replace(twice, stream=None)) == []


def test_twice_is_once_too_often() -> None:
    (one,) = events(told(a_deleted(), BORN, GONE, (Change.DELETED, "a", 6)))
    assert one.anomaly is Anomaly.DUPLICATE_EVENT
    assert one.heard == (1, 2)
    assert one.signature.calls == ("delete",)
    assert one.witness == (0, 1)
    assert one.proof == (AnnouncedTwice(1, 2),)
    (born,) = events(told(a_deleted(), BORN, BORN, GONE))
    assert born.signature.calls == ("create",)


def test_before_the_call_is_too_soon() -> None:
    (one,) = events(told(a_deleted(), BORN, (Change.DELETED, "a", 2.5)))
    assert one.anomaly is Anomaly.EARLY_EVENT
    assert one.signature.calls == ("delete",)
    assert one.proof == (BeforeItsCall(heard=1, call=1),)
    at_the_call = told(a_deleted(), BORN, (Change.DELETED, "a", 3.0))
    assert names(at_the_call) == []


def test_read_as_it_was_after_the_announcement_had_arrived_is_too_soon() -> None:
    built = a_deleted().get("a", 3.6, 4.5, Found())
    (one,) = events(told(built, BORN, (Change.DELETED, "a", 3.5)))
    assert one.anomaly is Anomaly.EARLY_EVENT
    assert one.witness == (0, 1, 2)
    assert one.signature.calls == ("delete",)
    assert one.proof == (Belied(heard=1, read=2, undone=False, refused=None),)
    # Called before it arrived: it may have been sent in between.
    assert names(told(built, BORN, (Change.DELETED, "a", 3.6))) == []


def test_not_there_yet_after_its_creation_had_been_announced() -> None:
    built = Build().create("a", 0, 5).list(2, 3)
    assert names(told(built, BORN)) == [Anomaly.EARLY_EVENT]
    assert names(told(built, (Change.CREATED, "a", 2.0))) == []
    deleted = Build().create("a", 0, 2).delete("a", 3, 9).list(4, 5)
    assert names(told(deleted, BORN, (Change.DELETED, "a", 10))) == []  # it may have gone again


def test_missing_only_after_a_flush_and_only_what_certainly_happened() -> None:
    (one,) = events(told(a_deleted(), BORN))
    assert one.anomaly is Anomaly.MISSING_EVENT
    assert one.signature.calls == ("delete",)
    assert one.culprit == 1
    assert one.proof == (NeverAnnounced(1, Change.DELETED, "a"),)
    assert names(told(a_deleted(), BORN, flushed=None)) == []
    assert owed(told(a_deleted(), BORN), ONCE) == {(Change.DELETED, "a", None)}


@pytest.mark.parametrize(
    "outcome",
    [Info(Unknown.TIMEOUT), Fail("ConnectError"), Ok(Absent()), Ok(Undeclared(409))],
)
def test_what_nobody_knows_may_be_announced_or_not(outcome: Outcome) -> None:
    end_ns = None if isinstance(outcome, Info) else 5 * MS
    built = Build().create("a", 0, 2)
    built.operations.append(Operation(1, 1, Invocation(Kind.DELETE, "a"), outcome, 3 * MS, end_ns))
    assert names(told(built, BORN)) == []
    if isinstance(outcome, Info) or outcome == Ok(Undeclared(409)):
        assert names(told(built, BORN, GONE)) == []


def test_missing_only_once_what_it_says_had_to_show() -> None:
    settled = ONCE.settling(50 * MS)
    assert names(told(a_deleted(), BORN, flushed=60), settled) == [Anomaly.MISSING_EVENT]
    assert names(told(a_deleted(), BORN, flushed=54), settled) == []


def test_announced_though_refused() -> None:
    """The session is there afterwards, and every delete of it answered that it did nothing."""
    built = Build().create("a", 0, 2).get("a", 6, 7, Found(), rest=True)
    (one,) = events(told(built, BORN, GONE))
    assert one.anomaly is Anomaly.PHANTOM_EVENT
    assert one.proof == (Belied(heard=1, read=1, undone=True, refused=None),)


def test_a_ghost_is_not_a_missing_event_too() -> None:
    """The announcement tells the truth; the answer does not."""
    ghost = a_deleted().get("a", 6, 7, Found(), rest=True)
    assert names(told(ghost, BORN)) == []
    assert isinstance(check(told(ghost, BORN), ONCE), Diverged)


def test_two_successful_deletes_of_one_session_are_one_change() -> None:
    idempotent = replace(ONCE, delete=DeletePromise.IDEMPOTENT)
    built = a_deleted().delete("a", 3, 6)
    assert names(told(built, BORN, GONE), idempotent) == []
    assert names(told(built, BORN, GONE, GONE), idempotent) == [Anomaly.DUPLICATE_EVENT]


def _below(built: Build, session: str, parent: str, call: float, end: float) -> Build:
    asked = Invocation(Kind.CREATE, None, session, parent)
    return built.add(asked, Created(session), call, end)


def test_a_cascade_announces_the_children_too() -> None:
    built = _below(Build().create("a", 0, 1), "k", "a", 2, 3).delete("a", 4, 6)
    said = ((Change.CREATED, "a", 1), (Change.CREATED, "k", 3), (Change.DELETED, "a", 6))
    (one,) = events(told(built, *said), FAMILY)
    assert one.anomaly is Anomaly.MISSING_EVENT
    assert one.sessions == ("k", "a")
    assert names(told(built, *said, (Change.DELETED, "k", 5)), FAMILY) == []
    assert names(told(built, *said), replace(FAMILY, children=ChildrenPromise.NONE)) == []
    early = (Change.DELETED, "k", 3.5)
    assert names(told(built, *said, early), FAMILY) == [Anomaly.EARLY_EVENT]


def test_a_child_made_below_what_had_gone_is_owed_nothing() -> None:
    """An idempotent delete of what is not there answers success, and takes nobody along."""
    built = _below(Build().create("a", 0, 1).delete("a", 2, 3), "k", "a", 4, 5).delete("a", 6, 7)
    said = ((Change.CREATED, "a", 1), (Change.DELETED, "a", 3), (Change.CREATED, "k", 5))
    assert names(told(built, *said), FAMILY) == []


def _renamed(call: float, end: float, result: Result | None = None) -> Build:
    built = Build().create("a", 0, 2, title="old")
    return built.add(Invocation(Kind.RENAME, "a", "t"), result or Renamed(), call, end)


def test_a_rename_is_announced_at_least_once() -> None:
    said = (Change.UPDATED, "a", 4.0, "t")
    assert names(told(_renamed(3, 5), BORN)) == [Anomaly.MISSING_EVENT]
    assert names(told(_renamed(3, 5), BORN, said, said)) == []  # said of other changes, too
    assert names(told(_renamed(3, 5), BORN, (Change.UPDATED, "a", 4.0))) == []  # without a title
    assert names(told(_renamed(3, 5), BORN, (Change.UPDATED, "a", 2.5, "t"))) == [
        Anomaly.EARLY_EVENT
    ]
    gone = _renamed(3, 6, Absent()).delete("a", 3, 5)
    assert names(told(gone, BORN, GONE)) == []
    assert names(told(gone, BORN, GONE, said)) == [Anomaly.PHANTOM_EVENT]


def test_titles_that_are_never_announced_are_not_missing() -> None:
    lives = replace(ONCE, events=EventPromise.LIVES)
    assert names(told(_renamed(3, 5), BORN), lives) == []
    assert names(told(a_deleted(), BORN), lives) == [Anomaly.MISSING_EVENT]


def test_the_old_title_after_the_new_one_was_announced() -> None:
    built = _renamed(3, 9)
    built.get("a", 5, 6, Found("old"))
    assert names(told(built, BORN, (Change.UPDATED, "a", 4, "t"))) == [Anomaly.EARLY_EVENT]
    assert names(told(built, BORN, (Change.UPDATED, "a", 5.5, "t"))) == []


def test_a_verdict_that_is_undecided_hides_no_announcement() -> None:
    built = a_deleted()
    for n in range(4):
        built.create(f"b{n}", 0, 50).list(0, 50, f"b{n}")
    history = told(built, BORN, GONE, GONE)
    verdict = check(history, ONCE, 0)
    assert isinstance(verdict, Diverged | Undecided)
    assert Anomaly.DUPLICATE_EVENT in names(history)


# -- laws ------------------------------------------------------------------------------------


def simulated(seed: int, *, late: bool = True) -> History:
    """A right server's answers, and each change announced once, when it is made or later."""
    rng = Random(seed)
    run = simulate(rng, None, calls=rng.randint(3, 25), clients=rng.randint(1, 5))
    said = [
        replace(one, arrived_ns=one.arrived_ns + late * rng.choice([0, 1, rng.randrange(30 * MS)]))
        for one in run.changes
    ]
    said.sort(key=lambda one: one.arrived_ns)
    return replace(run.history, stream=Stream(tuple(said), 10_000 * MS))


def quiet(history: History) -> bool:
    return misannounced(history, ONCE, DEFAULT_BUDGET) == ()


def restreamed(history: History, said: list[Announcement]) -> History:
    assert history.stream is not None
    return replace(history, stream=replace(history.stream, announcements=tuple(said)))


def announced(history: History) -> list[Announcement]:
    assert history.stream is not None
    return list(history.stream.announcements)


@FIXED
@given(seeds)
def test_a_right_server_is_never_accused(seed: int) -> None:
    history = simulated(seed)
    assert quiet(history)
    assert isinstance(check(history, ONCE), Linearizable)


def bent(seed: int) -> History:
    """The same with one or two announcements moved, repeated, left out or made up."""
    rng = Random(f"bent {seed}")
    history = simulated(seed, late=rng.random() < 0.5)
    said = announced(history)
    for _ in range(rng.randint(1, 2)):
        if not said:
            break
        n = rng.randrange(len(said))
        match rng.randrange(4):
            case 0:
                said[n] = replace(said[n], arrived_ns=said[n].arrived_ns - rng.randrange(20 * MS))
            case 1:
                said.insert(n, said[n])
            case 2:
                del said[n]
            case _:
                said.append(replace(said[n], change=rng.choice(list(Change))))
    return restreamed(history, said)


@FIXED
@given(seeds, st.integers(-(10**12), 10**12))
def test_shifting_the_clock_changes_nothing(seed: int, by_ns: int) -> None:
    history = bent(seed)
    stream = history.stream
    assert stream is not None
    moved = History(
        tuple(
            replace(
                op,
                call_ns=op.call_ns + by_ns,
                return_ns=None if op.return_ns is None else op.return_ns + by_ns,
            )
            for op in history.operations
        ),
        stream=Stream(
            tuple(replace(one, arrived_ns=one.arrived_ns + by_ns) for one in stream.announcements),
            None if stream.flushed_ns is None else stream.flushed_ns + by_ns,
        ),
    )
    before, after = (
        [(one.anomaly, one.witness, one.heard, one.proof) for one in events(each)]
        for each in (history, moved)
    )
    assert before == after


@FIXED
@given(seeds, st.integers(0, 50 * MS))
def test_an_announcement_that_arrives_later_proves_no_more(seed: int, by_ns: int) -> None:
    history = bent(seed)
    later = [replace(one, arrived_ns=one.arrived_ns + by_ns) for one in announced(history)]
    assert set(names(restreamed(history, later))) <= set(names(history))


@FIXED
@given(seeds)
def test_a_broken_stream_proves_no_more(seed: int) -> None:
    """Whatever was lost with it: the end, or all."""
    history = bent(seed)
    assert history.stream is not None
    for kept in (announced(history), announced(history)[: seed % 5], []):
        cut = replace(history, stream=Stream(tuple(kept), None))
        assert set(names(cut)) <= set(names(history)) - {Anomaly.MISSING_EVENT}


@FIXED
@given(seeds)
def test_what_an_unanswered_call_may_have_done_is_announced_or_not(seed: int) -> None:
    history = simulated(seed)
    open_ended = {
        str(op.invocation.session)
        for op in history.operations
        if isinstance(op.outcome, Info) and op.kind is Kind.DELETE
    }
    certain = {
        str(op.invocation.session) for op in history.operations if op.outcome == Ok(Deleted())
    }
    fewer = [
        one
        for one in announced(history)
        if not (one.change is Change.DELETED and one.session in open_ended - certain)
    ]
    assume(open_ended)
    assert quiet(restreamed(history, fewer))


@FIXED
@given(seeds)
def test_strangers_are_nobodys_business(seed: int) -> None:
    history = bent(seed)
    stranger = Announcement(Change.DELETED, "stranger", 0)
    assert names(restreamed(history, [stranger, stranger, *announced(history)])) == names(history)


@FIXED
@given(seeds, st.sampled_from(ListPromise), st.sampled_from(Shows))
def test_a_weaker_promise_accuses_no_more(seed: int, lists: ListPromise, reads: Shows) -> None:
    history = bent(seed)
    weaker = replace(ONCE, list=lists, reads=reads, slack_ns=MS)
    assert set(names(history, weaker)) <= set(names(history))


@FIXED
@given(seeds)
def test_each_fault_is_found_where_it_certainly_shows(seed: int) -> None:
    """Repeated; left out though acknowledged; arrived before its call."""
    rng = Random(seed)
    history = simulated(seed)
    said = announced(history)
    makers = {
        (Change.DELETED, str(op.invocation.session)): op
        for op in history.operations
        if op.outcome == Ok(Deleted())
    }
    known = [n for n, one in enumerate(said) if (one.change, one.session) in makers]
    assume(known)
    n = rng.choice(known)
    one = said[n]
    assert Anomaly.DUPLICATE_EVENT in names(restreamed(history, [*said, one]))
    assert Anomaly.MISSING_EVENT in names(restreamed(history, said[:n] + said[n + 1 :]))
    asked = [op.call_ns for op in history.operations if op.invocation.session == one.session
             and op.kind is Kind.DELETE]  # fmt: skip
    early = replace(one, arrived_ns=min(asked) - 1)
    assert Anomaly.EARLY_EVENT in names(restreamed(history, [early, *said[:n], *said[n + 1 :]]))
