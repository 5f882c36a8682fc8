"""Custom calls, judged through the one entry."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.check.custom_kinds import (
    ARCHIVE,
    PEEK,
    RESTORE,
    Archive,
    every_order,
    own_call,
    random_own_history,
)
from tests.check.histories import Build, random_history

from deadheat.check.checker import check
from deadheat.check.projections import only_sessions
from deadheat.model.grounds import Breaks, Gave, NoPlace, Rejected, TooEarly, WouldAnswer
from deadheat.model.history import (
    FORBIDDEN,
    Custom,
    Found,
    History,
    Info,
    Invocation,
    Kind,
    Undeclared,
    Unknown,
    overlapping_pairs,
)
from deadheat.model.promises import DeletePromise, ListPromise, Promises, Shows
from deadheat.model.verdict import Anomaly, Diverged, Linearizable, Obstacle, Undecided
from deadheat.report.calls import answer_text, call_text

if TYPE_CHECKING:
    from collections.abc import Hashable

    from deadheat.model.verdict import Divergence, Verdict

NO_DELETE = Archive(forbids=frozenset({Kind.DELETE}))


def judged(
    history: History,
    kinds: Archive | None = None,
    promises: Promises | None = None,
    budget: int = 200_000,
) -> Verdict:
    return check(history, promises or Promises(), budget, custom=kinds or Archive())


def diverged(history: History, kinds: Archive | None = None) -> Divergence:
    found = judged(history, kinds)
    assert isinstance(found, Diverged)
    return found.divergence


def two_archives(second: str = "archived") -> History:
    build = Build().create("x", 0, 1)
    own_call(build, ARCHIVE, "x", 2, 6, "archived")
    return own_call(build, ARCHIVE, "x", 3, 7, second).history


def test_two_archives_at_once_may_not_both_succeed() -> None:
    assert isinstance(judged(two_archives("refused")), Linearizable)
    found = diverged(two_archives())
    assert found.anomaly is Anomaly.IMPOSSIBLE
    assert str(found.signature) == "impossible (archive)"
    assert found.witness == (0, 1, 2)
    assert found.culprit == found.first_impossible == 2


def test_where_a_second_success_is_allowed_it_is_none() -> None:
    assert isinstance(judged(two_archives(), Archive(loose=True)), Linearizable)


def test_its_order_with_the_sessions_calls_counts() -> None:
    for call, verdict in ((8, Diverged), (5, Linearizable)):
        build = Build().create("x", 0, 1).delete("x", 4, 7)
        own_call(build, ARCHIVE, "x", call, 9, "archived")
        assert isinstance(judged(build.history), verdict)


def test_a_mark_may_forbid_other_calls() -> None:
    build = Build().create("x", 0, 1)
    own_call(build, ARCHIVE, "x", 2, 6, "archived").delete("x", 3, 7)
    assert isinstance(judged(build.history), Linearizable)  # archived, then deleted
    found = diverged(build.history, NO_DELETE)
    assert str(found.signature) == "impossible (archive, delete)"
    refused = Build().create("x", 0, 1)
    own_call(refused, ARCHIVE, "x", 2, 6, "archived").delete("x", 3, 7, FORBIDDEN)
    assert isinstance(judged(refused.history, NO_DELETE), Linearizable)
    assert isinstance(judged(refused.history), Diverged)  # nothing forbids it there


def test_a_mark_may_hide_a_session_from_lists() -> None:
    build = Build().create("x", 0, 1)
    own_call(build, ARCHIVE, "x", 2, 3, "archived").list(4, 5, rest=True)
    assert isinstance(judged(build.history, Archive(hidden=True)), Linearizable)
    found = diverged(build.history)
    assert found.anomaly is Anomaly.LOST_CREATE  # the sessions alone, by their own names
    shown = Build().create("x", 0, 1)
    own_call(shown, ARCHIVE, "x", 2, 3, "archived").list(4, 5, "x", rest=True)
    hidden = diverged(shown.history, Archive(hidden=True))
    assert str(hidden.signature) == "impossible (archive, read)"


def test_the_proof_goes_through_the_places() -> None:
    assert diverged(two_archives()).proof == (
        Gave(2),
        NoPlace(2, Rejected(0, 1, Breaks(1))),
        NoPlace(2, Rejected(1, None, WouldAnswer(None, "refused"))),
        NoPlace(2, Rejected(None, 0, TooEarly(0))),
    )
    build = Build().create("x", 0, 1)
    own_call(build, ARCHIVE, "x", 2, 6, "archived").delete("x", 3, 7)
    *_, last = diverged(build.history, NO_DELETE).proof[:3]
    assert isinstance(last, NoPlace)
    assert last.rejected.cause == WouldAnswer(None, "refused")


def test_the_fewest_calls_and_sessions_are_named() -> None:
    build = Build().create("x", 0, 1).create("y", 0, 1).create("z", 0, 1)
    own_call(build, ARCHIVE, "y", 2, 3, "archived")
    own_call(build, RESTORE, "y", 3.1, 3.2, "restored")
    own_call(build, ARCHIVE, "x", 4, 8, "archived")
    build.list(4, 8, "x", "y", "z").get("x", 4, 5, Found())
    own_call(build, PEEK, "x", 4, 9, "archived")
    own_call(build, ARCHIVE, "x", 5, 9, "archived")
    own_call(build, ARCHIVE, "x", 10, 11, "refused")
    found = diverged(build.history)
    assert found.sessions == ("x",)
    assert found.witness == (0, 5, 9)


def test_a_lost_mark_shows_in_a_call_that_only_looks() -> None:
    for shown, verdict in (("live", Diverged), ("archived", Linearizable)):
        build = own_call(Build().create("x", 0, 1), ARCHIVE, "x", 2, 3, "archived")
        own_call(build, PEEK, "x", 4, 5, shown)
        assert isinstance(judged(build.history), verdict)


def test_nobody_knows_what_became_of_one_without_an_answer() -> None:
    for shown in ("live", "archived"):
        build = own_call(Build().create("x", 0, 1), ARCHIVE, "x", 2, None, "")
        assert isinstance(judged(own_call(build, PEEK, "x", 40, 50, shown).history), Linearizable)
    own_call(build, PEEK, "x", 60, 70, "live")  # it does not go back
    assert isinstance(judged(build.history), Diverged)


def test_what_is_wrong_with_the_sessions_keeps_its_name() -> None:
    build = Build().create("x", 0, 1).create("y", 0, 1)
    own_call(build, ARCHIVE, "y", 2, 6, "archived").delete("x", 3, 7).list(
        8, 9, "x", "y", rest=True
    )
    for kinds in (Archive(), NO_DELETE):
        assert diverged(build.history, kinds).anomaly is Anomaly.GHOST
    hides = Archive(hidden=True)
    build = Build().create("x", 0, 1).create("y", 0, 1)
    own_call(build, ARCHIVE, "y", 2, 6, "archived").delete("x", 3, 7).list(8, 9, "x", rest=True)
    assert diverged(build.history, hides).anomaly is Anomaly.GHOST


def test_undeclared_answers_and_hangs_are_told_beside() -> None:
    build = Build().create("x", 0, 1)
    asked = Invocation(Kind.CUSTOM, "x", custom=ARCHIVE)
    build.add(asked, Undeclared(418), 2, 3, status=418)
    assert str(diverged(build.history).signature) == "wrong-status (archive 418)"
    build = Build().create("x", 0, 1)
    build.add(asked, Info(Unknown.SERVER_ERROR), 2, None, status=500)
    assert str(diverged(build.history).signature) == "server-error (archive 500)"


def test_the_diagram_speaks_of_it() -> None:
    op = two_archives().operations[1]
    assert (call_text(op, {"x": "a"}), answer_text(op, {})) == ("archive(a)", "archived")
    given = replace(op, invocation=Invocation(Kind.CUSTOM, "x", custom=Custom("archive", "soon")))
    assert call_text(given, {"x": "a"}) == "archive(a, soon)"
    assert given.called == "archive"


def test_calls_that_only_look_make_no_overlap() -> None:
    for custom, pairs in ((ARCHIVE, 1), (PEEK, 0)):
        build = own_call(Build().create("x", 0, 1), custom, "x", 2, 6, "archived")
        build.get("x", 3, 7, Found())
        assert overlapping_pairs(build.history) == pairs


def test_without_its_meaning_or_with_parents_nothing_is_decided() -> None:
    history = two_archives("refused")
    verdict = check(history, Promises())
    assert verdict == Undecided(Obstacle.MEANING)
    first, *rest = history.operations
    child = Invocation(Kind.CREATE, parent="x")
    family = History((replace(first, invocation=child), *rest))
    assert judged(family) == Undecided(Obstacle.FAMILIES)


def test_the_budget_ends_in_undecided() -> None:
    build = Build().create("x", 0, 1)
    for n in range(8):
        own_call(build, ARCHIVE if n else RESTORE, "x", 2 + n / 10, 9, "archived")
    assert judged(build.history, budget=20) == Undecided(Obstacle.STEPS)
    assert isinstance(judged(build.history), Diverged)


def test_what_the_sessions_know_goes_the_specialised_way() -> None:
    """Far more steps than the search is given here, and yet decided, the same."""
    seen: Counter[type] = Counter()
    for seed in range(200):
        history = random_history(Random(seed), 20, info=0.0, bend=0.05, width=16)
        verdict = judged(history, budget=300)
        assert verdict == check(history, Promises(), 300)
        seen[type(verdict)] += 1
    assert min(seen[Diverged], seen[Linearizable]) > 20


def test_a_kind_with_endless_marks_is_judged_all_the_same() -> None:
    class Counting:
        """``push`` answers how many there have been."""

        def step(self, custom: Custom, there: bool, mark: Hashable) -> list[tuple[str, Hashable]]:
            del custom
            number = mark if isinstance(mark, int) else 0
            return [(str(number + 1), number + 1)] if there else [("absent", mark)]

        def refuses(self, kind: Kind, mark: Hashable) -> bool:
            del kind, mark
            return False

        def hides(self, mark: Hashable) -> bool:
            del mark
            return False

    for second, verdict in (("2", Linearizable), ("1", Diverged)):
        build = own_call(Build().create("x", 0, 1), Custom("push"), "x", 2, 6, "1")
        own_call(build, Custom("push"), "x", 3, 7, second).list(8, 9, "x", rest=True)
        found = check(build.history, Promises(), custom=Counting())
        assert isinstance(found, verdict)


def test_a_read_that_may_be_old_includes_ones_own() -> None:
    build = own_call(Build().create("x", 0, 1), ARCHIVE, "x", 2, 3, "archived")
    own_call(build, PEEK, "x", 4, 5, "live")
    eventual = Promises(reads=Shows.EVENTUAL)
    assert isinstance(judged(build.history), Diverged)
    assert isinstance(judged(build.history, promises=eventual), Linearizable)


KINDS = (
    Archive(),
    NO_DELETE,
    Archive(hidden=True),
    Archive(loose=True),
    Archive(forbids=frozenset({Kind.GET, Kind.DELETE}), hidden=True),
)


@pytest.mark.parametrize("per_session", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_agrees_with_every_order_tried(number: int, strict: bool, per_session: bool) -> None:
    """300 histories for each of 20 worlds here; ``tests/quality/own_orders.py`` tries more."""
    seen = compare(KINDS[number], strict, per_session, range(300), size=5)
    assert min(seen[True], seen[False]) > 40


def compare(
    kinds: Archive, strict: bool, per_session: bool, seeds: range, size: int
) -> Counter[bool]:
    """How many were legal and how many not; raises where the two judges differ."""
    promises = Promises(
        delete=DeletePromise.EXACTLY_ONCE if strict else DeletePromise.IDEMPOTENT,
        list=ListPromise.PER_SESSION if per_session else ListPromise.SNAPSHOT,
    )
    seen: Counter[bool] = Counter()
    for seed in seeds:
        history = random_own_history(Random(seed), kinds, size, strict=strict)
        expected = every_order(history, kinds, strict=strict, per_session=per_session)
        found = judged(history, kinds, promises)
        assert isinstance(found, Linearizable if expected else Diverged), (seed, found)
        if isinstance(found, Diverged):
            _is_a_proof(found.divergence, kinds, strict, per_session)
        seen[expected] += 1
    return seen


def _is_a_proof(found: Divergence, kinds: Archive, strict: bool, per_session: bool) -> None:
    """The witness alone, of its own sessions, cannot be explained by any order either."""
    chosen = tuple(op for op in found.history.operations if op.index in found.witness)
    core = only_sessions(replace(found.history, operations=chosen), frozenset(found.sessions))
    assert not every_order(core, kinds, strict=strict, per_session=per_session)
