"""Calls of one's own, judged by the generic search through the one entry."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING

from tests.core.histories import Build, random_history

from deadheat.core.account import as_dict, as_text
from deadheat.core.checker import check
from deadheat.core.divergence import Diverged, Linearizable, Undecided
from deadheat.core.history import (
    Answered,
    History,
    Info,
    Invocation,
    Kind,
    Ok,
    Operation,
    Outcome,
    Own,
    Unknown,
)
from deadheat.core.own import WithOwn, with_own
from deadheat.core.promises import Promises
from deadheat.core.search import NoOrder, Order, find_order
from deadheat.report.diagram import answer_text, call_text

if TYPE_CHECKING:
    from deadheat.core.divergence import Verdict


@dataclass(frozen=True)
class Archive:
    """``archive(x)`` puts a session away, once; ``archived()`` says which were, ever."""

    def init(self) -> frozenset[str]:
        return frozenset()

    def step(
        self, state: frozenset[str], live: frozenset[str], invocation: Invocation, outcome: Outcome
    ) -> frozenset[frozenset[str]]:
        own = invocation.own
        assert own is not None
        if own.name == "archived":
            return frozenset({state} if outcome == Ok(Answered(" ".join(sorted(state)))) else ())
        (session,) = own.arguments
        can = session in live and session not in state
        if isinstance(outcome, Info):
            return frozenset({state | {session} if can else state})
        if outcome == Ok(Answered("archived")):
            return frozenset({state | {session}} if can else ())
        return frozenset(() if can else {state})


def test_the_account_and_the_artifact_speak_of_it() -> None:
    build = Build().create("x", 0, 1)
    archive(build, "x", 2, 6, "archived")
    archive(build, "x", 7, 9, "archived")
    found = judged(build.history)
    assert isinstance(found, Diverged)
    assert "archive(a) -> archived" in as_text(found.divergence, Promises())
    told = json.dumps(as_dict(found.divergence, Promises()))
    assert '"own": "archive"' in told
    assert call_text(build.history.operations[1], {}) == "archive(x)"
    assert answer_text(build.history.operations[1], {}) == "archived"


def archive(build: Build, session: str, call: float, end: float | None, said: str) -> Build:
    outcome = Info(Unknown.TIMEOUT) if end is None else Ok(Answered(said))
    asked = Invocation(Kind.OWN, own=Own("archive", (session,)))
    return build.add(asked, outcome, call, end)


def archived(build: Build, call: float, end: float, *sessions: str) -> Build:
    asked = Invocation(Kind.OWN, own=Own("archived", pure=True))
    return build.add(asked, Ok(Answered(" ".join(sessions))), call, end)


def judged(history: History, budget: int = 200_000) -> Verdict:
    promises = Promises()
    return check(history, promises, budget, model=with_own(history, promises, Archive()))


def test_two_archives_at_once_may_not_both_succeed() -> None:
    """The planted race; in its twin the second is refused."""
    for second, verdict in (("archived", Diverged), ("refused", Linearizable)):
        build = Build().create("x", 0, 1)
        archive(build, "x", 2, 6, "archived")
        archive(build, "x", 3, 7, second)
        assert isinstance(judged(build.history), verdict)


def test_its_order_with_the_sessions_calls_counts() -> None:
    for call, verdict in ((8, Diverged), (5, Linearizable)):
        build = Build().create("x", 0, 1).delete("x", 4, 7)
        archive(build, "x", call, 9, "archived")
        assert isinstance(judged(build.history), verdict)


def test_a_lost_update_of_ones_own_shows_at_rest() -> None:
    for shown, verdict in (((), Diverged), (("x",), Linearizable)):
        build = archive(Build().create("x", 0, 1), "x", 2, 3, "archived")
        archived(build, 4, 5, *shown)
        found = judged(build.history)
        assert isinstance(found, verdict)
        if isinstance(found, Diverged):
            assert found.divergence.first_impossible == 2
            assert found.divergence.witness == (0, 1, 2)


def test_nobody_knows_what_became_of_one_without_an_answer() -> None:
    for shown in ((), ("x",)):
        build = archive(Build().create("x", 0, 1), "x", 2, None, "")
        assert isinstance(judged(archived(build, 40, 50, *shown).history), Linearizable)
    again = archived(archived(build, 60, 70, "x"), 80, 90)
    assert isinstance(judged(again.history), Diverged)  # it does not go back


def test_without_its_model_or_with_parents_nothing_is_decided() -> None:
    history = archive(Build().create("x", 0, 1), "x", 2, 3, "archived").history
    verdict = check(history, Promises())
    assert isinstance(verdict, Undecided)
    assert "model" in verdict.reason
    child = Invocation(Kind.CREATE, parent="x")
    first, *rest = history.operations
    family = History((replace(first, invocation=child), *rest))
    assert isinstance(judged(family), Undecided)


def test_the_budget_ends_in_undecided() -> None:
    build = Build().create("x", 0, 1)
    for n in range(8):
        archive(build, "x", 2 + n / 10, 9, "archived")
    assert isinstance(judged(build.history, 20), Undecided)
    assert isinstance(judged(build.history), Diverged)


def test_what_the_sessions_know_goes_the_specialised_way() -> None:
    """Far more steps than the search is given here, and yet decided, the same."""
    seen = {Diverged: 0, Linearizable: 0}
    for seed in range(200):
        history = random_history(Random(seed), 20, info=0.0, bend=0.05, width=16)
        verdict = judged(history, 300)
        assert verdict == check(history, Promises(), 300)
        if isinstance(verdict, Diverged | Linearizable):
            seen[type(verdict)] += 1
    assert min(seen.values()) > 20


def test_agrees_with_every_order_tried() -> None:
    seen = {True: 0, False: 0}
    for seed in range(600):
        rng = Random(seed)
        build = Build().create("x", 0, 1).create("y", 0, 1)
        for _ in range(rng.randint(2, 4)):
            at, far = rng.uniform(2, 9), rng.uniform(1, 5)
            which = rng.choice("xy")
            match rng.randrange(4):
                case 0:
                    build.delete(which, at, at + far)
                case 1:
                    archived(build, at, at + far, *(s for s in "xy" if rng.random() < 0.5))
                case _:
                    end = None if rng.random() < 0.2 else at + far
                    archive(build, which, at, end, rng.choice(["archived", "archived", "refused"]))
        history = build.history
        expected = some_order(history)
        model = with_own(history, Promises(), Archive())
        assert isinstance(find_order(history, model, 10_000), Order if expected else NoOrder), seed
        assert isinstance(judged(history), Linearizable if expected else Diverged), seed
        seen[expected] += 1
    assert min(seen.values()) > 100


def some_order(history: History) -> bool:
    """Every order of every set of the unanswered calls with all the answered ones."""
    model = with_own(history, Promises(), Archive())
    sure = [op for op in history.operations if op.return_ns is not None]
    open_ = [op for op in history.operations if op.return_ns is None]
    sets = [[op for n, op in enumerate(open_) if bits >> n & 1] for bits in range(1 << len(open_))]
    return any(
        in_time(order) and runs(model, order)
        for some in sets
        for order in permutations([*sure, *some])
    )


def in_time(order: tuple[Operation, ...]) -> bool:
    latest = 0
    for op in order:
        if op.return_ns is not None and op.return_ns < latest:
            return False
        latest = max(latest, op.call_ns)
    return True


def runs(model: WithOwn[frozenset[str]], order: tuple[Operation, ...]) -> bool:
    states = {model.init()}
    for op in order:
        states = {
            after for state in states for after in model.step(state, op.invocation, op.outcome)
        }
    return bool(states)
